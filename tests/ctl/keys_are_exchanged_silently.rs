//! A user's key: the login checks it, then `taosctl` exchanges it without being asked, once for many commands.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fake::{Act, Fake};
use crate::run::{Ctl, Run, field, url};
use crate::support::Daemon;

/// A key of the operator's, and its id.
pub fn user_key(daemon: &Daemon) -> (String, String) {
    let key = daemon.operator().post("/api/v1/keys", json!({"name": "laptop"})).expect(201).json();
    (key["token"].as_str().unwrap().to_owned(), key["credential_id"].as_str().unwrap().to_owned())
}

fn login(ctl: &Ctl, daemon: &Daemon, key: &str, more: &[&str]) -> Run {
    let url = url(daemon);
    let mut args = vec!["login", "--url", &url];
    args.extend(more);
    ctl.run_with_stdin(&args, key)
}

/// The number of exchanges in the access log. The audit merges those of one minute in one row.
fn exchanges(daemon: &Daemon) -> usize {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let mark = format!("mark-{}", ASKED.fetch_add(1, Ordering::Relaxed));
    daemon.operator().with("X-Request-Id", &mark).get("/api/auth/whoami").expect(200);
    // The daemon writes the log after the replies, in the same order.
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let log = daemon.log_text();
        if log.contains(&mark) {
            return log.lines().filter(|line| line.contains("/auth/exchange")).count();
        }
        assert!(Instant::now() < until, "no line of {mark}: {log}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn cache(ctl: &Ctl) -> std::path::PathBuf {
    ctl.home().join(".config/taos/cache/jwt.json")
}

#[test]
fn a_login_with_a_key_serves_people_and_managers_and_exchanges_once_a_class() {
    let daemon = Daemon::start();
    let ctl = Ctl::bare();
    let (key, _) = user_key(&daemon);
    assert!(login(&ctl, &daemon, &key, &[]).expect(0).stdout.starts_with("logged in: user:operator at "));
    let saved: Value = serde_json::from_slice(&fs::read(ctl.credentials()).unwrap()).unwrap();
    let me = ctl.json(&["auth", "whoami"]);
    assert_eq!((&me["username"], &me["source"]), (&json!("operator"), &json!("saved login")));
    assert_eq!((&me["resolved_agent"], &me["bound_agent"]), (&Value::Null, &Value::Null));
    assert_eq!(saved["space_id"], me["space_id"]);
    let before = exchanges(&daemon);
    for _ in 0..3 {
        ctl.ok(&["agents", "list"]);
        ctl.ok(&["spaces", "list"]);
    }
    assert_eq!(exchanges(&daemon), before, "the token of the login is still good");
    for _ in 0..3 {
        ctl.ok(&["credentials", "list"]);
    }
    assert_eq!(exchanges(&daemon), before + 1, "managing needs another class, once");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&cache(&ctl)), mode(cache(&ctl).parent().unwrap())), (0o600, 0o700));
    assert!(!fs::read_to_string(cache(&ctl)).unwrap().contains(&key));
    ctl.ok(&["auth", "logout"]);
    assert!(!cache(&ctl).exists() && !ctl.credentials().exists());
}

#[test]
fn a_token_that_is_refused_is_exchanged_anew_once_and_a_dead_key_ends_it() {
    let daemon = Daemon::start();
    let ctl = Ctl::bare();
    let (key, id) = user_key(&daemon);
    login(&ctl, &daemon, &key, &[]).expect(0);
    let spoil = || {
        let mut all: Value = serde_json::from_slice(&fs::read(cache(&ctl)).unwrap()).unwrap();
        all.as_object_mut().unwrap().values_mut().for_each(|entry| entry["access_token"] = json!("a.b.c"));
        fs::write(cache(&ctl), all.to_string()).unwrap();
    };
    spoil();
    let before = exchanges(&daemon);
    ctl.ok(&["agents", "list"]);
    assert_eq!(exchanges(&daemon), before + 1);
    ctl.ok(&["agents", "list"]);
    assert_eq!(exchanges(&daemon), before + 1);
    fs::write(cache(&ctl), "no json").unwrap();
    ctl.ok(&["agents", "list"]);
    daemon.operator().delete(&format!("/credentials/{id}")).expect(200);
    let run = ctl.run(&["agents", "list"]).expect_error(2, "invalid_credential");
    assert!(!run.stderr.contains(&key), "{run:?}");
    login(&Ctl::bare(), &daemon, &key, &[]).expect(2);
}

