//! Notifications as HTML fragments for pages that fetch them (`HX-Request: true`). Every stored text is escaped, in
//! text and in attributes. Nothing inline runs, and the reply's policy forbids it too.

use std::fmt::Write as _;

use crate::store::notifications::{Level, Notification};

/// Escapes a text, so that it is safe between tags and within quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    // Writing to a string does not fail.
    let _ = pulldown_cmark_escape::escape_html(&mut out, text);
    out
}

fn icon(level: Level) -> &'static str {
    match level {
        Level::High => "⚠",
        Level::Low => "·",
        Level::Normal => "ℹ",
    }
}

/// The fragment of an empty list.
pub(crate) const NONE: &str = "<div class=\"notif-empty\">No notifications</div>\n";

/// Returns the fragment of one notification.
pub(crate) fn item(one: &Notification) -> String {
    let class = if one.read { "notif-item" } else { "notif-item unread" };
    let title = match &one.action_url {
        // The URL was checked when it came in: a path on this box or http(s), nothing that runs.
        Some(url) => format!("<a href=\"{}\" rel=\"noopener noreferrer\">{}</a>", escape(url), escape(&one.title)),
        None => escape(&one.title),
    };
    let mut out = format!(
        "<div class=\"{class}\" data-id=\"{}\"><div class=\"notif-title\"><span class=\"notif-icon\" title=\"{}\">{}</span> \
        {title}</div><div class=\"notif-meta\"><span class=\"notif-message\">{}</span> · <span class=\"notif-source\">{}</span>",
        escape(&one.id),
        one.level,
        icon(one.level),
        escape(&one.message),
        escape(&one.source),
    );
    if let Some(app) = &one.app_origin {
        let _ = write!(out, " · <span class=\"notif-app\">{}</span>", escape(app));
    }
    let time = one.created_at.millis();
    let _ = writeln!(out, " · <time datetime=\"{time}\">{time}</time></div></div>");
    out
}

/// Returns the badge, without a text if nothing is unread.
pub(crate) fn badge(unread: i64) -> String {
    let shown = if unread > 0 { unread.to_string() } else { String::new() };
    format!("<span class=\"notif-badge\" data-count=\"{unread}\">{shown}</span>\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Micros;
    use proptest::prelude::*;

    fn hostile(text: &str) -> Notification {
        let own = || text.to_owned();
        Notification {
            seq: 1,
            id: own(),
            agent_id: Some(own()),
            source: own(),
            app_origin: Some(own()),
            level: Level::Normal,
            title: own(),
            message: own(),
            action_url: Some(own()),
            read: false,
            created_at: Micros(0),
        }
    }

    /// Returns the names of the fragment's tags.
    fn tags(html: &str) -> Vec<String> {
        html.split('<').skip(1).map(|part| part.split(['>', ' ']).next().unwrap_or("").to_owned()).collect()
    }

    proptest! {
        #[test]
        fn no_text_adds_a_tag_or_leaves_its_attribute(text in "(\\PC|[<>&\"'/= ]|<script>|onload=|javascript:){0,40}") {
            let (plain, html) = (item(&hostile("x")), item(&hostile(&text)));
            prop_assert_eq!(tags(&html), tags(&plain));
            // As many quotes as with a harmless text: no attribute ends early or begins anew.
            prop_assert_eq!(html.matches('"').count(), plain.matches('"').count());
            prop_assert_eq!(html.matches('\'').count(), 0);
        }

        #[test]
        fn escaped_text_reads_back_as_it_was(text in "(\\PC|[<>&\"';#]|&amp;|&#39;){0,40}") {
            let back = escape(&text)
                .replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
            prop_assert_eq!(back, text);
        }
    }
}
