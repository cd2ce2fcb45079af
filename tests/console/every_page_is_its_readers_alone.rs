//! The headers of pages and assets, and their sizes.

use crate::site::Site;
use crate::support::Daemon;

/// The most compressed bytes of the first page with all that it loads. `LATER` is the most of any other page.
const FIRST: usize = 60 * 1024;
const LATER: usize = 25 * 1024;

/// Returns the addresses of the assets that a page loads.
fn assets(page: &str) -> Vec<String> {
    let named = page.split('"').filter(|text| text.starts_with("/ui/assets/"));
    let mut all: Vec<String> = named.map(|url| url.split('#').next().expect("an address").to_owned()).collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn pages_are_kept_nowhere_and_assets_for_ever() {
    let daemon = Daemon::start();
    let site = Site::operator(&daemon);
    let page = site.get("/ui/").expect(200);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("script-src 'self'; style-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let text = page.text();
    assert!(!text.contains(" style=") && !text.contains("<style") && !text.contains(" onclick="), "{text}");
    let all = assets(&text);
    assert_eq!(all.len(), 6, "{all:?}");
    for url in all {
        let packed = daemon.anonymous().with("Accept-Encoding", "gzip, br").get(&url).expect(200);
        assert_eq!(packed.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(packed.header("content-encoding"), Some("gzip"));
        let plain = daemon.anonymous().get(&url).expect(200);
        assert!(plain.header("content-encoding").is_none() && plain.body.len() > packed.body.len());
    }
    daemon.anonymous().get("/ui/assets/app.css").expect(404);
    let icon = daemon.anonymous().get("/favicon.ico").expect(200);
    assert_eq!(icon.header("content-type"), Some("image/svg+xml"));
}

#[test]
fn pages_weigh_no_more_than_they_may() {
    let daemon = Daemon::start();
    for at in 0..60 {
        daemon
            .operator()
            .post("/api/agents", serde_json::json!({"name": format!("Agent number {at}"), "model": "qwen3-8b"}))
            .expect(200);
    }
    let site = Site::operator(&daemon);
    let packed = site.client().with("Accept-Encoding", "gzip");
    let first = packed.get("/ui/").expect(200).body.len();
    let loaded: usize = assets(&site.get("/ui/").text()).iter().map(|url| packed.get(url).expect(200).body.len()).sum();
    println!("/ui/: {first} bytes, {loaded} of assets");
    assert!(first + loaded <= FIRST, "{first} + {loaded}");
    for page in [
        "/ui/agents",
        "/ui/agents?tab=deploy",
        "/ui/agents/agent-number-1",
        "/ui/inbox",
        "/ui/operations",
        "/ui/spaces/operator",
        "/ui/spaces/operator?tab=files",
        "/ui/knowledge",
        "/ui/people",
        "/ui/audit",
        "/ui/box",
        "/ui/box?tab=settings",
        "/ui/find?q=token",
    ] {
        let weight = packed.get(page).expect(200).body.len();
        println!("{page}: {weight} bytes");
        assert!(weight <= LATER, "{page}: {weight}");
    }
    // No request that a page makes to the API has failed.
    assert!(!daemon.log_text().contains("WARN taosd::ui"), "{}", daemon.log_text());
}
