//! The pages: one template each, every value escaped; the console puts its frame around them. Nothing inline, so that the
//! policy of all pages holds.

use askama::Template;
use hyper::header::{CACHE_CONTROL, HeaderName};
use hyper::http::StatusCode;

use crate::access::Caller;
use crate::api::engine::app::{App, Framed};
use crate::rest::error::{ApiError, Dialect};
use crate::rest::input::Input;
use crate::rest::reply::Reply;

/// A page that can be shown: what it is called, and where it leads by itself.
pub trait HtmlPage: Template {
    /// What stands in the tab.
    fn title(&self) -> String;
    /// The address that the browser opens next.
    fn onward(&self) -> Option<&str> {
        None
    }
}

/// A word with its sentence, for the page.
pub struct ConsentWord {
    /// The word.
    pub name: String,
    /// What it lets a program do.
    pub about: &'static str,
}

/// An agent that the page offers.
pub struct OfferedAgent {
    /// Its id.
    pub id: String,
    /// Its slug.
    pub name: String,
    /// Whether it is chosen at first.
    pub chosen: bool,
}

/// Logs in with a link.
#[derive(Template)]
#[template(path = "api/oauth/pages/link.html")]
pub struct LinkPage<'a> {
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
pub struct OnwardPage<'a> {
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
    pub words: &'a [ConsentWord],
    /// The agents it may act as.
    pub agents: &'a [OfferedAgent],
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
pub struct DevicePage<'a> {
    /// The code, where a link filled it in.
    pub code: &'a str,
}

/// Says that a decision has been taken, where no browser leads back to the program.
#[derive(Template)]
#[template(path = "api/oauth/pages/done.html")]
pub struct DonePage {
    /// Whether the program was let in.
    pub is_allowed: bool,
}

/// Says what went wrong and what to do.
#[derive(Template)]
#[template(path = "api/oauth/pages/problem.html")]
pub struct ProblemPage<'a> {
    /// In a few words.
    pub title: &'a str,
    /// What went wrong.
    pub detail: &'a str,
    /// What to do.
    pub fix: &'a str,
    /// The page that explains it.
    pub doc_url: &'a str,
}

/// Leads back to a program, whose address the browser opens by itself or by a click.
#[derive(Template)]
#[template(path = "api/oauth/pages/back.html")]
pub struct Back<'a> {
    /// The program's address, with the answer.
    pub to: &'a str,
}

impl HtmlPage for LinkPage<'_> {
    fn title(&self) -> String {
        "Log in".to_owned()
    }
}

impl HtmlPage for OnwardPage<'_> {
    fn title(&self) -> String {
        "Log in".to_owned()
    }
}

impl HtmlPage for Consent<'_> {
    fn title(&self) -> String {
        format!("Let {} in?", self.client)
    }
}

impl HtmlPage for DevicePage<'_> {
    fn title(&self) -> String {
        "Type a code".to_owned()
    }
}

impl HtmlPage for DonePage {
    fn title(&self) -> String {
        "Done".to_owned()
    }
}

impl HtmlPage for ProblemPage<'_> {
    fn title(&self) -> String {
        self.title.to_owned()
    }
}

impl HtmlPage for Back<'_> {
    fn title(&self) -> String {
        "Go back to the program".to_owned()
    }

    fn onward(&self) -> Option<&str> {
        Some(self.to)
    }
}

/// Who looks at a page, and how.
#[derive(Clone, Copy)]
pub struct PageReader<'a> {
    /// The application.
    pub app: &'a App,
    /// What the browser has sent.
    pub input: &'a Input,
    /// Who is logged in, where that is known.
    pub viewer: Option<&'a Caller>,
}

impl<'a> PageReader<'a> {
    /// Somebody who need not be logged in.
    pub fn stranger(app: &'a App, input: &'a Input) -> Self {
        Self { app, input, viewer: None }
    }

    /// A page as a reply, private to the person who opened it.
    pub fn shown(self, status: StatusCode, page: &impl HtmlPage) -> Reply {
        let main = match page.render() {
            Ok(main) => main,
            Err(error) => {
                log::error!("a page could not be made: {error}");
                return Reply::empty(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        let framed = Framed { status, title: &page.title(), main: &main, onward: page.onward() };
        (self.app.framed_page)(self.app, self.input, self.viewer, &framed)
            .with(CACHE_CONTROL, "no-store")
            .with(HeaderName::from_static("x-frame-options"), "DENY")
    }

    /// A refusal as a page.
    pub fn refused(self, title: &str, error: &ApiError) -> Reply {
        let page = ProblemPage { title, detail: &error.detail, fix: error.code.fix, doc_url: &error.code.doc_url() };
        let mut reply = self.shown(error.status_in(Dialect::OAuth), &page);
        for (name, value) in &error.headers {
            reply = reply.with(name.clone(), value);
        }
        reply
    }
}
