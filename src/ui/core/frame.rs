//! The frame of every page: navigation, the user, and the result of the last form.

use hyper::http::Method;
use serde::Deserialize;

use super::assets::url;
use super::done::Done;
use super::query;
use super::view::View;
use crate::access::Principal;
use crate::api::engine::subrequest::Subrequest;
use crate::rest::error::ApiError;
use crate::ui::requests;

/// The addresses of the files that a page loads.
pub(crate) struct Assets {
    pub css: String,
    pub js: String,
    pub copy: String,
    pub htmx: String,
    pub favicon: String,
}

impl Assets {
    pub fn new() -> Self {
        Self {
            css: url("app.css"),
            js: url("app.js"),
            copy: url("copy.js"),
            htmx: url("htmx.min.js"),
            favicon: url("favicon.svg"),
        }
    }
}

/// A refusal for people.
pub(crate) struct Trouble {
    pub title: String,
    pub detail: String,
    pub fix: &'static str,
    pub doc_url: String,
}

impl From<&ApiError> for Trouble {
    fn from(error: &ApiError) -> Self {
        let told = error.envelope(crate::rest::error::Dialect::Html);
        Self {
            title: error.code.slug.replace('_', " "),
            // The envelope has no secrets: they were cut out.
            detail: told["detail"].as_str().unwrap_or_default().to_owned(),
            fix: error.code.fix,
            doc_url: error.code.doc_url(),
        }
    }
}

/// An item of the navigation.
pub(crate) struct NavItem {
    pub path: &'static str,
    pub name: &'static str,
    pub icon: &'static str,
    pub here: bool,
    /// The number of waiting things there.
    pub count: u64,
}

/// The frame of a page.
pub(crate) struct Frame {
    pub title: String,
    pub assets: Assets,
    pub user: String,
    pub places: Vec<NavItem>,
    /// The address of this page.
    pub here: String,
    pub trouble: Option<Trouble>,
    pub done: Option<Done>,
    /// The number of all waiting things, for the title of the tab.
    pub waiting: u64,
    /// The address of the event stream.
    pub stream: &'static str,
}

#[derive(Deserialize)]
struct UnreadCount {
    unread: u64,
}

const PLACES: &[(&str, &str, &str)] = &[
    ("/ui/", "Now", "now"),
    ("/ui/agents", "Agents", "agent"),
    ("/ui/requests", "Requests", "hand"),
    ("/ui/inbox", "Inbox", "bell"),
    ("/ui/spaces", "Spaces", "chat"),
    ("/ui/operations", "Operations", "run"),
    ("/ui/knowledge", "Knowledge", "book"),
    ("/ui/people", "People", "people"),
    ("/ui/audit", "Audit", "shield"),
    ("/ui/box", "Box", "box"),
];

/// The event stream with the most types that the reader may open.
fn stream(view: &View<'_>) -> &'static str {
    const EVENTS: &str = "/api/events?types=request,operation,agent,notification";
    match Subrequest::new(view.app, &view.input.head, Method::GET, EVENTS) {
        Ok(_) => EVENTS,
        Err(_) => "/api/notifications/stream",
    }
}

impl Frame {
    pub(super) fn of(view: &View<'_>, title: String, section: &'static str) -> Self {
        let user = match view.caller.principal() {
            Principal::User(user) => user.username.clone(),
            Principal::Agent { slug, .. } => slug.clone(),
        };
        let unread = view.find::<UnreadCount>("/api/notifications/count").map_or(0, |count| count.unread);
        let asked = u64::try_from(requests::pending(view, 21).len()).unwrap_or(0);
        let admin = view.caller.is_admin();
        let places =
            PLACES.iter().filter(|(path, ..)| admin || *path != "/ui/audit").map(|(path, name, icon)| NavItem {
                path,
                name,
                icon,
                here: *path == section,
                count: match *path {
                    "/ui/inbox" => unread,
                    "/ui/requests" => asked,
                    _ => 0,
                },
            });
        let head = &view.input.head;
        let kept: Vec<&str> =
            head.query.split('&').filter(|part| !part.is_empty() && !part.starts_with("done=")).collect();
        let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
        Self {
            title,
            assets: Assets::new(),
            user,
            places: places.collect(),
            here: format!("{}{query}", head.raw_path),
            trouble: view.told.trouble.as_ref().map(Trouble::from),
            done: view.query(&query::DONE).map(super::done::said),
            waiting: unread + asked,
            stream: stream(view),
        }
    }

    /// The first items, which a phone shows.
    pub fn first(&self) -> &[NavItem] {
        &self.places[..4.min(self.places.len())]
    }

    /// The other items.
    pub fn others(&self) -> &[NavItem] {
        &self.places[4.min(self.places.len())..]
    }
}
