//! Spaces: the conversation, the board of tasks, the context, the members.

use std::collections::BTreeMap;

use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::core::filters;
use super::core::frame::Frame;
use super::core::query;
use super::core::text::encoded;
use super::core::view::{PageResult, View};
use super::message::{self, ReceiptView};
use crate::access::Action;
use crate::rest::codes;
use crate::rest::error::ApiError;

#[derive(Deserialize)]
pub(super) struct SpaceView {
    pub id: String,
    pub name: String,
    pub slug: String,
    description: String,
    member_count: u64,
    is_default: bool,
}

#[derive(Deserialize)]
struct AllSpaces {
    spaces: Vec<SpaceView>,
}

#[derive(Deserialize)]
pub(super) struct MessageView {
    pub id: String,
    seq: u64,
    pub space_id: String,
    pub content: String,
    pub display_name: String,
    pub sender_type: String,
    pub user_id: Option<String>,
    pub parent_id: Option<String>,
    pub pinned: bool,
    pub expects_reply_by: Option<String>,
    pub attachments: Vec<Attachment>,
    pub reactions: BTreeMap<String, u64>,
    pub created_at: String,
    /// A text that says who has read it.
    #[serde(skip)]
    pub seen: String,
}

#[derive(Deserialize)]
pub(super) struct Attachment {
    #[serde(default)]
    pub filename: Option<String>,
    #[serde(default)]
    url: Option<String>,
}

impl Attachment {
    /// The address of the file, if it is a file of this box.
    pub fn file(&self) -> Option<&str> {
        self.url.as_deref().filter(|url| url.starts_with("/api/v1/uploads/files/"))
    }
}

#[derive(Deserialize)]
struct Messages {
    messages: Vec<MessageView>,
    more: bool,
}

#[derive(Deserialize)]
struct TaskView {
    id: String,
    title: String,
    description: String,
    priority: String,
    assignee_id: Option<String>,
    waiting_on: u64,
    lease: Option<LeaseView>,
    updated_at: String,
}

#[derive(Deserialize)]
struct LeaseView {
    holder: HolderView,
    until: String,
}

#[derive(Deserialize)]
struct HolderView {
    name: String,
}

#[derive(Deserialize)]
struct TasksView {
    tasks: Vec<TaskView>,
}

#[derive(Deserialize)]
struct ContextEntryView {
    key: String,
    value: String,
    expires_at: Option<String>,
    created_by: String,
    updated_at: String,
}

/// A file that was uploaded.
#[derive(Deserialize)]
struct FileView {
    attachment_id: String,
    url: String,
    content_type: String,
    size: u64,
    original_filename: String,
    created_by: String,
    created_at: String,
}

impl FileView {
    /// The file as an attachment of a message, in JSON.
    fn attachment(&self) -> String {
        let (id, name) = (&self.attachment_id, &self.original_filename);
        let one =
            json!({"id": id, "filename": name, "content_type": self.content_type, "size": self.size, "url": self.url});
        json!([one]).to_string()
    }
}

#[derive(Deserialize)]
struct MemberView {
    id: String,
    username: String,
    #[serde(rename = "type")]
    kind: String,
    role: String,
    expires_at: Option<String>,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<MemberView>,
}

#[derive(Template)]
#[template(path = "spaces.html")]
struct Spaces {
    frame: Frame,
    spaces: Vec<SpaceView>,
    may_create: bool,
}

pub(super) fn show(view: &View<'_>) -> PageResult {
    let spaces = view.get::<AllSpaces>("/api/v1/spaces")?.spaces;
    view.page(&Spaces { frame: view.frame("Spaces", "/ui/spaces"), spaces, may_create: view.may(Action::SpacesCreate) })
}

/// A lane of the board: its status, its title and its tasks.
type Lane = (&'static str, &'static str, Vec<TaskView>);

/// The lanes of the board, in their order.
const LANES: &[(&str, &str)] =
    &[("not_started", "To do"), ("in_progress", "In progress"), ("blocked", "Blocked"), ("done", "Done")];

#[derive(Template)]
#[template(path = "space.html")]
struct SpacePage<'a> {
    frame: Frame,
    space: SpaceView,
    tab: &'a str,
    me: String,
    messages: Vec<MessageView>,
    older: Option<u64>,
    lanes: Vec<Lane>,
    context: Vec<ContextEntryView>,
    files: Vec<FileView>,
    members: Vec<MemberView>,
    next: Option<String>,
    may_send: bool,
    may_task: bool,
    may_write: bool,
    may_invite: bool,
    may_upload: bool,
    may_delete: bool,
}

impl SpacePage<'_> {
    /// The name of the member who is assigned to a task.
    fn assignee(&self, task: &TaskView) -> Option<&str> {
        let id = task.assignee_id.as_deref()?;
        self.members.iter().find(|member| member.id == id).map(|member| member.username.as_str())
    }

    /// The address of this space.
    fn link(&self) -> String {
        format!("/ui/spaces/{}", encoded(&self.space.slug))
    }

    /// The address of the files of this space.
    fn files_page(&self) -> String {
        self.link() + "?tab=files"
    }

    /// The members for the buttons that mention a member in a message.
    fn named(&self) -> impl Iterator<Item = &MemberView> {
        self.members.iter().filter(|member| member.id != self.me).take(NAMED)
    }
}

