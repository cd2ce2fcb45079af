//! People: users, their tokens, and the reader's own sessions.

use askama::Template;
use serde::Deserialize;

use super::core::filters;
use super::core::frame::Frame;
use super::core::query;
use super::core::text::encoded;
use super::core::view::{PageResult, View};
use crate::access::Action;

#[derive(Deserialize)]
struct UserView {
    username: String,
    display_name: String,
    role: String,
    disabled: bool,
    created_at: String,
}

#[derive(Deserialize)]
struct TokenView {
    id: String,
    key_id: String,
    label: String,
    scope: Vec<String>,
    issued_by: String,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    last_used_from: Option<String>,
}

#[derive(Deserialize)]
struct SessionView {
    id: String,
    created_at: String,
    expires_at: String,
    last_used_at: Option<String>,
    last_used_from: Option<String>,
    opened_with: String,
    current: bool,
}

/// A key of the reader, or of one of the reader's agents.
#[derive(Deserialize)]
struct KeyView {
    credential_id: String,
    key_id: String,
    name: String,
    scopes: Vec<String>,
    bound_agent_id: Option<String>,
    lifecycle_state: String,
    created_at: String,
    expires_at: String,
    last_used_at: Option<String>,
}

/// A grant to a program.
#[derive(Deserialize)]
struct ProgramView {
    id: String,
    client_name: String,
    redirect_host: String,
    username: String,
    agent_name: Option<String>,
    scope: String,
    created_at: String,
    last_used_at: Option<String>,
    ends_at: String,
}

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    frame: Frame,
    users: Vec<UserView>,
    next: Option<String>,
    may_create: bool,
}

pub(super) fn show(view: &View<'_>) -> PageResult {
    let cursor = view.query(&query::CURSOR).map_or(String::new(), |cursor| format!("&cursor={}", encoded(cursor)));
    let may_list = view.may(Action::UsersList);
    let (users, next) = if may_list {
        let list = view.list(&format!("/api/users?limit=50{cursor}"))?;
        (list.rows, list.next)
    } else {
        // A user who is not an admin can see only itself.
        (vec![view.get(&format!("/api/users/{}", encoded(&view.caller.user().username)))?], None)
    };
    let may_create = view.may(Action::UsersCreate);
    view.page(&PeoplePage { frame: view.frame("People", "/ui/people"), users, next, may_create })
}

#[derive(Template)]
#[template(path = "person.html")]
struct Person {
    frame: Frame,
    user: UserView,
    me: bool,
    tokens: Vec<TokenView>,
    sessions: Vec<SessionView>,
    keys: Vec<KeyView>,
    programs: Vec<ProgramView>,
    issued: Option<String>,
    may_issue: bool,
    may_update: bool,
    may_delete: bool,
    /// True if the reader may end sessions.
    may_end: bool,
}

/// The page of one user.
pub(super) fn one(view: &View<'_>) -> PageResult {
    let name = encoded(view.input.param(0));
    let user: UserView = view.get(&format!("/api/users/{name}"))?;
    let me = view.caller.user().username == user.username;
    // The list of keys is about the reader only.
    let mut keys: Vec<KeyView> = if me { view.rows("/api/v1/keys") } else { Vec::new() };
    keys.retain(|key| key.lifecycle_state == "active");
    let mut programs: Vec<ProgramView> = view.rows("/api/oauth/grants?limit=500");
    // Members see the programs on their agents too, whoever let them in; admins see those on each person's page.
    let all_mine = me && !view.caller.is_admin();
    programs.retain(|program| all_mine || program.username == user.username);
    let page = Person {
        frame: view.frame(user.display_name.clone(), "/ui/people"),
        me,
        tokens: view.rows(&format!("/api/users/{name}/tokens?limit=100")),
        keys,
        programs,
        sessions: view.rows(&format!("/api/users/{name}/sessions?limit=50")),
        may_end: view.may(Action::SessionsRevoke),
        issued: view.told.issued.as_ref().and_then(|told| told["token"].as_str()).map(str::to_owned),
        may_issue: view.may(Action::UsersTokenIssue),
        may_update: view.may(Action::UsersUpdate),
        may_delete: view.may(Action::UsersDelete) && !me,
        user,
    };
    view.page(&page)
}
