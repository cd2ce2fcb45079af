//! Spaces: the conversation, the board of tasks, the shared context, the members.

use askama::Template;
use serde::Deserialize;

use super::core::filters;
use super::core::frame::Frame;
use super::core::query;
use super::core::text::encoded;
use super::core::view::{Shown, View};
use crate::access::Action;
use crate::rest::codes;
use crate::rest::error::ApiError;

#[derive(Deserialize)]
struct Space {
    id: String,
    name: String,
    slug: String,
    description: String,
    member_count: u64,
    is_default: bool,
}

#[derive(Deserialize)]
struct AllSpaces {
    spaces: Vec<Space>,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    seq: u64,
    content: String,
    display_name: String,
    sender_type: String,
    user_id: Option<String>,
    parent_id: Option<String>,
    pinned: bool,
    expects_reply_by: Option<String>,
    attachments: Vec<Attachment>,
    created_at: String,
}

#[derive(Deserialize)]
struct Attachment {
    #[serde(default)]
    filename: Option<String>,
    #[serde(default)]
    url: Option<String>,
}

impl Attachment {
    /// Its address, if it is a file of this box.
    fn file(&self) -> Option<&str> {
        self.url.as_deref().filter(|url| url.starts_with("/api/v1/uploads/files/"))
    }
}

#[derive(Deserialize)]
struct Messages {
    messages: Vec<Message>,
    more: bool,
}

#[derive(Deserialize)]
struct Task {
    id: String,
    title: String,
    description: String,
    priority: String,
    waiting_on: u64,
    lease: Option<Lease>,
    updated_at: String,
}

#[derive(Deserialize)]
struct Lease {
    holder: Holder,
    until: String,
}

#[derive(Deserialize)]
struct Holder {
    name: String,
}

#[derive(Deserialize)]
struct Tasks {
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct Entry {
    key: String,
    value: String,
    expires_at: Option<String>,
    created_by: String,
    updated_at: String,
}

#[derive(Deserialize)]
struct Member {
    id: String,
    username: String,
    #[serde(rename = "type")]
    kind: String,
    role: String,
    expires_at: Option<String>,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<Member>,
}

#[derive(Template)]
#[template(path = "spaces.html")]
struct Spaces {
    frame: Frame,
    spaces: Vec<Space>,
    may_create: bool,
}

pub(super) fn show(view: &View<'_>) -> Shown {
    let spaces = view.get::<AllSpaces>("/api/v1/spaces")?.spaces;
    view.page(&Spaces { frame: view.frame("Spaces", "/ui/spaces"), spaces, may_create: view.may(Action::SpacesCreate) })
}

/// A lane of the board: its status, its title, its tasks.
type Lane = (&'static str, &'static str, Vec<Task>);

/// The lanes of the board, in their order.
const LANES: &[(&str, &str)] =
    &[("not_started", "To do"), ("in_progress", "In progress"), ("blocked", "Blocked"), ("done", "Done")];

#[derive(Template)]
#[template(path = "space.html")]
struct One<'a> {
    frame: Frame,
    space: Space,
    tab: &'a str,
    me: String,
    messages: Vec<Message>,
    older: Option<u64>,
    lanes: Vec<Lane>,
    context: Vec<Entry>,
    members: Vec<Member>,
    next: Option<String>,
    may_send: bool,
    may_task: bool,
    may_write: bool,
    may_invite: bool,
}

/// One space.
pub(super) fn one(view: &View<'_>) -> Shown {
    // The address names it as people do; the API's routes know it by its id.
    let wanted = view.input.param(0);
    let mut all = view.get::<AllSpaces>("/api/v1/spaces")?.spaces.into_iter();
    let space = all.find(|space| space.slug == wanted || space.id == wanted).ok_or(codes::SPACE_NOT_FOUND)?;
    let tab = view.query(&query::TAB).unwrap_or("");
    let id = encoded(&space.id);
    let mut page = One {
        frame: view.frame(space.name.clone(), "/ui/spaces"),
        tab,
        me: view.caller.user().id.clone(),
        messages: Vec::new(),
        older: None,
        lanes: Vec::new(),
        context: Vec::new(),
        members: Vec::new(),
        next: None,
        may_send: view.may(Action::MessagesSend),
        may_task: view.may(Action::TasksUpdate),
        may_write: view.may(Action::ContextWrite),
        may_invite: view.may(Action::SpacesMembers),
        space,
    };
    match tab {
        "tasks" => page.lanes = lanes(view, &id)?,
        "context" => {
            let cursor =
                view.query(&query::CURSOR).map_or(String::new(), |cursor| format!("&cursor={}", encoded(cursor)));
            let list = view.list(&format!("/api/v1/context?space_id={id}&limit=50{cursor}"))?;
            (page.context, page.next) = (list.rows, list.next);
        }
        "members" => page.members = view.get::<Members>(&format!("/api/v1/spaces/{id}/members"))?.members,
        _ => {
            let before = view.query(&query::BEFORE).and_then(|seq| seq.parse::<u64>().ok());
            let before = before.map_or(String::new(), |seq| format!("&before_seq={seq}"));
            let mut list: Messages = view.get(&format!("/api/v1/messages?space_id={id}&limit=40{before}"))?;
            // Told newest first, read oldest first.
            list.messages.sort_by_key(|message| message.seq);
            page.older = list.messages.first().map(|message| message.seq).filter(|_| list.more);
            page.messages = list.messages;
        }
    }
    view.page(&page)
}

/// The board: the newest tasks of each state.
fn lanes(view: &View<'_>, id: &str) -> Result<Vec<Lane>, ApiError> {
    let of = |(status, title): &(&'static str, &'static str)| {
        let tasks: Tasks = view.get(&format!("/api/v1/tasks?space_id={id}&status={status}&limit=30"))?;
        Ok((*status, *title, tasks.tasks))
    };
    LANES.iter().map(of).collect()
}
