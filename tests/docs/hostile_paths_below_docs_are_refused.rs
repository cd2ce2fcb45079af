//! Below `/docs` there are only pages, whatever the path looks like.

use crate::support::Daemon;

#[test]
fn an_unknown_page_is_404_with_the_envelope() {
    let daemon = Daemon::start();
    for path in [
        "/docs/agents/nothing",
        "/docs/agents/errors.md.md",
        "/docs/agents/errors.html",
        "/docs/AGENTS/errors",
        "/docs/agents/recipes",
        "/docs/Cargo.toml",
        "/docs/etc/passwd",
        "/docs/decisions/0001-http-edge",
        "/docs/.md",
        "/docs/%F0%9F%A6%80",
    ] {
        let reply = daemon.anonymous().get(path).expect_error(404, "doc_not_found");
        assert_eq!(reply.json()["doc_url"], "/docs/agents/errors#doc_not_found", "{path}");
    }
    // A browser gets an HTML page.
    let page = daemon.anonymous().with("Accept", "text/html").get("/docs/agents/nothing").expect(404);
    assert!(page.text().starts_with("<!doctype html>") && page.text().contains("href=\"/docs\""), "{}", page.text());
    let long = format!("/docs/{}", "a/".repeat(3000));
    let status = daemon.anonymous().get(&long).status;
    assert!(matches!(status, 400 | 404), "{status}");
}

#[test]
fn a_path_that_tries_to_leave_is_refused_before_any_page_is_looked_up() {
    let daemon = Daemon::start();
    for path in [
        "/docs/../schema.sql",
        "/docs/agents/../../Cargo.toml",
        "/docs/%2e%2e/schema.sql",
        "/docs/..%2fschema.sql",
        "/docs/agents%2Ferrors%00",
        "/docs//etc/passwd",
        "/docs/./agents/errors",
        "/docs/agents\\errors",
        "/docs/%ff",
        "/docs/%zz",
        "/docs/agents/errors%0d%0aX-Evil:%201",
    ] {
        let reply = daemon.anonymous().get(path);
        assert!(matches!(reply.status, 400 | 404), "{path}: {}", reply.status);
        assert!(reply.json()["error"].is_string(), "{path}: {}", reply.text());
        assert!(reply.header("x-evil").is_none(), "{path}");
    }
    daemon.anonymous().get("/docs").expect(200);
}

#[test]
fn pages_are_read_only_and_ignore_a_query() {
    let daemon = Daemon::start();
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let reply = daemon.operator().send(method, "/docs/agents/errors", None);
        assert_eq!(reply.header("allow"), Some("GET, HEAD, OPTIONS"), "{method}");
        reply.expect_error(405, "method_not_allowed");
    }
    assert!(daemon.anonymous().get("/docs/agents/errors?x=1").expect(200).text().starts_with("# Errors"));
}
