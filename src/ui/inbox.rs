//! The inbox: the notifications from agents and the box.

use askama::Template;

use super::core::filters;
use super::core::frame::Frame;
use super::core::query;
use super::core::view::{PageResult, View};
use super::records::NotificationView;
use crate::access::Action;

/// The rows of one page.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "inbox.html")]
struct InboxPage<'a> {
    frame: Frame,
    unread: bool,
    agent: &'a str,
    news: Vec<NotificationView>,
    next: Option<String>,
    may_mark: bool,
    may_delete: bool,
}

pub(super) fn show(view: &View<'_>) -> PageResult {
    let unread = view.query(&query::TAB) == Some("unread");
    let agent = view.query(&query::AGENT).unwrap_or("");
    let target = format!("/api/notifications?limit={ROWS}&unread_only={unread}");
    let is_shown = |one: &NotificationView| agent.is_empty() || one.agent() == Some(agent);
    let list = view.list_where(&target, view.query(&query::CURSOR), ROWS, is_shown)?;
    view.page(&InboxPage {
        frame: view.frame("Inbox", "/ui/inbox"),
        unread,
        agent,
        news: list.rows,
        next: list.next,
        may_mark: view.may(Action::NotificationsUpdate),
        may_delete: view.may(Action::NotificationsDelete),
    })
}
