//! A grant ends 30 days after its last use, and 90 days after it began. A person has at most 50 grants, an agent 10.

use std::thread;
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::program::{Program, browser, claims, of};
use crate::support::{Client, Daemon};

const DAY: i64 = 86_400;

fn setting(env: &[(&str, &str)]) -> (Daemon, Client) {
    let off = [("TAOSD_OAUTH_REGISTRATIONS_PER_MINUTE", "0"), ("TAOSD_REQUESTS_PER_MINUTE", "0")];
    let daemon = Daemon::with(&[], &[&off[..], env].concat());
    let person = browser(&daemon, &daemon.token);
    (daemon, person)
}

fn me() -> Value {
    json!({"user": true})
}

fn seconds(grant: &Value, field: &str) -> i64 {
    of(grant, field).parse::<jiff::Timestamp>().expect("a time").as_second()
}

fn grant(daemon: &Daemon) -> Value {
    daemon.operator().get("/api/oauth/grants").expect(200).json()[0].clone()
}

#[test]
fn an_access_token_says_what_it_is_and_names_the_issuer_that_people_know() {
    for (env, issuer) in
        [(&[][..], "taosd"), (&[("TAOSD_PUBLIC_URL", "https://box.example.org")], "https://box.example.org")]
    {
        let (daemon, person) = setting(env);
        let program = Program::named(&daemon, "editor");
        let token = of(&program.log_in(&person, me(), &["tasks"]), "access_token");
        let head = BASE64URL_NOPAD.decode(token.split('.').next().expect("a head").as_bytes()).expect("base64url");
        let head: Value = serde_json::from_slice(&head).expect("JSON");
        assert_eq!((&head["typ"], &head["alg"]), (&json!("at+jwt"), &json!("EdDSA")));
        let said = claims(&token);
        assert_eq!(
            (&said["iss"], &said["aud"], &said["client_id"]),
            (&json!(issuer), &json!("ax-api"), &json!(program.id))
        );
        assert_eq!(said["exp"].as_i64().zip(said["iat"].as_i64()).map(|(exp, iat)| exp - iat), Some(900));
        daemon.client(&token).get("/api/v1/tasks").expect(200);
    }
}

#[test]
fn a_grant_ends_a_month_after_its_last_use_and_after_three_in_all() {
    let (daemon, person) = setting(&[]);
    let program = Program::named(&daemon, "editor");
    let told = program.log_in(&person, me(), &["tasks"]);
    let first = grant(&daemon);
    let created = seconds(&first, "created_at");
    assert_eq!((seconds(&first, "expires_at") - created, seconds(&first, "ends_at") - created), (30 * DAY, 90 * DAY));
    // Of the 90 days one is left: use no longer extends the grant.
    daemon.execute("UPDATE oauth_grants SET ends_at = ends_at - 89 * 86400000000", []);
    let told = program.refresh(&of(&told, "refresh_token")).expect(200).json();
    let last = grant(&daemon);
    assert_eq!(seconds(&last, "expires_at"), seconds(&last, "ends_at"));
    daemon.execute("UPDATE credentials SET expires_at = issued_at + 1 WHERE kind = 'oauth_grant'", []);
    program.refresh(&of(&told, "refresh_token")).expect_error(400, "invalid_grant");
}

#[test]
fn the_end_of_a_program_is_told_with_what_helps_and_again_after_each_use() {
    let (daemon, person) = setting(&[("TAOSD_SWEEP_INTERVAL", "1")]);
    let program = Program::named(&daemon, "editor");
    let mut told = program.log_in(&person, me(), &["tasks"]);
    for nth in 1..=2 {
        let near = "UPDATE credentials SET issued_at = (unixepoch() - 40 * 86400) * 1000000,
            expires_at = (unixepoch() + 50 * 3600) * 1000000 WHERE kind = 'oauth_grant'";
        daemon.execute(near, []);
        let notices = || daemon.operator().get("/api/notifications").expect(200).json();
        let end = Instant::now() + Duration::from_secs(20);
        while notices().as_array().map(Vec::len) != Some(nth) {
            assert!(Instant::now() < end, "{}", notices());
            thread::sleep(Duration::from_millis(50));
        }
        let notice = notices()[0].clone();
        assert_eq!(notice["title"], "A program's access expires within 3 days");
        let message = of(&notice, "message");
        assert!(message.contains("\"editor\"") && message.contains("allowed again"), "{message}");
        assert!(!message.contains("taosctl keys"), "{message}");
        told = program.refresh(&of(&told, "refresh_token")).expect(200).json();
    }
    // Of an end that no use moves there is one warning.
    daemon.execute("UPDATE oauth_grants SET ends_at = (unixepoch() + 50 * 3600) * 1000000", []);
    for _ in 0..2 {
        told = program.refresh(&of(&told, "refresh_token")).expect(200).json();
        thread::sleep(Duration::from_millis(1500));
    }
    assert_eq!(daemon.number("SELECT count(*) FROM notifications", []), 3);
}

#[test]
fn a_grant_of_an_agent_that_came_back_ends_with_its_other_old_credentials() {
    let (daemon, person) = setting(&[]);
    let agent = json!({"agent_id": daemon.agent("atlas")});
    let program = Program::named(&daemon, "editor");
    let told = program.log_in(&person, agent, &["tasks"]);
    let join = daemon.anonymous().post("/api/joins", json!({"name": "atlas", "reason": "r"})).expect(201).json();
    let body = json!({"as": "same", "keep_old_hours": 1});
    daemon.operator().post(&format!("/api/requests/{}/approve", of(&join, "id")), body).expect(200);
    let end = of(&grant(&daemon), "expires_at");
    program.refresh(&of(&told, "refresh_token")).expect(200);
    let last = grant(&daemon);
    assert_eq!((of(&last, "expires_at"), of(&last, "ends_at")), (end.clone(), end));
}

#[test]
fn a_person_has_fifty_grants_and_an_agent_ten() {
    let (daemon, person) = setting(&[]);
    let agent = json!({"agent_id": daemon.agent("atlas")});
    let program = Program::named(&daemon, "editor");
    let full = |act_as: &Value| {
        let path = program.ask(&[]);
        person.get(&path).expect(200);
        let body = json!({"decision": "allow", "act_as": act_as, "scope": ["tasks"]});
        person.post(&path, body).expect_error(409, "limit_reached");
    };
    // Both codes are issued before the limit is reached, but there is room for only one more grant.
    let codes = [(); 2].map(|()| program.code(&person, agent.clone(), &["tasks"]));
    for _ in 0..9 {
        program.log_in(&person, agent.clone(), &["tasks"]);
    }
    program.show_code(&codes[0], &[]).expect(200);
    program.show_code(&codes[1], &[]).expect_error(400, "invalid_grant");
    full(&agent);
    for _ in 10..50 {
        program.log_in(&person, me(), &["tasks"]);
    }
    full(&me());
    let first = of(&grant(&daemon), "id");
    daemon.operator().delete(&format!("/api/oauth/grants/{first}")).expect(204);
    program.log_in(&person, me(), &["tasks"]);
}
