//! The pages: one template each in one frame, every value escaped. Nothing inline, so that the policy of all pages holds.

use askama::Template;
use hyper::header::{CACHE_CONTROL, HeaderName};
use hyper::http::StatusCode;

use super::consent::{Offered, Word};
use crate::rest::error::{ApiError, Dialect};
use crate::rest::reply::Reply;

/// The script of the pages: it sends forms as JSON and goes where the answer leads.
pub const SCRIPT: &str = include_str!("page.js");
/// The style sheet of the pages.
pub const STYLE: &str = include_str!("page.css");

/// Logs in with a link.
#[derive(Template)]
#[template(path = "api/oauth/pages/link.html")]
pub struct Link<'a> {
    /// The link's secret, which the form sends.
    pub secret: &'a str,
    /// Whom it logs in.
    pub username: &'a str,
    /// Where it leads.
    pub path: &'a str,
}

/// Leads on to another page of the box.
#[derive(Template)]
#[template(path = "api/oauth/pages/onward.html")]
pub struct Onward<'a> {
    /// Where.
    pub to: &'a str,
}

/// Asks a person whether a program may act, and as whom.
#[derive(Template)]
#[template(path = "api/oauth/pages/consent.html")]
pub struct Consent<'a> {
    /// Where the script sends the answer.
    pub request: &'a str,
    /// Where the form goes without it.
    pub answer: &'a str,
    /// What the program calls itself.
    pub client: &'a str,
    /// The page it names as its own.
    pub client_uri: Option<&'a str>,
    /// Where the answer goes.
    pub place: &'a str,
    /// Who is logged in.
    pub username: &'a str,
    /// Whether that is an admin, whose role the program does not get.
    pub is_admin: bool,
    /// What it asks for, as far as the person has it.
    pub words: &'a [Word],
    /// The agents it may act as.
    pub agents: &'a [Offered],
    /// Whether the person may make a new one.
    pub may_create: bool,
    /// A name for that.
    pub suggested: &'a str,
    /// Whether the new one is chosen at first.
    pub new_chosen: bool,
    /// Whether the person is.
    pub user_chosen: bool,
    /// What the tokens open.
    pub resource: &'a str,
    /// Days after which an unused grant ends.
    pub idle_days: u64,
    /// Days after which it ends anyway.
    pub days: u64,
}

/// Asks for the code that a program shows.
#[derive(Template)]
#[template(path = "api/oauth/pages/device.html")]
pub struct Device<'a> {
    /// The code, where a link filled it in.
    pub code: &'a str,
}

/// Says that a decision has been taken, where no browser leads back to the program.
#[derive(Template)]
#[template(path = "api/oauth/pages/done.html")]
pub struct Done {
    /// Whether the program was let in.
    pub is_allowed: bool,
}

/// Says what went wrong and what to do.
#[derive(Template)]
#[template(path = "api/oauth/pages/problem.html")]
pub struct Problem<'a> {
    /// In a few words.
    pub title: &'a str,
    /// What went wrong.
    pub detail: &'a str,
    /// What to do.
    pub fix: &'a str,
    /// The page that explains it.
    pub doc_url: &'a str,
}

/// A page as a reply. It is nobody's but the person's who opened it.
pub fn reply(status: StatusCode, page: &impl Template) -> Reply {
    match page.render() {
        Ok(html) => Reply::typed(status, "text/html; charset=utf-8", html)
            .with(CACHE_CONTROL, "no-store")
            .with(HeaderName::from_static("x-frame-options"), "DENY"),
        Err(error) => {
            log::error!("a page could not be made: {error}");
            Reply::empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// A refusal as a page.
pub fn problem(title: &str, error: &ApiError) -> Reply {
    let page = Problem { title, detail: &error.detail, fix: error.code.fix, doc_url: &error.code.doc_url() };
    let mut reply = reply(error.status_in(Dialect::OAuth), &page);
    for (name, value) in &error.headers {
        reply = reply.with(name.clone(), value);
    }
    reply
}
