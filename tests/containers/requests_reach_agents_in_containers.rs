//! Forwarding requests to an agent in a real container, at the container's own address, and checking its health there.
//! The network is one virtual cable between the host and the container, with private addresses, made by the test.

use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Host;
use crate::support::{Client, Reply, text};

/// A virtual cable to a container, with the addresses of both ends.
struct Cable {
    here: String,
    there: String,
}

fn must(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Cable {
    /// Connects a cable to a running container. It ends with the container.
    fn to(host: &Host, name: &str) -> Self {
        let container = host.container(name);
        // Each cable uses four addresses of 10.214.0.0/16, so that parallel tests do not collide.
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let nth = COUNTER.fetch_add(1, Ordering::Relaxed);
        let net = (std::process::id() * 8 + nth * 4) % 65_536;
        let at = |n: u32| format!("10.214.{}.{}", (net + n) / 256, (net + n) % 256);
        let device = format!("tx{}-{nth}", std::process::id());
        let end = format!("host_name={device}");
        must(
            crate::test_runtime::client(),
            &["config", "device", "add", container.as_str(), "eth0", "nic", "nictype=p2p", "name=eth0", &end],
        );
        let cable = Self { here: at(1), there: at(2) };
        must("ip", &["addr", "add", &format!("{}/30", cable.here), "dev", &device]);
        must("ip", &["link", "set", &device, "up"]);
        let script = format!("busybox ip addr add {}/30 dev eth0 && busybox ip link set eth0 up", cable.there);
        assert_eq!(host.inside(&container, &script), "");
        cable
    }
}

/// Starts a web server inside, with a greeting, a program that prints its request, and the agent's health.
fn serve(host: &Host, name: &str) {
    let script = "busybox mkdir -p /www/base /www/cgi-bin; echo hello from inside >/www/base/hello; \
        echo '{\"status\":\"healthy\"}' >/www/base/healthz; \
        printf '#!/bin/busybox sh\\necho; echo \"$REQUEST_METHOD $QUERY_STRING\"; busybox env; busybox cat\\n' \
        >/www/cgi-bin/echo; busybox chmod 755 /www/cgi-bin/echo; busybox httpd -p 8080 -h /www";
    assert_eq!(host.inside(&host.container(name), script), "");
}

/// Lets the agent register its URL from inside, with its own token, over its own socket.
#[track_caller]
fn register(host: &Host, name: &str, url: &str) -> Value {
    let body = json!({"name": name, "description": "", "acp_url": url, "acp_type": "sync"});
    let script = format!(
        "busybox wget -q -O - --header \"Authorization: Bearer $T\" --header 'Content-Type: application/json' \
         --post-data '{body}' $U/agents/register"
    );
    let answer = host.inside(&host.container(name), &script);
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

fn forward(client: &Client, method: &str, name: &str, path: &str, body: Option<&[u8]>) -> Reply {
    client.try_send(method, &format!("/agents/forward/name/{name}/{path}"), body).expect("a reply")
}

fn status(host: &Host, name: &str) -> (String, String) {
    let agent = host.daemon.operator().get(&format!("/agents/name/{name}")).expect(200).json();
    (text(&agent, "status"), text(&agent, "status_reason"))
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn requests_go_to_the_containers_own_address_and_nowhere_else() {
    let host = Host::rest();
    let (name, operator) = (host.name("a"), host.daemon.operator());
    let id = host.deploy(&name);
    let container = host.container(&name);
    host.whoami_inside(&container);
    assert_eq!(register(&host, &name, "http://localhost:8080/base")["id"], json!(id));
    let alone = forward(&operator, "GET", &name, "hello", None);
    assert_eq!((alone.status, text(&alone.json(), "error").as_str()), (502, "forward_failed"), "it has no address");

    let cable = Cable::to(&host, &name);
    serve(&host, &name);
    for place in ["localhost", "127.0.0.1", &cable.there, container.as_str()] {
        register(&host, &name, &format!("http://{place}:8080/base"));
        let reply = forward(&operator, "GET", &name, "hello", None);
        assert_eq!((reply.status, reply.text().as_str()), (200, "hello from inside\n"), "{place}");
        assert_eq!(reply.header("content-security-policy"), Some("sandbox; default-src 'none'"));
    }
    register(&host, &name, "http://localhost:8080");
    let key = json!({"agent_name": name, "name": "hook", "api_key_type": "external"});
    let key = text(&operator.post("/agent_api_keys", key).expect(200).json(), "api_key");
    let outside = host.daemon.anonymous().with("x-agent-api-key", &key).with("Cookie", "a=b");
    let reply = forward(&outside, "POST", &name, "cgi-bin/echo?a=1", Some(b"what was sent"));
    let told = reply.text();
    assert!(reply.status == 200 && told.starts_with("POST a=1\n") && told.ends_with("what was sent"), "{told}");
    assert!(!told.contains(&key) && !told.contains("a=b"), "{told}");

    // The other end of the cable is the host.
    let listener = TcpListener::bind((cable.here.as_str(), 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    for place in [cable.here.as_str(), "192.0.2.1", "taos-agent-other"] {
        register(&host, &name, &format!("http://{place}:{port}"));
        let reply = forward(&operator, "GET", &name, "hello", None);
        assert_eq!((reply.status, text(&reply.json(), "error").as_str()), (409, "acp_url_not_allowed"), "{place}");
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nothing has come to the host");
    register(&host, &name, "http://localhost:8080");
    host.act(&format!("/api/agents/{name}/stop")).expect(200);
    let stopped = forward(&operator, "GET", &name, "hello", None);
    assert_eq!((stopped.status, text(&stopped.json(), "error").as_str()), (502, "forward_failed"));
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn health_is_asked_for_inside_and_not_while_the_container_is_down() {
    let checked = [("TAOSD_AGENTEX_HEALTH_CHECKS", "true"), ("TAOSD_AGENTEX_HEALTH_INTERVAL", "1")];
    let host = Host::rest_with(&checked);
    let name = host.name("a");
    host.deploy(&name);
    let container = host.container(&name);
    host.whoami_inside(&container);
    Cable::to(&host, &name);
    serve(&host, &name);
    register(&host, &name, "http://localhost:8080/base");
    host.inside(&container, "busybox rm /www/base/healthz");
    host.eventually("it is unhealthy", || status(&host, &name) == ("Unhealthy".into(), "health check failed".into()));
    host.inside(&container, "echo '{\"status\":\"healthy\"}' >/www/base/healthz");
    host.eventually("it is healthy again", || status(&host, &name) == ("Ready".into(), "registered".into()));
    host.act(&format!("/api/agents/{name}/stop")).expect(200);
    std::thread::sleep(Duration::from_secs(8));
    assert_eq!(status(&host, &name), ("Unhealthy".into(), "container is not running".into()));
    assert_eq!(host.daemon.number("SELECT unhealthy FROM registrations", []), 0, "it is not the agent's fault");
}
