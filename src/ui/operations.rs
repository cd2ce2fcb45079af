//! Operations: those in progress, and the results of finished ones.

use askama::Template;

use super::core::filters;
use super::core::frame::Frame;
use super::core::query;
use super::core::text::encoded;
use super::core::view::{PageResult, View};
use super::records::OperationView;

#[derive(Template)]
#[template(path = "operations.html")]
struct Operations<'a> {
    frame: Frame,
    status: &'a str,
    operations: Vec<OperationView>,
    next: Option<String>,
    open: bool,
}

/// The states that the list can filter by.
const STATES: &[&str] = &["queued", "running", "succeeded", "failed", "cancelled"];

pub(super) fn show(view: &View<'_>) -> PageResult {
    let status = view.query(&query::STATUS).filter(|status| STATES.contains(status)).unwrap_or("");
    let mut target = "/api/operations?limit=50".to_owned();
    for (name, value) in [("status", status), ("cursor", view.query(&query::CURSOR).unwrap_or(""))] {
        if !value.is_empty() {
            target += &format!("&{name}={}", encoded(value));
        }
    }
    let list = view.list::<OperationView>(&target)?;
    let open = list.rows.iter().any(OperationView::is_open);
    let frame = view.frame("Operations", "/ui/operations");
    view.page(&Operations { frame, status, operations: list.rows, next: list.next, open })
}
