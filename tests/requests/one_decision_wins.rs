//! Twenty people decide at once. There is one outcome, and everybody sees the same.

use std::sync::{Arc, Barrier};

use serde_json::json;

use crate::requests::harness::{Harness, TRIED, TRIED_SCOPE};

#[test]
fn twenty_parallel_approvals_and_denials_give_one_outcome() {
    let w = Harness::with(&[("TAOSD_MAX_CONNECTIONS_PER_PEER", "256")]);
    for round in 0..5 {
        let id = w.ask_scope(&[TRIED_SCOPE]);
        let barrier = Arc::new(Barrier::new(20));
        let deciders: Vec<_> = (0..20)
            .map(|n| {
                let (ann, id, barrier) = (w.ann.clone(), id.clone(), Arc::clone(&barrier));
                std::thread::spawn(move || {
                    let what = if n % 2 == 0 { "approve" } else { "deny" };
                    barrier.wait();
                    (what, ann.post(&format!("/api/requests/{id}/{what}"), json!({"note": n.to_string()})))
                })
            })
            .collect();
        let replies: Vec<_> = deciders.into_iter().map(|thread| thread.join().expect("a decider")).collect();
        let won: Vec<_> = replies.iter().filter(|(_, reply)| reply.status == 200).collect();
        assert_eq!(won.len(), 1, "round {round}");
        for (_, reply) in replies.iter().filter(|(_, reply)| reply.status != 200) {
            reply.clone().expect_error(409, "request_decided");
        }
        let decided = w.ann.get(&format!("/api/requests/{id}")).expect(200).json();
        assert_eq!(decided, won[0].1.json());
        let allowed = w.atlas.get(TRIED).status;
        assert_eq!(allowed, if won[0].0 == "approve" { 200 } else { 403 });
        if won[0].0 == "approve" {
            w.ann.post(&format!("/api/requests/{id}/revoke"), json!({})).expect(200);
        } else {
            w.daemon.execute("UPDATE requests SET decided_at = 0", []);
        }
    }
}
