//! The documentation in the binary: the pages of `docs/agents` and their conversion to HTML.

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
    "agents/operations/second-box",
    "agents/operations/firewall",
    "agents/operations/backup-to-another-host",
    "agents/operations/restore-drill",
    "agents/operations/moving-to-a-new-board",
    "agents/operations/sd-card-wear",
    "agents/errors",
];

/// Finds a page by its path. Returns its full path and its Markdown.
pub fn find(path: &str) -> Option<(&'static str, &'static str)> {
    let path = if path == "agents" { "agents/README" } else { path };
    PAGES.iter().find(|(name, _)| *name == path).copied()
}

/// The Markdown of a page.
pub fn page(path: &str) -> Option<&'static str> {
    find(path).map(|(_, text)| text)
}

/// The anchor of a heading: in lower case, with `-` for whitespace; only letters, digits, `-` and `_` stay.
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

/// What a browser asks for below `/docs/`.
#[derive(Debug, Clone, Copy)]
pub enum DocsQuery<'a> {
    /// A page: its path and its Markdown.
    Page(&'static str, &'static str),
    /// A search for these words.
    Search(&'a str),
}

/// The groups of the pages in the console, each with its paths in reading order.
pub fn groups() -> impl Iterator<Item = (&'static str, impl Iterator<Item = &'static str>)> {
    const GROUPS: [(&str, &str); 5] = [
        ("Start", ""),
        ("Recipes", "agents/recipes/"),
        ("Concepts", "agents/concepts/"),
        ("Running the box", "agents/operations/"),
        ("Reference", "agents/errors"),
    ];
    let group = |path: &str| {
        let named = GROUPS.iter().position(|(_, prefix)| !prefix.is_empty() && path.starts_with(prefix));
        named.unwrap_or(0)
    };
    GROUPS.iter().enumerate().map(move |(at, (title, _))| {
        (*title, PAGES.iter().map(|(path, _)| *path).filter(move |path| group(path) == at))
    })
}

/// The title of a page.
pub fn title(path: &str) -> String {
    page(path).and_then(first_heading).unwrap_or_else(|| path.to_owned())
}

/// A heading of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// The level; 1 for the heading of the page.
    pub level: u8,
    /// The anchor of the heading.
    pub anchor: String,
    /// The text of the heading.
    pub text: String,
}

/// The headings of a page, with their levels.
pub fn outline(markdown: &str) -> Vec<Heading> {
    let levels = Parser::new_ext(markdown, Options::ENABLE_TABLES).filter_map(|event| match event {
        Event::Start(Tag::Heading { level, .. }) => Some(level as u8),
        _ => None,
    });
    let texts = headings(markdown).into_iter();
    levels.zip(texts).map(|(level, text)| Heading { level, anchor: anchor(&text), text }).collect()
}

/// The page as HTML. Headings have their anchor as `id`. Raw HTML in a page is shown as text. A comment on its own line
/// is left out, such as the marks around generated parts. Tables and code blocks can be focused, and a wide table
/// scrolls on its own. The placeholders that the tests fill in are shown as `<name>`.
pub fn body(markdown: &str) -> String {
    let anchors: Vec<String> = headings(markdown).iter().map(|heading| anchor(heading)).collect();
    let mut next = anchors.into_iter();
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).map(|event| match event {
        Event::Start(Tag::Heading { level, classes, attrs, .. }) => {
            Event::Start(Tag::Heading { level, id: next.next().map(CowStr::from), classes, attrs })
        }
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = without_ending(&dest_url).into();
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        Event::Text(text) if text.contains("{{") => Event::Text(unmarked(&text).into()),
        Event::Code(text) if text.contains("{{") => Event::Code(unmarked(&text).into()),
        Event::Html(text) if is_comment(&text) => Event::Text(CowStr::Borrowed("")),
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        other => other,
    });
    let mut body = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut body, events);
    body.replace("<pre>", "<pre data-code tabindex=\"0\">")
        .replace("<table>", "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Table\"><table>")
        .replace("</table>", "</table></div>")
}

/// The address of a page without `.md`. Addresses with `.md` are for programs.
fn without_ending(url: &str) -> String {
    if url.starts_with("/docs/") { url.replacen(".md", "", 1) } else { url.to_owned() }
}

/// Shows the placeholder `{{last.task.id}}`, which the tests fill in, as `<task id>`, which the reader fills in.
fn unmarked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, (mark, after))) =
        rest.split_once("{{").and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
    {
        let words = mark.trim().split('.').filter(|word| *word != "last" && !word.bytes().all(|b| b.is_ascii_digit()));
        let name = words.collect::<Vec<_>>().join(" ").replace('_', " ");
        let _ = write!(out, "{before}<{name}>");
        rest = after;
    }
    out + rest
}

/// A search result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocsHit {
    /// The path of the page.
    pub path: &'static str,
    /// The title of the page.
    pub title: String,
    /// The heading of the part.
    pub heading: String,
    /// The anchor of the part; empty for the beginning of a page.
    pub anchor: String,
    /// A line with one of the words.
    pub snippet: String,
}

/// The most results of a search.
const MOST_HITS: usize = 30;
/// The most words of a search; further words are ignored.
const MOST_WORDS: usize = 8;

