//! A kill at any point of a freeze or a thaw leaves all agents of the request in one state, credentials and records
//! alike: never half frozen. An acknowledged freeze or thaw is never lost.

use std::time::Duration;

use serde_json::json;

use super::harness::{WHOAMI, token};
use crate::support::{Client, Daemon};

const AGENTS: [&str; 4] = ["atlas", "vega", "rigel", "sirius"];

fn is_refused(daemon: &Daemon, client: &Client) -> bool {
    let reply = daemon.client(client.token()).get(WHOAMI);
    match reply.status {
        200 => false,
        _ => {
            reply.expect_error(401, "agent_frozen");
            true
        }
    }
}

#[test]
fn whatever_moment_the_daemon_dies_all_are_frozen_or_none() {
    let mut daemon = Daemon::with(&["--containers", "none"], &[]);
    AGENTS.iter().for_each(|name| drop(daemon.agent(name)));
    let tokens = AGENTS.map(|name| token(&daemon, name));
    let (mut was_frozen, mut changed) = (false, 0);
    for round in 0..16 {
        let (verb, body) = if was_frozen { ("thaw", json!({})) } else { ("freeze", json!({"reason": "alarm"})) };
        let (operator, path, body) = (daemon.operator(), format!("/api/{verb}"), body.to_string());
        let acting = std::thread::spawn(move || {
            operator.try_send("POST", &path, Some(body.as_bytes())).is_ok_and(|reply| reply.status == 200)
        });
        std::thread::sleep(Duration::from_micros(600 * round));
        daemon.kill();
        let acknowledged = acting.join().expect("the operator");
        daemon.spawn();
        let now = tokens.each_ref().map(|token| is_refused(&daemon, token));
        assert!(now.iter().all(|one| *one == now[0]), "round {round}: {verb} half done: {now:?}");
        let told = AGENTS.map(|name| daemon.record(name)["frozen"] == true);
        assert_eq!(told, now, "round {round}: the records say otherwise");
        assert!(!acknowledged || now[0] != was_frozen, "round {round}: an acknowledged {verb} was lost");
        changed += usize::from(now[0] != was_frozen);
        was_frozen = now[0];
    }
    assert!(changed > 0, "nothing ever came before the kill");
    daemon.check();
}
