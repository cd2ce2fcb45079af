//! Every `doc_url` of an error or of `GET /api` leads to a page that exists, and to an anchor in it.

use std::collections::BTreeSet;

use serde_json::Value;
use taosd::rest::codes::{self, Code};
use taosd::rest::error::Dialect;

use crate::support::Daemon;

#[test]
fn every_doc_url_leads_to_its_anchor() {
    let daemon = Daemon::start();
    let of = |code: &&Code| [Dialect::Taos, Dialect::OAuth].map(|dialect| code.doc_url_in(dialect));
    let mut urls: BTreeSet<String> = codes::ALL.iter().flat_map(of).collect();
    let index = daemon.anonymous().get("/api").expect(200).json();
    let rows = index["routes"].as_array().cloned().unwrap_or_default();
    assert!(rows.len() > 20, "{index}");
    urls.extend(rows.iter().map(|row| row["doc_url"].as_str().expect("a doc_url").to_owned()));
    let refusal: Value = daemon.anonymous().get("/api/agents").expect_error(401, "auth_required").json();
    urls.insert(refusal["doc_url"].as_str().expect("a doc_url").to_owned());
    let browser = daemon.anonymous().with("Accept", "text/html");
    let mut missing = Vec::new();
    for url in urls {
        let (path, anchor) = url.split_once('#').map_or((url.as_str(), None), |(p, a)| (p, Some(a)));
        let reply = browser.get(path);
        let there = anchor.is_none_or(|anchor| reply.text().contains(&format!(" id=\"{anchor}\">")));
        if reply.status != 200 || !there {
            missing.push(url);
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
