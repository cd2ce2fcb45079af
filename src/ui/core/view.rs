//! What a page is made of: who reads it, what the address says, and the API's routes, which it asks in the reader's name.

use std::cell::RefCell;

use askama::Template;
use hyper::header::LINK;
use hyper::http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::assets::packed;
use super::form::Form;
use super::frame::Frame;
use crate::access::{Action, Caller};
use crate::api::App;
use crate::api::engine::subrequest::Subrequest;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::reply::{Body, Reply};
use crate::rest::service::Outcome;

/// A page, or the refusal of what it needs first of all.
pub(crate) type PageResult = Result<Reply, ApiError>;

/// What came of a form, to be told on the page that it stands on.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Why it was refused.
    pub trouble: Option<ApiError>,
    /// What was sent, to stand in its fields again.
    pub sent: Form,
    /// A reply with a secret, which is shown this once.
    pub issued: Option<Value>,
}

/// A page in the making.
pub(crate) struct View<'a> {
    /// The application.
    pub app: &'a App,
    /// Who reads.
    pub caller: &'a Caller,
    /// What was asked for.
    pub input: &'a Input,
    /// What came of the form before.
    pub told: &'a Told,
    /// Replies that had to be waited for, by what was asked.
    known: &'a [(String, Reply)],
    /// What has to be waited for: the page is made anew with its reply.
    waiting: RefCell<Option<(String, Box<Outcome>)>>,
}

/// Replies that a page had to wait for, by what it asked.
pub(super) type PreparedReplies = Vec<(String, Reply)>;

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    /// Its rows.
    pub rows: Vec<T>,
    /// The cursor of the next page.
    pub next: Option<String>,
}

impl<'a> View<'a> {
    /// A page in the making, with the replies that it had to wait for.
    pub fn new(
        app: &'a App,
        caller: &'a Caller,
        input: &'a Input,
        told: &'a Told,
        known: &'a [(String, Reply)],
    ) -> Self {
        Self { app, caller, input, told, known, waiting: RefCell::default() }
    }

    /// What this page has to wait for, if it is not made yet.
    pub(super) fn waiting(self) -> Option<(String, Box<Outcome>)> {
        self.waiting.into_inner()
    }
}

impl View<'_> {
    /// The reply of `GET target`.
    ///
    /// # Errors
    /// The route's own.
    pub fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, ApiError> {
        self.ask(target, parsed)
    }

    /// The same, or nothing where the reader may not read it or there is no such thing.
    pub fn find<T: DeserializeOwned>(&self, target: &str) -> Option<T> {
        match self.get(target) {
            Ok(found) => Some(found),
            Err(error) if matches!(error.code.status, 403 | 404 | 409) => None,
            Err(_) if self.waiting.borrow().is_some() => None,
            Err(error) => {
                log::warn!("request {}: {target}: {error}", self.caller.request_id());
                None
            }
        }
    }

    /// A list, with the cursor of its next page.
    ///
    /// # Errors
    /// The route's own.
    pub fn list<T: DeserializeOwned>(&self, target: &str) -> Result<Listed<T>, ApiError> {
        self.ask(target, |reply| {
            let link = reply.headers.get(LINK).and_then(|link| link.to_str().ok());
            let next = link.and_then(|link| link.split("cursor=").nth(1)?.split(['&', '>']).next().map(str::to_owned));
            Ok(Listed { rows: parsed(reply)?, next })
        })
    }

    /// The rows of a list, or none where the reader may not read it.
    pub fn rows<T: DeserializeOwned>(&self, target: &str) -> Vec<T> {
        self.find(target).unwrap_or_default()
    }

    /// What `read` makes of the reply. A reply that another thread gives is not waited for on this one: the page is left
    /// unfinished, and made once more when the reply is there.
    fn ask<T>(&self, target: &str, read: impl FnOnce(&Reply) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let good = |reply: &Reply| if reply.status.is_success() { read(reply) } else { Err(refusal_of(reply)) };
        if let Some((_, reply)) = self.known.iter().find(|(asked, _)| asked == target) {
            return good(reply);
        }
        match Subrequest::new(self.app, &self.input.head, Method::GET, target)?.read(self.app, self.caller) {
            Ok(reply) => good(&reply),
            Err(outcome) => {
                self.waiting.replace(Some((target.to_owned(), outcome)));
                Err(codes::INTERNAL.into())
            }
        }
    }

    /// The text that a route answers, where the reader may read it.
    pub fn text(&self, target: &str) -> Option<String> {
        self.ask(target, |reply| match &reply.body {
            Body::Bytes(bytes) => Ok(String::from_utf8(bytes.to_vec()).ok()),
            _ => Ok(None),
        })
        .ok()?
    }

    /// True if the reader's session covers an action.
    pub fn may(&self, action: Action) -> bool {
        self.caller.scopes().allow(action) && (!action.is_admin() || self.caller.is_admin())
    }

    /// A part of the address's query.
    pub fn query(&self, field: &Field) -> Option<&str> {
        self.input.query.text(field).filter(|text| !text.is_empty())
    }

    /// The frame of this page.
    pub fn frame(&self, title: impl Into<String>, section: &'static str) -> Frame {
        Frame::of(self, title.into(), section)
    }

    /// The page.
    ///
    /// # Errors
    /// None of ours: a template that cannot be written is a fault.
    pub fn page(&self, template: &impl Template) -> PageResult {
        let reply = html(StatusCode::OK, template);
        // A secret is not to be told by the length of the page.
        Ok(if self.told.issued.is_some() { reply } else { packed(reply, &self.input.head) })
    }
}

/// A template as a reply.
pub(crate) fn html(status: StatusCode, template: &impl Template) -> Reply {
    match template.render() {
        Ok(text) => Reply::typed(status, "text/html; charset=utf-8", text),
        Err(error) => {
            log::error!("a page could not be written: {error}");
            Reply::empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// The JSON of a reply.
///
/// # Errors
/// `internal` where the reply is not what its route promises.
pub(crate) fn parsed<T: DeserializeOwned>(reply: &Reply) -> Result<T, ApiError> {
    let Body::Bytes(bytes) = &reply.body else { return Err(codes::INTERNAL.into()) };
    serde_json::from_slice(bytes).map_err(|error| {
        let mut failed = ApiError::new(codes::INTERNAL);
        failed.cause = Some(format!("a reply is not what a page expects: {error}"));
        failed
    })
}

/// A refusal that a route has put into words.
pub(crate) fn refusal_of(reply: &Reply) -> ApiError {
    let told: Map<String, Value> = parsed(reply).unwrap_or_default();
    let code = told.get("error").and_then(Value::as_str).and_then(codes::by_slug).unwrap_or(codes::INTERNAL);
    let detail = told.get("detail").and_then(Value::as_str).unwrap_or(code.about).to_owned();
    let mut error = ApiError::new(code).detail(detail).with_status(reply.status.as_u16());
    error.extra =
        told.into_iter().filter(|(name, _)| !["error", "detail", "fix", "doc_url"].contains(&name.as_str())).collect();
    error
}
