//! The documentation in the binary: the pages of `docs/agents`, and how they become HTML.

use std::fmt::Write as _;

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

macro_rules! pages {
    ($($path:literal),* $(,)?) => {
        /// Every page, by its path below `/docs/` without `.md`.
        pub const PAGES: &[(&str, &str)] = &[ $( ($path, include_str!(concat!("../docs/", $path, ".md"))), )* ];
    };
}

pages![
    "agents/README",
    "agents/getting-started",
    "agents/concepts/permissions",
    "agents/concepts/tasks-context-files",
    "agents/concepts/authentication",
    "agents/concepts/agentex",
    "agents/concepts/identity",
    "agents/concepts/operations",
    "agents/concepts/workspace",
    "agents/recipes/bootstrap",
    "agents/recipes/everyday-commands",
    "agents/concepts/knowledge",
    "agents/recipes/letting-programs-log-in",
    "agents/recipes/letting-a-service-check-tokens",
    "agents/recipes/logging-in",
    "agents/recipes/managing-agents",
    "agents/recipes/deploying",
    "agents/recipes/an-agent-that-sleeps",
    "agents/recipes/freezing",
    "agents/recipes/notifications-on-your-phone",
    "agents/recipes/build-once-and-deploy",
    "agents/recipes/tokens-and-rotation",
    "agents/recipes/users-and-tokens",
    "agents/recipes/working-off-a-queue",
    "agents/recipes/notifying-the-user",
    "agents/recipes/asking-for-access",
    "agents/recipes/deciding-requests",
    "agents/recipes/joining",
    "agents/recipes/reading-knowledge",
    "agents/recipes/sharing-a-file",
    "agents/recipes/talking-to-another-agent",
    "agents/recipes/mcp",
    "agents/recipes/backup",
    "agents/recipes/troubleshooting",
    "agents/operations/install",
    "agents/operations/first-login",
    "agents/operations/console",
    "agents/operations/settings",
    "agents/operations/reverse-proxy",
    "agents/operations/classic-lxc",
    "agents/operations/firewall",
    "agents/operations/backup-to-another-host",
    "agents/operations/restore-drill",
    "agents/operations/moving-to-a-new-board",
    "agents/operations/sd-card-wear",
    "agents/errors",
];

/// How the pages look in a browser: served beside them, for nothing inline is allowed.
pub const STYLE: &str = include_str!("../docs/style.css");

/// The Markdown of a page.
pub fn page(path: &str) -> Option<&'static str> {
    let path = if path == "agents" { "agents/README" } else { path };
    PAGES.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}

/// The anchor of a heading: lower-cased, blanks to `-`, all but letters, digits, `-` and `_` dropped.
pub fn anchor(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_whitespace() { '-' } else { c })
        .filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
        .collect()
}

/// The headings of a page, as text.
pub fn headings(markdown: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => open = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => found.extend(open.take()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut open {
                    heading.push_str(&text);
                }
            }
            _ => {}
        }
    }
    found
}

/// The page as a whole HTML document; headings carry their anchor as `id`. Raw HTML in a page is shown as text, a
/// comment on a line of its own (the marks around what is generated) is left out.
pub fn html(path: &str, markdown: &str) -> String {
    let anchors: Vec<String> = headings(markdown).iter().map(|heading| anchor(heading)).collect();
    let mut next = anchors.into_iter();
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).map(|event| match event {
        Event::Start(Tag::Heading { level, classes, attrs, .. }) => {
            Event::Start(Tag::Heading { level, id: next.next().map(CowStr::from), classes, attrs })
        }
        Event::Html(text) if is_comment(&text) => Event::Text(CowStr::Borrowed("")),
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        other => other,
    });
    let mut body = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut body, events);
    let title = first_heading(markdown).unwrap_or_else(|| path.to_owned());
    let mut page = String::with_capacity(body.len() + 512);
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
        <meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n\
        <link rel=\"stylesheet\" href=\"/docs/style.css\">\n</head>\n<body>\n\
        <nav><a href=\"/docs\">taosd documentation</a></nav>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(&title)
    );
    page
}

fn is_comment(html: &str) -> bool {
    html.trim().strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->")).is_some_and(|text| !text.contains("--"))
}

/// The first heading of the first level, as text.
pub fn first_heading(markdown: &str) -> Option<String> {
    let mut in_first = false;
    let mut text = String::new();
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) => in_first = true,
            Event::End(TagEnd::Heading(HeadingLevel::H1)) => return Some(text),
            Event::Text(part) | Event::Code(part) if in_first => text.push_str(&part),
            _ => {}
        }
    }
    None
}

/// The first paragraph as text, at most 200 characters.
pub fn summary(markdown: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::Paragraph) => inside = true,
            Event::End(TagEnd::Paragraph) => break,
            Event::Text(part) | Event::Code(part) if inside => text.push_str(&part),
            Event::SoftBreak | Event::HardBreak if inside => text.push(' '),
            _ => {}
        }
    }
    text.chars().take(200).collect()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Writing to a string does not fail.
    let _ = pulldown_cmark_escape::escape_html(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_carry_their_anchor_and_raw_html_is_inert() {
        let page = html("x", "# A `b` c!\n\n<script>alert(1)</script>\n\ntext <b>x</b>\n");
        assert!(page.contains("<h1 id=\"a-b-c\">"), "{page}");
        assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
        assert!(page.contains("<title>A b c!</title>"));
    }

    #[test]
    fn a_comment_on_its_own_line_is_left_out_and_nothing_else_passes_as_one() {
        let page = html("x", "# A\n\n<!-- begin -->\n\ntext\n\n<!-- a --><b>x</b><!-- c -->\n");
        assert!(!page.contains("begin") && page.contains("text"), "{page}");
        assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"), "{page}");
    }
}
