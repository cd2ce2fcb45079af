//! A reload closes no idle connection, no stream and no connection with a request in progress.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::settings::box_with_file::BoxWithFile;
use crate::settings::events::Events;

#[test]
fn a_resting_connection_a_stream_and_half_a_request_go_on() {
    let harness = BoxWithFile::start("");
    let mut stream = Events::open(&harness.daemon.address, &harness.daemon.token, "/api/notifications/stream", &[]);
    let mut resting = TcpStream::connect(&harness.daemon.address).unwrap();
    let mut half = TcpStream::connect(&harness.daemon.address).unwrap();
    let ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut reply = [0; 4096];
    resting.write_all(ask).unwrap();
    assert!(resting.read(&mut reply).unwrap() > 0);
    half.write_all(&ask[..20]).unwrap();
    harness.reload("idle_timeout = 5\nmax_body_bytes = 2048\nallowed_hosts = ['box.lan']\n");
    resting.write_all(ask).unwrap();
    half.write_all(&ask[20..]).unwrap();
    for connection in [&mut resting, &mut half] {
        let n = connection.read(&mut reply).unwrap();
        assert!(reply[..n].starts_with(b"HTTP/1.1 200 "), "{:?}", String::from_utf8_lossy(&reply[..n]));
    }
    harness.daemon.operator().post("/api/ui/notify", json!({"title": "after", "body": "b"})).expect(200);
    assert!(stream.next().unwrap().data.contains("\"after\""));
}

#[test]
fn a_hundred_reloads_under_load_fail_no_request() {
    let harness = BoxWithFile::start("requests_per_minute = 0\n");
    let over = AtomicBool::new(false);
    let served: usize = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut served = 0;
                    while !over.load(Ordering::Relaxed) {
                        harness.daemon.operator().get("/api/auth/whoami").expect(200);
                        served += 1;
                    }
                    served
                })
            })
            .collect();
        for n in 0..100 {
            harness.reload(&format!("requests_per_minute = 0\nidle_timeout = {}\n", 60 + n % 2));
        }
        over.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert!(served > 100, "{served}");
}
