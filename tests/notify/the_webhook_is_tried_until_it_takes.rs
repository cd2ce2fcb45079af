//! The webhook, tested with a receiver on loopback.

use std::fs;
use std::time::Duration;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::notify::harness::notify;
use crate::notify::receiver::{Delivery, Hook};
use crate::support::{Daemon, TempDir};

const SECRET: &str = "0123456789abcdef-secret";

fn daemon_with(hook: &Hook, dir: &TempDir) -> Daemon {
    let (secret, config) = (dir.path().join("secret"), dir.path().join("taosd.toml"));
    fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let url = format!("http://127.0.0.1:{}/hook?x=1", hook.port);
    let text = format!("[webhook]\nurl = \"{url}\"\nsecret_file = \"{}\"\n", secret.display());
    fs::write(&config, text).unwrap();
    Daemon::with(&["--config", config.to_str().unwrap()], &[])
}

fn assert_signed(delivery: &Delivery) {
    let signature = delivery.header("x-taos-signature");
    let (time, hex) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{time}.{}", delivery.body).as_bytes());
    mac.verify_slice(&HEXLOWER.decode(hex.as_bytes()).unwrap()).expect("the signature is right");
}

#[test]
fn failures_are_tried_again_in_order_and_no_sender_waits() {
    let hook =
        Hook::start(&["500 Internal Server Error", "302 Found\r\nLocation: /elsewhere", "429 Too Many Requests"]);
    let dir = TempDir::new();
    let daemon = daemon_with(&hook, &dir);
    let ids = [notify(&daemon.operator(), "first"), notify(&daemon.operator(), "second")];
    assert!(hook.answered() < 4, "both senders are answered before the first is taken");
    for (n, id) in [&ids[0], &ids[0], &ids[0], &ids[0], &ids[1]].into_iter().enumerate() {
        let delivery = hook.next();
        assert!(delivery.head.starts_with("POST /hook?x=1 HTTP/1.1"), "{n}: {}", delivery.head);
        assert_eq!(
            (delivery.header("x-taos-delivery"), delivery.header("x-taos-event")),
            (id.as_str(), "notification")
        );
        assert_signed(&delivery);
        let record: Value = serde_json::from_str(&delivery.body).unwrap();
        assert_eq!(record, daemon.operator().get(&format!("/api/notifications/{id}")).json());
    }
    assert!(hook.is_quiet(Duration::from_millis(300)));
    assert!(!daemon.log_text().contains(SECRET) && !daemon.log_text().contains("x=1"));
}

#[test]
fn what_is_queued_survives_a_crash_and_a_refusal_ends_one_delivery_alone() {
    let hook = Hook::start(&["503 Service Unavailable", "410 Gone"]);
    let dir = TempDir::new();
    let mut daemon = daemon_with(&hook, &dir);
    let ids = [notify(&daemon.operator(), "refused"), notify(&daemon.operator(), "taken")];
    assert_eq!(hook.next().header("x-taos-delivery"), ids[0]);
    daemon.kill();
    daemon.spawn();
    assert_eq!(hook.next().header("x-taos-delivery"), ids[0]);
    assert_eq!(hook.next().header("x-taos-delivery"), ids[1]);
    assert!(hook.is_quiet(Duration::from_millis(300)));
}

#[test]
fn a_deleted_notification_is_not_delivered_and_an_absent_receiver_holds_up_nobody() {
    let hook = Hook::start(&["500 Internal Server Error"]);
    let dir = TempDir::new();
    let daemon = daemon_with(&hook, &dir);
    let id = notify(&daemon.operator(), "t");
    hook.next();
    daemon.operator().delete(&format!("/api/notifications/{id}")).expect(204);
    let other = notify(&daemon.operator(), "other");
    assert_eq!(hook.next().header("x-taos-delivery"), other);
    assert_eq!(daemon.operator().post("/api/notifications/read-all", json!({})).json()["updated"], 1);
}

#[test]
fn a_secret_in_a_text_is_not_delivered() {
    let (hook, dir) = (Hook::start(&[]), TempDir::new());
    let daemon = daemon_with(&hook, &dir);
    let secret = daemon.token.clone();
    let id = notify(&daemon.operator(), &format!("look: {secret}"));
    let delivery = hook.next();
    assert_eq!(delivery.header("x-taos-delivery"), id);
    assert_signed(&delivery);
    assert!(delivery.body.contains("look: ") && !delivery.body.contains(&secret), "{}", delivery.body);
}

#[test]
fn a_webhook_that_cannot_be_used_refuses_the_start() {
    let dir = TempDir::new();
    let (secret, config) = (dir.path().join("secret"), dir.path().join("taosd.toml"));
    for (url, key) in [("ftp://example.org/", SECRET), ("http://u:p@h/", SECRET), ("https://h/", "short")] {
        fs::write(&secret, key).unwrap();
        fs::write(&config, format!("[webhook]\nurl = \"{url}\"\nsecret_file = \"{}\"\n", secret.display())).unwrap();
        let (code, said) = Daemon::prepared(None, &["--config", config.to_str().unwrap()], &[]).refused_start();
        assert_eq!(code, Some(2), "{url}: {said}");
        assert!(said.contains("webhook") && !said.contains(SECRET), "{said}");
    }
}

#[test]
fn an_end_that_cannot_be_noted_is_not_sent_again() {
    let (hook, dir) = (Hook::start(&[]), TempDir::new());
    let daemon = daemon_with(&hook, &dir);
    // Stands for a disk on which the outbox cannot be written.
    daemon.execute(
        "CREATE TRIGGER outbox_fails BEFORE DELETE ON webhook_outbox BEGIN SELECT RAISE(ABORT, 'no'); END",
        [],
    );
    let ids = [notify(&daemon.operator(), "first"), notify(&daemon.operator(), "second")];
    assert_eq!(hook.next().header("x-taos-delivery"), ids[0]);
    let third = notify(&daemon.operator(), "a nudge");
    assert!(hook.is_quiet(Duration::from_secs(1)));
    daemon.execute("DROP TRIGGER outbox_fails", []);
    for id in [&ids[1], &third] {
        assert_eq!(hook.next().header("x-taos-delivery"), *id);
    }
}

#[test]
fn what_has_waited_for_more_than_a_day_is_dropped_without_another_attempt() {
    let (hook, dir) = (Hook::start(&["503 Service Unavailable"]), TempDir::new());
    let mut daemon = daemon_with(&hook, &dir);
    let old = notify(&daemon.operator(), "old");
    assert_eq!(hook.next().header("x-taos-delivery"), old);
    daemon.kill();
    daemon.execute("UPDATE webhook_outbox SET queued_at = queued_at - 259200000000, next_at = 0", []);
    daemon.spawn();
    let new = notify(&daemon.operator(), "new");
    assert_eq!(hook.next().header("x-taos-delivery"), new);
    assert!(hook.is_quiet(Duration::from_millis(300)));
}
