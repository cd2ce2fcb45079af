//! Exit codes: 0 ok, 1 refused, 2 usage or no valid login, 3 unreachable. An error is complete on stderr, and stdout is
//! empty.

use std::time::Duration;

use crate::fake::{Act, Fake};
use crate::run::Ctl;
use crate::support::Daemon;

#[test]
fn a_refusal_is_1_and_told_with_all_the_server_said() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.run(&["agents", "get", "nobody"]).expect_error(1, "agent_not_found");
    let run = ctl.run(&["agents", "update", "nobody", "--color", "red"]).expect_error(1, "validation_error");
    assert!(run.stderr.contains("#rrggbb"), "{run:?}");
    let token = ctl.ok(&["users", "token", "issue", "operator", "--scope", "agents.list"]);
    let narrow = Ctl::with_token(&daemon, token.trim());
    narrow.run(&["agents", "create", "--name", "x"]).expect_error(1, "scope_denied");
}

#[test]
fn no_login_and_a_dead_one_are_2() {
    let daemon = Daemon::start();
    let url = crate::run::url(&daemon);
    Ctl::bare().run(&["--url", &url, "agents", "list"]).expect_error(2, "auth_required");
    Ctl::with_token(&daemon, "taos_user_none").run(&["whoami"]).expect_error(2, "invalid_token");
    Ctl::with_token(&daemon, "two words").run(&["whoami"]).expect_error(2, "login");
}

#[test]
fn a_misuse_is_2_and_sends_nothing() {
    let fake = Fake::playing(vec![Act::json(200, "{}")]);
    let ctl = Ctl::bare().env("TAOS_URL", &fake.url);
    for line in [
        "",
        "agents",
        "agents fly",
        "agents get",
        "agents create",
        "agents list --limit 0",
        "agents list --no-such-flag",
        "agents token issue atlas --grace x",
        "users create --username a --role king",
        "agents list --timeout 0",
        "agents list --url nowhere",
        "agents list --url https://a",
        "whoami --token-file /nonexistent",
        "whoami --token a --token-file b",
        "agents create --name a --idempotency-key ä",
        "completion cobol",
    ] {
        let run = ctl.run(&line.split_whitespace().collect::<Vec<_>>()).expect(2);
        assert!(run.stdout.is_empty() && !run.stderr.is_empty(), "{line}: {run:?}");
    }
    assert!(fake.seen().is_empty());
}

#[test]
fn nobody_there_is_3() {
    Ctl::bare().run(&["--url", "http://127.0.0.1:1", "whoami"]).expect_error(3, "unreachable");
    Ctl::bare().run(&["--url", "unix:/nonexistent/taosd.sock", "whoami"]).expect_error(3, "unreachable");
    Ctl::bare().run(&["--url", "http://no-such-host.invalid:1", "whoami"]).expect_error(3, "unreachable");
}

#[test]
fn a_server_that_never_answers_is_3_after_the_timeout() {
    let fake = Fake::playing(vec![Act::Silence(Duration::from_secs(5))]);
    let run = Ctl::bare().run(&["--url", &fake.url, "--timeout", "1", "whoami"]).expect_error(3, "unreachable");
    assert!(run.stderr.contains("within 1 s"), "{run:?}");
    assert_eq!(fake.seen().len(), 1);
}

#[test]
fn help_version_and_completions_need_no_server() {
    let ctl = Ctl::bare();
    assert!(ctl.ok(&["--help"]).contains("agents"));
    assert!(ctl.ok(&["agents", "token", "issue", "--help"]).contains("--grace"));
    assert_eq!(ctl.ok(&["--version"]), format!("taosctl {}\n", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish"] {
        assert!(ctl.ok(&["completion", shell]).contains("TAOSCTL_COMPLETE"), "{shell}");
    }
}

#[test]
fn the_page_that_an_error_names_can_be_read_as_it_is_named() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let run = ctl.run(&["agents", "get", "nobody"]).expect(1);
    let page = run.stderr.lines().find_map(|line| line.strip_prefix("doc_url: ")).unwrap();
    assert!(ctl.ok(&["docs", page]).starts_with('#'));
    ctl.run(&["docs", "no-such-page"]).expect_error(1, "doc_not_found");
}
