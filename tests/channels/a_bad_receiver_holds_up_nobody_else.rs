//! A wrong certificate, a receiver that hangs and one that is not there: the good one is told at once, no request waits,
//! the state says what is wrong, and what waited is delivered once the receiver is well.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::channels::receiver::{Authority, Manner, Phone, World};

#[test]
fn the_good_one_is_told_at_once_and_the_others_when_they_are_well() {
    let world = World::new();
    let other = Authority::new();
    let (good, slow) = (Phone::start(&world.authority), Phone::start(&world.authority));
    let (stranger, misnamed) = (Phone::start(&other), Phone::named(&world.authority, "elsewhere.example", 0));
    slow.behaves(Manner::Hangs);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone_port = gone.local_addr().unwrap().port();
    drop(gone);
    let channel = |port: u16| world.channel("ntfy", &format!("https://localhost:{port}/topic"), None);
    let bad: Vec<String> = [stranger.port, misnamed.port, slow.port, gone_port].map(channel).to_vec();
    channel(good.port);

    let begun = Instant::now();
    for nth in 0..5 {
        world.notify(&format!("n{nth}"), "normal");
    }
    let requests = begun.elapsed();
    for nth in 0..5 {
        assert_eq!(good.next().body["title"], json!(format!("n{nth}")), "in their order");
    }
    let told = begun.elapsed();
    println!("five requests took {requests:?}, the good receiver had all after {told:?}");
    assert!(requests < Duration::from_secs(3) && told < Duration::from_secs(6), "{requests:?}, {told:?}");
    assert!(stranger.is_quiet(Duration::ZERO) && misnamed.is_quiet(Duration::ZERO), "nothing without its certificate");

    let error = |id: &str| world.record(id)["delivery"]["last_error"].as_str().unwrap_or("").to_owned();
    world.eventually("each has failed", || bad.iter().all(|id| !error(id).is_empty()));
    assert!(error(&bad[0]).contains("certificate"), "{}", error(&bad[0]));
    assert!(error(&bad[1]).contains("certificate"), "{}", error(&bad[1]));
    assert!(error(&bad[2]).contains("deadline"), "{}", error(&bad[2]));
    assert!(error(&bad[3]).contains("connect"), "{}", error(&bad[3]));
    assert_eq!(world.record(&bad[3])["delivery"]["waiting"], json!(5));

    // The one that was away comes up: what waited arrives, oldest first.
    let back = Phone::named(&world.authority, "localhost", gone_port);
    for nth in 0..5 {
        assert_eq!(back.next().body["title"], json!(format!("n{nth}")));
    }
    world.eventually("it is well", || world.record(&bad[3])["delivery"]["failures"] == json!(0));
    // The one that hung answers again.
    slow.behaves(Manner::Answers(200));
    world.eventually("it has all", || world.record(&bad[2])["delivery"]["waiting"] == json!(0));
}

#[test]
fn a_refusal_is_the_last_word_and_a_server_error_is_not() {
    let world = World::new();
    let phone = Phone::start(&world.authority);
    phone.behaves(Manner::Answers(403));
    let id = world.channel("ntfy", &format!("https://localhost:{}/topic", phone.port), None);
    world.notify("first", "normal");
    assert_eq!(phone.next().body["title"], json!("first"));
    world.eventually("it is given up", || world.record(&id)["delivery"]["waiting"] == json!(0));
    assert_eq!(world.record(&id)["delivery"]["last_error"], json!("it answered 403"));
    phone.behaves(Manner::Answers(503));
    world.notify("second", "normal");
    assert_eq!(phone.next().body["title"], json!("second"));
    phone.behaves(Manner::Answers(200));
    assert_eq!(phone.next().body["title"], json!("second"), "tried again");
    world.eventually("it is taken", || world.record(&id)["delivery"]["waiting"] == json!(0));
}

#[test]
fn a_test_tells_how_it_ended() {
    let world = World::new();
    let (phone, stranger) = (Phone::start(&world.authority), Phone::start(&Authority::new()));
    let test = |port: u16| {
        let id = world.channel("ntfy", &format!("https://localhost:{port}/topic"), None);
        world.daemon.operator().post(&format!("/api/users/operator/channels/{id}/test"), json!({})).expect(200).json()
    };
    assert_eq!(test(phone.port), json!({"delivered": true, "error": null}));
    assert_eq!(phone.next().body["title"], json!("A test"));
    let failed = test(stranger.port);
    assert_eq!(failed["delivered"], json!(false));
    assert!(failed["error"].as_str().unwrap().contains("certificate"), "{failed}");
}
