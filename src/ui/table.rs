//! The rows of the console in the route table.

use std::sync::OnceLock;

use hyper::http::Method;

use super::core::query;
use super::core::{act, assets, serve, upload};
use super::{
    agent, agents, audit, find, inbox, knowledge, login, message, now, operations, people, requests, spaces, the_box,
};
use crate::access::Action;
use crate::api::engine::api_route::{ApiRoute, AtOnceHandler, CheckedHandler, PublicHandler};
use crate::api::{self, App};
use crate::rest::error::Dialect;
use crate::rest::head::Head;
use crate::rest::route::{Access, Answer};
use crate::rest::router::RouteMatch;

/// A page: its path, the action that it needs, the route's id, its title, and its handler.
type PageRow = (&'static str, Action, &'static str, &'static str, serve::PageHandler);

/// All pages.
const PAGES: &[PageRow] = &[
    ("/ui", Action::AuthWhoami, "ui_now", "See what needs you", now::show),
    ("/ui/agents", Action::AgentsList, "ui_agents", "See all agents", agents::show),
    ("/ui/agents/{name}", Action::AgentsRead, "ui_agent", "See an agent", agent::show),
    ("/ui/operations", Action::OperationsRead, "ui_operations", "See what goes on", operations::show),
    ("/ui/inbox", Action::NotificationsRead, "ui_inbox", "See what was told", inbox::show),
    ("/ui/requests", Action::AuthWhoami, "ui_requests", "See what agents ask for", requests::show),
    ("/ui/requests/{id}", Action::AuthWhoami, "ui_request", "See a request", requests::one),
    ("/ui/spaces", Action::SpacesList, "ui_spaces", "See the spaces", spaces::show),
    ("/ui/spaces/{slug}", Action::SpacesRead, "ui_space", "See a space", spaces::one),
    ("/ui/spaces/{slug}/messages/{id}", Action::MessagesRead, "ui_message", "See a message", message::show),
    ("/ui/knowledge", Action::KnowledgeRead, "ui_knowledge", "See the knowledge", knowledge::show),
    ("/ui/people", Action::UsersRead, "ui_people", "See the people", people::show),
    ("/ui/people/{username}", Action::UsersRead, "ui_person", "See a person", people::one),
    ("/ui/audit", Action::AuditRead, "ui_audit", "Read the audit", audit::show),
    ("/ui/box", Action::AuthWhoami, "ui_box", "See how the box is", the_box::show),
    ("/ui/find", Action::AuthWhoami, "ui_find", "Go to an agent, a page or a document", find::show),
];

const fn row(
    method: Method,
    path: &'static str,
    access: Access<PublicHandler, CheckedHandler, AtOnceHandler>,
    id: &'static str,
    title: &'static str,
) -> ApiRoute {
    ApiRoute::bare(method, path, Dialect::Html, access)
        .described(id, title, "A page of the console, for browsers.", "operations/console")
        .asking(query::ALL)
        .answering(200, Answer::Other(&["text/html"]))
}

/// The routes of the console that are not pages.
const DOORS: &[ApiRoute] = &[
    row(Method::GET, "/ui/login", Access::Public(login::show), "ui_login", "Sign in"),
    row(Method::POST, "/ui/login", Access::Public(login::open), "ui_login_open", "Open a session with a token")
        .taking_raw(),
    row(Method::POST, "/ui/logout", Access::Action(Action::AuthLogout, login::close), "ui_logout", "Sign out")
        .taking_raw(),
    row(Method::POST, "/ui/do", Access::Action(Action::AuthWhoami, act::act), "ui_do", "Do what a form says")
        .taking_raw(),
    row(Method::GET, "/ui/do", Access::Action(Action::AuthWhoami, act::home), "ui_do_home", "Go to the first page"),
    row(
        Method::GET,
        "/ui/upload",
        Access::Action(Action::AuthWhoami, act::home),
        "ui_upload_home",
        "Go there from a file",
    ),
    row(Method::POST, "/ui/upload", Access::Action(Action::UploadsCreate, upload::upload), "ui_upload", "Send a file")
        .taking_multipart(&[], ""),
    row(Method::GET, "/ui/assets/{file}", Access::Public(assets::serve), "ui_asset", "Read a file that pages need"),
    row(Method::GET, "/favicon.ico", Access::Public(assets::favicon), "favicon", "Read the icon"),
];

fn rows() -> &'static [ApiRoute] {
    static ROWS: OnceLock<Vec<ApiRoute>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let page = |(path, action, id, title, _): &PageRow| {
            row(Method::GET, path, Access::Action(*action, serve::page), id, title)
        };
        PAGES.iter().map(page).collect()
    })
}

/// All routes: those of the API and of the console.
pub fn routes() -> &'static [&'static [ApiRoute]] {
    static TABLES: OnceLock<Vec<&'static [ApiRoute]>> = OnceLock::new();
    TABLES.get_or_init(|| api::routes().iter().copied().chain([rows(), DOORS]).collect())
}

/// The handler of the page at this address.
pub(crate) fn page_of(app: &App, head: &Head) -> Option<serve::PageHandler> {
    let RouteMatch::Route(route, _) = app.router.find(&Method::GET, &head.segments) else { return None };
    PAGES.iter().find(|(_, _, id, ..)| *id == route.id).map(|(.., show)| *show)
}
