//! A list without a name shows the caller's own entries, or all that the caller may see.

use crate::run::Ctl;
use crate::support::Daemon;

#[test]
fn it_is_ones_own_channels_sessions_and_tokens() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let operator = Ctl::operator(&daemon);
    operator.ok(&["users", "create", "ann"]);
    let token = operator.ok(&["tokens", "issue", "user:ann", "--label", "laptop"]);
    let ann = Ctl::with_token(&daemon, token.trim());
    ann.ok(&["channels", "create", "--kind", "ntfy", "--to", "https://ntfy.sh/of-ann"]);
    operator.ok(&["channels", "create", "operator", "--kind", "ntfy", "--to", "https://ntfy.sh/of-operator"]);
    for (ctl, own) in [(&ann, "of-ann"), (&operator, "of-operator")] {
        let listed = ctl.ok(&["channels", "ls", "-o", "wide"]);
        assert!(listed.contains(own) && listed.lines().count() == 2, "{listed}");
        assert_eq!(ctl.json(&["channels", "ls"]).as_array().unwrap().len(), 1);
    }
    assert!(operator.ok(&["channels", "ls", "ann"]).contains("of-ann"), "an admin names somebody");
    assert!(operator.ok(&["get", "channels"]).contains("of-operator"), "as kubectl does");
    assert!(ann.ok(&["users", "token", "ls"]).contains("laptop"));
    daemon.anonymous().post("/api/sessions", serde_json::json!({"token": token.trim()})).expect(200);
    assert_eq!(ann.json(&["users", "sessions", "ls"]).as_array().unwrap().len(), 1);
    assert!(operator.run(&["users", "sessions", "ls"]).expect(0).stderr.contains("taosctl open"), "none of his own");
    assert_eq!(ann.json(&["users", "sessions", "end", "--yes"])["ended"], 1);
}

#[test]
fn an_agent_names_a_user() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let operator = Ctl::operator(&daemon);
    operator.ok(&["agents", "create", "atlas"]);
    let token = operator.ok(&["tokens", "issue", "atlas"]);
    Ctl::with_token(&daemon, token.trim()).run(&["channels", "ls"]).expect_error(2, "usage");
    assert!(operator.run(&["tripwires", "ls"]).expect(0).stderr.contains("taosctl tripwires plant"), "there are none");
    assert_eq!(operator.ok(&["tripwires", "ls", "--json"]), "[]\n");
}
