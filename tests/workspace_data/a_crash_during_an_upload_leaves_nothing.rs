//! A daemon that is killed during an upload removes the rest of it at its next start. Acknowledged uploads are kept.

use std::io::Write;

use crate::support::{Daemon, text};
use crate::workspace::harness::operator;
use crate::workspace_data::form::{TYPE, file, form, upload};

#[test]
fn unfinished_uploads_go_at_the_next_start() {
    let mut daemon = Daemon::start();
    let client = operator(&daemon).client;
    let kept = upload(&client, "kept.txt", "text/plain", &vec![b'k'; 300_000]).expect(201).json();
    let body = form(&[file("a.txt", "text/plain", &vec![b'a'; 3_000_000])]);
    let mut stream = std::net::TcpStream::connect(&daemon.address).expect("a connection");
    let head = format!(
        "POST /api/v1/uploads/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: {TYPE}\r\n\
        Content-Length: {}\r\n\r\n",
        client.token(),
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("the head");
    stream.write_all(&body[..2_000_000]).expect("most of the body");
    for _ in 0..500 {
        if daemon.number("SELECT count(*) FROM upload_chunks", []) >= 5 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    daemon.kill();
    assert_eq!(daemon.number("SELECT count(*) FROM upload_contents WHERE hash IS NULL", []), 1);
    daemon.spawn();
    assert_eq!(daemon.number("SELECT count(*) FROM upload_contents", []), 1);
    assert_eq!(daemon.number("SELECT count(*) FROM upload_chunks", []), 2);
    let used = daemon.number("SELECT upload_bytes FROM workspace_usage WHERE holder = 'box'", []);
    assert_eq!(used, 300_000 + 512);
    let got = daemon.operator().get(&text(&kept, "url")).expect(200);
    assert!(got.body == vec![b'k'; 300_000]);
    daemon.stop();
    daemon.check();
}
