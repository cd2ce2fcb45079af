//! A decoy in a real container is read and used inside. The owner is notified at once, and the agent and its container
//! are frozen.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::Host;
use crate::support::{SOON, text};

on_both! {
    it_is_planted_used_and_taken_out
}

fn it_is_planted_used_and_taken_out(host: Host) {
    let name = host.name("a");
    host.deploy(&name);
    let container = host.container(&name);
    host.whoami_inside(&container);
    let operator = host.daemon.operator();
    let place = format!("/api/agents/{name}/tripwires");
    let plant = |path: &str, freeze: bool| {
        let body = json!({"path": path, "kind": "user_token", "freeze": freeze});
        operator.post(&place, body).expect(201).json()
    };
    let first = plant("/root/.config/backup/token", false);
    assert_eq!(first["planted"], json!(true));
    operator.post(&place, json!({"path": "/root/.config/backup/token"})).expect_error(409, "tripwire_exists");
    assert!(host.inside(&container, "busybox cat /root/.config/backup/token").starts_with("taos_user_"));
    operator.delete(&format!("{place}/{}", text(&first, "id"))).expect(204);
    host.eventually("the file is gone", || {
        !host.inside(&container, "busybox cat /root/.config/backup/token").starts_with("taos_user_")
    });
    let wire = plant("/root/.config/cloud/credentials", true);
    let waiter = host.daemon.operator();
    let waiting =
        std::thread::spawn(move || (waiter.get("/api/notifications?wait=30").expect(200).json(), Instant::now()));
    std::thread::sleep(Duration::from_millis(300));
    let used = Instant::now();
    let script = "busybox wget -q -O - --header \"Authorization: Bearer $(busybox cat /root/.config/cloud/credentials)\" \
                  $U/api/auth/whoami";
    host.inside(&container, script);
    let (told, at) = waiting.join().expect("the owner");
    println!("from before the script inside to the owner's notification: {:?}", at - used);
    assert!(at - used < SOON, "{:?}", at - used);
    assert_eq!(told[0]["title"], json!(format!("A tripwire of agent {name} was used")));
    assert_eq!(host.daemon.record(&name)["frozen"], json!(true));
    let listed = operator.get(&place).expect(200).json();
    assert_eq!((&listed[0]["id"], &listed[0]["touches"]), (&wire["id"], &json!(1)));
    host.eventually("the container stands still", || {
        let all = operator.get("/api/agents/containers").expect(200).json();
        all.as_array().unwrap().iter().any(|row| row["agent_name"] == json!(name) && row["status"] == json!("frozen"))
    });
}
