//! SIGTERM during writes, and a second SIGTERM that ends the waiting.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::storm::{NO_RATES, Storm};
use crate::support::{Daemon, SOON};

#[test]
fn what_was_acknowledged_before_and_during_a_stop_is_on_disk() {
    let mut daemon = Daemon::with(&[], NO_RATES);
    for round in 0..5 {
        let storm = Storm::start(&daemon, 8, round);
        while storm.created() < 20 {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(daemon.stop(), Some(0), "{}", daemon.log_text());
        let seen = storm.end();
        assert!(!daemon.data.join("taosd.db-wal").exists());
        daemon.check();
        daemon.spawn();
        seen.hold(&daemon);
    }
}

#[test]
fn a_second_signal_cuts_a_request_that_holds_the_stop_up() {
    let mut daemon = Daemon::start();
    let mut slow = TcpStream::connect(&daemon.address).unwrap();
    let head = format!(
        "POST /api/agents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{{",
        daemon.token
    );
    slow.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    let signal = |daemon: &Daemon| Command::new("kill").args(["-TERM", &daemon.pid().to_string()]).status().unwrap();
    signal(&daemon);
    std::thread::sleep(Duration::from_millis(400));
    signal(&daemon);
    assert_eq!(daemon.wait(2 * SOON), Some(0), "{}", daemon.log_text());
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(400) && took < SOON, "{took:?}");
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(!daemon.data.join("taosd.db-wal").exists(), "the database is closed all the same");
}
