//! The inbox: the notifications from agents and the box.

use askama::Template;

use super::core::filters;
use super::core::frame::Frame;
use super::core::query;
use super::core::text::encoded;
use super::core::view::{PageResult, View};
use super::records::NotificationView;
use crate::access::Action;

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
    let mut target = format!("/api/notifications?limit=50&unread_only={unread}");
    if let Some(cursor) = view.query(&query::CURSOR) {
        target += &format!("&cursor={}", encoded(cursor));
    }
    let mut list = view.list::<NotificationView>(&target)?;
    if !agent.is_empty() {
        list.rows.retain(|one| one.agent() == Some(agent));
    }
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