#[test]
fn a_server_that_refuses_every_token_is_asked_for_one_more_and_no_more() {
    let exchange = Act::json(200, r#"{"access_token":"a.b.c","expires_in":900}"#);
    let refusal = Act::json(401, r#"{"error":"token_expired","detail":"d","fix":"f","doc_url":"u"}"#);
    let fake = Fake::playing(vec![exchange.clone(), refusal.clone(), exchange, refusal.clone(), refusal]);
    let key = "axp_u_AAAAAAAAAA.B";
    let ctl = Ctl::bare().env("TAOS_URL", &fake.url).env("TAOS_TOKEN", key);
    ctl.run(&["agents", "list"]).expect_error(2, "token_expired");
    let seen = fake.seen();
    assert_eq!(seen.len(), 4, "{seen:?}");
    let bearers: Vec<&str> = seen.iter().filter_map(|request| request.header("authorization")).collect();
    let key = format!("Bearer {key}");
    assert_eq!(bearers, [key.as_str(), "Bearer a.b.c", key.as_str(), "Bearer a.b.c"]);
}

#[test]
fn a_cached_token_goes_to_its_own_server_alone() {
    let daemon = Daemon::start();
    let (key, _) = user_key(&daemon);
    let refusal = Act::json(401, r#"{"error":"invalid_credential","detail":"d","fix":"f","doc_url":"u"}"#);
    let fake = Fake::playing(vec![refusal]);
    let ctl = Ctl::bare().env("TAOS_TOKEN", &key);
    ctl.ok(&["--url", &url(&daemon), "agents", "list"]);
    let jwt = fs::read_to_string(cache(&ctl)).unwrap();
    ctl.run(&["--url", &fake.url, "agents", "list"]).expect_error(2, "invalid_credential");
    for request in fake.seen() {
        let bearer = request.header("authorization").unwrap().trim_start_matches("Bearer ").to_owned();
        assert!(request.line.starts_with("POST /auth/exchange") && !jwt.contains(&bearer), "{request:?}");
    }
}

#[test]
fn a_space_is_found_by_id_slug_or_name_and_an_unknown_one_saves_nothing() {
    let daemon = Daemon::start();
    let (key, _) = user_key(&daemon);
    let made = daemon.operator().post("/api/spaces/create", json!({"name": "Work Shop"})).expect(201).json();
    let space = &made["space"];
    for field in ["id", "slug", "name"] {
        let ctl = Ctl::bare();
        login(&ctl, &daemon, &key, &["--space", space[field].as_str().unwrap()]).expect(0);
        let saved: Value = serde_json::from_slice(&fs::read(ctl.credentials()).unwrap()).unwrap();
        assert_eq!(saved["space_id"], space["id"]);
    }
    let ctl = Ctl::bare();
    login(&ctl, &daemon, &key, &["--space", "nowhere"]).expect_error(2, "usage");
    assert!(!ctl.credentials().exists());
}

#[test]
fn an_agents_key_is_no_login() {
    let daemon = Daemon::start();
    let agent = daemon.agent("atlas");
    let key = daemon.operator().post("/credentials/agent-pat", json!({"agent_id": agent})).expect(201).json();
    let ctl = Ctl::bare();
    let run = login(&ctl, &daemon, key["token"].as_str().unwrap(), &[]).expect_error(2, "login");
    assert!(run.stderr.contains("taosctl profile add") && !ctl.credentials().exists(), "{run:?}");
}

#[test]
fn a_cache_that_others_could_have_written_is_not_used() {
    let daemon = Daemon::start();
    let (key, _) = user_key(&daemon);
    let ctl = Ctl::bare();
    login(&ctl, &daemon, &key, &[]).expect(0);
    for (path, wide, narrow, fix) in [
        (cache(&ctl), 0o644, 0o600, "chmod 600"),
        (cache(&ctl).parent().unwrap().to_owned(), 0o755, 0o700, "chmod 700"),
    ] {
        fs::set_permissions(&path, Permissions::from_mode(wide)).unwrap();
        let run = ctl.run(&["agents", "list"]).expect_error(2, "login");
        assert!(run.stderr.contains(fix), "{run:?}");
        fs::set_permissions(&path, Permissions::from_mode(narrow)).unwrap();
        ctl.ok(&["agents", "list"]);
    }
    let elsewhere = ctl.home().join("elsewhere");
    fs::rename(cache(&ctl), &elsewhere).unwrap();
    symlink(&elsewhere, cache(&ctl)).unwrap();
    ctl.run(&["agents", "list"]).expect_error(2, "login");
}

#[test]
fn an_exchange_shows_claims_and_the_token_only_on_request() {
    let daemon = Daemon::start();
    let (key, _) = user_key(&daemon);
    let ctl = Ctl::with_token(&daemon, &key);
    let args = ["auth", "exchange", "--class", "user_access", "--scope", "agents", "--ttl", "60"];
    let shown = ctl.ok(&args);
    assert_eq!(
        (field(&shown, "token_class"), field(&shown, "scope"), field(&shown, "expires_in")),
        ("user_access", "agents", "60")
    );
    assert!(!shown.contains("ey"), "{shown}");
    let claims = ctl.json(&["auth", "exchange", "--class", "user_admin", "--audience", "ax-mcp"]);
    assert_eq!((&claims["aud"], &claims["token_redacted"]), (&json!("ax-mcp"), &json!(true)));
    assert!(claims.get("token").is_none() && claims["expires_in"] == 300, "{claims}");
    let bare = ctl.run(&["auth", "exchange", "--print-token"]).expect(0);
    daemon.client(bare.stdout.trim()).get("/auth/me").expect(200);
    let with = ctl.json(&["auth", "exchange", "--print-token"]);
    daemon.client(with["token"].as_str().unwrap()).get("/auth/me").expect(200);
    ctl.run(&["auth", "exchange", "--class", "agent_access"]).expect_error(1, "class_not_allowed");
    Ctl::operator(&daemon).run(&["auth", "exchange"]).expect_error(1, "class_not_allowed");
}
