//! Descriptors, memory and processor time of the whole process, measured from outside.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::support::*;

#[test]
fn sixty_four_descriptors_are_enough_to_serve() {
    let server = Process::start("nofile=64");
    let mut crowd: Vec<Client> = (0..60).map(|_| server.connect()).collect();
    let served = crowd
        .iter_mut()
        .map(|client| {
            client.send(get_private(&server.target));
            client.try_reply()
        })
        .filter(|reply| reply.as_ref().is_some_and(|r| r.status == 200))
        .count();
    assert!((8..60).contains(&served), "{served}");
    drop(crowd);
    eventually(Duration::from_secs(5), "it serves again", || {
        let mut client = server.connect();
        client.send(get_private(&server.target)) && client.try_reply().is_some_and(|r| r.status == 200)
    });
    assert!(server.log().contains("RLIMIT_NOFILE"), "the cut is logged");
}

#[test]
fn running_out_of_descriptors_neither_spins_nor_deafens() {
    let server = Process::start("spare=5");
    let before = server.descriptors();
    let crowd: Vec<TcpStream> = (0..60).filter_map(|_| TcpStream::connect(server.target.address).ok()).collect();
    std::thread::sleep(Duration::from_millis(500));
    let cpu = server.cpu();
    std::thread::sleep(Duration::from_millis(2000));
    let spent = server.cpu() - cpu;
    assert!(spent < 0.2, "{spent} s of processor time in 2 s");
    drop(crowd);
    eventually(Duration::from_secs(10), "it serves again", || {
        let mut client = server.connect();
        client.send(get_private(&server.target)) && client.try_reply().is_some_and(|r| r.status == 200)
    });
    eventually(Duration::from_secs(5), "all descriptors are back", || server.descriptors() <= before);
    let log = server.log();
    let errors = log.lines().filter(|l| l.contains("could not be accepted")).count();
    assert!((1..=8).contains(&errors), "{errors} lines:\n{log}");
}

#[test]
fn descriptors_return_to_the_starting_count() {
    let server = Process::start("");
    server.assert_well();
    std::thread::sleep(Duration::from_millis(100));
    let before = server.descriptors();
    for _ in 0..100 {
        let mut client = server.connect();
        client.send("PRI * HTTP/2.0\r\n\r\n");
        drop(client);
        let mut client = server.connect();
        client.send(post(server.target.post, "Content-Length: 500\r\n", "abc"));
        drop(client);
        drop(server.connect());
    }
    eventually(Duration::from_secs(5), "all descriptors are back", || server.descriptors() <= before);
}

#[test]
fn a_thousand_resting_connections_cost_less_than_40_mib() {
    let server = Process::start("max_connections_per_peer=1024");
    let mut crowd: Vec<Client> = (0..1000).map(|_| server.connect()).collect();
    for client in &mut crowd {
        client.assert_open(&server.target);
    }
    let memory = server.memory("VmRSS");
    assert!(memory < 40 * 1024, "{memory} KiB");
    println!("1000 resting connections: {memory} KiB");
}

#[test]
fn a_mix_of_hostile_clients_stays_below_96_mib() {
    let server = Process::start("");
    let mut held = Vec::new();
    let head = "X-A: ".to_owned() + &"a".repeat(15_000);
    let auth = format!("Authorization: Bearer {TOKEN}\r\n");
    for n in 0..960 {
        // Different loopback addresses, so that the limit per peer does not apply.
        let from: SocketAddr = format!("127.0.{}.{}:0", n / 60, n % 60 + 1).parse().unwrap();
        let mut client = Client::connect_from(from, server.target.address);
        match n % 4 {
            0 => client.send(format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{head}")),
            1 => client.send(post(server.target.post, "Content-Length: 1000000\r\n", &"x".repeat(60_000))),
            2 => client.send(get("/api/large?bytes=60000", &auth)),
            _ => client.send(get("/healthz", "").repeat(200)),
        };
        held.push(client);
    }
    std::thread::sleep(Duration::from_millis(500));
    server.assert_well();
    let peak = server.memory("VmHWM");
    println!("peak under the mix: {peak} KiB");
    assert!(peak < 96 * 1024, "{peak} KiB");
}
