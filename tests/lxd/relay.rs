//! The relay between a listener and a Unix socket, alone.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use taosd::client::relay::{Relay, RelayHandle};

use super::test_runtime::Folder;

/// Sends everything back, until the other side ends.
fn echo(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
        }
    });
}

fn carry(relay: &Relay, path: &Path) -> (RelayHandle, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (relay.carry(listener, path).unwrap(), address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

#[test]
fn bytes_go_both_ways_until_both_sides_have_ended() {
    let folder = Folder::new();
    let path = folder.0.join("echo.sock");
    echo(&path);
    let relay = Relay::start().unwrap();
    let (_way, address) = carry(&relay, &path);
    let sent: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
    let mut stream = connect(address);
    let mut writer = stream.try_clone().unwrap();
    let body = sent.clone();
    thread::spawn(move || {
        writer.write_all(&body).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    assert!(back == sent);
}

#[test]
fn a_socket_that_is_not_there_yet_is_found_by_the_next_connection() {
    let folder = Folder::new();
    let path = folder.0.join("late.sock");
    let relay = Relay::start().unwrap();
    let (_way, address) = carry(&relay, &path);
    assert_eq!(connect(address).read(&mut [0]).unwrap_or(0), 0, "closed at once");
    echo(&path);
    let mut stream = connect(address);
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
}

#[test]
fn the_address_is_free_as_soon_as_the_way_is_gone() {
    let folder = Folder::new();
    let path = folder.0.join("echo.sock");
    echo(&path);
    let relay = Relay::start().unwrap();
    let (way, address) = carry(&relay, &path);
    let mut open = connect(address);
    open.write_all(b"x").unwrap();
    open.read_exact(&mut [0]).unwrap();
    drop(way);
    assert!(TcpStream::connect(address).is_err());
    assert!(matches!(open.read(&mut [0]), Ok(0) | Err(_)), "its connections end too");
    let (way, _) = carry(&relay, &path);
    drop(relay);
    drop(way);
}

#[test]
fn more_connections_than_the_bound_wait_their_turn() {
    let folder = Folder::new();
    let path = folder.0.join("echo.sock");
    echo(&path);
    let relay = Relay::start().unwrap();
    let (_way, address) = carry(&relay, &path);
    let mut open: Vec<TcpStream> = (0..64).map(|_| connect(address)).collect();
    for stream in &mut open {
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
    }
    let mut late = connect(address);
    late.write_all(b"x").unwrap();
    late.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(late.read(&mut [0]).is_err(), "nobody answers yet");
    open.pop();
    late.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    late.read_exact(&mut [0]).unwrap();
}
