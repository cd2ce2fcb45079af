//! A user's channel cannot reach the box's own networks: only public hosts, and hosts that the operator lists.

use std::time::Duration;

use serde_json::json;

use crate::channels::receiver::{Harness, Phone};

#[test]
fn addresses_of_the_box_are_refused_by_name_and_by_number() {
    let harness = Harness::with(&[]);
    let phone = Phone::start(&harness.authority);
    let operator = harness.daemon.operator();
    let post = |url: &str| operator.post("/api/users/operator/channels", json!({"kind": "ntfy", "url": url}));
    for url in [
        "http://ntfy.sh/t",
        "https://127.0.0.1/t",
        "https://10.0.0.7/t",
        "https://192.168.1.4/t",
        "https://169.254.169.254/t",
        "https://100.64.0.1/t",
        "https://0.0.0.0/t",
        "https://[::1]/t",
        "https://[fd00::1]/t",
        "https://[fe80::1]/t",
        "https://[::ffff:127.0.0.1]/t",
    ] {
        post(url).expect_error(422, "channel_not_fit");
    }
    // A name is checked at each use, by the address that it resolves to then.
    let made = post(&format!("https://localhost:{}/t", phone.port)).expect(201).json();
    let test = format!("/api/users/operator/channels/{}/test", made["id"].as_str().unwrap());
    let told = operator.post(&test, json!({})).expect(200).json();
    assert_eq!(told["error"], json!("its host leads to an address that channels may not use"));
    harness.notify("n", "high");
    assert!(phone.is_quiet(Duration::from_secs(1)));
}

#[test]
fn a_listed_host_may_be_told_without_tls_but_never_the_daemon_itself() {
    let harness = Harness::new();
    let operator = harness.daemon.operator();
    let own = harness.daemon.address.replace("127.0.0.1", "localhost");
    let body = json!({"kind": "ntfy", "url": format!("http://{own}/t")});
    let made = operator.post("/api/users/operator/channels", body).expect(201).json();
    let test = format!("/api/users/operator/channels/{}/test", made["id"].as_str().unwrap());
    let told = operator.post(&test, json!({})).expect(200).json();
    assert_eq!(told["error"], json!("its host leads to an address that channels may not use"));
}
