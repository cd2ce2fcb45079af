//! The pages: one template each, with every value escaped; the console puts its frame around them. They have no inline
//! scripts or styles, so the policy of all pages applies.

use askama::Template;
use hyper::header::{CACHE_CONTROL, HeaderName};
use hyper::http::StatusCode;

use crate::access::Caller;
use crate::api::engine::app::{App, Framed};
use crate::rest::error::{ApiError, Dialect};
use crate::rest::input::Input;
use crate::rest::reply::Reply;

/// A page that can be shown: its title, and the address that it leads to.
pub trait HtmlPage: Template {
    /// Returns the title in the browser's tab.
    fn title(&self) -> String;
    /// Returns the address that the browser opens next, if any.
    fn onward(&self) -> Option<&str> {
        None
    }
}

/// A scope word with its description, for the consent page.
pub struct ConsentWord {
    /// The scope word.
    pub name: String,
    /// The sentence that describes it.
    pub about: &'static str,
}

/// An agent that the consent page offers.
pub struct OfferedAgent {
    /// The agent's id.
    pub id: String,
    /// The agent's slug.
    pub name: String,
    /// Whether it is preselected.
    pub chosen: bool,
}

/// The page of a login link.
#[derive(Template)]
#[template(path = "api/oauth/pages/link.html")]
pub struct LinkPage<'a> {
    /// The link's secret, which the form sends.
    pub secret: &'a str,
    /// The name of the user to log in.
    pub username: &'a str,
    /// The path that the browser opens after the login.
    pub path: &'a str,
}

/// A page that leads to another page of the box.
#[derive(Template)]
#[template(path = "api/oauth/pages/onward.html")]
pub struct OnwardPage<'a> {
    /// The path of that page.
    pub to: &'a str,
}

/// The consent page: asks whether a program may act, and as whom.
#[derive(Template)]
#[template(path = "api/oauth/pages/consent.html")]
pub struct Consent<'a> {
    /// The path that the script sends the answer to.
    pub request: &'a str,
    /// The path that the form is sent to without the script.
    pub answer: &'a str,
    /// The program's name for itself.
    pub client: &'a str,
    /// The home page that the program names.
    pub client_uri: Option<&'a str>,
    /// A description of where the answer goes.
    pub place: &'a str,
    /// The name of the logged-in user.
    pub username: &'a str,
    /// Whether the user is an admin; the program does not get that role.
    pub is_admin: bool,
    /// The requested scope words that the user has.
    pub words: &'a [ConsentWord],
    /// The agents that the program may act as.
    pub agents: &'a [OfferedAgent],
    /// Whether the user may create a new agent.
    pub may_create: bool,
    /// A suggested name for a new agent.
    pub suggested: &'a str,
    /// Whether the new agent is preselected.
    pub new_chosen: bool,
    /// Whether acting as the user is preselected.
    pub user_chosen: bool,
    /// A description of what the tokens give access to.
    pub resource: &'a str,
    /// The days after which an unused grant ends.
    pub idle_days: u64,
    /// The days after which the grant ends in any case.
    pub days: u64,
}

/// The page that asks for the code that a program shows.
#[derive(Template)]
#[template(path = "api/oauth/pages/device.html")]
pub struct DevicePage<'a> {
    /// The code, if the link contained it; otherwise empty.
    pub code: &'a str,
}

/// The page that confirms a decision, if no browser leads back to the program.
#[derive(Template)]
#[template(path = "api/oauth/pages/done.html")]
pub struct DonePage {
    /// Whether the person allowed the program.
    pub is_allowed: bool,
}

/// The page that says what went wrong and what to do.
#[derive(Template)]
#[template(path = "api/oauth/pages/problem.html")]
pub struct ProblemPage<'a> {
    /// The title, in a few words.
    pub title: &'a str,
    /// A text that says what went wrong.
    pub detail: &'a str,
    /// A text that says what to do.
    pub fix: &'a str,
    /// The address of the documentation page.
    pub doc_url: &'a str,
}

/// The page that leads back to a program; the browser opens its address automatically or after a click.
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

/// The reader of a page: the request and who is logged in.
#[derive(Clone, Copy)]
pub struct PageReader<'a> {
    /// The application.
    pub app: &'a App,
    /// The browser's request.
    pub input: &'a Input,
    /// The logged-in user, if known.
    pub viewer: Option<&'a Caller>,
}

impl<'a> PageReader<'a> {
    /// Creates a reader for a page that needs no login.
    pub fn stranger(app: &'a App, input: &'a Input) -> Self {
        Self { app, input, viewer: None }
    }

    /// Returns a page as a reply that must not be cached or framed.
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

    /// Returns a refusal as a page.
    pub fn refused(self, title: &str, error: &ApiError) -> Reply {
        let page = ProblemPage { title, detail: &error.detail, fix: error.code.fix, doc_url: &error.code.doc_url() };
        let mut reply = self.shown(error.status_in(Dialect::OAuth), &page);
        for (name, value) in &error.headers {
            reply = reply.with(name.clone(), value);
        }
        reply
    }
}
