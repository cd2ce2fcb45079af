//! Three tasks: create an agent, notify the owner, rotate its own token and continue with the new one.

use serde_json::{Value, json};

use crate::conformance::report::{Outcome, Report};
use crate::conformance::scout::{Scout, Stuck};
use crate::support::{Client, Daemon};

// An agent that it creates gets the default scopes, and nobody can give more than they have.
const SCOPES: &[&str] = &["*"];

/// Makes an agent that may create others. The test gives it only its token.
fn newcomer(daemon: &Daemon, scopes: &[&str]) -> Client {
    daemon.agent("Newcomer");
    let grant = json!({"principal": "agent:newcomer", "resource": "agent:*", "role": "creator"});
    daemon.operator().post("/api/grants", grant).expect(201);
    daemon.operator().put("/api/agents/newcomer/permissions", json!({"scope": scopes})).expect(200);
    daemon.agent_token("newcomer", scopes)
}

/// Returns `Succeeded` only if REST shows the state that the task asked for.
fn judge(result: &Result<Value, Stuck>, verified: impl FnOnce() -> bool) -> Outcome {
    match result {
        Err(Stuck::NothingFound) => Outcome::GaveUp,
        Ok(_) if verified() => Outcome::Succeeded,
        Ok(_) | Err(Stuck::Refused) => Outcome::WrongPath,
    }
}

fn create(daemon: &Daemon, client: Client, report: &mut Report) {
    let mut scout = Scout::new(client);
    let made = scout.attempt(&["create", "agent", "new"], |body| body["name"] = json!("Helper of mine"));
    let outcome = judge(&made, || {
        let found = daemon.operator().get("/api/agents/helper-of-mine");
        found.status == 200 && found.json()["display_name"] == "Helper of mine"
    });
    report.add("create an agent", outcome, scout.trail);
}

fn notify(daemon: &Daemon, client: Client, report: &mut Report) {
    let mut scout = Scout::new(client);
    let sent = scout.attempt(&["notify", "user", "tell"], |body| {
        body["title"] = json!("Hello from a stranger");
    });
    let outcome = judge(&sent, || {
        let list = daemon.operator().get("/api/notifications").expect(200).json();
        list[0]["title"] == "Hello from a stranger" && list[0]["source"] == "agent:newcomer"
    });
    report.add("notify the owner", outcome, scout.trail);
}

fn rotate(daemon: &Daemon, client: Client, report: &mut Report) {
    let old = client.clone();
    let mut scout = Scout::new(client);
    let issued = scout.attempt(&["rotate", "token"], |body| *body = json!({}));
    let token = issued.as_ref().ok().and_then(|reply| reply["token"].as_str()).unwrap_or_default().to_owned();
    scout.use_token(daemon.client(&token));
    let who = scout.who_am_i();
    let outcome = judge(&issued, || {
        let goes_on = who.is_some_and(|who| who["agent_name"] == "newcomer");
        goes_on && old.get("/api/auth/whoami").status == 401
    });
    report.add("rotate the own token and go on", outcome, scout.trail);
}

#[test]
fn an_agent_that_knows_only_the_documentation_does_three_tasks() {
    let daemon = Daemon::start();
    let client = newcomer(&daemon, SCOPES);
    let mut report = Report::default();
    create(&daemon, client.clone(), &mut report);
    notify(&daemon, client.clone(), &mut report);
    rotate(&daemon, client, &mut report);
    let report = report.publish("conformance");
    assert_eq!(report["succeeded"], 3, "{report:#}");
}

#[test]
fn the_report_tells_a_wrong_path_and_a_task_given_up() {
    let daemon = Daemon::start();
    let client = newcomer(&daemon, &["knowledge.read"]);
    let mut report = Report::default();
    create(&daemon, client.clone(), &mut report);
    let mut scout = Scout::new(client);
    let brewed = scout.attempt(&["brew", "espresso"], |_| ());
    report.add("brew coffee", judge(&brewed, || true), scout.trail);
    let report = report.json();
    assert_eq!((&report["wrong_path"], &report["gave_up"], &report["succeeded"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(daemon.operator().get("/api/agents/helper-of-mine").status, 404);
}
