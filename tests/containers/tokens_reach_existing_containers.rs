//! The central case: an agent has an existing container without a token. A start of the daemon delivers one. A second
//! start has nothing to do.

use serde_json::{Value, json};

use crate::harness::Host;
use crate::test_runtime::soon;

on_both! {
    an_existing_container_gets_its_token_and_its_way_in a_container_made_for_another_is_not_taken
    a_run_that_a_delivery_did_not_see_is_no_restart
}

fn an_existing_container_gets_its_token_and_its_way_in(mut host: Host) {
    let name = host.name("old");
    let id = host.daemon.agent(&name);
    // The daemon is off here. Otherwise it would enter the container's network at the same time as the test.
    assert_eq!(host.daemon.stop(), Some(0));
    let container = host.foreign_container(&name, Some(&id));
    host.test_runtime.driver.start(&container, soon().into()).unwrap();
    host.daemon.spawn();
    host.wait_until_delivered(&name);
    let record = host.daemon.record(&name);
    assert_eq!((&record["token_delivery"], &record["status"]), (&json!("pending_restart"), &json!("running")));
    assert_eq!(record["container"]["name"], json!(container.as_str()));
    assert_eq!(host.inside(&container, "busybox echo -n $T"), "", "its processes began before the delivery");
    let token = host.configured_token(&container).unwrap();
    assert_eq!(host.token_file(&container), token, "processes that run find it in the file");

    host.act(&format!("/api/agents/{name}/restart")).expect(200);
    assert_eq!(host.inside(&container, "busybox echo -n $T"), token);
    let me = host.whoami_inside(&container);
    assert_eq!((&me["agent_id"], &me["agent_name"], &me["kind"]), (&json!(id), &json!(name), &json!("agent_token")));
    assert_eq!(host.daemon.record(&name)["token_delivery"], "delivered");
    host.one_token_and_it_is_inside(&name);

    let before = (credentials(&host), host.configured_token(&container), operations(&host), host.daemon.record(&name));
    host.daemon.restart();
    host.eventually("the second start has looked", || {
        host.daemon.log_text().matches("every agent with a container has its token").count() == 1
    });
    let after = (credentials(&host), host.configured_token(&container), operations(&host), host.daemon.record(&name));
    let plain = |(c, t, o, mut record): (Vec<String>, Option<String>, i64, Value)| {
        // The time of the last use is written once a minute.
        record["last_used_at"] = Value::Null;
        (c, t, o, record)
    };
    assert_eq!(plain(before), plain(after), "nothing was issued and nothing changed");
    host.whoami_inside(&container);
}

/// Returns the stored credentials without the time of their last use.
fn credentials(host: &Host) -> Vec<String> {
    let conn = host.daemon.db();
    let sql =
        "SELECT id || state || hex(secret_hash) || issued_at FROM credentials WHERE kind = 'agent_token' ORDER BY id";
    let mut statement = conn.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

fn operations(host: &Host) -> i64 {
    host.daemon.number("SELECT count(*) FROM operations", [])
}

fn a_container_made_for_another_is_not_taken(mut host: Host) {
    let name = host.name("mine");
    host.daemon.agent(&name);
    let container = host.foreign_container(&name, Some("another-agent"));
    host.daemon.restart();
    host.eventually("the start has looked", || host.daemon.log_text().contains("every agent with a container"));
    assert_eq!(host.daemon.record(&name)["container"], Value::Null);
    assert_eq!(host.configured_token(&container), None);
}

/// If a delivery could not see which run of the container it reached, nothing shows that the processes began after it.
fn a_run_that_a_delivery_did_not_see_is_no_restart(mut host: Host) {
    let name = host.name("unsure");
    host.deploy(&name);
    assert_eq!(host.daemon.stop(), Some(0));
    let sql = "UPDATE agents SET token_delivery = 'pending_restart', token_delivery_boot = 'unknown', \
               token_delivery_error = 'no file' WHERE slug = ?1 AND archived_at IS NULL";
    assert_eq!(host.daemon.db().execute(sql, [&name]).unwrap(), 1);
    host.daemon.spawn();
    let known = "SELECT count(*) FROM agents WHERE slug = ?1 AND token_delivery_boot IS NOT 'unknown'";
    host.eventually("the run is noted", || host.daemon.number(known, [&name]) == 1);
    let record = host.daemon.record(&name);
    assert_eq!(
        (&record["token_delivery"], &record["token_delivery_error"]),
        (&json!("pending_restart"), &json!("no file"))
    );
    host.act(&format!("/api/agents/{name}/restart")).expect(200);
    assert_eq!(host.daemon.record(&name)["token_delivery"], "delivered");
}
