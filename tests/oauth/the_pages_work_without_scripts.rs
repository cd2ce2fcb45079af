//! A browser that runs no scripts: the plain forms of the pages log in, type a code, allow and refuse. The name of a
//! program stays text.

use serde_json::json;

use crate::program::{CALLBACK, Program, browser, claims, encoded, form, of, parameter};
use crate::support::{Client, Daemon, Reply, text};

/// The path of the form in the page's main part. The frame around it has its own form.
#[track_caller]
fn action(page: &str) -> String {
    let page = &page[page.find("<main").expect("the page itself")..];
    let from = page.find("method=\"post\" action=\"").unwrap_or_else(|| panic!("{page}")) + 22;
    page[from..].split('"').next().expect("its end").to_owned()
}

fn send(browser: &Client, path: &str, fields: &[(&str, &str)]) -> Reply {
    let client = browser.with("Content-Type", "application/x-www-form-urlencoded");
    client.send("POST", path, Some(form(fields).as_bytes()))
}

/// The address of the link on the page that leads back to the program.
fn back(page: &str) -> String {
    let page = &page[..page.find("\" data-back>").unwrap_or_else(|| panic!("no link back: {page}"))];
    let from = page.rfind("href=\"").expect("a link") + 6;
    page[from..].split('"').next().expect("its end").replace("&#38;", "&").replace("&amp;", "&")
}

#[test]
fn a_program_is_let_in_and_refused_by_plain_forms() {
    let daemon = Daemon::start();
    let (program, person) = (Program::named(&daemon, "editor"), browser(&daemon, &daemon.token));
    let path = program.ask(&[("scope", "tasks messages")]);
    let page = person.get(&path).expect(200).text();
    assert!(!page.contains("<noscript>") && page.contains("<meta name=\"referrer\" content=\"same-origin\">"));
    let to = action(&page);
    let allow = [("act_as", "new"), ("new_agent", "scribe"), ("scope.tasks", "tasks"), ("decision", "allow")];
    let led = back(&send(&person, &to, &allow).expect(200).text());
    assert!(led.starts_with(CALLBACK), "{led}");
    let told = program.show_code(&parameter(&led, "code").expect("a code"), &[]).expect(200).json();
    assert_eq!(
        (told["scope"].as_str(), claims(&of(&told, "access_token"))["agent_name"].as_str()),
        (Some("tasks"), Some("scribe"))
    );
    // A request can be decided only once.
    assert!(send(&person, &to, &allow).expect(404).text().contains("answered, or older"));
    let path = program.ask(&[]);
    let to = action(&person.get(&path).expect(200).text());
    let led = back(&send(&person, &to, &[("decision", "deny")]).expect(200).text());
    assert_eq!(parameter(&led, "error").as_deref(), Some("access_denied"));
}

#[test]
fn the_agent_that_was_chosen_is_the_one_that_acts_and_nothing_ticked_is_an_error() {
    let daemon = Daemon::start();
    let id = daemon.agent("atlas");
    let (program, person) = (Program::named(&daemon, "editor"), browser(&daemon, &daemon.token));
    let path = program.ask(&[("scope", "tasks")]);
    let page = person.get(&path).expect(200).text();
    let (to, chosen) = (action(&page), format!("agent:{id}"));
    assert!(page.contains(&format!("value=\"{chosen}\"")));
    send(&person, &to, &[("act_as", &chosen), ("decision", "allow")]).expect(400);
    let allow = [("act_as", chosen.as_str()), ("scope.tasks", "tasks"), ("decision", "allow")];
    let led = back(&send(&person, &to, &allow).expect(200).text());
    let told = program.show_code(&parameter(&led, "code").expect("a code"), &[]).expect(200).json();
    assert_eq!(claims(&of(&told, "access_token"))["sub"], json!(id));
}

#[test]
fn only_the_session_that_saw_the_page_can_answer_and_only_from_a_page_of_ours() {
    let daemon = Daemon::start();
    let (program, person) = (Program::named(&daemon, "editor"), browser(&daemon, &daemon.token));
    let path = program.ask(&[("scope", "tasks")]);
    let to = action(&person.get(&path).expect(200).text());
    let allow = [("act_as", "user"), ("scope.tasks", "tasks"), ("decision", "allow")];
    for site in ["cross-site", "none"] {
        let evil = person.with("Sec-Fetch-Site", site).with("Origin", "https://evil.example");
        send(&evil, &to, &allow).expect(403);
    }
    send(&person.with("Origin", "null"), &to, &allow).expect(403);
    send(&browser(&daemon, &daemon.token), &to, &allow).expect(404);
    let led = send(&daemon.anonymous().with("Sec-Fetch-Site", "same-origin"), &to, &allow).expect(303);
    assert!(led.header("location").is_some_and(|to| to.starts_with("/ui/login?next=")));
    send(&person, &to, &allow).expect(200);
}

#[test]
fn a_code_is_typed_and_a_link_followed_by_plain_forms() {
    let daemon = Daemon::start();
    let (program, person) = (Program::named(&daemon, "tv"), browser(&daemon, &daemon.token));
    let asked = crate::program::post_form(
        &daemon.anonymous(),
        "/oauth/device_authorization",
        &[("client_id", &program.id), ("scope", "tasks")],
    );
    let code = text(&asked.expect(200).json(), "user_code");
    let to = action(&person.get("/oauth/device").expect(200).text());
    send(&person, &to, &[("user_code", "BBBB-BBBB")]).expect(404);
    let led = send(&person, &to, &[("user_code", &code)]).expect(303);
    let page = person.get(led.header("location").expect("a place")).expect(200).text();
    let allow = [("act_as", "new"), ("new_agent", "tv"), ("scope.tasks", "tasks"), ("decision", "allow")];
    let led = send(&person, &action(&page), &allow).expect(303);
    assert_eq!(led.header("location"), Some("/oauth/device?done=allowed"));

    let link = daemon.operator().post("/api/sessions/links", json!({"path": "/ui/agents"})).expect(201).json();
    let link = text(&link, "url");
    let path = &link[link.find("/login/").expect("a link")..];
    let to = action(&daemon.anonymous().get(path).expect(200).text());
    send(&daemon.anonymous(), &to, &[]).expect(403);
    let same = daemon.anonymous().with("Sec-Fetch-Site", "same-origin");
    let led = send(&same, &to, &[]).expect(303);
    assert_eq!(led.header("location"), Some("/ui/agents"));
    let cookie = led.header("set-cookie").expect("a session").split(';').next().expect("a cookie").to_owned();
    assert_eq!(same.with("Cookie", &cookie).get("/api/auth/whoami").expect(200).json()["username"], "operator");
    // The link works once.
    send(&same, &to, &[]).expect(401);
}

#[test]
fn what_a_program_calls_itself_stays_text() {
    let daemon = Daemon::start();
    let hostile = "<script>alert(1)</script>\"'><img src=x onerror=a>";
    let (program, person) = (Program::named(&daemon, hostile), browser(&daemon, &daemon.token));
    let page = person.get(&program.ask(&[("scope", "tasks")])).expect(200).text();
    let page = &page[page.find("<main").expect("the page itself")..];
    for raw in ["<script>alert", "<img", "'><"] {
        assert!(!page.contains(raw), "{raw} in {page}");
    }
    assert!(page.contains("alert(1)"), "{page}");
    let target = format!("/oauth/device?user_code={}", encoded("\"><script>x</script>"));
    assert!(!person.get(&target).expect(200).text().contains("<script>x"));
}
