//! A reply has an `ETag`. A client that has the same reply already does not get it again. The daemon's cache of replies
//! never outlives a write or a right, and never serves another caller.

use std::io::Read;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use crate::harness::Harness;
use crate::support::{Client, Reply, text};

fn tag(reply: &Reply) -> String {
    reply.header("etag").expect("an ETag").to_owned()
}

/// Sends the request twice: the first reply is computed, the second may come from the cache.
fn twice(client: &Client, path: &str) -> Reply {
    let first = client.get(path).expect(200);
    let second = client.get(path).expect(200);
    assert_eq!(first.body, second.body, "{path}");
    assert_eq!(tag(&first), tag(&second), "{path}");
    second
}

#[test]
fn lists_and_records_are_answered_with_304_until_they_change() {
    let harness = Harness::new();
    let name = harness.agent();
    let operator = harness.operator();
    for path in ["/api/agents", "/api/users", "/api/grants", "/api/v1/agents", "/agents", "/api/notifications"] {
        let known = tag(&twice(&operator, path));
        for line in [known.clone(), format!("\"x\", W/{known}"), "*".into()] {
            let reply = operator.with("If-None-Match", &line).get(path).expect(304);
            assert!(reply.body.is_empty(), "{path}");
            assert_eq!(tag(&reply), known, "{path}");
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        }
        operator.with("If-None-Match", "\"x\"").get(path).expect(200);
    }
    let known = tag(&twice(&operator, "/api/agents"));
    operator.put(&format!("/api/agents/{name}"), json!({"host": "elsewhere"})).expect(200);
    let reply = operator.with("If-None-Match", &known).get("/api/agents").expect(200);
    assert_eq!(text(&reply.json()[0], "host"), "elsewhere");
    // The tag of a record is its revision, which does not count the state of its token. So a record never gets a 304.
    let one = twice(&operator, &format!("/api/agents/{name}"));
    operator.with("If-None-Match", &tag(&one)).get(&format!("/api/agents/{name}")).expect(200);
}

#[test]
fn pages_that_differ_in_their_link_alone_differ_in_their_tag() {
    let harness = Harness::new();
    harness.agent();
    let operator = harness.operator();
    let last = tag(&operator.get("/api/agents?limit=1").expect(200));
    harness.agent();
    assert_ne!(tag(&operator.get("/api/agents?limit=1").expect(200)), last);
}

#[test]
fn no_caller_gets_what_was_kept_for_another() {
    let harness = Harness::new();
    let (mine, other) = (harness.agent(), harness.agent());
    let names = |client: &Client| -> Vec<String> {
        twice(client, "/api/agents").json().as_array().unwrap().iter().map(|row| text(row, "name")).collect()
    };
    let operator = harness.operator();
    assert_eq!(names(&operator), [mine.clone(), other.clone()]);
    let agent = harness.daemon.agent_token(&mine, &["*"]);
    assert_eq!(names(&agent).join(","), mine);
    assert_eq!(names(&operator), [mine, other]);
}

#[test]
fn a_revoke_and_a_lost_grant_hold_at_once() {
    let harness = Harness::new();
    let name = harness.agent();
    let user = harness.name();
    let member = harness.daemon.member(&user, &["*"]);
    let id = text(&harness.daemon.record(&name), "id");
    let grant = text(&harness.daemon.grant(&format!("user:{user}"), &id, "viewer"), "id");
    let count = || twice(&member, "/api/agents").json().as_array().unwrap().len();
    assert_eq!(count(), 1);
    harness.operator().delete(&format!("/api/grants/{grant}")).expect(204);
    assert_eq!(count(), 0);
    harness.operator().patch(&format!("/api/users/{user}"), json!({"disabled": true})).expect(200);
    member.get("/api/agents").expect(401);
}

#[test]
fn a_grant_ends_on_time_though_nothing_is_written() {
    let harness = Harness::new();
    let name = harness.agent();
    let user = harness.name();
    let member = harness.daemon.member(&user, &["*"]);
    let id = text(&harness.daemon.record(&name), "id");
    let grant = text(&harness.daemon.grant(&format!("user:{user}"), &id, "viewer"), "id");
    let end = SystemTime::now() + Duration::from_millis(1000);
    let micros = i64::try_from(end.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros()).unwrap();
    harness.daemon.execute("UPDATE grants SET expires_at = ?2 WHERE id = ?1", (&grant, micros));
    // The daemon sees a direct change of the database a moment later.
    sleep(Duration::from_millis(300));
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let asked = SystemTime::now();
        let rows = member.get("/api/agents").expect(200).json();
        match rows.as_array().unwrap().len() {
            0 => break,
            _ => assert!(asked < end, "the grant has ended"),
        }
        assert!(Instant::now() < until, "the grant does not end");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_surface_is_compressed_for_who_takes_it() {
    let harness = Harness::new();
    let nobody = harness.daemon.anonymous();
    for path in ["/openapi.json", "/api"] {
        let plain = nobody.get(path).expect(200);
        let zipped = nobody.with("Accept-Encoding", "br, gzip").try_send("GET", path, None).unwrap().expect(200);
        assert_eq!(zipped.header("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(zipped.header("vary"), Some("Accept-Encoding"), "{path}");
        assert!(zipped.body.len() * 4 < plain.body.len(), "{path}");
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&zipped.body[..]).read_to_end(&mut text).unwrap();
        assert_eq!(text, plain.body, "{path}");
        for reply in [&plain, &zipped] {
            let client = nobody.with("If-None-Match", &tag(reply)).with("Accept-Encoding", "gzip");
            client.try_send("GET", path, None).unwrap().expect(if tag(reply) == tag(&zipped) { 304 } else { 200 });
        }
    }
}
