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
                assert_eq!(reply.header("vary"), Some("Accept"), "{path}");
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
        assert_eq!(reply.header("vary"), Some("Accept"), "{name}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{name}");
        let policy = reply.header("content-security-policy").unwrap_or_default();
        for part in ["default-src 'none'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{name}: {policy}");
        }
        let html = reply.text();
        for heading in docs::headings(markdown) {
            assert!(html.contains(&format!(" id=\"{}\">", docs::anchor(&heading))), "{name}: {heading}");
        }
        for inline in ["<script", "<style", " style=", " onclick=", "javascript:", "&lt;!--"] {
            assert!(!html.contains(inline), "{name}: {inline}");
        }
        assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"), "{name}");
    }
}

#[test]
fn the_style_sheet_the_pages_name_is_there() {
    let daemon = Daemon::start();
    assert!(browser(&daemon).get("/docs").text().contains("<link rel=\"stylesheet\" href=\"/docs/style.css\">"));
    let reply = daemon.anonymous().get("/docs/style.css").expect(200);
    assert_eq!(reply.header("content-type"), Some("text/css; charset=utf-8"));
    assert!(!reply.text().contains("url(") && !reply.text().contains("@import"), "the policy allows nothing else");
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
