//! The key of an approved join is given only while the credential that approved it lives, and ends like the agent's other
//! credentials before anybody has fetched it.

use serde_json::{Value, json};

use crate::requests::an_agent_joins_and_comes_back::{Stranger, exchanged};
use crate::requests::harness::Harness;
use crate::support::{Client, text};

/// Somebody who asks under this name and is let in by this caller.
#[track_caller]
fn let_in(w: &Harness, by: &Client, name: &str, how: Value) -> Stranger {
    let stranger = Stranger::asks(&w.daemon, name);
    by.post(&format!("/api/requests/{}/approve", stranger.id()), how).expect(200);
    stranger
}

/// Another token of ann's: its path, and a client with it.
#[track_caller]
fn token_of_ann(w: &Harness) -> (String, Client) {
    let made = w.ann.post("/api/users/ann/tokens", json!({"scope": ["*"]})).expect(201).json();
    (format!("/api/users/ann/tokens/{}", text(&made, "id")), w.daemon.client(&text(&made, "token")))
}

#[track_caller]
fn refused(w: &Harness, stranger: &Stranger, code: &str) {
    assert_eq!(stranger.fetch(&w.daemon).expect(400).json()["error"], code);
}

#[test]
fn a_revoked_token_gives_no_key_for_what_it_had_approved() {
    let w = Harness::new();
    let (path, thief) = token_of_ann(&w);
    let stranger = let_in(&w, &thief, "second", json!({"as": "new"}));
    w.ann.delete(&format!("{path}?cascade=all")).expect(204);
    refused(&w, &stranger, "access_denied");
    assert_eq!(w.daemon.number("SELECT count(*) FROM credentials WHERE label LIKE 'join %'", []), 0);
}

#[test]
fn what_is_detached_from_a_token_hangs_on_the_one_that_made_it() {
    let w = Harness::new();
    let (path, other) = token_of_ann(&w);
    let stranger = let_in(&w, &other, "second", json!({"as": "new"}));
    w.ann.delete(&format!("{path}?cascade=none")).expect(204);
    exchanged(&w.daemon, &stranger.fetch(&w.daemon).expect(200).json()).get("/api/agents/second").expect(200);
}

#[test]
fn an_agent_that_comes_out_of_the_archive_gives_no_key_of_before() {
    let w = Harness::new();
    let stranger = let_in(&w, &w.ann, "second", json!({"as": "new"}));
    let id = text(&w.ann.delete("/api/agents/second").expect(200).json(), "id");
    refused(&w, &stranger, "access_denied");
    w.ann.post(&format!("/api/agents/archived/{id}/restore"), json!({})).expect(200);
    refused(&w, &stranger, "expired_token");
}

#[test]
fn ending_all_credentials_of_an_agent_ends_the_key_to_come() {
    let w = Harness::new();
    let first = let_in(&w, &w.ann, "atlas", json!({"as": "same"}));
    w.ann.delete("/api/agents/atlas/token?all=true").expect(204);
    refused(&w, &first, "expired_token");
    // So does whoever comes back as that agent.
    let second = let_in(&w, &w.ann, "atlas", json!({"as": "same"}));
    let third = let_in(&w, &w.ann, "atlas", json!({"as": "same"}));
    refused(&w, &second, "expired_token");
    third.fetch(&w.daemon).expect(200);
}
