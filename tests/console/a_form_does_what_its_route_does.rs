//! A form names a route of the API and does what that route does: the same checks, the same refusals, the same audit.

use serde_json::json;

use crate::site::{Site, post};
use crate::support::Daemon;

#[test]
fn an_agent_is_created_changed_archived_restored_and_purged() {
    let daemon = Daemon::start();
    let site = Site::operator(&daemon);
    let fields = [("name", "Research Helper"), ("model", ""), ("_next", "/ui/agents/{name}")];
    let made = site.act("POST /api/agents", &fields).expect(303);
    assert_eq!(made.header("location"), Some("/ui/agents/research-helper?done=agents_create"));
    let page = site.get("/ui/agents/research-helper?done=agents_create").expect(200).text();
    assert!(page.contains("Agent created.") && page.contains("<h1>Research Helper</h1>"), "{page}");
    let back = ("_back", "/ui/agents/research-helper?tab=settings");
    let fields = [("host", "shelf"), ("can_read_user_memory", "false"), ("can_read_user_memory", "true"), back];
    let saved = site.act("PUT /api/agents/research-helper", &fields).expect(303);
    assert_eq!(saved.header("location"), Some("/ui/agents/research-helper?tab=settings&done=agents_update"));
    let record = daemon.operator().get("/api/agents/research-helper").expect(200).json();
    assert_eq!(
        (&record["host"], &record["can_read_user_memory"], &record["model"]),
        (&json!("shelf"), &json!(true), &json!(null))
    );
    site.act("PUT /api/agents/research-helper", &[("host", ""), ("host.clear", "1"), back]).expect(303);
    assert_eq!(daemon.record("research-helper")["host"], "");
    site.act("PUT /api/agents/research-helper/permissions", &[("scope", "agents.read\r\nui.notify"), back]).expect(303);
    assert_eq!(daemon.record("research-helper")["scope"], json!(["agents.read", "ui.notify"]));
    site.act("DELETE /api/agents/research-helper", &[("_next", "/ui/agents?tab=archive")]).expect(303);
    let id = record["id"].as_str().expect("an id");
    assert!(site.get("/ui/agents?tab=archive").expect(200).text().contains(&format!("archived/{id}/restore")));
    let purge = format!("DELETE /api/agents/archived/{id}");
    let wrong = [("_typed", "research"), ("_expected", "research-helper"), ("_back", "/ui/agents?tab=archive")];
    assert!(site.act(&purge, &wrong).expect(422).text().contains("type research-helper to confirm"));
    site.act(&purge, &[("_typed", "research-helper"), ("_expected", "research-helper")]).expect(303);
    assert_eq!(daemon.operator().get("/api/agents/archived").expect(200).json(), json!([]));
    let audit = daemon.operator().get("/api/audit?actor=user:operator").expect(200).text();
    for action in ["agents.create", "agents.update", "agents.permissions", "agents.delete", "agents.purge"] {
        assert!(audit.contains(&format!("\"{action}\"")), "{action} is not audited");
    }
}

#[test]
fn a_refusal_is_told_on_the_page_of_the_form_and_nothing_typed_is_lost() {
    let daemon = Daemon::start();
    let site = Site::operator(&daemon);
    let fields = [("name", "!!!"), ("model", "m-7"), ("_back", "/ui/agents?tab=new")];
    let reply = site.act("POST /api/agents", &fields).expect(400);
    let page = reply.text();
    assert!(page.contains("role=\"alert\"") && page.contains("/docs/agents/"), "{page}");
    assert!(page.contains("value=\"!!!\"") && page.contains("value=\"m-7\""), "{page}");
    // A value that is no number, and a field that is too long.
    let deploy = [("name", "A"), ("cpu_limit", "many"), ("_back", "/ui/agents?tab=deploy")];
    assert!(
        site.act("POST /api/agents/deploy", &deploy).expect(422).text().contains("cpu_limit: must be a whole number")
    );
    site.act("POST /api/agents", &[("name", &"n".repeat(65)), ("_back", "/ui/agents?tab=new")]).expect(400);
    // A `_back` that is no page of the console.
    site.act("POST /api/agents", &[("name", "!!!"), ("_back", "https://evil.example/")]).expect(400);
}

#[test]
fn the_form_that_deploys_knows_what_there_is() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let site = Site::operator(&daemon);
    let page = site.get("/ui/agents?tab=deploy").expect(200).text();
    // The daemon asks the runtime on a thread that may wait, and sends the page after the reply.
    assert!(page.contains("This box has no container runtime") && page.contains("<option>none</option>"), "{page}");
    let fields = [("name", "A"), ("cpu_limit", "many"), ("_back", "/ui/agents?tab=deploy")];
    let page = site.act("POST /api/agents/deploy", &fields).expect(422).text();
    assert!(page.contains("<option>none</option>") && page.contains("value=\"many\""), "{page}");
}