/// The parts of the pages that contain all of these words, with the best match first. A word in a heading counts most.
/// One search reads half a megabyte in some milliseconds.
pub fn search(words: &str) -> Vec<DocsHit> {
    let words: Vec<String> = words.to_lowercase().split_whitespace().take(MOST_WORDS).map(str::to_owned).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(usize, DocsHit)> = Vec::new();
    for (path, markdown) in PAGES {
        let title = first_heading(markdown).unwrap_or_else(|| (*path).to_owned());
        let low_title = title.to_lowercase();
        for (heading, text) in parts(markdown) {
            let (low_heading, low) = (heading.to_lowercase(), text.to_lowercase());
            let has = |word: &String| low.contains(word) || low_heading.contains(word) || low_title.contains(word);
            // Words in the title alone find only the beginning of the page, not all of its parts.
            let own = |word: &String| low.contains(word) || low_heading.contains(word);
            if !words.iter().all(has) || !words.iter().any(own) {
                continue;
            }
            let score = |word: &String| {
                20 * usize::from(low_heading.contains(word))
                    + 8 * usize::from(low_title.contains(word))
                    + low.matches(word.as_str()).take(5).count()
            };
            let is_title = heading == title;
            found.push((
                words.iter().map(score).sum(),
                DocsHit {
                    path,
                    title: title.clone(),
                    anchor: if is_title { String::new() } else { anchor(heading) },
                    heading: heading.replace('`', ""),
                    snippet: snippet(text, &words),
                },
            ));
        }
    }
    // The sort is stable: parts with the same score keep the order of the pages.
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.truncate(MOST_HITS);
    found.into_iter().map(|(_, hit)| hit).collect()
}

/// The parts of a page: each heading with the text up to the next heading.
fn parts(markdown: &str) -> Vec<(&str, &str)> {
    let mut parts = Vec::new();
    let (mut heading, mut from, mut at, mut fenced) = ("", 0, 0, false);
    for line in markdown.split_inclusive('\n') {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if !fenced && line.starts_with('#') {
            if !heading.is_empty() {
                parts.push((heading, &markdown[from..at]));
            }
            heading = line.trim_start_matches('#').trim();
            from = at + line.len();
        }
        at += line.len();
    }
    if !heading.is_empty() {
        parts.push((heading, &markdown[from..]));
    }
    parts
}

/// The first line with one of the words, without Markdown characters.
fn snippet(text: &str, words: &[String]) -> String {
    let plain = |line: &str| -> String {
        let line = unmarked(line);
        let line: String = line.chars().filter(|c| !matches!(c, '`' | '|' | '*' | '#')).collect();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let lines = || text.lines().filter(|line| !line.starts_with("```") && !line.starts_with("| ---"));
    let with = lines().find(|line| {
        let low = line.to_lowercase();
        words.iter().any(|word| low.contains(word))
    });
    let line = with.or_else(|| lines().find(|line| !line.trim().is_empty())).map(plain).unwrap_or_default();
    line.chars().take(180).collect()
}

fn is_comment(html: &str) -> bool {
    html.trim().strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->")).is_some_and(|text| !text.contains("--"))
}

/// The text of the first level 1 heading.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_carry_their_anchor_and_raw_html_is_inert() {
        let page = body("# A `b` c!\n\n<script>alert(1)</script>\n\ntext <b>x</b>\n");
        assert!(page.contains("<h1 id=\"a-b-c\">"), "{page}");
        assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
    }

    #[test]
    fn a_comment_on_its_own_line_is_left_out_and_nothing_else_passes_as_one() {
        let page = body("# A\n\n<!-- begin -->\n\ntext\n\n<!-- a --><b>x</b><!-- c -->\n");
        assert!(!page.contains("begin") && page.contains("text"), "{page}");
        assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"), "{page}");
    }

    #[test]
    fn what_the_tests_fill_in_is_shown_as_what_it_stands_for() {
        assert_eq!(
            unmarked("a {{last.0.id}} b {{last.task.id}} {{ last.access_token }}"),
            "a <id> b <task id> <access token>"
        );
        assert_eq!(unmarked("{{ open, }} closed"), "<open,> closed");
        assert_eq!(unmarked("{{open"), "{{open");
        for (path, markdown) in PAGES {
            assert!(!body(markdown).contains("{{"), "{path}");
        }
    }

    #[test]
    fn every_page_stands_in_one_group() {
        let mut grouped: Vec<&str> = groups().flat_map(|(_, pages)| pages).collect();
        let mut all: Vec<&str> = PAGES.iter().map(|(path, _)| *path).collect();
        grouped.sort_unstable();
        all.sort_unstable();
        assert_eq!(grouped, all);
    }

    #[test]
    fn a_search_finds_the_part_with_all_words_and_its_heading_first() {
        let hits = search("upload_not_found");
        assert_eq!((hits[0].path, hits[0].anchor.as_str()), ("agents/errors", "upload_not_found"));
        assert!(search("rotate TOKEN").iter().any(|hit| hit.path == "agents/recipes/tokens-and-rotation"));
        assert!(search("").is_empty() && search("xyzzyqwert").is_empty() && search("  ").is_empty());
        for hit in search("token") {
            let there =
                hit.anchor.is_empty() || outline(page(hit.path).unwrap()).iter().any(|h| h.anchor == hit.anchor);
            assert!(there, "{hit:?}");
        }
    }
}
