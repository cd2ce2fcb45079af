//! Hostile replies of a node can only use up the deadline. None of them is taken for "there is no such container"
//! unless the node said so.

use std::time::{Duration, Instant};

use taosd::client::tls::Pin;
use taosd::containers::{Detail, Driver, Error, IncusLxd};

use super::fake::Answer;
use super::fake_node::{FakeNode, GREETING};
use super::faults::{all_are, every_call};
use super::node::{Client, options};
use super::test_runtime::soon;

fn driver(client: &Client, node: &FakeNode) -> IncusLxd {
    client.driver(&options(&node.address.to_string(), Pin::Fingerprint(node.fingerprint), None))
}

/// A node with a good greeting, which replies to everything else with `answer`.
fn after_a_greeting(answer: Answer) -> FakeNode {
    FakeNode::new(move |line| if line == "GET /1.0" { Answer::sync(GREETING) } else { answer.clone() })
}

fn is_no_answer(error: &Error) -> bool {
    matches!(error, Error::InvalidResponse(_) | Error::RuntimeUnavailable { .. } | Error::Deadline(_))
}

#[test]
fn garbage_is_no_answer_whenever_it_comes() {
    let client = Client::new();
    let endless = format!("HTTP/1.1 200 X\r\nX: {}", "y".repeat(4 << 20)).into_bytes();
    let huge = b"HTTP/1.1 200 X\r\nContent-Length: 900000000000\r\n\r\n{".to_vec();
    let cut = b"HTTP/1.1 200 X\r\nContent-Length: 90\r\n\r\n{".to_vec();
    for bytes in [b"\x00\xff no HTTP".to_vec(), Vec::new(), endless, huge, cut] {
        let at_once = Answer::Raw(bytes.clone());
        let node = FakeNode::new(move |_| at_once.clone());
        all_are(every_call(&driver(&client, &node), soon), is_no_answer);
        let node = after_a_greeting(Answer::Raw(bytes));
        let mut calls = every_call(&driver(&client, &node), soon);
        // The greeting was good, so `info` succeeds.
        calls.retain(|(call, _)| *call != "info");
        all_are(calls, is_no_answer);
    }
}

#[test]
fn an_answer_without_end_is_not_kept() {
    let client = Client::new();
    // More than the 1 MiB of a greeting and the 8 MiB of a list.
    let long = format!(r#"{{"type":"sync","metadata":{{"auth":"trusted","x":"{}"}}}}"#, "y".repeat(9 << 20));
    let greets = FakeNode::new({
        let long = long.clone();
        move |_| Answer::Body(200, long.clone())
    });
    let lists = after_a_greeting(Answer::Body(200, long));
    for node in [&greets, &lists] {
        let asked = driver(&client, node).list(Detail::Full, soon());
        assert!(matches!(asked, Err(Error::InvalidResponse(_))), "{asked:?}");
    }
}

#[test]
fn one_that_is_slow_costs_no_more_than_the_deadline() {
    let client = Client::new();
    for answer in [Answer::Hang, Answer::Drip] {
        let silent = FakeNode::new({
            let answer = answer.clone();
            move |_| answer.clone()
        });
        for node in [silent, after_a_greeting(answer)] {
            let (asked, deadline) = (Instant::now(), Duration::from_millis(500));
            let listed = driver(&client, &node).list(Detail::Brief, asked + deadline);
            assert!(matches!(listed, Err(Error::Deadline(_))), "{listed:?}");
            // Without the deadline, the node would take half a minute.
            assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
        }
    }
}

#[test]
fn one_that_leads_elsewhere_is_not_followed_and_never_met_again_without_trust() {
    let client = Client::new();
    let moved = b"HTTP/1.1 302 X\r\nLocation: https://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n".to_vec();
    let node = after_a_greeting(Answer::Raw(moved));
    let asked = driver(&client, &node).list(Detail::Brief, soon());
    assert!(asked.is_err(), "{asked:?}");
    let stranger = FakeNode::new(|_| Answer::sync(r#"{"auth":"untrusted","environment":{"server":"incus"}}"#));
    let asked = driver(&client, &stranger).list(Detail::Brief, soon());
    assert!(matches!(asked, Err(Error::RuntimeUnavailable { .. })), "{asked:?}");
    // There was no token to give away, and the driver asked only for the greeting.
    assert!(stranger.requests().iter().all(|request| request.starts_with("GET /1.0 ")), "{:?}", stranger.requests());
}
