//! `[[channel]]` in taosd.toml: the channel gets the notifications of all admins, each once, over TLS with an authority
//! of the operator's own. A channel for one user gets only that user's. A reload applies them. `taosd config check`
//! says what is wrong.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::channels::receiver::{Authority, Phone};
use crate::support::{Daemon, TempDir};

#[test]
fn all_admins_are_told_once_and_a_users_channel_of_that_user_alone() {
    let (dir, authority) = (TempDir::new(), Authority::new());
    let (phone, anns, quiet) = (Phone::start(&authority), Phone::start(&authority), Phone::start(&authority));
    let (ca, token) = (authority.file(dir.path()), dir.path().join("token"));
    fs::write(&token, "app-token\n").expect("a token");
    let channel = |kind: &str, phone: &Phone, more: &str| {
        let ca = ca.display();
        format!(
            "[[channel]]\nkind = '{kind}'\nurl = 'https://localhost:{}/topic'\nca_file = '{ca}'\n{more}\n",
            phone.port
        )
    };
    let all = channel("gotify", &phone, &format!("token_file = '{}'", token.display()))
        + &channel("ntfy", &anns, "user = 'ann'")
        + &channel("ntfy", &quiet, "events = ['tripwire']");
    let file = dir.path().join("taosd.toml");
    fs::write(&file, "").expect("the file");
    let config = file.to_str().expect("UTF-8");
    let daemon = Daemon::with(&["--config", config, "--containers", "none"], &[]);
    let (ann, eve) = (daemon.member("ann", &["*"]), daemon.admin("eve"));
    fs::write(&file, all).expect("the file");
    daemon.signal("HUP");
    let operator = daemon.operator();
    let shown = |user: &str| operator.get(&format!("/api/users/{user}/channels")).expect(200).json();
    for _ in 0..100 {
        if shown("operator").as_array().map(Vec::len) == Some(2) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(shown("operator").as_array().map(Vec::len), Some(2), "{}", daemon.log_text());
    assert_eq!(shown("ann")[0]["configured"], json!(true));
    // The channel with a `token_file` has a secret, which is shown nowhere.
    let has_secret = |user: &str, kind: &str| {
        let all = shown(user);
        let one = all.as_array().and_then(|all| all.iter().find(|one| one["kind"] == kind)).expect("a channel").clone();
        one["has_secret"] == true
    };
    assert_eq!([has_secret("operator", "gotify"), has_secret("ann", "ntfy")], [true, false]);
    // Only the file can change it.
    let id = shown("ann")[0]["id"].as_str().expect("an id").to_owned();
    ann.delete(&format!("/api/users/ann/channels/{id}")).expect(404);
    // A request notifies two admins and the owner: once on the admins' channel, once on hers.
    daemon.grant("user:ann", "*", "creator");
    daemon.agent_by(&ann, "atlas");
    let issued = ann.post("/api/agents/atlas/token/issue", json!({})).expect(200).json();
    let atlas = daemon.client(issued["token"].as_str().expect("a token"));
    let asked = json!({"kind": "scope", "scope": ["agents.logs"], "reason": "To see."});
    atlas.post("/api/requests", asked).expect(201);
    let told = phone.next();
    assert_eq!((told.target(), told.header("x-gotify-key")), ("/topic/message", "app-token"));
    assert!(told.body["title"].as_str().is_some_and(|title| title.contains("agents.logs")), "{}", told.body);
    assert!(anns.next().body["title"].as_str().is_some_and(|title| title.contains("agents.logs")));
    assert!(phone.is_quiet(Duration::from_millis(500)) && quiet.is_quiet(Duration::from_millis(10)));
    // A notification to one admin alone goes to the admins' channel as well. A notification to a member does not.
    eve.post("/api/ui/notify", json!({"title": "for eve", "body": "b"})).expect(200);
    assert_eq!(phone.next().body["title"], json!("for eve"));
    ann.post("/api/ui/notify", json!({"title": "for ann", "body": "b"})).expect(200);
    assert_eq!(anns.next().body["title"], json!("for ann"));
    assert!(phone.is_quiet(Duration::from_millis(500)));
    // No secret in the database, the log or the list of settings.
    let list =
        Command::new(env!("CARGO_BIN_EXE_taosd")).args(["config", "show", "--config", config]).output().expect("taosd");
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.contains("gotify") && !list.contains("/topic") && !list.contains("app-token"), "{list}");
    assert_eq!(daemon.number("SELECT count(*) FROM channels WHERE secret IS NOT NULL", []), 0);
    assert!(!daemon.log_text().contains("app-token"));
    fs::write(&file, "").expect("the file");
    daemon.signal("HUP");
    for _ in 0..100 {
        if shown("operator") == json!([]) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(shown("operator"), json!([]));
}

#[test]
fn what_the_daemon_tells_every_admin_is_told_there_once() {
    let (dir, authority) = (TempDir::new(), Authority::new());
    let (phone, file) = (Phone::start(&authority), dir.path().join("taosd.toml"));
    let ca = authority.file(dir.path());
    let channel = format!(
        "[[channel]]\nkind = 'ntfy'\nurl = 'https://localhost:{}/topic'\nca_file = '{}'\n",
        phone.port,
        ca.display()
    );
    fs::write(&file, channel).expect("the file");
    let env = [("TAOSD_BACKUP_INTERVAL", "1"), ("TAOSD_SWEEP_INTERVAL", "1")];
    let daemon = Daemon::with(&["--config", file.to_str().expect("UTF-8"), "--containers", "none"], &env);
    daemon.admin("eve");
    daemon.admin("zoe");
    // No copy can be made where a file is in the way.
    let place = daemon.data.join("backup");
    let _ = fs::rename(&place, daemon.data.join("backup-away"));
    fs::write(&place, "").expect("a file in the way");
    daemon.agent("atlas");
    assert_eq!(phone.next().body["title"], json!("The automatic backup failed"));
    assert!(phone.is_quiet(Duration::from_secs(2)), "it is told once for three admins");
    assert_eq!(daemon.number("SELECT count(*) FROM notifications", []), 3);
    // Two different things with one title are two.
    for label in ["one", "two"] {
        daemon.operator().post("/api/users/operator/tokens", json!({"label": label})).expect(201);
    }
    daemon.execute(
        "UPDATE credentials SET issued_at = 1, expires_at = (unixepoch() + 50 * 3600) * 1000000
            WHERE label IN ('one', 'two')",
        [],
    );
    let told = [phone.next(), phone.next()].map(|told| told.body["message"].to_string());
    assert!(["one", "two"].iter().all(|label| told.iter().any(|message| message.contains(label))), "{told:?}");
}

#[test]
fn what_cannot_be_used_is_told_with_its_place() {
    let dir = TempDir::new();
    let (file, not_a_ca) = (dir.path().join("taosd.toml"), dir.path().join("ca.pem"));
    fs::write(&not_a_ca, "no certificate").expect("a file");
    let good = "[[channel]]\nkind = 'ntfy'\nurl = 'https://ntfy.example.org/t'\n";
    for (text, why) in [
        ("channel = 'ntfy'\n".to_owned(), "must be a list of tables"),
        ("[[channel]]\nkind = 'ntfy'\n".to_owned(), "url is missing"),
        ("[[channel]]\nurl = 'https://a/t'\n".to_owned(), "kind is missing"),
        ("[[channel]]\nkind = 'pager'\nurl = 'https://a/t'\n".to_owned(), "kind: pager is not one of"),
        ("[[channel]]\nkind = 'ntfy'\nurl = 'ftp://a/t'\n".to_owned(), "url must be http"),
        ("[[channel]]\nkind = 'telegram'\nurl = 'https://a/?chat_id=1'\n".to_owned(), "token_file is missing"),
        (format!("{good}insecure = true\n"), "not insecure"),
        (format!("{good}events = ['requests']\n"), "events must be a list of request"),
        (format!("{good}min_level = 'urgent'\n"), "min_level: urgent"),
        (format!("{good}token_file = '/nonexistent/token'\n"), "token_file: /nonexistent/token"),
        (format!("{good}token_file = 'token'\n"), "token_file: "),
        (format!("{good}ca_file = '{}'\n", not_a_ca.display()), "holds no certificate"),
        (format!("{}ca_file = '{}'\n", good.replace("https", "http"), not_a_ca.display()), "ca_file is of no use"),
        (format!("{good}{good}"), "is there twice"),
    ] {
        fs::write(&file, &text).expect("a file");
        let config = file.to_str().expect("UTF-8");
        let output = Command::new(env!("CARGO_BIN_EXE_taosd")).args(["config", "check", "--config", config]).output();
        let output = output.expect("taosd");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(why) && said.contains(":1: "), "{text}: {said}");
    }
}
