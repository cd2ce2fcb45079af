//! Helpers that the tests of power share.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, text};

/// A user's key that this caller makes.
#[track_caller]
pub fn key(caller: &Client, body: Value) -> Value {
    let mut wanted = json!({"name": "k"});
    wanted.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    caller.post("/api/v1/keys", wanted).expect(201).json()
}

/// A client with a short-lived token of this key.
#[track_caller]
pub fn jwt(daemon: &Daemon, key: &Value, class: &str) -> Client {
    let body = json!({"requested_token_class": class});
    let reply = daemon.client(&text(key, "token")).post("/auth/exchange", body).expect(200).json();
    daemon.client(&text(&reply, "access_token"))
}

/// The status of an exchange of this key.
pub fn exchange(daemon: &Daemon, key: &Value, body: Value) -> u16 {
    daemon.client(&text(key, "token")).post("/auth/exchange", body).status
}

/// The id of a key.
pub fn id(key: &Value) -> String {
    text(key, "credential_id")
}

/// The credential ids in a list of a reply.
pub fn ids(list: &Value) -> Vec<String> {
    list.as_array().expect("a list").iter().map(|made| text(made, "credential_id")).collect()
}

/// A token of this user, made by this caller.
#[track_caller]
pub fn own_token(caller: &Client, username: &str, body: Value) -> Value {
    caller.post(&format!("/api/users/{username}/tokens"), body).expect(201).json()
}
