//! A kill at any step of a login leaves no grant, or one whose program can go on. What a reply promised holds, and a
//! program whose reply was lost can refresh once more.

use std::time::Duration;

use serde_json::json;

use crate::program::{Program, browser, of};
use crate::support::{Client, Daemon, Reply, wait_until};

fn setting() -> (Daemon, Client) {
    let off = [("TAOSD_OAUTH_REGISTRATIONS_PER_MINUTE", "0"), ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")];
    let daemon = Daemon::with(&[], &off);
    let person = browser(&daemon, &daemon.token);
    (daemon, person)
}

fn live(daemon: &Daemon) -> i64 {
    daemon.number("SELECT count(*) FROM credentials WHERE kind = 'oauth_grant' AND state = 'active'", [])
}

/// Kills the daemon this long after a request began, or after its reply. Returns the reply, if one came.
fn killed(daemon: &mut Daemon, after: Option<Duration>, client: &Client, path: &str, body: &str) -> Option<Reply> {
    let (client, path, body) = (client.clone(), path.to_owned(), body.to_owned());
    let asking = std::thread::spawn(move || client.try_send("POST", &path, Some(body.as_bytes())).ok());
    match after {
        Some(after) => std::thread::sleep(after),
        None => wait_until("the answer", || asking.is_finished()),
    }
    daemon.kill();
    let reply = asking.join().expect("a thread").filter(|reply| reply.status == 200);
    daemon.spawn();
    reply
}

/// The moments of the kills: from 0 us after the request began to about 20 ms, and after the reply.
fn moments() -> impl Iterator<Item = Option<Duration>> {
    (0..10).map(|nth| Some(Duration::from_micros(nth * nth * 250))).chain([None])
}

fn forms(daemon: &Daemon) -> Client {
    daemon.anonymous().with("Content-Type", "application/x-www-form-urlencoded")
}

#[test]
fn a_kill_at_the_consent_or_at_the_code_leaves_no_grant_or_a_whole_one() {
    let (mut daemon, mut person) = setting();
    let mut given = 0;
    for after in moments() {
        let program = Program::named(&daemon, "editor");
        let path = program.ask(&[]);
        person.get(&path).expect(200);
        let body = json!({"decision": "allow", "act_as": {"user": true}, "scope": ["messages"]}).to_string();
        killed(&mut daemon, after, &person, &path, &body);
        person = person.at(&daemon.address);
        // No grant exists before the code is shown. The restart lost the request.
        assert_eq!(live(&daemon), 0);
        person.get(&path).expect(404);

        let program = Program::named(&daemon, "editor");
        let code = program.code(&person, json!({"user": true}), &["messages"]);
        let id = program.id.clone();
        let form = program.code_form(&code);
        let client = forms(&daemon);
        let reply = killed(&mut daemon, after, &client, "/oauth/token", &form);
        person = person.at(&daemon.address);
        let program = Program { daemon: &daemon, id };
        // Codes are in memory only, so the code is lost.
        program.show_code(&code, &[]).expect(400);
        if let Some(reply) = reply {
            given += 1;
            let next = program.refresh(&of(&reply.json(), "refresh_token")).expect(200).json();
            daemon.client(&of(&next, "access_token")).get("/api/v1/messages").expect(200);
        }
        let whole = "SELECT count(*) FROM oauth_grants g JOIN credentials c ON c.id = g.credential_id
            WHERE c.kind = 'oauth_grant' AND c.state = 'active' AND length(c.secret_hash) = 32";
        assert_eq!(live(&daemon), daemon.number(whole, []), "a grant without its other half");
        let created = daemon.number("SELECT count(*) FROM audit WHERE action = 'oauth.grant.create'", []);
        assert_eq!(daemon.number("SELECT count(*) FROM oauth_grants", []), created, "a grant without its audit row");
        for grant in daemon.operator().get("/api/oauth/grants").expect(200).json().as_array().expect("a list") {
            daemon.operator().delete(&format!("/api/oauth/grants/{}", of(grant, "id"))).expect(204);
        }
    }
    assert!(given > 0, "no code ever came before the kill");
}

#[test]
fn a_kill_at_a_refresh_or_a_revocation_loses_nobody_his_grant_and_gives_none_back() {
    let (mut daemon, person) = setting();
    let program = Program::named(&daemon, "editor");
    let id = program.id.clone();
    let mut token = of(&program.log_in(&person, json!({"user": true}), &["messages"]), "refresh_token");
    let mut lost = 0;
    for after in moments() {
        let form = Program { daemon: &daemon, id: id.clone() }.refresh_form(&token);
        let client = forms(&daemon);
        let reply = killed(&mut daemon, after, &client, "/oauth/token", &form);
        let program = Program { daemon: &daemon, id: id.clone() };
        // A program that got no reply asks once more with the token that it still has.
        let last = reply.map_or_else(|| token.clone(), |reply| of(&reply.json(), "refresh_token"));
        lost += usize::from(last == token);
        token = of(&program.refresh(&last).expect(200).json(), "refresh_token");
    }
    assert!(lost <= 10, "no refresh ever came before the kill");
    let form = crate::program::form(&[("token", &token), ("client_id", &id)]);
    let client = forms(&daemon);
    let reply = killed(&mut daemon, Some(Duration::from_millis(5)), &client, "/oauth/revoke", &form);
    let program = Program { daemon: &daemon, id };
    let ended = live(&daemon) == 0;
    assert!(ended || reply.is_none(), "a revocation that was answered was lost");
    program.refresh(&token).expect(if ended { 400 } else { 200 });
    wait_until("the end", || daemon.operator().get("/readyz").status == 200);
}
