//! The documentation for a browser: pages in one frame with the previous and the next page, a table of contents, and a
//! search.

use askama::Template;

use super::core::assets::packed;
use super::core::filters;
use super::core::frame::Assets;
use super::core::view::html;
use crate::docs::{self, DocsHit, DocsQuery, Heading};
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use hyper::http::StatusCode;

/// The fewest headings for a table of contents beside the page.
const WORTH_CONTENTS: usize = 3;
/// The fewest headings for an index before the page instead.
const INDEX: usize = 40;

/// A group of the sidebar: its title, and its pages with path, title, and whether the page is shown now.
struct Group {
    title: &'static str,
    pages: Vec<(&'static str, String, bool)>,
}

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage<'a> {
    assets: Assets,
    title: String,
    groups: Vec<Group>,
    /// The HTML up to the end of the title, and the rest.
    lead: String,
    body: String,
    contents: Vec<Heading>,
    index: Vec<Heading>,
    before: Option<(&'static str, String)>,
    after: Option<(&'static str, String)>,
    markdown: Option<&'a str>,
    /// The words of the search, and its results.
    q: &'a str,
    hits: Option<Vec<DocsHit>>,
}

/// A page of the documentation, or the results of a search.
pub(crate) fn page(input: &Input, asked: &DocsQuery<'_>) -> Reply {
    let path = match asked {
        DocsQuery::Page(path, _) => path,
        DocsQuery::Search(_) => "",
    };
    let mut page = DocsPage {
        assets: Assets::new(),
        title: "Search".to_owned(),
        groups: groups(path),
        lead: String::new(),
        body: String::new(),
        contents: Vec::new(),
        index: Vec::new(),
        before: None,
        after: None,
        markdown: None,
        q: "",
        hits: None,
    };
    match asked {
        DocsQuery::Search(q) => {
            page.q = q;
            page.hits = Some(docs::search(q));
        }
        DocsQuery::Page(path, markdown) => {
            page.title = docs::first_heading(markdown).unwrap_or_else(|| (*path).to_owned());
            let body = docs::body(markdown);
            let (lead, rest) = body.split_at(body.find("</h1>").map_or(0, |at| at + "</h1>".len()));
            (page.lead, page.body) = (lead.to_owned(), rest.to_owned());
            let mut contents = docs::outline(markdown);
            contents.retain(|heading| heading.level == 2);
            match contents.len() {
                INDEX.. => page.index = contents,
                WORTH_CONTENTS.. => page.contents = contents,
                _ => {}
            }
            let order: Vec<_> = docs::groups().flat_map(|(_, pages)| pages).collect();
            let at = order.iter().position(|one| one == path);
            let neighbour = |at: Option<usize>| at.and_then(|at| order.get(at)).map(|path| (*path, docs::title(path)));
            page.before = neighbour(at.and_then(|at| at.checked_sub(1)));
            page.after = neighbour(at.map(|at| at + 1));
            page.markdown = Some(path);
        }
    }
    packed(html(StatusCode::OK, &page), &input.head)
}

fn groups(here: &str) -> Vec<Group> {
    let page = |path: &'static str| (path, docs::title(path), path == here);
    docs::groups().map(|(title, pages)| Group { title, pages: pages.map(page).collect() }).collect()
}
