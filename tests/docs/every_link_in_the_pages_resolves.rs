//! Every link in the pages works in a browser, with `curl` and on a code host.
//!
//! A link to a page is `/docs/agents/NAME.md#anchor`: absolute, so that it means the same on every page, and with
//! `.md`, so that it is also the file's path in the repository.

use std::collections::{HashMap, HashSet};

use pulldown_cmark::{Event, Options, Parser, Tag};
use taosd::docs;

use crate::pages;
use crate::support::Daemon;

fn links(markdown: &str) -> Vec<String> {
    Parser::new_ext(markdown, Options::ENABLE_TABLES)
        .filter_map(|event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.to_string()),
            _ => None,
        })
        .collect()
}

#[test]
fn every_link_in_the_pages_resolves() {
    let daemon = Daemon::start();
    let pages = pages::all();
    let anchors: HashMap<String, Vec<String>> = pages
        .iter()
        .map(|page| {
            (format!("/{}", page.file), docs::headings(&page.markdown).iter().map(|h| docs::anchor(h)).collect())
        })
        .collect();
    let mut broken = Vec::new();
    for page in &pages {
        for link in links(&page.markdown) {
            let (path, anchor) = link.split_once('#').map_or((link.as_str(), None), |(p, a)| (p, Some(a)));
            let target = if path.is_empty() { format!("/{}", page.file) } else { path.to_owned() };
            let is_there = match anchors.get(&target) {
                Some(anchors) => anchor.is_none_or(|anchor| anchors.iter().any(|a| a == anchor)),
                None => anchor.is_none() && target.starts_with('/') && !target.starts_with("/docs"),
            };
            if !is_there || daemon.anonymous().get(&target).status != 200 {
                broken.push(format!("{}: {link}", page.file));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn no_two_headings_of_a_page_share_an_anchor_and_each_page_has_one_title() {
    for page in pages::all() {
        let mut seen = HashSet::new();
        for heading in docs::headings(&page.markdown) {
            assert!(seen.insert(docs::anchor(&heading)), "{}: {heading} twice", page.file);
        }
        let titles = page.markdown.lines().filter(|line| line.starts_with("# ")).count();
        assert!(page.markdown.starts_with("# ") && titles >= 1, "{} has no title", page.file);
    }
}

#[test]
fn the_index_leads_to_every_page() {
    let pages = pages::all();
    let index = pages.iter().find(|page| page.name == "agents/README").expect("the index");
    let linked: HashSet<String> = links(&index.markdown).into_iter().collect();
    for page in pages.iter().filter(|page| page.name != index.name) {
        assert!(linked.contains(&format!("/{}", page.file)), "the index does not link {}", page.file);
    }
}
