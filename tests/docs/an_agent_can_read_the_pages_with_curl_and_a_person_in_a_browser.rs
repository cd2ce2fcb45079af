//! The same page is Markdown to `curl` and HTML to a browser.

use taosd::docs;

use crate::support::{Client, Daemon};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn browser(daemon: &Daemon) -> Client {
    daemon.anonymous().with("Accept", BROWSER)
}

#[test]
fn curl_gets_the_markdown_with_and_without_its_ending() {
    let daemon = Daemon::start();
    for client in [daemon.anonymous(), daemon.anonymous().with("Accept", "*/*"), daemon.operator()] {
        for (name, markdown) in docs::PAGES {
            for path in [format!("/docs/{name}"), format!("/docs/{name}.md")] {
                let reply = client.get(&path).expect(200);
                assert_eq!(reply.text(), *markdown, "{path}");
                assert_eq!(reply.header("content-type"), Some("text/markdown; charset=utf-8"), "{path}");
                assert_eq!(reply.header("vary"), Some("Accept, Accept-Encoding"), "{path}");
            }
        }
    }
    let index = daemon.anonymous().get("/docs/agents/README").expect(200).body;
    for path in ["/docs", "/docs/", "/docs/agents"] {
        assert_eq!(daemon.anonymous().get(path).expect(200).body, index, "{path}");
    }
}

#[test]
fn a_browser_gets_html_with_anchors_and_nothing_inline() {
    let daemon = Daemon::start();
    for (name, markdown) in docs::PAGES {
        let reply = browser(&daemon).get(&format!("/docs/{name}")).expect(200);
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"), "{name}");
        assert_eq!(reply.header("vary"), Some("Accept, Accept-Encoding"), "{name}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{name}");
        let policy = reply.header("content-security-policy").unwrap_or_default();
        for part in ["default-src 'none'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{name}: {policy}");
        }
        let html = reply.text();
        for heading in docs::headings(markdown) {
            assert!(html.contains(&format!(" id=\"{}\">", docs::anchor(&heading))), "{name}: {heading}");
        }
        for inline in ["<script>", "<style", " style=", " onclick=", "javascript:", "&lt;!--"] {
            assert!(!html.contains(inline), "{name}: {inline}");
        }
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"), "{name}");
    }
}

#[test]
fn every_page_has_its_frame_and_shows_no_mark_of_the_tests() {
    let daemon = Daemon::start();
    for (name, markdown) in docs::PAGES {
        let html = browser(&daemon).get(&format!("/docs/{name}")).expect(200).text();
        for (other, _) in docs::PAGES {
            assert!(html.contains(&format!("href=\"/docs/{other}\"")), "{name} does not lead to {other}");
        }
        assert!(html.contains("aria-current=\"page\"") && html.contains("name=\"q\""), "{name}");
        assert!(html.contains("rel=\"next\"") || html.contains("rel=\"prev\""), "{name}");
        assert!(!html.contains("{{"), "{name}");
        assert_eq!(html.matches("<table>").count(), html.matches("aria-label=\"Table\"").count(), "{name}");
        let contents = docs::outline(markdown).iter().filter(|heading| heading.level == 2).count();
        assert_eq!(html.contains("On this page"), (3..40).contains(&contents), "{name}");
    }
    let errors = browser(&daemon).get("/docs/agents/errors").expect(200).text();
    assert!(errors.contains("aria-label=\"Index\"") && errors.contains("href=\"#not_found\""));
}

#[test]
fn no_page_weighs_more_than_it_may() {
    /// The most bytes of a compressed page.
    const MOST: usize = 25 * 1024;
    let daemon = Daemon::start();
    for (name, _) in docs::PAGES {
        let reply = browser(&daemon).with("Accept-Encoding", "gzip").get(&format!("/docs/{name}")).expect(200);
        assert_eq!(reply.header("content-encoding"), Some("gzip"), "{name}");
        assert!(reply.body.len() <= MOST, "{name}: {}", reply.body.len());
    }
}

#[test]
fn a_search_finds_parts_of_pages() {
    let daemon = Daemon::start();
    let html = browser(&daemon).get("/docs?q=upload_not_found").expect(200).text();
    assert!(html.contains("href=\"/docs/agents/errors#upload_not_found\""), "{html}");
    let list = daemon.anonymous().get("/docs?q=rotate+token").expect(200).text();
    assert!(list.contains("](/docs/agents/recipes/tokens-and-rotation.md"), "{list}");
    assert!(daemon.anonymous().get("/docs?q=xyzzyqwert").expect(200).text().contains("No page has all of these words"));
    let hostile = browser(&daemon).get("/docs?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E%22").expect(200).text();
    assert!(!hostile.contains("<script>alert"), "{hostile}");
    daemon.anonymous().get(&format!("/docs?q={}", "x".repeat(201))).expect_error(422, "validation_error");
}

#[test]
fn what_the_pages_load_is_there() {
    let daemon = Daemon::start();
    let html = browser(&daemon).get("/docs").expect(200).text();
    let assets: Vec<&str> = html.split('"').filter(|text| text.starts_with("/ui/assets/")).collect();
    assert!(assets.iter().any(|path| path.ends_with(".css")) && assets.iter().any(|path| path.ends_with(".js")));
    for path in assets {
        daemon.anonymous().get(path.split('#').next().expect("a path")).expect(200);
    }
}

#[test]
fn head_tells_the_length_of_what_get_sends() {
    let daemon = Daemon::start();
    for client in [daemon.anonymous(), browser(&daemon)] {
        let get = client.get("/docs/agents/errors").expect(200);
        let head = client.send("HEAD", "/docs/agents/errors", None).expect(200);
        assert_eq!(head.header("content-length"), Some(get.body.len().to_string().as_str()));
        assert!(head.body.is_empty());
    }
}