#[test]
fn a_session_does_no_more_than_its_scopes_and_role() {
    let daemon = Daemon::start();
    daemon.operator().post("/api/agents", json!({"name": "Zephyr"})).expect(200);
    let reader =
        Site::of(&daemon, daemon.user_token("operator", &["agents.read", "agents.list", "auth.login"]).token());
    let page = reader.get("/ui/agents/zephyr").expect(200).text();
    assert!(!page.contains("Rotate") && !page.contains("Archive</summary>"), "{page}");
    reader.act("DELETE /api/agents/zephyr", &[("_back", "/ui/agents/zephyr")]).expect(403);
    reader.get("/ui/operations").expect(403);
    daemon.operator().get("/api/agents/zephyr").expect(200);
    // A member gets the same page for an agent of somebody else as for an agent that does not exist.
    daemon.operator().post("/api/users", json!({"username": "ann"})).expect(201);
    let ann = Site::of(&daemon, daemon.user_token("ann", &["*"]).token());
    let told = |name: &str| ann.get(&format!("/ui/agents/{name}")).expect(404).text().replace(name, "NAME");
    assert_eq!(told("zephyr"), told("nobody"));
    assert!(!ann.get("/ui/").expect(200).text().contains("Zephyr"));
    ann.act("POST /api/users", &[("username", "eve")]).expect(403);
}

#[test]
fn a_source_is_put_with_the_documents_of_the_form() {
    let daemon = Daemon::start();
    let site = Site::operator(&daemon);
    let back = ("_back", "/ui/knowledge?tab=sources");
    let fields = [
        ("source_id", "app:stamps"),
        ("items.path", "one.md"),
        ("items.title", ""),
        ("items.content", "# Gum\r\n"),
        ("items.path", ""),
        ("items.title", ""),
        ("items.content", ""),
        ("items.path", "two.md"),
        ("items.title", "Cuts"),
        ("items.content", "How they are cut."),
        back,
    ];
    site.act("PUT /api/knowledge/sources/{source_id}", &fields).expect(303);
    let items = daemon.operator().get("/api/knowledge/items?source_id=app:stamps").expect(200).json();
    let mut titles: Vec<_> = items.as_array().expect("a list").iter().map(|item| &item["title"]).collect();
    titles.sort_by_key(|title| title.as_str());
    assert_eq!(titles, [&json!("Cuts"), &json!("Gum")]);
    // A name cannot lead to another route.
    for name in ["../sources", "a/b", ""] {
        let refused = site.act("PUT /api/knowledge/sources/{source_id}", &[("source_id", name), back]);
        assert!((400..500).contains(&refused.status), "{name}: {}", refused.status);
    }
}

#[test]
fn a_form_reaches_routes_of_the_api_alone_and_from_this_site_alone() {
    let daemon = Daemon::start();
    let site = Site::operator(&daemon);
    for what in [
        "POST /ui/do",
        "POST /ui/logout",
        "POST /api/sessions",
        "GET",
        "",
        "POST",
        "BREW /api/agents",
        "POST /api/nothing",
        "POST //api/agents",
        "POST /api/../api/agents",
        "POST /api/agents%2f",
        "POST /api/v1/uploads",
        "POST http://x/",
    ] {
        let reply = site.act(what, &[("name", "x"), ("token", &daemon.token)]);
        assert!((400..500).contains(&reply.status), "{what}: {}", reply.status);
        assert!(reply.header("set-cookie").is_none(), "{what}");
    }
    let form = crate::site::form(&[("_do", "POST /api/agents"), ("name", "x")]);
    let client = site.client().with("Content-Type", "application/x-www-form-urlencoded");
    for foreign in [
        client.clone(),
        client.with("Origin", "http://evil.example"),
        client.with("Origin", "null"),
        client.with("Sec-Fetch-Site", "cross-site"),
    ] {
        let reply = foreign.send("POST", "/ui/do", Some(form.as_bytes())).expect(403);
        assert!(reply.text().starts_with("<!doctype html>"), "{}", reply.text());
    }
    assert_eq!(daemon.operator().get("/api/agents").expect(200).json(), json!([]));
    // The form can only lead on to a page of the console.
    let reply = site.act("POST /api/agents", &[("name", "Atlas"), ("_next", "//evil.example/{name}")]).expect(303);
    assert_eq!(reply.header("location"), Some("/ui/?done=agents_create"));
    post(site.client(), "/ui/nothing", &[]).expect(404);
}
