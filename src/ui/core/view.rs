//! The context of a page: the reader, the request, and the API's routes, which the page calls with the reader's
//! credential.

use std::cell::RefCell;

use askama::Template;
use hyper::header::LINK;
use hyper::http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::assets::packed;
use super::form::Form;
use super::frame::Frame;
use super::text::encoded;
use crate::access::{Action, Caller};
use crate::api::App;
use crate::api::engine::paging::page_bytes;
use crate::api::engine::subrequest::Subrequest;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::reply::{Body, Reply};
use crate::rest::service::Outcome;

/// The most pages of a route's list that are read for one page of the console.
const PAGES: usize = 20;

/// A page, or the error of the route that the page cannot do without.
pub(crate) type PageResult = Result<Reply, ApiError>;

/// The result of a form, shown on the page of the form.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The error, if the form was refused.
    pub trouble: Option<ApiError>,
    /// The fields that were sent, to be shown again.
    pub sent: Form,
    /// A reply with a secret, which is shown only this once.
    pub issued: Option<Value>,
}

/// The context in which a page is made.
pub(crate) struct View<'a> {
    /// The application.
    pub app: &'a App,
    /// The reader.
    pub caller: &'a Caller,
    /// The request.
    pub input: &'a Input,
    /// The result of the form that was sent before.
    pub told: &'a Told,
    /// Replies that had to be waited for, by target.
    known: &'a [(String, Reply)],
    /// A reply that the page still has to wait for. The page is made again when it has come.
    waiting: RefCell<Option<(String, Box<Outcome>)>>,
}

/// Replies that a page had to wait for, by target.
pub(super) type PreparedReplies = Vec<(String, Reply)>;

/// One page of a list.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    /// The rows of the page.
    pub rows: Vec<T>,
    /// The cursor of the next page.
    pub next: Option<String>,
    /// The bytes of the replies with these rows.
    pub bytes: usize,
}

impl<'a> View<'a> {
    /// Makes a context with the replies that the page had to wait for.
    pub fn new(
        app: &'a App,
        caller: &'a Caller,
        input: &'a Input,
        told: &'a Told,
        known: &'a [(String, Reply)],
    ) -> Self {
        Self { app, caller, input, told, known, waiting: RefCell::default() }
    }

    /// The reply that this page has to wait for, if it is not finished.
    pub(super) fn waiting(self) -> Option<(String, Box<Outcome>)> {
        self.waiting.into_inner()
    }
}

impl View<'_> {
    /// The parsed reply of `GET target`.
    ///
    /// # Errors
    /// Any error of the route.
    pub fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, ApiError> {
        self.ask(target, parsed)
    }

    /// Like [`View::get`]. `None` if the reader may not read it or it does not exist. Other errors are logged.
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

    /// A page of a list, with the cursor of the next page.
    ///
    /// # Errors
    /// Any error of the route.
    pub fn list<T: DeserializeOwned>(&self, target: &str) -> Result<Listed<T>, ApiError> {
        self.ask(target, |reply| {
            let link = reply.headers.get(LINK).and_then(|link| link.to_str().ok());
            let next = link.and_then(|link| link.split("cursor=").nth(1)?.split(['&', '>']).next().map(str::to_owned));
            Ok(Listed { rows: parsed(reply)?, next, bytes: reply.bytes() })
        })
    }

    /// About `rows` rows of a list that `keep` accepts, for what the route itself cannot filter by. It reads page after
    /// page, because one page may have few such rows, or none, until the rows together may be as large as one page.
    ///
    /// # Errors
    /// Any error of the route.
    pub fn list_where<T: DeserializeOwned>(
        &self,
        target: &str,
        cursor: Option<&str>,
        rows: usize,
        keep: impl Fn(&T) -> bool,
    ) -> Result<Listed<T>, ApiError> {
        let mut found = Listed { rows: Vec::new(), next: cursor.map(str::to_owned), bytes: 0 };
        for _ in 0..PAGES {
            let cursor = found.next.map_or(String::new(), |cursor| format!("&cursor={}", encoded(&cursor)));
            let list = self.list::<T>(&format!("{target}{cursor}"))?;
            let before = found.rows.len();
            found.rows.extend(list.rows.into_iter().filter(&keep));
            found.next = list.next;
            if found.rows.len() > before {
                found.bytes += list.bytes;
            }
            if found.next.is_none() || found.rows.len() >= rows || found.bytes >= page_bytes() {
                break;
            }
        }
        Ok(found)
    }

    /// The rows of a list. Empty if the reader may not read it.
    pub fn rows<T: DeserializeOwned>(&self, target: &str) -> Vec<T> {
        self.find(target).unwrap_or_default()
    }

    /// Calls a route and passes its reply to `read`. If another thread makes the reply, this thread does not wait for
    /// it: the page stays unfinished, and is made again when the reply has come.
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

    /// The text in a route's reply, if the reader may read it.
    pub fn text(&self, target: &str) -> Option<String> {
        self.ask(target, |reply| match &reply.body {
            Body::Bytes(bytes) => Ok(String::from_utf8(bytes.to_vec()).ok()),
            _ => Ok(None),
        })
        .ok()?
    }

    /// True if the reader's session allows an action.
    pub fn may(&self, action: Action) -> bool {
        self.caller.scopes().allow(action) && (!action.is_admin() || self.caller.is_admin())
    }

    /// A query parameter of the address; `None` if it is empty.
    pub fn query(&self, field: &Field) -> Option<&str> {
        self.input.query.text(field).filter(|text| !text.is_empty())
    }

    /// The frame of this page.
    pub fn frame(&self, title: impl Into<String>, section: &'static str) -> Frame {
        Frame::of(self, title.into(), section)
    }

    /// Makes the reply with the page.
    ///
    /// # Errors
    /// Never: a template that cannot be rendered becomes a reply with status 500.
    pub fn page(&self, template: &impl Template) -> PageResult {
        let reply = html(StatusCode::OK, template);
        // A page with a secret is not compressed, because its length would reveal information about the secret.
        Ok(if self.told.issued.is_some() { reply } else { packed(reply, &self.input.head) })
    }
}

/// Renders a template to a reply.
pub(crate) fn html(status: StatusCode, template: &impl Template) -> Reply {
    match template.render() {
        Ok(text) => Reply::typed(status, "text/html; charset=utf-8", text),
        Err(error) => {
            log::error!("a page could not be written: {error}");
            Reply::empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// Parses the JSON of a reply.
///
/// # Errors
/// `internal` if the reply does not have the expected form.
pub(crate) fn parsed<T: DeserializeOwned>(reply: &Reply) -> Result<T, ApiError> {
    let Body::Bytes(bytes) = &reply.body else { return Err(codes::INTERNAL.into()) };
    serde_json::from_slice(bytes).map_err(|error| {
        let mut failed = ApiError::new(codes::INTERNAL);
        failed.cause = Some(format!("a reply is not what a page expects: {error}"));
        failed
    })
}

/// Turns the error reply of a route back into an error.
pub(crate) fn refusal_of(reply: &Reply) -> ApiError {
    let told: Map<String, Value> = parsed(reply).unwrap_or_default();
    let code = told.get("error").and_then(Value::as_str).and_then(codes::by_slug).unwrap_or(codes::INTERNAL);
    let detail = told.get("detail").and_then(Value::as_str).unwrap_or(code.about).to_owned();
    let mut error = ApiError::new(code).detail(detail).with_status(reply.status.as_u16());
    error.extra =
        told.into_iter().filter(|(name, _)| !["error", "detail", "fix", "doc_url"].contains(&name.as_str())).collect();
    error
}
