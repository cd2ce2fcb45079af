//! The database's file is away while operations begin and end. Once it is back, every operation ends without a restart, and
//! the agents can be used.

use std::fs;

use crate::pretend::Pretend;
use crate::support::wait_until;

const STATE: &str = "PUT /1.0/instances/";
/// One more than are worked on at once: the last one begins while the file is away.
const AGENTS: [&str; 5] = ["a1", "a2", "a3", "a4", "a5"];

#[test]
fn what_ends_while_the_disk_is_away_is_ended_once_it_is_back() {
    let shop = Pretend::start();
    for name in AGENTS {
        shop.agent(name, "Running");
    }
    shop.state().holds = Some(STATE);
    let operator = shop.daemon.operator();
    operator.send("POST", "/api/agents/bulk/stop", None).expect(202);
    wait_until("all threads wait for the runtime", || shop.state().actions.len() == 4);

    let away = shop.daemon.data.join("away");
    fs::rename(shop.daemon.database(), &away).unwrap();
    shop.state().holds = None;
    let unwritten = || shop.daemon.log_text().matches("could not be written, trying again").count();
    wait_until("no end could be written", || unwritten() >= AGENTS.len());
    fs::rename(&away, shop.daemon.database()).unwrap();

    let open = "SELECT count(*) FROM operations WHERE finished_at IS NULL";
    wait_until("every operation has ended", || shop.daemon.number(open, []) == 0);
    for name in AGENTS {
        shop.act("POST", &format!("/api/agents/{name}/start")).expect(200);
        assert_eq!(shop.status(&format!("taos-agent-{name}")), "Running");
    }
    let ends = "SELECT count(*) FROM audit WHERE action = 'agents.stop' AND outcome = 'failed'";
    assert_eq!(shop.daemon.number(ends, []), 5);
}
