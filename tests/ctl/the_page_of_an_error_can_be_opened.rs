//! The `doc_url` of an error is a whole address, also on the socket. Without a server it is a command that shows the
//! page.

use crate::run::{Ctl, Run};
use crate::support::Daemon;

fn page(run: &Run) -> &str {
    let line = run.stderr.lines().find_map(|line| line.strip_prefix("doc_url: "));
    line.unwrap_or_else(|| panic!("{run:?}"))
}

#[test]
fn on_the_socket_too_it_is_an_address_that_a_browser_opens() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let socket = Ctl::bare().env("TAOS_URL", &format!("unix:{}", daemon.socket().display()));
    let base = format!("http://{}/docs/agents/", daemon.address);
    socket.ok(&["agents", "create", "atlas"]);
    for line in ["agents get nobody", "logs atlas", "users get nobody", "tasks get nothing", "grants rm nothing --yes"]
    {
        let run = socket.run(&line.split(' ').collect::<Vec<_>>()).expect(1);
        let page = page(&run);
        assert!(page.starts_with(&base), "{line}: {page}");
        let path = page.strip_prefix(&format!("http://{}", daemon.address)).unwrap();
        daemon.anonymous().get(path.split('#').next().unwrap()).expect(200);
        assert!(socket.ok(&["docs", page]).starts_with('#'), "{page}");
    }
    let json = socket.run(&["agents", "get", "nobody", "-o", "json"]).expect_error(1, "agent_not_found").stderr;
    assert!(json.contains(&format!("\"doc_url\":\"{base}")), "{json}");
}

#[test]
fn behind_a_proxy_it_has_the_name_that_people_know() {
    let daemon = Daemon::with(&[], &[("TAOSD_PUBLIC_URL", "https://box.example.org")]);
    let socket = Ctl::bare().env("TAOS_URL", &format!("unix:{}", daemon.socket().display()));
    let run = socket.run(&["agents", "get", "nobody"]).expect(1);
    assert!(page(&run).starts_with("https://box.example.org/docs/agents/"), "{run:?}");
    assert_eq!(daemon.on_socket().get("/healthz").json()["url"], "https://box.example.org");
    assert!(daemon.anonymous().get("/healthz").json()["url"].is_null(), "only the socket is told");
}

#[test]
fn without_a_server_it_is_a_command_that_shows_the_page() {
    let nowhere = Ctl::bare().env("TAOS_URL", "http://127.0.0.1:1");
    for (line, code) in [
        ("agents ls", 3),
        ("agents ls --token x --token-file y", 2),
        ("docs no-such-page", 1),
        ("agents ls --url unix:", 2),
        ("agents ls --token-file /nonexistent", 2),
    ] {
        let run = nowhere.run(&line.split(' ').collect::<Vec<_>>()).expect(code);
        let words = page(&run).strip_prefix("taosctl ").unwrap_or_else(|| panic!("{line}: {run:?}"));
        assert!(nowhere.ok(&words.split(' ').collect::<Vec<_>>()).starts_with('#'), "{words}");
    }
}
