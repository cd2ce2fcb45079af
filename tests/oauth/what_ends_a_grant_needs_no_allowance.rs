//! Whose allowance of writes is used up can still end a grant, and a thief's token still ends one.

use serde_json::json;

use crate::program::{Program, browser, of, post_form};
use crate::support::Daemon;

#[test]
fn a_revocation_a_replayed_code_and_a_reused_refresh_token_end_their_grants() {
    let env = [
        ("TAOSD_WRITE_ROWS_PER_HOUR", "20"),
        ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0"),
        ("TAOSD_REQUESTS_PER_MINUTE", "100000"),
    ];
    let daemon = Daemon::with(&[], &env);
    let (person, program) = (browser(&daemon, &daemon.token), Program::named(&daemon, "editor"));
    let code = program.code(&person, json!({"user": true}), &["tasks"]);
    let replayed = program.show_code(&code, &[]).expect(200).json();
    let [revoked, old] = [(); 2].map(|()| program.log_in(&person, json!({"user": true}), &["tasks"]));
    let stolen = program.refresh(&of(&old, "refresh_token")).expect(200).json();
    let next = program.refresh(&of(&stolen, "refresh_token")).expect(200).json();
    let user = |n: u32| daemon.operator().post("/api/users", json!({"username": format!("user{n}")})).status;
    assert!((0..200).any(|n| user(n) == 429), "the rows are used up");
    let works = |told: &serde_json::Value| daemon.client(&of(told, "access_token")).get("/api/v1/tasks").status;
    assert_eq!((works(&replayed), works(&revoked), works(&next)), (200, 200, 200));
    // A refresh adds, so it waits.
    program.refresh(&of(&next, "refresh_token")).expect_error(429, "rate_limited");
    program.show_code(&code, &[]).expect_error(400, "invalid_grant");
    program.refresh(&of(&old, "refresh_token")).expect_error(400, "invalid_grant");
    let form = [("token", of(&revoked, "refresh_token")), ("client_id", program.id.clone())];
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    post_form(&daemon.anonymous(), "/oauth/revoke", &form).expect(200);
    assert_eq!((works(&replayed), works(&revoked), works(&next)), (401, 401, 401));
}
