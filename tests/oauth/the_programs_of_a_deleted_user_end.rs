//! With a user go the grants that the user has given, those that act as an agent of somebody else too: none of them stays
//! where nobody sees it.

use serde_json::{Value, json};

use crate::program::{Program, browser, of};
use crate::support::{Daemon, wait_until};

/// Live credentials of grants to programs.
fn live(daemon: &Daemon) -> i64 {
    daemon.number("SELECT count(*) FROM credentials WHERE kind = 'oauth_grant' AND state = 'active'", [])
}

fn ends(daemon: &Daemon) -> i64 {
    daemon.number("SELECT count(*) FROM audit WHERE action = 'oauth.grant.revoke'", [])
}

/// Bo lets a program act as the operator's agent; the agent.
fn let_in_by_bo(daemon: &Daemon, times: usize) -> (Value, Vec<Value>) {
    let agent = daemon.agent("atlas");
    let bo = daemon.member("bo", &["*"]);
    daemon.grant("user:bo", &agent, "editor");
    let (person, program) = (browser(daemon, bo.token()), Program::named(daemon, "printer"));
    let act_as = json!({"agent_id": agent});
    let told = (0..times).map(|_| program.log_in(&person, act_as.clone(), &["tasks"])).collect();
    (act_as, told)
}

#[test]
fn they_end_and_leave_their_room_to_others() {
    let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0")]);
    let (act_as, told) = let_in_by_bo(&daemon, 10);
    assert_eq!(live(&daemon), 10);
    daemon.operator().delete("/api/users/bo").expect(204);
    assert_eq!((live(&daemon), ends(&daemon)), (0, 10));
    daemon.client(&of(&told[0], "access_token")).get("/api/v1/tasks").expect(401);
    Program::named(&daemon, "editor").log_in(&browser(&daemon, &daemon.token), act_as, &["tasks"]);
}

#[test]
fn what_an_older_release_left_of_them_ends_at_the_start() {
    let mut daemon = Daemon::start();
    let (_, told) = let_in_by_bo(&daemon, 2);
    // So did an older release delete the user.
    daemon.execute("DELETE FROM oauth_grants WHERE credential_id = (SELECT min(credential_id) FROM oauth_grants)", []);
    daemon.restart();
    wait_until("the grant has ended", || live(&daemon) == 1);
    assert_eq!(ends(&daemon), 1);
    let works = told.iter().filter(|one| daemon.client(&of(one, "access_token")).get("/api/v1/tasks").status == 200);
    assert_eq!(works.count(), 1, "the other one goes on");
}
