//! Channels, without sending anything. The target `channels` tests sending.

use serde_json::json;

use super::{Case, case};
use crate::harness::Harness;
use crate::support::Reply;

pub const CASES: &[Case] = &[
    case("channels_list", "", |w| {
        let request = w.request_for("channels_update");
        let list = request.path.rsplit_once('/').expect("a path").0.to_owned();
        let reply = w.operator().get(&list).expect(200);
        assert_eq!(reply.json()[0]["url"], json!("https://localhost/t"));
        reply
    }),
    case("channels_create", "", |w| {
        let path = format!("/api/users/{}/channels", w.user());
        let body = json!({"kind": "gotify", "url": "https://localhost/", "secret": "very-secret"});
        let reply = w.operator().post(&path, body).expect(201);
        assert!(!reply.text().contains("very-secret") && reply.json()["has_secret"] == json!(true));
        reply
    }),
    case("channels_update", "", |w| {
        let reply = w.request_for("channels_update").by(&w.operator()).expect(200);
        assert_eq!(reply.json()["min_level"], json!("normal"));
        reply
    }),
    case("channels_delete", "", |w| w.request_for("channels_delete").by(&w.operator()).expect(204)),
    case("channels_test", "", |w| {
        let reply = w.request_for("channels_test").by(&w.operator()).expect(200);
        assert_eq!(reply.json()["delivered"], json!(false), "loopback is no public host");
        reply
    }),
    case("channels_create", "channel_not_fit", |w| unfit(w, "POST")),
    case("channels_update", "channel_not_fit", |w| unfit(w, "PATCH")),
    case("channels_create", "limit_reached", |w| {
        let path = format!("/api/users/{}/channels", w.user());
        let make = || w.operator().post(&path, json!({"kind": "ntfy", "url": "https://localhost/t"}));
        (0..8).for_each(|_| drop(make().expect(201)));
        make()
    }),
    case("channels_update", "channel_not_found", |w| missing(w, "channels_update")),
    case("channels_delete", "channel_not_found", |w| missing(w, "channels_delete")),
    case("channels_test", "channel_not_found", |w| missing(w, "channels_test")),
];

fn unfit(harness: &Harness, method: &str) -> Reply {
    let request = harness.request_for(if method == "POST" { "channels_create" } else { "channels_update" });
    request.with("url", "http://10.0.0.1/t").by(&harness.operator())
}

fn missing(harness: &Harness, route: &str) -> Reply {
    let request = harness.request_for(route);
    let parts: Vec<&str> = request.path.split('/').collect();
    let path = request.path.replace(parts[5], "nobody");
    request.at(path).by(&harness.operator())
}
