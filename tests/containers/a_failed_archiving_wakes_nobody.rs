//! An archiving that fails or is cut off gives back what was there: a container that ran runs again, and one that was
//! paused or slept is not started.

use crate::pretend::Pretend;
use crate::support::wait_until;

const SNAPSHOTS: &str = "/snapshots";

fn put_to_rest(shop: &Pretend, name: &str, how: &str) {
    shop.daemon.execute(&format!("UPDATE agents SET {how} WHERE slug = ?1"), [name]);
}

#[test]
fn what_rested_rests_and_what_ran_runs() {
    let shop = Pretend::start();
    for (name, status, how) in [
        ("runner", "Running", "paused = 0"),
        ("paused", "Frozen", "paused = 1"),
        ("sleeper", "Frozen", "asleep_at = 1, wake = 'resume'"),
    ] {
        shop.agent(name, status);
        put_to_rest(&shop, name, how);
        shop.state().fails = Some(SNAPSHOTS);
        shop.act("DELETE", &format!("/api/agents/{name}")).expect_error(502, "container_failed");
        shop.state().fails = None;
        let record = shop.daemon.record(name);
        let is = (shop.status(&format!("taos-agent-{name}")), record["status"].clone());
        let started = std::mem::take(&mut shop.state().actions).contains(&"start".to_owned());
        match status {
            "Running" => assert_eq!((is.0.as_str(), &is.1, started), ("Running", &"running".into(), true), "{record}"),
            _ => assert_eq!((is.0.as_str(), &is.1, started), ("Stopped", &"stopped".into(), false), "{record}"),
        }
        assert_eq!(record["paused"], name == "paused", "{record}");
    }
}

#[test]
fn a_kill_during_the_archiving_of_a_paused_agent_does_not_start_it() {
    let mut shop = Pretend::start();
    for (name, status, how) in [("runner", "Running", "paused = 0"), ("paused", "Frozen", "paused = 1")] {
        shop.agent(name, status);
        put_to_rest(&shop, name, how);
        shop.state().hangs = Some(SNAPSHOTS);
        shop.daemon.operator().delete(&format!("/api/agents/{name}")).expect(202);
        let container = format!("taos-agent-{name}");
        wait_until("it is stopped for the snapshot", || shop.status(&container) == "Stopped");
        shop.daemon.kill();
        shop.state().hangs = None;
        shop.state().actions.clear();
        shop.daemon.spawn();
        wait_until("the operation has ended", || {
            shop.daemon.operator().get("/api/operations?kind=archive&status=running").expect(200).json()
                == "[]".parse::<serde_json::Value>().unwrap()
        });
        let wanted = if status == "Running" { ("Running", "running") } else { ("Stopped", "stopped") };
        assert_eq!(shop.status(&container), wanted.0);
        assert_eq!(shop.daemon.record(name)["status"], wanted.1);
        assert_eq!(shop.state().actions.contains(&"start".to_owned()), status == "Running");
    }
}
