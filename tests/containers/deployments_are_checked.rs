//! Which deployments are allowed, how a container is made, and that a failed deployment leaves nothing.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::gate::Fate;
use crate::harness::Host;
use crate::support::text;

on_both! {
    a_container_is_made_with_what_was_asked_for
    a_name_full_of_tricks_becomes_a_plain_container_name
    an_image_that_is_not_there_fails_and_leaves_nothing
}

fn a_container_is_made_with_what_was_asked_for(host: Host) {
    let name = host.name("a");
    let source = host.mounts.path().join("shared");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("note"), "hello").unwrap();
    let body = json!({"framework": "quiet", "env": ["COLOUR=red=blue"], "memory_limit": "64M", "cpu_limit": 1,
        "soul_md": "calm", "mounts": [{"source": source.to_str().unwrap(), "target": "/srv/shared"}]});
    host.deploy_with(&name, body).expect(200);
    let container = host.container(&name);
    assert_eq!(host.whoami_inside(&container)["agent_name"], json!(name));
    let environment = host.inside(&container, "busybox tr '\\0' '\\n' </proc/1/environ");
    let token = host.configured_token(&container).unwrap();
    for line in [
        "MODE=quiet".to_owned(),
        "COLOUR=red=blue".to_owned(),
        "TAOS_URL=http://127.0.0.1:6969".to_owned(),
        format!("TAOS_AGENT_NAME={name}"),
        format!("TAOS_TOKEN={token}"),
    ] {
        assert!(environment.lines().any(|l| l == line), "{line} in {environment}");
    }
    host.eventually("its umask is not the daemon's own", || {
        host.inside(&container, "busybox grep Umask /proc/1/status").trim() == "Umask:\t0022"
    });
    assert_eq!(host.inside(&container, "busybox cat /srv/shared/note"), "hello");
    host.inside(&container, "echo no >/srv/shared/note; true");
    assert_eq!(std::fs::read_to_string(source.join("note")).unwrap(), "hello", "it may only read");
    let state = host.test_runtime.driver.get(&container, crate::test_runtime::soon()).unwrap();
    assert_eq!(state.memory_limit_mb, Some(64));
    let record = host.daemon.record(&name);
    assert_eq!((&record["framework"], &record["soul_md"]), (&json!("quiet"), &json!("calm")));
    let status = host.daemon.operator().get(&format!("/api/agents/{name}/deploy-status")).expect(200).json();
    assert_eq!((&status["status"], &status["error"]), (&json!("success"), &Value::Null));
}

fn a_name_full_of_tricks_becomes_a_plain_container_name(host: Host) {
    for (tricks, slug) in
        [("../../{}; rm -rf /", "rm-rf"), ("$({}) `x` 'y' \"z\"", "x-y-z"), ("-n {}\u{202e}/..%2f", "2f")]
    {
        let display = tricks.replace("{}", &host.prefix);
        let reply = host.deploy_with(&display, json!({})).expect(200).json();
        let name = text(&reply, "name");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
        assert!(name.ends_with(slug), "{name}");
        assert_eq!(host.daemon.record(&name)["container"]["name"], json!(format!("taos-agent-{name}")));
        let id = host.archive(&name);
        host.daemon.operator().delete(&format!("/api/agents/archived/{id}?wait=60")).expect(200);
        assert_eq!(host.containers(), Vec::<String>::new());
    }
    // A name without an agent is never used as a container's name.
    for path in ["/api/agents/..%2f..%2fetc/start", "/api/agents/taos-archived-x/start", "/api/agents/-n/start"] {
        let reply = host.daemon.operator().send("POST", path, None);
        assert!([400, 404].contains(&reply.status), "{path}: {}", reply.text());
    }
}

fn an_image_that_is_not_there_fails_and_leaves_nothing(host: Host) {
    let name = host.name("a");
    host.deploy_with(&name, json!({"image": "no-such-image"})).expect_error(400, "unknown_image");
    leaves_nothing(&host, &name);
}

