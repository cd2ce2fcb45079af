//! The bounds that the security page states for what a principal can add are those at which the daemon refuses.

use serde_json::json;
use taosd::api::engine::growth;
use taosd::limits;

use crate::support::{Daemon, Reply};

/// Adds things, starting with the `before` existing ones, until the daemon refuses with this code. That must be at
/// `most`, and the page must say so.
#[track_caller]
fn stops(id: &str, most: impl Into<i128>, before: i128, code: &str, add: impl Fn(i128) -> Reply) {
    let most = most.into();
    let told = (growth::bound(id).unwrap_or_else(|| panic!("{id} has a bound")).most)();
    assert!(told.contains(&most.to_string()), "the page does not say {most}: {told}");
    for n in before..most {
        let reply = add(n);
        assert!(reply.status < 300, "{id}, {n} of {most}: {}", reply.text());
    }
    let refused = add(most);
    assert!(refused.status == 409 && refused.text().contains(code), "{id}: {} {}", refused.status, refused.text());
}

#[test]
fn each_kind_of_thing_stops_where_the_page_says() {
    let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0")]);
    daemon.agent("worker");
    // Ann already has one token and her own space.
    let (ann, operator) = (daemon.member("ann", &["*"]), daemon.operator());
    let channel = json!({"kind": "ntfy", "url": "https://ntfy.sh/t"});
    stops("channels_create", limits::CHANNELS as u64, 0, "limit_reached", |_| {
        ann.post("/api/users/ann/channels", channel.clone())
    });
    stops("users_token_issue", limits::USER_TOKENS, 1, "limit_reached", |_| {
        ann.post("/api/users/ann/tokens", json!({"label": "l"}))
    });
    stops("spaces_create", limits::SPACES_OF_USER, 1, "limit_reached", |n| {
        ann.post("/api/spaces/create", json!({"name": format!("Space {n}"), "visibility": "private"}))
    });
    stops("keys_create", limits::KEYS_OF_USER, 0, "cleanup_required", |_| {
        ann.post("/api/v1/keys", json!({"name": "k"}))
    });
    stops("agentex_keys_create", limits::AGENT_KEYS, 0, "too_many_keys", |n| {
        operator.post("/agent_api_keys", json!({"agent_name": "worker", "name": format!("k{n}")}))
    });
    let agent = daemon.agent_token("worker", &["requests.*"]);
    stops("requests_create", limits::REQUESTS_PENDING.0, 0, "too_many_requests_pending", |n| {
        // A request for the same scope would be the same request.
        let scopes =
            ["agents.logs", "agents.update", "agents.deploy", "agents.export", "agents.purge", "agents.freeze"];
        let scope = scopes[usize::try_from(n).expect("a few")];
        agent.post("/api/requests", json!({"kind": "scope", "scope": [scope], "reason": "r", "duration_seconds": 60}))
    });
    let sent = ann.post("/api/v1/messages", json!({"content": "hello"})).json();
    let message = sent["id"].as_str().or(sent["message"]["id"].as_str()).expect("a message").to_owned();
    stops("messages_react", limits::REACTIONS, 0, "too_many_reactions", |n| {
        let emoji = char::from_u32(0x1F600 + n as u32).expect("an emoji").to_string();
        ann.post(&format!("/api/v1/messages/{message}/reactions"), json!({"emoji": emoji}))
    });
}

#[test]
fn what_makes_room_keeps_as_many_as_the_page_says() {
    let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0")]);
    let ann = daemon.member("ann", &["*"]);
    let open = || daemon.anonymous().post("/api/sessions", json!({"token": ann.token()}));
    let kept = || daemon.number("SELECT count(*) FROM credentials WHERE kind = 'session' AND state = 'active'", []);
    for _ in 0..i64::try_from(limits::SESSIONS).unwrap() + 5 {
        let opened = open();
        assert!(opened.status < 300, "{}", opened.text());
    }
    assert_eq!(kept(), i64::try_from(limits::SESSIONS).unwrap());
    assert!((growth::bound("sessions_open").unwrap().most)().contains(&limits::SESSIONS.to_string()));
}
