//! The operator's socket, the agents' sockets, and host names that do not belong to this box.

use std::os::unix::net::UnixListener;

use taosd::http::edge::Listeners;

use crate::support::*;

#[test]
fn a_foreign_host_needs_a_credential() {
    let server =
        Server::on(|_| {}, Listeners { allowed_hosts: vec!["agents.example".to_owned()], ..Listeners::default() });
    let request = |path: &str, host: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
    for more in ["", "Cookie: taos_session=x\r\n"] {
        let reply = server.once(request("/page", "evil.example", more));
        assert_eq!((reply.status, reply.error().as_str()), (403, "host_not_allowed"));
    }
    let auth = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(server.once(request("/page", "evil.example", &auth)).status, 200);
    assert_eq!(server.once(request("/healthz", "evil.example", "")).status, 200);
    for host in ["localhost", "127.0.0.1:6969", "[::1]", "agents.example"] {
        assert_eq!(server.once(request("/page", host, "")).status, 200, "{host}");
    }
}

#[test]
fn the_operators_socket_takes_any_host_and_nothing_of_a_browser() {
    let dir = tempdir();
    let path = dir.join("operator.sock");
    let operator = Some(UnixListener::bind(&path).unwrap());
    let server = Server::on(|_| {}, Listeners { operator, ..Listeners::default() });
    let mut client = Client::unix(&path);
    client.send("GET /page HTTP/1.1\r\nHost: anything\r\n\r\n");
    assert_eq!(client.reply().status, 200);
    for header in ["Origin: null", "Cookie: a=b"] {
        client.send(format!("GET /page HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n"));
        assert_eq!(client.reply().error(), "browser_refused");
    }
    drop(server);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn an_agents_socket_counts_for_itself_and_can_be_taken_away() {
    let dir = tempdir();
    let server = Server::with(|l| l.max_connections_per_peer = 2);
    let bind = |name: &str| {
        let path = dir.join(name);
        server.edge.add_agent(name, UnixListener::bind(&path).unwrap());
        path
    };
    let (one, two) = (bind("agent-1"), bind("agent-2"));
    let mut crowd: Vec<Client> = (0..2).map(|_| Client::unix(&one)).collect();
    for client in &mut crowd {
        client.assert_open(&server.target);
    }
    let mut third = Client::unix(&one);
    assert_eq!(third.reply().error(), "too_many_connections");
    Client::unix(&two).assert_open(&server.target);
    server.assert_well();

    server.edge.remove_agent("agent-1");
    for client in &mut crowd {
        client.assert_closed();
    }
    eventually(SOON, "nobody listens", || std::os::unix::net::UnixStream::connect(&one).is_err());
    Client::unix(&two).assert_open(&server.target);
    std::fs::remove_dir_all(dir).unwrap();
}

fn tempdir() -> std::path::PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("edge-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let dir = std::env::temp_dir().join(name);
    std::fs::create_dir(&dir).unwrap();
    dir
}
