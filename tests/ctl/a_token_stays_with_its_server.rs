//! Where a command connects, with which token, and which servers must not get a token.

use crate::fake::{Act, Fake};
use crate::run::{Ctl, field, url};
use crate::support::Daemon;

fn other_server() -> Fake {
    Fake::playing(vec![Act::json(401, r#"{"error":"auth_required","detail":"d","fix":"f","doc_url":"u"}"#)])
}

#[test]
fn a_saved_token_is_not_sent_to_another_url() {
    let daemon = Daemon::start();
    let fake = other_server();
    let ctl = Ctl::bare();
    ctl.run_with_stdin(&["login", "--url", &url(&daemon)], &daemon.token).expect(0);
    ctl.run(&["--url", &fake.url, "whoami"]).expect_error(2, "auth_required");
    let elsewhere = ctl.env("TAOS_URL", &fake.url);
    elsewhere.run(&["whoami"]).expect_error(2, "auth_required");
    let seen = fake.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|request| request.header("authorization").is_none()), "{seen:?}");
}

#[test]
fn the_environments_token_is_not_sent_to_a_url_that_is_not_the_environments() {
    let daemon = Daemon::start();
    let fake = other_server();
    Ctl::operator(&daemon).run(&["--url", &fake.url, "whoami"]).expect_error(2, "auth_required");
    assert_eq!(fake.seen()[0].header("authorization"), None);
}

#[test]
fn flags_beat_the_environment_and_files_work_like_tokens() {
    let daemon = Daemon::start();
    let ctl = Ctl::with_token(&daemon, "taos_user_dead");
    let file = ctl.file("token", &format!("{}\n", daemon.token));
    let status = ctl.ok(&["auth", "status", "--token-file", &file]);
    assert_eq!((field(&status, "login"), field(&status, "principal")), ("flags", "user:operator"));
    let by_file = Ctl::bare().env("TAOS_TOKEN_FILE", &file).env("TAOS_URL", &url(&daemon));
    assert_eq!(field(&by_file.ok(&["auth", "status"]), "login"), "environment");
    let empty = Ctl::bare().env("TAOS_TOKEN", "").env("TAOS_TOKEN_FILE", &file).env("TAOS_URL", &url(&daemon));
    empty.ok(&["whoami"]);
}

#[test]
fn a_token_in_argv_works_with_a_warning() {
    let daemon = Daemon::start();
    let run = Ctl::bare().run(&["whoami", "--url", &url(&daemon), "--token", &daemon.token]).expect(0);
    assert!(run.stderr.contains("process list") && !run.stderr.contains(&daemon.token), "{run:?}");
    assert_eq!(run.field("username"), "operator");
}

#[test]
fn the_local_socket_needs_no_token_and_is_found_where_the_daemon_puts_it() {
    let daemon = Daemon::start();
    let ctl = Ctl::bare();
    let socket = format!("unix:{}", daemon.socket().display());
    assert_eq!(field(&ctl.ok(&["--url", &socket, "whoami"]), "kind"), "unix_socket");
    let found = ctl.env("RUNTIME_DIRECTORY", daemon.data.to_str().unwrap());
    assert_eq!(field(&found.ok(&["auth", "status"]), "url"), socket);
    let state = Ctl::bare();
    std::os::unix::fs::symlink(&daemon.data, state.home().join("taosd")).unwrap();
    let home = state.home().to_str().unwrap().to_owned();
    state.env("XDG_STATE_HOME", &home).ok(&["whoami"]);
}

#[test]
fn localhost_is_tried_at_every_address_it_has() {
    let daemon = Daemon::start();
    let port = daemon.address.rsplit(':').next().unwrap();
    let ctl = Ctl::bare().env("TAOS_TOKEN", &daemon.token);
    ctl.ok(&["--url", &format!("http://localhost:{port}/"), "whoami"]);
}
