//! A program uses the grant types that it has registered and no others; one that names none may use all that are offered.

use serde_json::{Value, json};

use crate::program::{CALLBACK, DEVICE_CODE, Program, browser, of, post_form};
use crate::support::{Client, Daemon};

fn setting() -> (Daemon, Client) {
    let off = [("TAOSD_OAUTH_REGISTRATIONS_PER_MINUTE", "0"), ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")];
    let daemon = Daemon::with(&[], &off);
    let person = browser(&daemon, &daemon.token);
    (daemon, person)
}

fn me() -> Value {
    json!({"user": true})
}

#[test]
fn what_was_not_registered_is_refused() {
    let (daemon, person) = setting();
    let with = |grant_types: &[&str]| Program::using(&daemon, "editor", &[CALLBACK], grant_types);
    let ask_for_device = |program: &Program<'_>| {
        post_form(&daemon.anonymous(), "/oauth/device_authorization", &[("client_id", &program.id)])
    };
    let poll = |program: &Program<'_>| {
        program.token(&[("grant_type", DEVICE_CODE), ("device_code", "x"), ("client_id", &program.id)])
    };
    let device = with(&[DEVICE_CODE]);
    let code = device.code(&person, me(), &["tasks"]);
    device.show_code(&code, &[]).expect_error(400, "unauthorized_client");
    device.refresh("taos_refresh_x").expect_error(400, "unauthorized_client");
    ask_for_device(&device).expect(200);
    poll(&device).expect_error(400, "expired_token");
    let editor = with(&["authorization_code", "refresh_token"]);
    ask_for_device(&editor).expect_error(400, "unauthorized_client");
    poll(&editor).expect_error(400, "unauthorized_client");
    let told = editor.log_in(&person, me(), &["tasks"]);
    editor.refresh(&of(&told, "refresh_token")).expect(200);
}

#[test]
fn a_program_that_may_not_refresh_gets_no_refresh_token_and_its_grant_ends_with_the_access_token() {
    let (daemon, person) = setting();
    let program = Program::using(&daemon, "once", &[CALLBACK], &["authorization_code"]);
    let told = program.log_in(&person, me(), &["tasks"]);
    assert_eq!((&told["refresh_token"], &told["expires_in"]), (&json!(null), &json!(900)));
    daemon.client(&of(&told, "access_token")).get("/api/v1/tasks").expect(200);
    let grant = daemon.operator().get("/api/oauth/grants").expect(200).json()[0].clone();
    let at = |field: &str| of(&grant, field).parse::<jiff::Timestamp>().expect("a time").as_second();
    assert_eq!((at("expires_at") - at("created_at"), at("ends_at") - at("created_at")), (900, 900));
}

#[test]
fn a_program_that_names_none_may_use_all() {
    let (daemon, person) = setting();
    for grant_types in [json!(null), json!([])] {
        let body = json!({"client_name": "editor", "redirect_uris": [CALLBACK], "grant_types": grant_types});
        let registered = daemon.anonymous().post("/oauth/register", body).expect(201).json();
        assert_eq!(registered["grant_types"], json!(["authorization_code", "refresh_token", DEVICE_CODE]));
        let program = Program { daemon: &daemon, id: of(&registered, "client_id") };
        let told = program.log_in(&person, me(), &["tasks"]);
        program.refresh(&of(&told, "refresh_token")).expect(200);
        post_form(&daemon.anonymous(), "/oauth/device_authorization", &[("client_id", &program.id)]).expect(200);
    }
}