/// The most members with such a button.
const NAMED: usize = 12;
/// The number of the reader's newest messages whose receipts are shown.
const WITH_RECEIPTS: usize = 10;

/// Finds the space with this slug or id. Addresses use the slug; the API's routes use the id.
///
/// # Errors
/// `space_not_found` if the reader has no such space.
pub(super) fn named(view: &View<'_>, wanted: &str) -> Result<SpaceView, ApiError> {
    let mut all = view.get::<AllSpaces>("/api/v1/spaces")?.spaces.into_iter();
    all.find(|space| space.slug == wanted || space.id == wanted).ok_or_else(|| codes::SPACE_NOT_FOUND.into())
}

/// The page of one space.
pub(super) fn one(view: &View<'_>) -> PageResult {
    let space = named(view, view.input.param(0))?;
    let tab = view.query(&query::TAB).unwrap_or("");
    let id = encoded(&space.id);
    let mut page = SpacePage {
        frame: view.frame(space.name.clone(), "/ui/spaces"),
        tab,
        me: view.caller.user().id.clone(),
        messages: Vec::new(),
        older: None,
        lanes: Vec::new(),
        context: Vec::new(),
        files: Vec::new(),
        members: Vec::new(),
        next: None,
        may_send: view.may(Action::MessagesSend),
        may_task: view.may(Action::TasksUpdate),
        may_write: view.may(Action::ContextWrite),
        may_invite: view.may(Action::SpacesMembers),
        may_upload: view.may(Action::UploadsCreate),
        may_delete: view.may(Action::UploadsDelete),
        space,
    };
    if matches!(tab, "" | "tasks" | "members") {
        page.members = view.get::<Members>(&format!("/api/v1/spaces/{id}/members"))?.members;
    }
    let cursor = view.query(&query::CURSOR).map_or(String::new(), |cursor| format!("&cursor={}", encoded(cursor)));
    match tab {
        "tasks" => page.lanes = lanes(view, &id)?,
        "context" => {
            let list = view.list(&format!("/api/v1/context?space_id={id}&limit=50{cursor}"))?;
            (page.context, page.next) = (list.rows, list.next);
        }
        "files" => {
            let list = view.list(&format!("/api/v1/uploads?space_id={id}&limit=50{cursor}"))?;
            (page.files, page.next) = (list.rows, list.next);
        }
        "members" => {}
        _ => {
            let before = view.query(&query::BEFORE).and_then(|seq| seq.parse::<u64>().ok());
            let before = before.map_or(String::new(), |seq| format!("&before_seq={seq}"));
            let mut list: Messages = view.get(&format!("/api/v1/messages?space_id={id}&limit=40{before}"))?;
            // The API's order is newest first; people read oldest first.
            list.messages.sort_by_key(|message| message.seq);
            page.older = list.messages.first().map(|message| message.seq).filter(|_| list.more);
            page.messages = list.messages;
            seen(view, &mut page.messages, &page.me);
        }
    }
    view.page(&page)
}

/// The priorities, the most urgent first.
const PRIORITIES: &[&str] = &["urgent", "high", "medium", "low"];

/// Sets on the reader's newest messages who has read them.
fn seen(view: &View<'_>, messages: &mut [MessageView], me: &str) {
    let own = messages.iter_mut().rev().filter(|message| message.user_id.as_deref() == Some(me));
    for message in own.take(WITH_RECEIPTS) {
        let receipts = message::receipts(view, &message.id).unwrap_or_default();
        let (read, waiting): (Vec<_>, Vec<_>) =
            receipts.iter().partition(|one| matches!(one.state.as_str(), "read" | "answered"));
        let names = |all: &[&ReceiptView]| all.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        message.seen = match (read.is_empty(), waiting.is_empty()) {
            (true, true) => String::new(),
            (false, true) => format!("read by {}", names(&read)),
            (true, false) => format!("not read yet by {}", names(&waiting)),
            (false, false) => format!("read by {}, not yet by {}", names(&read), names(&waiting)),
        };
    }
}

/// The board: the newest tasks of each status.
fn lanes(view: &View<'_>, id: &str) -> Result<Vec<Lane>, ApiError> {
    let of = |(status, title): &(&'static str, &'static str)| {
        let tasks: TasksView = view.get(&format!("/api/v1/tasks?space_id={id}&status={status}&limit=30"))?;
        let mut tasks = tasks.tasks;
        // Urgent tasks come first; tasks of the same priority stay newest first.
        tasks.sort_by_key(|task| PRIORITIES.iter().position(|one| *one == task.priority));
        Ok((*status, *title, tasks))
    };
    LANES.iter().map(of).collect()
}
