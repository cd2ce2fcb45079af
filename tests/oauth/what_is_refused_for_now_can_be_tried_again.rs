//! A code, a device code and a login link are not used up by a request that is refused for now: because the account has
//! sent too many requests, or has written too much.

use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{DEVICE_CODE, Program, browser, of, post_form};
use crate::support::{Client, Daemon, Reply, TempDir, wait_until};

/// Secrets that each work once.
struct Secrets<'a> {
    program: &'a Program<'a>,
    code: String,
    device: String,
    link: String,
}

impl<'a> Secrets<'a> {
    fn of(program: &'a Program<'a>, user: &Client) -> Self {
        let person = browser(program.daemon, user.token());
        let url = of(&user.post("/api/sessions/links", json!({})).expect(201).json(), "url");
        let device = allowed_device(program, &person);
        let code = program.code(&person, json!({"user": true}), &["tasks"]);
        Self { program, code, device, link: url.rsplit('/').next().unwrap().to_owned() }
    }

    fn show(&self) -> [Reply; 3] {
        let device = [("grant_type", DEVICE_CODE), ("device_code", &self.device), ("client_id", &self.program.id)];
        let link = json!({"link": self.link});
        [
            self.program.show_code(&self.code, &[]),
            self.program.token(&device),
            self.program.daemon.anonymous().post("/api/sessions", link),
        ]
    }
}

/// The device code of a login that the person has allowed.
fn allowed_device(program: &Program<'_>, person: &Client) -> String {
    let fields = [("client_id", program.id.as_str()), ("scope", "tasks")];
    let begun: Value =
        post_form(&program.daemon.anonymous(), "/oauth/device_authorization", &fields).expect(200).json();
    let typed = person.post("/oauth/device", json!({"user_code": of(&begun, "user_code")})).expect(200).json();
    program.allow(person, &of(&typed, "redirect_to"), json!({"user": true}), &["tasks"]);
    of(&begun, "device_code")
}

/// Uses up a limit, shows the secrets in vain, lifts the limit and shows them again.
fn refused_and_then_granted(limit: &str, use_up: impl Fn(&Client) -> u16) {
    let dir = TempDir::new();
    let file = dir.path().join("taosd.toml");
    std::fs::write(&file, format!("{limit} = 60\n")).unwrap();
    let daemon = Daemon::with(&["--config", file.to_str().unwrap(), "--containers", "none"], &[]);
    let (ann, program) = (daemon.member("ann", &["*"]), Program::named(&daemon, "editor"));
    let secrets = Secrets::of(&program, &ann);
    assert!((0..2000).any(|_| use_up(&ann) == 429), "the limit is reached");
    for reply in secrets.show() {
        reply.expect_error(429, "rate_limited");
    }
    std::fs::write(&file, format!("{limit} = 0\n")).unwrap();
    daemon.signal("HUP");
    wait_until("the reload", || use_up(&ann) != 429);
    // The program waits as long as it was told to.
    std::thread::sleep(Duration::from_secs(5));
    for reply in secrets.show() {
        reply.expect(200);
    }
    let [code, device, link] = secrets.show();
    code.expect_error(400, "invalid_grant");
    device.expect_error(400, "expired_token");
    link.expect_error(401, "link_invalid");
}

#[test]
fn after_too_many_requests() {
    refused_and_then_granted("requests_per_minute", |ann| ann.get("/api/auth/whoami").status);
}

#[test]
fn after_too_many_writes() {
    refused_and_then_granted("write_rows_per_hour", |ann| {
        ann.post("/api/v1/context", json!({"key": "k", "value": "v"})).status
    });
}
