//! The test searches the bytes of the database, its backup and the log for every secret of a login, used or refused.

use std::fs;

use serde_json::json;

use crate::program::{CALLBACK, Program, VERIFIER, browser, of, parameter, post_form};
use crate::support::{Daemon, text};

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[test]
fn neither_database_nor_backup_nor_log_holds_a_secret_of_a_login() {
    let mut daemon = Daemon::with(&[], &[("RUST_LOG", "trace"), ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
    let mut secrets = vec![VERIFIER.to_owned()];
    // A login link, used twice.
    let link = text(&daemon.operator().post("/api/sessions/links", json!({})).expect(201).json(), "url");
    let link = link.rsplit('/').next().expect("a secret").to_owned();
    daemon.anonymous().get(&format!("/login/{link}")).expect(200);
    daemon.anonymous().post("/api/sessions", json!({"link": link})).expect(200);
    daemon.anonymous().post("/api/sessions", json!({"link": link})).expect(401);
    secrets.push(link);
    // A login with its consent, code, refreshes, replay of an old token, and revocation.
    let (person, program) = (browser(&daemon, &daemon.token), Program::named(&daemon, "editor"));
    let path = program.ask(&[("scope", "messages")]);
    secrets.push(path.rsplit('/').next().expect("a secret").to_owned());
    let led = program.allow(&person, &path, json!({"user": true}), &["messages"]);
    let code = parameter(&led, "code").expect("a code");
    let told = program.show_code(&code, &[]).expect(200).json();
    let next = program.refresh(&of(&told, "refresh_token")).expect(200).json();
    for told in [&told, &next] {
        secrets.extend([of(told, "access_token"), of(told, "refresh_token")]);
    }
    daemon.client(&of(&next, "access_token")).get("/api/v1/messages").expect(200);
    daemon.anonymous().get(&format!("/api/v1/messages?token={}", of(&next, "access_token")));
    program.show_code(&code, &[]).expect(400);
    program.refresh(&of(&told, "refresh_token")).expect(400);
    post_form(&daemon.anonymous(), "/oauth/revoke", &[("token", &of(&next, "refresh_token"))]).expect(200);
    secrets.push(code);
    // A code that a wrong verifier used up, and that is then sent in wrong places.
    let code = program.code(&person, json!({"user": true}), &["messages"]);
    program.show_code(&code, &[("code_verifier", "a-wrong-verifier-of-the-right-length-0123456789")]).expect(400);
    daemon.client(&code).get(&format!("/api/agents?q={code}")).expect(401);
    secrets.extend([code, "a-wrong-verifier-of-the-right-length-0123456789".to_owned()]);
    // A device, and a client with a secret.
    let asked = [("client_id", program.id.as_str()), ("scope", "messages")];
    let device = post_form(&daemon.anonymous(), "/oauth/device_authorization", &asked).expect(200).json();
    person.post("/oauth/device", json!({"user_code": device["user_code"]})).expect(200);
    secrets.extend([of(&device, "device_code"), of(&device, "user_code")]);
    let wanted = json!({"name": "wiki", "introspect": true, "secret": true, "redirect_uris": [CALLBACK]});
    let client = daemon.operator().post("/api/oauth/clients", wanted).expect(201).json();
    let about = [("client_id", of(&client, "id")), ("client_secret", of(&client, "client_secret"))];
    let shown = about.each_ref().map(|(name, value)| (*name, value.as_str()));
    let asked = [&shown[..], &[("token", secrets[2].as_str())]].concat();
    post_form(&daemon.anonymous(), "/oauth/introspect", &asked).expect(200);
    secrets.push(of(&client, "client_secret"));

    let backup = daemon.operator().post("/api/backups?wait=30", json!({})).expect(200).json();
    let mut seen = Vec::new();
    let mut look = |daemon: &Daemon| {
        let mut folders = vec![daemon.data.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.is_file() && path.file_name().is_some_and(|name| name != "operator.token") {
                    let bytes = fs::read(&path).expect("a file");
                    for secret in &secrets {
                        assert!(!holds(&bytes, secret), "{} holds {secret}", path.display());
                    }
                    seen.push(path);
                }
            }
        }
        let log = fs::read(&daemon.log).expect("the log");
        for secret in &secrets {
            assert!(!holds(&log, secret), "the log holds {secret}");
        }
    };
    look(&daemon);
    assert_eq!(daemon.stop(), Some(0));
    look(&daemon);
    for name in ["taosd.db", "taosd.db-wal", "backup"] {
        assert!(seen.iter().any(|path| path.to_string_lossy().contains(name)), "{name}: {seen:?} {backup}");
    }
}
