//! Many streams: each gets every message soon. Waiting readers cost no thread. A client that does not read is
//! disconnected and delays nobody.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Daemon;
use crate::workspace::events::Events;
use crate::workspace::harness::member;

fn threads(daemon: &Daemon) -> usize {
    std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("its threads").count()
}

fn daemon(streams: &str) -> Daemon {
    let env = [
        ("TAOSD_MAX_STREAMS", streams),
        ("TAOSD_MAX_STREAMS_PER_CREDENTIAL", streams),
        ("TAOSD_MAX_CONNECTIONS_PER_PEER", "2000"),
        ("TAOSD_MAX_CONNECTIONS", "2000"),
        ("TAOSD_REQUESTS_PER_MINUTE", "0"),
        ("TAOSD_WRITE_TIMEOUT", "2"),
        ("TAOSD_QUEUE_LENGTH", "64"),
    ];
    Daemon::with(&[], &env)
}

#[test]
fn two_hundred_streams_hear_a_message_and_cost_no_thread() {
    let daemon = daemon("300");
    let ann = member(&daemon, "ann");
    let before = threads(&daemon);
    let mut open: Vec<Events> =
        (0..200).map(|_| Events::open(&daemon.address, ann.client.token(), "/api/v1/sse/messages", &[])).collect();
    open.iter_mut().for_each(|events| assert_eq!(events.next().unwrap().event, "connected"));
    assert_eq!(threads(&daemon), before);
    let sent = Instant::now();
    ann.say(&ann.space, "to all");
    open.iter_mut().for_each(|events| assert_eq!(events.next().unwrap().event, "message"));
    // A benchmark measures the delay. This test only checks that no stream waits seconds for another.
    assert!(sent.elapsed() < Duration::from_secs(5), "{:?}", sent.elapsed());
    println!("200 streams heard a message within {:?}", sent.elapsed());
}

#[test]
fn a_thousand_waiting_lists_cost_no_thread_and_are_all_woken() {
    let daemon = daemon("10");
    let ann = member(&daemon, "ann");
    let before = threads(&daemon);
    // With `after_seq`, a request that the daemon handles only after the message also gets the message.
    let head = format!(
        "GET /api/v1/messages?wait=60&after_seq=0 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        ann.client.token()
    );
    let mut waiting: Vec<TcpStream> = (0..1000)
        .map(|nth| {
            // Not more at once than fit into the queue, however slow the machine is. A full queue has its own test.
            if nth % 32 == 0 {
                ann.list("limit=1");
            }
            let mut stream = TcpStream::connect(&daemon.address).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream
        })
        .collect();
    // The daemon serves other requests meanwhile.
    (0..20).for_each(|_| {
        ann.list("limit=1");
    });
    assert_eq!(threads(&daemon), before);
    std::thread::sleep(Duration::from_millis(500));
    ann.say(&ann.space, "for all who wait");
    for stream in &mut waiting {
        let (mut reply, mut chunk) = (String::new(), [0; 4096]);
        while !reply.contains("last_seq") {
            let n = stream.read(&mut chunk).unwrap();
            assert!(n > 0, "cut after {reply}");
            reply += &String::from_utf8_lossy(&chunk[..n]);
            assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
        }
        assert!(reply.contains("for all who wait"), "{reply}");
    }
}

#[test]
fn a_reader_that_does_not_read_is_cut_and_holds_up_nobody() {
    let daemon = daemon("10");
    let ann = member(&daemon, "ann");
    let head = format!(
        "GET /api/v1/sse/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        ann.client.token()
    );
    let mut lazy = TcpStream::connect(&daemon.address).unwrap();
    lazy.write_all(head.as_bytes()).unwrap();
    let mut eager = Events::open(&daemon.address, ann.client.token(), "/api/v1/sse/messages", &[]);
    assert_eq!(eager.next().unwrap().event, "connected");
    let text = "x".repeat(60_000);
    for n in 0..200 {
        let sent = ann.send(json!({"content": text}));
        let heard = eager.next().unwrap();
        assert!(heard.id.ends_with(&format!(".{}", n + 1)), "{} {}", heard.id, sent["message"]["seq"]);
    }
    // The slow client gets what was already sent, and then the end of the stream, but not everything.
    lazy.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    std::thread::sleep(Duration::from_secs(4));
    let (mut taken, mut chunk) = (0, vec![0; 1 << 16]);
    while let Ok(n) = lazy.read(&mut chunk) {
        if n == 0 {
            break;
        }
        taken += n;
    }
    assert!(taken < 200 * 60_000, "it was cut: {taken}");
}
