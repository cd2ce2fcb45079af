//! A kill at any point of a decision leaves the request pending or decided. What it gives always agrees with its state.

use std::time::Duration;

use serde_json::json;

use crate::requests::harness::{Harness, TRIED, TRIED_SCOPE};
use crate::support::text;

#[test]
fn whatever_moment_the_daemon_dies_the_request_and_what_it_gives_agree() {
    let mut w = Harness::new();
    w.daemon.agent_by(&w.ann, "other");
    let mut decided = 0;
    for round in 0..12 {
        let scope = w.ask_scope(&[TRIED_SCOPE]);
        let grant = json!({"kind": "grant", "resource": "agent:other", "role": "viewer", "reason": "r"});
        let grant = text(&w.ask(grant), "id");
        let deciders: Vec<_> = [&scope, &grant]
            .map(|id| {
                let (ann, path) = (w.ann.clone(), format!("/api/requests/{id}/approve"));
                std::thread::spawn(move || {
                    ann.try_send("POST", &path, Some(b"{}")).is_ok_and(|reply| reply.status == 200)
                })
            })
            .into_iter()
            .collect();
        std::thread::sleep(Duration::from_micros(700 * round));
        w.daemon.kill();
        let acknowledged: Vec<bool> = deciders.into_iter().map(|thread| thread.join().expect("a decider")).collect();
        w.daemon.spawn();
        w.ann = w.daemon.client(w.ann.token());
        w.atlas = w.daemon.client(w.atlas.token());
        for ((id, path), acknowledged) in [(&scope, TRIED), (&grant, "/api/agents/other")].into_iter().zip(acknowledged)
        {
            let state = w.state(id);
            assert!(["pending", "approved"].contains(&state.as_str()), "{state}");
            assert!(!acknowledged || state == "approved", "round {round}: an acknowledged decision was lost");
            assert_eq!(w.atlas.get(path).status == 200, state == "approved", "round {round}: {path} is {state}");
            let end = if state == "approved" { "revoke" } else { "deny" };
            decided += usize::from(state == "approved");
            w.ann.post(&format!("/api/requests/{id}/{end}"), json!({})).expect(200);
        }
        w.daemon.execute("UPDATE requests SET decided_at = 0, created_at = created_at - 3600000000", []);
    }
    assert!(decided > 0, "no decision ever came before the kill");
}
