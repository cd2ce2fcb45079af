//! A webhook, ntfy, Gotify and Telegram each get title, text and link in their own format. A notification below a
//! channel's level, or of an event that the channel does not want, is not sent.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;

use crate::channels::receiver::{Harness, Phone};

const LINK: &str = "https://box.example.org/ui/requests/7";

#[test]
fn all_four_are_told_over_tls() {
    let harness = Harness::new();
    let phones: Vec<Phone> = (0..4).map(|_| Phone::start(&harness.authority)).collect();
    let at = |nth: usize, rest: &str| format!("https://localhost:{}{rest}", phones[nth].port);
    harness.channel("webhook", &at(0, "/hook?a=b"), Some("0123456789abcdef"));
    harness.channel("ntfy", &at(1, "/my-topic"), Some("tk_secret"));
    harness.channel("gotify", &at(2, "/"), Some("app-token"));
    harness.channel("telegram", &at(3, "/?chat_id=-42"), Some("1:abc"));
    harness.notify("Größer", "high");

    let hook = phones[0].next();
    assert_eq!((hook.target(), hook.header("x-taos-event")), ("/hook?a=b", "notification"));
    assert_eq!((&hook.body["title"], &hook.body["level"]), (&json!("Größer"), &json!("high")));
    assert_eq!(hook.header("x-taos-delivery"), hook.body["id"]);
    let (time, mark) = hook.header("x-taos-signature").strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"0123456789abcdef").unwrap();
    mac.update(format!("{time}.{}", hook.body).as_bytes());
    assert_eq!(mark, data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes()));

    let ntfy = phones[1].next();
    assert_eq!((ntfy.target(), ntfy.header("authorization")), ("/", "Bearer tk_secret"));
    assert_eq!(
        ntfy.body,
        json!({"topic": "my-topic", "title": "Größer", "message": "Größe: 3", "priority": 5, "click": LINK,
            "actions": [{"action": "view", "label": "Open", "url": LINK}]})
    );

    let gotify = phones[2].next();
    assert_eq!((gotify.target(), gotify.header("x-gotify-key")), ("/message", "app-token"));
    assert_eq!((&gotify.body["title"], &gotify.body["priority"]), (&json!("Größer"), &json!(8)));
    assert_eq!(gotify.body["extras"]["client::notification"]["click"]["url"], json!(LINK));

    let telegram = phones[3].next();
    assert_eq!(telegram.target(), "/bot1:abc/sendMessage");
    assert_eq!((&telegram.body["chat_id"], &telegram.body["text"]), (&json!("-42"), &json!("Größer\n\nGröße: 3")));
    assert_eq!(telegram.body["reply_markup"]["inline_keyboard"][0][0]["url"], json!(LINK));

    harness.eventually("nothing waits", || harness.daemon.number("SELECT count(*) FROM channel_outbox", []) == 0);
    let all = harness.daemon.operator().get("/api/users/operator/channels").expect(200).json();
    for one in all.as_array().unwrap() {
        assert_eq!((&one["delivery"]["failures"], &one["delivery"]["last_error"]), (&json!(0), &json!(null)), "{one}");
        assert!(one["delivery"]["last_success_at"].is_string() && one["has_secret"] == json!(true), "{one}");
    }
}

#[test]
fn a_channel_is_told_what_it_wants_to_hear() {
    let harness = Harness::new();
    let (urgent, frozen) = (Phone::start(&harness.authority), Phone::start(&harness.authority));
    let operator = harness.daemon.operator();
    let make = |phone: &Phone, more: serde_json::Value| {
        let mut body = json!({"kind": "ntfy", "url": format!("https://localhost:{}/topic", phone.port)});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        operator.post("/api/users/operator/channels", body).expect(201).json()
    };
    make(&urgent, json!({"min_level": "high"}));
    make(&frozen, json!({"min_level": "low", "events": ["freeze"]}));
    harness.notify("normal", "normal");
    harness.notify("high", "high");
    harness.daemon.agent("atlas");
    operator.post("/api/agents/atlas/freeze", json!({"reason": "alarm"})).expect(200);
    assert_eq!(urgent.next().body["title"], json!("high"));
    assert_eq!(urgent.next().body["title"], json!("Agent atlas is frozen"));
    let told = frozen.next().body;
    assert_eq!(
        (&told["title"], &told["message"]),
        (&json!("Agent atlas is frozen"), &json!("By user:operator: alarm"))
    );
    assert_eq!(told["click"], json!("https://box.example.org/ui/agents/atlas"));
    assert!(urgent.is_quiet(Duration::from_millis(300)) && frozen.is_quiet(Duration::from_millis(10)));
}
