//! A container may claim any address, because root inside can take one. Whatever the runtime reports, the daemon sends
//! nothing to this machine or to one outside the container's own network. The runtime here is a socket with replies
//! that the test sets.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::agentex::harness::register;
use crate::support::{Daemon, TempDir};

type Said = Arc<Mutex<Value>>;

/// Serves a runtime with one container, whose network is `said`.
fn serve(socket: &Path, said: &Said) {
    let listener = UnixListener::bind(socket).expect("a socket");
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let network = said.lock().expect("a lock").clone();
            std::thread::spawn(move || answer(stream, &network));
        }
    });
}

fn answer(stream: UnixStream, network: &Value) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) && line != "\r\n" {
        head += &std::mem::take(&mut line);
    }
    let container = json!({
        "name": "taos-agent-atlas", "status": "Running", "config": {}, "expanded_config": {}, "devices": {},
        "state": {"pid": 7, "memory": {"usage": 1}, "network": network},
    });
    let metadata = match head.split(' ').nth(1) {
        Some("/1.0") => json!({"environment": {"server_version": "5.0"}}),
        Some(path) if path.starts_with("/1.0/instances?") => json!([container]),
        Some(path) if path.starts_with("/1.0/instances/taos-agent-atlas") && head.starts_with("GET ") => container,
        _ => Value::Null,
    };
    let (status, body) = match metadata {
        Value::Null => (500, json!({"type": "error", "error_code": 500, "error": "out of order"})),
        metadata => (200, json!({"type": "sync", "metadata": metadata})),
    };
    let body = body.to_string();
    let reply = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let _ = reader.into_inner().write_all(reply.as_bytes());
}

/// The address of this machine on the way to other networks, and the device of that route.
fn own() -> Option<(String, String)> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.77:9").ok()?;
    let routes = std::fs::read_to_string("/proc/self/net/route").ok()?;
    let device = routes.lines().nth(1)?.split_whitespace().next()?.to_owned();
    Some((socket.local_addr().ok()?.ip().to_string(), device))
}

#[test]
fn whatever_the_runtime_says() {
    let dir = TempDir::new();
    let (socket, said) = (dir.path().join("s"), Said::default());
    serve(&socket, &said);
    let place = socket.to_str().expect("UTF-8");
    let checks = [("TAOSD_AGENTEX_HEALTH_CHECKS", "true"), ("TAOSD_AGENTEX_HEALTH_INTERVAL", "1")];
    let daemon = Daemon::with(&["--containers", "lxd", "--containers-socket", place], &checks);
    let here = TcpListener::bind("0.0.0.0:0").expect("a listener");
    here.set_nonblocking(true).expect("no waiting");
    let port = here.local_addr().expect("an address").port();
    register(&daemon.operator(), "atlas");
    daemon.execute(
        "UPDATE agents SET container_name = 'taos-agent-atlas', container_runtime = 'lxd', status = 'running'",
        [],
    );
    daemon.execute("UPDATE registrations SET acp_url = ?1, by_user = 1", [format!("http://localhost:{port}")]);
    let mut addresses: Vec<String> = [
        "127.0.0.1",
        "127.0.0.2",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:7f00:1",
        "::127.0.0.1",
        "64:ff9b::127.0.0.1",
        "2002:7f00:1::",
        "0.0.0.0",
        "::",
        "::ffff:0.0.0.0",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "fe80::1",
        "fe80::1%lo",
        "203.0.113.7",
        "2001:db8::7",
        "not an address",
        "",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut devices = vec!["lo".to_owned(), "no-such".into(), String::new(), "../../lo".into()];
    if let Some((address, device)) = own() {
        addresses.extend([format!("::ffff:{address}"), format!("::{address}"), address]);
        devices.push(device);
    }
    let target = |port: u16| format!("/agents/forward/name/atlas/x?port={port}");
    for device in &devices {
        for address in &addresses {
            *said.lock().expect("a lock") =
                json!({"eth0": {"host_name": device, "addresses": [{"address": address, "family": "inet"}]}});
            let reply = daemon.operator().get(&target(port));
            let code = reply.json()["error"].as_str().unwrap_or("").to_owned();
            let refused = [(409, "acp_url_not_allowed"), (502, "forward_failed")];
            assert!(refused.contains(&(reply.status, code.as_str())), "{address} behind {device}: {}", reply.text());
            assert!(here.accept().is_err(), "{address} behind {device} led here");
        }
    }
    // The last pair stays for a round of health checks.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(here.accept().is_err(), "a health check led here");
}
