//! A method and path in the text of a page, such as `GET /api/agents/NAME`, is a row of the table of routes.

use pulldown_cmark::{Event, Options, Parser};
use taosd::api::routes;

use crate::pages;

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];

fn exists(method: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    let same = |route: &str| {
        let (known, named): (Vec<_>, Vec<_>) = (route.split('/').collect(), path.split('/').collect());
        known.len() == named.len()
            && known.iter().zip(named).all(|(known, named)| known.starts_with('{') || *known == named)
    };
    let mut all = routes().iter().flat_map(|table| table.iter());
    all.any(|route| route.method.as_str() == method && same(route.path))
}

#[test]
fn every_route_the_pages_name_exists() {
    let (mut unknown, mut seen) = (Vec::new(), 0);
    for page in pages::all() {
        for event in Parser::new_ext(&page.markdown, Options::ENABLE_TABLES) {
            let Event::Code(text) = event else { continue };
            let Some((method, path)) = text.split_once(' ').filter(|(method, _)| METHODS.contains(method)) else {
                continue;
            };
            seen += 1;
            if !exists(method, path) {
                unknown.push(format!("{}: {text}", page.file));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(seen > 40, "only {seen} were seen");
    assert!(!exists("GET", "/api/nowhere") && !exists("PUT", "/api/agents"));
}
