//! A reader's position is kept only as long as the reader exists, because each deleted message is subtracted for every
//! reader of its space.

use serde_json::json;

use crate::support::{Daemon, text, wait_until};
use crate::workspace::harness::{Actor, agent, let_in, member};

/// The number of rows about what a principal has read.
fn kept(daemon: &Daemon, principal: &str) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM message_readers WHERE principal = ?1)
        + (SELECT count(*) FROM message_read_bits WHERE principal = ?1)";
    daemon.number(sql, [principal])
}

#[test]
fn how_far_agents_and_users_have_read_goes_with_them() {
    let daemon = Daemon::with(&[], &[("TAOSD_SWEEP_INTERVAL", "1")]);
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let (robot, stays) = (agent(&daemon, &ann, "robot"), agent(&daemon, &ann, "stays"));
    let_in(&ann, json!({"username": "bob", "role": "viewer"}));
    let mut said: Vec<_> = (0..3).map(|n| ann.say(&ann.space, &format!("number {n}"))).collect();
    let last = said.pop().unwrap();
    let read = |who: &Actor, principal: &str| {
        who.client.post(&format!("/api/v1/messages/{}/read", text(&last, "id")), json!({})).expect(200);
        assert_eq!(kept(&daemon, principal), 2, "how far, and what beyond it");
    };
    let of = |who: &Actor, kind: &str| format!("{kind}:{}", who.id);
    let (gone, left, deleted) = (of(&robot, "agent"), of(&stays, "agent"), of(&bob, "user"));
    [(&robot, &gone), (&stays, &left), (&bob, &deleted)].into_iter().for_each(|(who, principal)| read(who, principal));
    // Rows that an older release left, many more than one round of the sweep looks at.
    daemon.execute(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000)
        INSERT INTO message_readers (space_id, principal) SELECT ?1, printf('agent:00000000-0000-7000-8000-%012d', n) FROM n",
        [&ann.space],
    );
    // The rows of an archived agent stay, because it may be restored.
    ann.client.delete("/api/agents/robot").expect(200);
    let readers = || daemon.number("SELECT count(*) FROM message_readers", []);
    wait_until("those of the older release go", || readers() == 4);
    assert_eq!(kept(&daemon, &gone), 2);
    ann.client.delete(&format!("/api/agents/archived/{}", robot.id)).expect(200);
    daemon.operator().delete("/api/users/bob").expect(204);
    wait_until("who is gone is no reader", || kept(&daemon, &gone) + kept(&daemon, &deleted) == 0);
    assert_eq!((kept(&daemon, &left), readers()), (2, 2), "one who stays has not read less: Ann and the agent");
    assert_eq!(stays.list("limit=1")["unread_count"], json!(2));
}
