//! Ask, approve, continue: a script in a real container is refused, posts the request that the refusal contains, and
//! waits. It continues when its owner has approved on the command line, and is refused again when the time is over.

use std::process::Command;
use std::time::Duration;

use crate::harness::Host;
use crate::support::text;

/// The script uses plain HTTP with the programs of a bare container. It prints the reply to each attempt to read its
/// logs.
fn story(name: &str) -> String {
    format!(
        r#"try() {{ {{ printf 'GET /api/agents/{name}/logs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n' "$T"; busybox sleep 2; }} |
            busybox nc 127.0.0.1 6969; }}
        answer=$(try); echo "$answer" | busybox head -n 1
        body=$(echo "$answer" | busybox sed -n 's/.*"request":\({{[^}}]*}}\).*/\1/p'); echo "asks $body"
        asked=$(busybox wget -q -O - --header "Authorization: Bearer $T" --header 'Content-Type: application/json' --post-data "$body" $U/api/requests)
        id=$(echo "$asked" | busybox sed -n 's/^{{"id":"\([^"]*\)".*/\1/p; s/.*[,{{]"id":"\([0-9a-f-]\{{36\}}\)","kind".*/\1/p' | busybox head -n 1); echo "waits for $id"
        busybox wget -q -O - --header "Authorization: Bearer $T" "$U/api/requests/$id?wait=60" | busybox sed -n 's/.*"state":"\([a-z]*\)".*/is \1/p'
        echo; {}; echo done"#,
        logs(name)
    )
}

/// A command that prints whether the agent may read its logs now.
fn logs(name: &str) -> String {
    format!(
        r#"if busybox wget -q -O /dev/null --header "Authorization: Bearer $T" "$U/api/agents/{name}/logs"; then echo allowed; else echo refused; fi"#
    )
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_script_in_a_container_is_refused_asks_waits_goes_on_and_is_refused_again() {
    let host = Host::rest();
    let (name, operator) = (host.name("a"), host.daemon.operator());
    host.deploy(&name);
    let container = host.container(&name);
    host.whoami_inside(&container);
    let script = story(&name);
    host.inside(&container, &format!("( {script} ) >/story 2>&1 </dev/null &"));
    let told = || host.inside(&container, "busybox cat /story");
    host.eventually("the agent asks", || {
        operator.get("/api/requests?state=pending").expect(200).json().as_array().is_some_and(|all| all.len() == 1)
    });
    let request = operator.get("/api/requests?state=pending").expect(200).json()[0].clone();
    assert_eq!(request["asked"]["scope"], serde_json::json!(["agents.logs"]), "{}", told());
    assert_eq!(text(&request["agent"], "name"), name);
    let id = text(&request, "id");
    let approved = Command::new(env!("CARGO_BIN_EXE_taosctl"))
        .args(["requests", "approve", &id, "--for", "2m", "--note", "for this build"])
        .env("TAOS_URL", format!("http://{}", host.daemon.address))
        .env("TAOS_TOKEN", &host.daemon.token)
        .env("HOME", host.mounts.path())
        .output()
        .expect("taosctl runs");
    assert!(approved.status.success(), "{}", String::from_utf8_lossy(&approved.stderr));
    host.eventually("the script goes on", || told().contains("done"));
    let story = told();
    let lines: Vec<&str> = story.lines().map(str::trim).collect();
    assert_eq!(lines.first(), Some(&"HTTP/1.1 403 Forbidden"), "{story}");
    assert!(lines.contains(&"is approved") && lines.contains(&format!("waits for {id}").as_str()), "{story}");
    assert_eq!(lines[lines.len() - 2], "allowed", "{story}");
    std::thread::sleep(Duration::from_secs(121));
    let again = host.inside(&container, &logs(&name));
    assert!(again.contains("refused") && again.contains("403"), "{again}");
    assert_eq!(operator.get(&format!("/api/requests/{id}")).expect(200).json()["state"], "ended");
}
