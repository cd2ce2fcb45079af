//! Receivers with a wrong certificate, one that hangs and one that is absent: the good receiver gets everything at
//! once, no request waits, the channel's state says what is wrong, and waiting deliveries arrive once the receiver
//! works.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::channels::receiver::{Authority, Harness, Manner, Phone};
use crate::support::SOON;

#[test]
fn the_good_one_is_told_at_once_and_the_others_when_they_are_well() {
    let harness = Harness::new();
    let other = Authority::new();
    let (good, slow) = (Phone::start(&harness.authority), Phone::start(&harness.authority));
    let (stranger, misnamed) = (Phone::start(&other), Phone::named(&harness.authority, "elsewhere.example", 0));
    slow.behaves(Manner::Hangs);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone_port = gone.local_addr().unwrap().port();
    drop(gone);
    let channel = |port: u16| harness.channel("ntfy", &format!("https://localhost:{port}/topic"), None);
    let bad: Vec<String> = [stranger.port, misnamed.port, slow.port, gone_port].map(channel).to_vec();
    channel(good.port);

    let begun = Instant::now();
    for nth in 0..5 {
        harness.notify(&format!("n{nth}"), "normal");
    }
    let requests = begun.elapsed();
    for nth in 0..5 {
        assert_eq!(good.next().body["title"], json!(format!("n{nth}")), "in their order");
    }
    let told = begun.elapsed();
    println!("five requests took {requests:?}, the good receiver had all after {told:?}");
    assert!(requests < SOON && told < SOON, "{requests:?}, {told:?}");
    assert!(stranger.is_quiet(Duration::ZERO) && misnamed.is_quiet(Duration::ZERO), "nothing without its certificate");

    let error = |id: &str| harness.record(id)["delivery"]["last_error"].as_str().unwrap_or("").to_owned();
    harness.eventually("each has failed", || bad.iter().all(|id| !error(id).is_empty()));
    assert!(error(&bad[0]).contains("certificate"), "{}", error(&bad[0]));
    assert!(error(&bad[1]).contains("certificate"), "{}", error(&bad[1]));
    assert!(error(&bad[2]).contains("deadline"), "{}", error(&bad[2]));
    assert!(error(&bad[3]).contains("connect"), "{}", error(&bad[3]));
    assert_eq!(harness.record(&bad[3])["delivery"]["waiting"], json!(5));

    // The absent receiver starts: the waiting deliveries arrive, oldest first.
    let back = Phone::named(&harness.authority, "localhost", gone_port);
    for nth in 0..5 {
        assert_eq!(back.next().body["title"], json!(format!("n{nth}")));
    }
    harness.eventually("it is well", || harness.record(&bad[3])["delivery"]["failures"] == json!(0));
    // The receiver that hung replies again.
    slow.behaves(Manner::Answers(200));
    harness.eventually("it has all", || harness.record(&bad[2])["delivery"]["waiting"] == json!(0));
}

#[test]
fn a_refusal_is_the_last_word_and_a_server_error_is_not() {
    let harness = Harness::new();
    let phone = Phone::start(&harness.authority);
    phone.behaves(Manner::Answers(403));
    let id = harness.channel("ntfy", &format!("https://localhost:{}/topic", phone.port), None);
    harness.notify("first", "normal");
    assert_eq!(phone.next().body["title"], json!("first"));
    harness.eventually("it is given up", || harness.record(&id)["delivery"]["waiting"] == json!(0));
    assert_eq!(harness.record(&id)["delivery"]["last_error"], json!("it answered 403"));
    phone.behaves(Manner::Answers(503));
    harness.notify("second", "normal");
    assert_eq!(phone.next().body["title"], json!("second"));
    phone.behaves(Manner::Answers(200));
    assert_eq!(phone.next().body["title"], json!("second"), "tried again");
    harness.eventually("it is taken", || harness.record(&id)["delivery"]["waiting"] == json!(0));
}

#[test]
fn a_test_tells_how_it_ended() {
    let harness = Harness::new();
    let (phone, stranger) = (Phone::start(&harness.authority), Phone::start(&Authority::new()));
    let test = |port: u16| {
        let id = harness.channel("ntfy", &format!("https://localhost:{port}/topic"), None);
        harness.daemon.operator().post(&format!("/api/users/operator/channels/{id}/test"), json!({})).expect(200).json()
    };
    assert_eq!(test(phone.port), json!({"delivered": true, "error": null}));
    assert_eq!(phone.next().body["title"], json!("A test"));
    let failed = test(stranger.port);
    assert_eq!(failed["delivered"], json!(false));
    assert!(failed["error"].as_str().unwrap().contains("certificate"), "{failed}");
}

#[test]
fn tests_of_a_receiver_that_hangs_hold_up_nobody() {
    let harness = Harness::new();
    let phone = Phone::start(&harness.authority);
    phone.behaves(Manner::Hangs);
    let id = harness.channel("ntfy", &format!("https://localhost:{}/topic", phone.port), None);
    let path = format!("/api/users/operator/channels/{id}/test");
    let tests: Vec<_> = (0..8)
        .map(|_| {
            let (operator, path) = (harness.daemon.operator(), path.clone());
            std::thread::spawn(move || operator.post(&path, json!({})))
        })
        .collect();
    phone.next();
    let begun = Instant::now();
    harness.daemon.operator().get("/api/agents/deploy/choices").expect(200);
    assert!(begun.elapsed() < SOON / 2, "{:?}", begun.elapsed());
    let replies: Vec<_> = tests.into_iter().map(|test| test.join().expect("a reply")).collect();
    let (run, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert_eq!((run.len(), refused.len()), (1, 7));
    for reply in refused {
        assert!(reply.header("retry-after").is_some());
        reply.expect_error(429, "rate_limited");
    }
    phone.behaves(Manner::Answers(200));
    assert_eq!(harness.daemon.operator().post(&path, json!({})).expect(200).json()["delivered"], json!(true));
}
