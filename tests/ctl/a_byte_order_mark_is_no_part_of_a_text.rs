//! Editors of some systems put a byte order mark before a text. `taosctl` drops it before a token, an export or a
//! document.

use crate::run::{Ctl, url};
use crate::support::Daemon;

#[test]
fn a_token_file_may_begin_with_one() {
    let daemon = Daemon::start();
    let ctl = Ctl::bare();
    let file = ctl.file("token", &format!("\u{feff}{}\n", daemon.token));
    ctl.ok(&["--url", &url(&daemon), "--token-file", &file, "whoami"]);
    let by_file = Ctl::bare().env("TAOS_TOKEN_FILE", &file).env("TAOS_URL", &url(&daemon));
    by_file.ok(&["whoami"]);
    let by_value = Ctl::with_token(&daemon, &format!("\u{feff}{}", daemon.token));
    by_value.ok(&["whoami"]);
    let login = Ctl::bare();
    login.run_with_stdin(&["login", "--url", &url(&daemon)], &format!("\u{feff}{}", daemon.token)).expect(0);
    login.ok(&["whoami"]);
}

#[test]
fn what_is_imported_or_read_from_a_file_may_begin_with_one() {
    let daemon = Daemon::start();
    daemon.agent("atlas");
    let ctl = Ctl::operator(&daemon);
    let export = daemon.operator().get("/api/agents/atlas/export").expect(200).json();
    let export = export.to_string().replace("\"atlas\"", "\"boreas\"");
    let file = ctl.file("export.json", &format!("\u{feff}{export}"));
    ctl.ok(&["agents", "import", &file]);
    let persona = ctl.file("soul.md", "\u{feff}# Calm");
    ctl.ok(&["agents", "persona", "boreas", "--soul", &persona]);
    assert_eq!(daemon.record("boreas")["soul_md"], "# Calm");
}
