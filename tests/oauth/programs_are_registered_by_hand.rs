//! Programs that an admin registers, with a secret or without: their logins, their removal, a restore.

use std::process::Command;

use data_encoding::BASE64;
use serde_json::json;

use crate::program::{CALLBACK, Program, VERIFIER, browser, of, post_form};
use crate::support::{Daemon, text};

const WEB: &str = "https://wiki.example.org/callback";

#[test]
fn a_program_with_a_secret_logs_people_in_and_nobody_does_in_its_name() {
    let daemon = Daemon::with(&[], &[("TAOSD_OAUTH_REGISTER", "false")]);
    let made = daemon
        .operator()
        .post("/api/oauth/clients", json!({"name": "Wiki", "redirect_uris": [CALLBACK, WEB], "secret": true}));
    let made = made.expect(201).json();
    let (id, secret) = (text(&made, "id"), text(&made, "client_secret"));
    assert_eq!((&made["has_secret"], &made["introspect"]), (&json!(true), &json!(false)));
    let listed = daemon.operator().get("/api/oauth/clients").expect(200).json();
    assert_eq!((&listed[0]["id"], &listed[0]["name"]), (&json!(id), &json!("Wiki")));
    assert!(!listed.to_string().contains(&secret) && listed[0].get("client_secret").is_none());
    let (program, person) = (Program { daemon: &daemon, id: id.clone() }, browser(&daemon, &daemon.token));
    let page = person.get(&program.ask(&[])).expect(200).text();
    assert!(page.contains("Wiki"), "{page}");
    let code = program.code(&person, json!({"user": true}), &["messages"]);
    // Refused without the secret, with another one, in two places, or with another client id. The code stays valid.
    program.show_code(&code, &[]).expect_error(401, "invalid_client");
    program.show_code(&code, &[("client_secret", "taos_client_x")]).expect_error(401, "invalid_client");
    let basic = format!("Basic {}", BASE64.encode(format!("{id}:{secret}").as_bytes()));
    let with = daemon.anonymous().with("Authorization", &basic);
    let own = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let post = |more: &[(&str, &str)]| post_form(&with, "/oauth/token", &[&own[..], more].concat());
    post(&[("client_secret", &secret)]).expect_error(400, "invalid_request");
    post(&[("client_id", "other")]).expect_error(400, "invalid_request");
    let tokens = post(&[]).expect(200).json();
    let refresh = of(&tokens, "refresh_token");
    program.refresh(&refresh).expect_error(401, "invalid_client");
    let fields =
        [("grant_type", "refresh_token"), ("refresh_token", &refresh), ("client_id", &id), ("client_secret", &secret)];
    let next = program.token(&fields).expect(200).json();
    let asks = [("grant_type", "client_credentials"), ("client_id", &id), ("client_secret", &secret)];
    program.token(&asks).expect_error(400, "unauthorized_client");
    // Removing the client ends everything that it was given.
    daemon.operator().delete(&format!("/api/oauth/clients/{id}")).expect(204);
    daemon.operator().delete(&format!("/api/oauth/clients/{id}")).expect_error(404, "oauth_client_not_found");
    daemon.client(&of(&next, "access_token")).get("/api/auth/whoami").expect(401);
    assert_eq!(daemon.operator().get("/api/oauth/grants").expect(200).json(), json!([]));
    program.token(&fields).expect_error(400, "invalid_grant");
    assert_eq!(daemon.anonymous().get(&program.target(&[])).status, 400);
}

#[test]
fn only_admins_register_and_only_what_is_sound() {
    let daemon = Daemon::start();
    let ann = daemon.member("ann", &["*"]);
    ann.get("/api/oauth/clients").expect_error(403, "forbidden");
    ann.post("/api/oauth/clients", json!({"name": "x"})).expect_error(403, "forbidden");
    ann.delete("/api/oauth/clients/x").expect_error(403, "forbidden");
    let post = |body| daemon.operator().post("/api/oauth/clients", body);
    for uri in ["http://box.lan/cb", "https://a.example/#x", "evil://x", "https://u@a.example/"] {
        post(json!({"name": "x", "redirect_uris": [uri]})).expect_error(400, "invalid_redirect_uri");
    }
    post(json!({})).expect_error(422, "validation_error");
    post(json!({"name": "\u{202e}"})).expect_error(422, "validation_error");
    post(json!({"name": "x", "redirect_uris": vec![CALLBACK; 11]})).expect_error(422, "validation_error");
    post(json!({"name": "x".repeat(65)})).expect_error(422, "validation_error");
    let public = post(json!({"name": "public", "redirect_uris": [CALLBACK]})).expect(201).json();
    assert_eq!((&public["has_secret"], &public["client_secret"]), (&json!(false), &json!(null)));
    let (program, person) = (Program { daemon: &daemon, id: text(&public, "id") }, browser(&daemon, &daemon.token));
    program.log_in(&person, json!({"user": true}), &["tasks"]);
    daemon.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
            INSERT INTO oauth_clients SELECT 'c' || i, 'c', '[]', NULL, 0, 'x', i FROM n",
        [],
    );
    post(json!({"name": "more"})).expect_error(409, "limit_reached");
}

#[test]
fn a_removed_program_does_not_come_back_with_a_backup() {
    let mut daemon = Daemon::start();
    let post = |name: &str| {
        let made = daemon.operator().post("/api/oauth/clients", json!({"name": name, "introspect": true}));
        text(&made.expect(201).json(), "id")
    };
    let (kept, gone) = (post("kept"), post("gone"));
    let file = daemon.data.parent().unwrap().join("copy.db");
    let run = |daemon: &Daemon, args: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_taosd")).args(args).arg("--data-dir").arg(&daemon.data).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&daemon, &["backup", file.to_str().unwrap()]);
    daemon.operator().delete(&format!("/api/oauth/clients/{gone}")).expect(204);
    assert_eq!(daemon.stop(), Some(0));
    run(&daemon, &["restore", file.to_str().unwrap()]);
    daemon.spawn();
    let listed = daemon.on_socket().get("/api/oauth/clients").expect(200).json();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (1, &json!(kept)));
}

#[test]
fn a_grant_whose_program_was_removed_is_not_refreshed() {
    let daemon = Daemon::start();
    let body = json!({"name": "Wiki", "redirect_uris": [CALLBACK]});
    let id = text(&daemon.operator().post("/api/oauth/clients", body).expect(201).json(), "id");
    let (program, person) = (Program { daemon: &daemon, id }, browser(&daemon, &daemon.token));
    let told = program.log_in(&person, json!({"user": true}), &["messages"]);
    // As if the grant had been made while an admin removed the program.
    daemon.execute("DELETE FROM oauth_clients", []);
    program.refresh(&of(&told, "refresh_token")).expect_error(401, "invalid_client");
}