#[track_caller]
fn leaves_nothing(host: &Host, name: &str) {
    assert_eq!((host.containers(), host.sockets(), host.open_operations()), (Vec::new(), 0, 0));
    let live = "SELECT count(*) FROM credentials WHERE agent_id IS NOT NULL AND state <> 'revoked'";
    assert_eq!(host.daemon.number(live, []), 0);
    let record = host.daemon.record(name);
    assert_eq!((&record["status"], &record["container"]), (&json!("failed"), &Value::Null));
    assert_eq!((&record["has_token"], &record["token_delivery"]), (&json!(false), &Value::Null));
    let status = host.daemon.operator().get(&format!("/api/agents/{name}/deploy-status")).expect(200).json();
    assert_eq!(status["status"], json!("failed"));
    assert!(status["error"]["error"].is_string(), "{status}");
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_deployment_that_fails_at_any_step_leaves_nothing() {
    let host = Host::rest();
    type Step = fn(&str) -> bool;
    let steps: [(&str, Step, &str); 4] = [
        ("create", |request| request.starts_with("POST /1.0/instances\n"), "container_failed"),
        ("token", crate::gate::sets_token, "delivery_failed"),
        (
            "start",
            |request| request.starts_with("PUT ") && request.contains("/state\n") && request.contains("start"),
            "container_failed",
        ),
        ("image", |request| request.starts_with("GET /1.0/images/"), "container_failed"),
    ];
    for (what, step, code) in steps {
        let name = host.name(what);
        host.gate().rule(move |request| if step(request) { Fate::Error(500) } else { Fate::Pass });
        host.deploy_with(&name, json!({})).expect_error(502, code);
        host.gate().open();
        leaves_nothing(&host, &name);
        let id = host.archive(&name);
        host.daemon.operator().delete(&format!("/api/agents/archived/{id}")).expect(200);
    }
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn only_what_is_allowed_is_deployed() {
    let host = Host::rest();
    let inside = host.mounts.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    let (link, file) = (host.mounts.path().join("link"), host.mounts.path().join("file"));
    symlink("/etc", &link).unwrap();
    std::fs::write(&file, "").unwrap();
    let mount = |source: &str| json!({"mounts": [{"source": source, "target": "/x"}]});
    let below = |path: &str| mount(&format!("{}/{path}", host.mounts.path().display()));
    let refused = [
        mount("/etc"),
        mount("relative"),
        below("link"),
        below("link/ssl"),
        below("inside/../../.."),
        below("file"),
        below("missing"),
        mount(&format!("{}x", host.mounts.path().display())),
        json!({"mounts": [{"source": inside.to_str().unwrap(), "target": "relative"}]}),
        json!({"mounts": [{"source": inside.to_str().unwrap(), "target": "/a/../b"}]}),
        json!({"mounts": [{"source": inside.to_str().unwrap()}]}),
        json!({"env": ["TAOS_TOKEN=mine"]}),
        json!({"env": ["TAOS_ANYTHING=mine"]}),
        json!({"env": ["NAME"]}),
        json!({"env": ["A B=c"]}),
        json!({"env": ["A=b\nC=d"]}),
        json!({"memory_limit": "512"}),
        json!({"memory_limit": "0M"}),
        json!({"memory_limit": "512MiB"}),
        json!({"memory_limit": "-1G"}),
        json!({"root_size": "big"}),
        json!({"cpu_limit": 0}),
        json!({"cpu_limit": 65}),
        json!({"image": "../etc"}),
        json!({"image": "a b"}),
        json!({"fallback_models": ["1", "2", "3", "4", "5", "6", "7", "8", "9"]}),
        json!({"on_worker_failure": "give-up"}),
        json!({"privileged": true}),
    ];
    for body in refused {
        let reply = host.deploy_with(&host.name("a"), body.clone());
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (422, &json!("validation_error")),
            "{body}: {}",
            reply.text()
        );
    }
    let unknown =
        host.deploy_with(&host.name("a"), json!({"framework": "nope"})).expect_error(400, "unknown_framework");
    assert_eq!(unknown.json()["known"], json!(["quiet", "none"]));
    let member = host.daemon.member("mia", &["*"]);
    member.post("/api/agents/deploy", json!({"name": "a"})).expect_error(403, "create_not_allowed");
    assert_eq!(host.daemon.number("SELECT count(*) FROM agents", []), 0);
    assert_eq!(host.containers(), Vec::<String>::new());
    host.deploy_with(&host.name("a"), below("inside")).expect(200);
}
