//! The daemon knows which container sends a request. An agent's token does not work in another agent's container, and a
//! flood from one agent delays only that agent.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::Host;

on_both! { a_token_used_from_another_container_is_refused_and_audited }

fn a_token_used_from_another_container_is_refused_and_audited(host: Host) {
    let (a, b) = (host.name("a"), host.name("b"));
    let id = host.deploy(&a);
    host.deploy(&b);
    let stolen = host.configured_token(&host.container(&a)).unwrap();
    host.whoami_inside(&host.container(&b));
    let script = format!("busybox wget -S -O - --header 'Authorization: Bearer {stolen}' $U/api/auth/whoami");
    assert!(host.inside(&host.container(&b), &script).contains("HTTP/1.1 403"), "wrong_channel");
    assert_eq!(host.whoami_inside(&host.container(&a))["agent_id"], json!(id), "at home it works");
    let denied = host.daemon.operator().get("/api/audit?limit=500").expect(200).json();
    let denied = denied.as_array().unwrap().iter().any(|row| {
        row["outcome"] == "denied"
            && row["actor"].as_str().is_some_and(|actor| actor.starts_with(&format!("agent:{id}")))
    });
    assert!(denied, "the refusal is audited");
    let log = host.daemon.log_text();
    assert!(!log.contains(&stolen), "no token in the log");
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn the_socket_of_another_agent_says_wrong_channel() {
    let host = Host::rest();
    let (a, b) = (host.name("a"), host.name("b"));
    host.deploy(&a);
    let id = host.deploy(&b);
    let token = host.configured_token(&host.container(&a)).unwrap();
    let way = host.daemon.data.join("agents").join(format!("{id}.sock"));
    let other = host.daemon.client(&token).over(&way);
    other.get("/api/auth/whoami").expect_error(403, "wrong_channel");
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_flood_from_one_container_does_not_slow_another() {
    let host = Host::rest_with(&[("TAOSD_REQUESTS_PER_MINUTE", "60")]);
    let (a, b) = (host.name("a"), host.name("b"));
    // The operator's own requests count too, so the test uses the socket.
    host.daemon.on_socket().post("/api/agents/deploy?wait=60", json!({"name": a})).expect(200);
    host.daemon.on_socket().post("/api/agents/deploy?wait=60", json!({"name": b})).expect(200);
    let (flooding, calm) = (host.container(&a), host.container(&b));
    host.whoami_inside(&flooding);
    host.whoami_inside(&calm);
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let once = "busybox wget -q -O /dev/null --header \"Authorization: Bearer $T\" $U/api/auth/whoami";
            let script = format!("n=0; while [ $n -lt 200 ]; do {once}; n=$((n+1)); done; busybox wget -S -O - --header \"Authorization: Bearer $T\" $U/api/auth/whoami");
            host.inside(&flooding, &script)
        });
        let mut slowest = Duration::ZERO;
        let mut asked = 0;
        while !flood.is_finished() && asked < 40 {
            let began = Instant::now();
            assert_eq!(host.whoami_inside(&calm)["agent_name"], json!(b));
            slowest = slowest.max(began.elapsed());
            asked += 1;
        }
        let end = flood.join().unwrap();
        assert!(end.contains("HTTP/1.1 429"), "the flood ran into its own limit: {end}");
        assert!(asked > 0 && slowest < Duration::from_secs(5), "{asked} asked, the slowest took {slowest:?}");
    });
}
