//! The dialect of a path that has no route.

use hyper::header::ACCEPT;
use hyper::http::Method;

use crate::rest::error::Dialect;
use crate::rest::head::Head;

/// The first segments of the paths that Agentex clients use, including routes that taosd leaves out.
const AGENTEX: &[&str] = &[
    "agents",
    "agent_api_keys",
    "deployment-history",
    "healthcheck",
    "tasks",
    "messages",
    "states",
    "events",
    "spans",
    "tracker",
    "checkpoints",
    "slack",
    "linear",
];

/// Returns the dialect of a path that may have no route.
pub(super) fn dialect_of(head: &Head) -> Dialect {
    // An invalid path has no segments, so this reads the raw path.
    let (first, second) = {
        let mut raw = head.raw_path.split('/').skip(1).filter(|segment| !segment.is_empty());
        (raw.next(), raw.next())
    };
    match (first, second) {
        (Some("mcp"), None) => Dialect::Mcp,
        (Some("auth" | "credentials"), _)
        | (Some("api"), Some("v1" | "spaces" | "tasks"))
        | (Some("agents"), Some("manage")) => Dialect::Ax,
        (Some(first), _) if AGENTEX.contains(&first) => Dialect::Agentex,
        (Some("ui"), _) => Dialect::Html,
        (Some("api"), _) => Dialect::Taos,
        // Probably a person who mistyped an address.
        _ if head.method == Method::GET && asks_for_html(head) => Dialect::Html,
        _ => Dialect::Taos,
    }
}

/// True if the request accepts HTML, as a browser's address bar does.
fn asks_for_html(head: &Head) -> bool {
    head.header(&ACCEPT).is_some_and(|accept| accept.contains("text/html"))
}
