//! The page of one message: its receipts, the replies, and what its author can change.

use askama::Template;
use serde::Deserialize;

use super::core::filters;
use super::core::frame::Frame;
use super::core::text::encoded;
use super::core::view::{PageResult, View};
use super::spaces::{self, MessageView, SpaceView};
use crate::access::Action;
use crate::rest::codes;

/// The state of a message at one of its recipients.
#[derive(Deserialize)]
pub(super) struct ReceiptView {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub state: String,
    pub at: String,
}

#[derive(Deserialize)]
struct Receipts {
    receipts: Vec<ReceiptView>,
}

#[derive(Deserialize)]
struct Thread {
    message: MessageView,
    replies: Vec<MessageView>,
    more: bool,
}

#[derive(Template)]
#[template(path = "message.html")]
struct ThreadPage {
    frame: Frame,
    space: SpaceView,
    me: String,
    thread: Thread,
    /// `None` if the reader may not see them: they are for the author and the owners of the space.
    receipts: Option<Vec<ReceiptView>>,
    mine: bool,
    may_send: bool,
    may_edit: bool,
    may_delete: bool,
    may_react: bool,
}

/// The receipts of a message, if the reader may see them.
pub(super) fn receipts(view: &View<'_>, id: &str) -> Option<Vec<ReceiptView>> {
    view.find::<Receipts>(&format!("/api/v1/messages/{}/receipts", encoded(id))).map(|found| found.receipts)
}

pub(super) fn show(view: &View<'_>) -> PageResult {
    let space = spaces::named(view, view.input.param(0))?;
    let id = encoded(view.input.param(1));
    let thread: Thread = view.get(&format!("/api/v1/messages/{id}/thread"))?;
    if thread.message.space_id != space.id {
        return Err(codes::MESSAGE_NOT_FOUND.into());
    }
    let me = view.caller.user().id.clone();
    let mine = thread.message.user_id.as_deref() == Some(me.as_str());
    let receipts = receipts(view, &id);
    view.page(&ThreadPage {
        frame: view.frame(format!("Message in {}", space.name), "/ui/spaces"),
        mine,
        may_send: view.may(Action::MessagesSend),
        may_edit: view.may(Action::MessagesEdit),
        // The owners of a space see the receipts, and may delete messages of others.
        may_delete: view.may(Action::MessagesDelete) && (mine || receipts.is_some()),
        may_react: view.may(Action::MessagesMark),
        space,
        me,
        thread,
        receipts,
    })
}
