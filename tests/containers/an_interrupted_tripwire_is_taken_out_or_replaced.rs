//! A tripwire whose planting was interrupted blocks nothing, and no decoy stays in a container that nobody would notice.

use serde_json::{Value, json};

use crate::pretend::Pretend;
use crate::support::{text, wait_until};

const LIST: &str = "/api/agents/atlas/tripwires";
const PATH: &str = "/root/.config/backup/token";
const WRITE: &str = "POST /1.0/instances/taos-agent-atlas/files";
const REMOVE: &str = "DELETE /1.0/instances/taos-agent-atlas/files";

fn setting() -> Pretend {
    let pretend = Pretend::start();
    pretend.agent("atlas", "Running");
    pretend
}

fn list(pretend: &Pretend) -> Value {
    pretend.daemon.operator().get(LIST).expect(200).json()
}

/// Leaves a row as a crash in the middle of planting does.
fn crash(pretend: &Pretend) {
    let row = "INSERT INTO tripwires (id, agent_id, kind, secret_hash, path, freeze, created_by, created_at)
        SELECT 'crashed', id, 'agent_pat', zeroblob(32), ?1, 0, 'user:operator', 1 FROM agents";
    assert_eq!(pretend.daemon.execute(row, [PATH]), 1);
}

#[test]
fn one_that_a_crash_left_is_replaced_or_taken_out() {
    let pretend = setting();
    let operator = pretend.daemon.operator();
    crash(&pretend);
    let planted = operator.post(LIST, json!({"path": PATH})).expect(201).json();
    assert_eq!(planted["planted"], json!(true));
    assert_eq!(list(&pretend), json!([planted]));
    operator.post(LIST, json!({"path": PATH})).expect_error(409, "tripwire_exists");
    operator.delete(&format!("{LIST}/{}", text(&planted, "id"))).expect(204);
    wait_until("the file is removed", || pretend.requests(REMOVE) == 1);
    crash(&pretend);
    operator.delete(&format!("{LIST}/crashed")).expect(204);
    wait_until("the file is removed, as it may be there", || pretend.requests(REMOVE) == 2);
}

#[test]
fn one_that_is_removed_while_it_is_planted_leaves_no_file() {
    let pretend = setting();
    pretend.state().hangs = Some(WRITE);
    let operator = pretend.daemon.operator();
    let planting = std::thread::spawn(move || operator.post(LIST, json!({"path": PATH})));
    wait_until("the row is there", || list(&pretend) != json!([]));
    let id = text(&list(&pretend)[0], "id");
    pretend.daemon.operator().delete(&format!("{LIST}/{id}")).expect(204);
    pretend.state().hangs = None;
    planting.join().expect("a reply").expect_error(409, "cancelled");
    assert_eq!(pretend.state().file, None);
    assert!(pretend.requests(REMOVE) >= 1);
    assert_eq!(list(&pretend), json!([]));
}

#[test]
fn one_that_may_have_arrived_stays_known() {
    let pretend = setting();
    let operator = pretend.daemon.operator();
    pretend.state().fails = Some("/files");
    operator.post(LIST, json!({"path": PATH})).expect_error(502, "container_failed");
    assert_eq!(list(&pretend)[0]["planted"], json!(false), "a use is noticed, and it can be removed");
    pretend.state().fails = None;
    operator.post(LIST, json!({"path": PATH})).expect(201);
    assert_eq!((&list(&pretend)[0]["planted"], list(&pretend).as_array().map(Vec::len)), (&json!(true), Some(1)));
    pretend.state().containers.clear();
    operator.post(LIST, json!({"path": "/root/other"})).expect_error(502, "container_failed");
    assert_eq!(list(&pretend).as_array().map(Vec::len), Some(1), "nothing was written");
}
