//! A program that acts as an agent is seen and ended by whoever may change the agent, not only by the person who let it
//! in; and it goes on only while that person may change the agent.

use serde_json::{Value, json};

use crate::program::{Program, browser, of, post_form};
use crate::support::{Client, Daemon, text};

struct House {
    daemon: Daemon,
    carol: Client,
    bo: Client,
    agent: String,
}

/// Carol's agent `atlas`, of which Bo is editor.
fn house() -> House {
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
    let (carol, bo) = (daemon.member("carol", &["*"]), daemon.member("bo", &["*"]));
    daemon.grant("user:carol", "*", "creator");
    let agent = daemon.agent_by(&carol, "atlas");
    daemon.grant("user:bo", &agent, "editor");
    House { daemon, carol, bo, agent }
}

impl House {
    fn grants(&self, of: &Client) -> Vec<Value> {
        of.get("/api/oauth/grants").expect(200).json().as_array().expect("a list").clone()
    }

    fn end_the_role_of(&self, who: &str) {
        let rows = self.carol.get(&format!("/api/grants?resource=agent:{}", self.agent)).expect(200).json();
        let row =
            rows.as_array().unwrap().iter().find(|row| row["principal"] == format!("user:{who}")).expect("a role");
        self.carol.delete(&format!("/api/grants/{}", text(row, "id"))).expect(204);
    }
}

#[test]
fn the_owner_sees_and_ends_what_an_editor_let_in_and_nobody_else_does() {
    let house = house();
    let daemon = &house.daemon;
    let dan = daemon.member("dan", &["*"]);
    daemon.grant("user:dan", &house.agent, "viewer");
    let program = Program::named(daemon, "printer");
    let told = program.log_in(&browser(daemon, house.bo.token()), json!({"agent_id": house.agent}), &["tasks"]);
    program.log_in(&browser(daemon, house.bo.token()), json!({"user": true}), &["tasks"]);
    let seen = house.grants(&house.carol);
    assert_eq!(seen.len(), 1, "what acts as Bo is Bo's alone: {seen:?}");
    assert_eq!((&seen[0]["username"], &seen[0]["agent_name"]), (&json!("bo"), &json!("atlas")));
    assert_eq!(house.grants(&house.bo).len(), 2);
    // A viewer of the agent sees nothing of it, and the agent itself ends nothing.
    let path = format!("/api/oauth/grants/{}", text(&seen[0], "id"));
    assert_eq!(house.grants(&dan).len(), 0);
    dan.delete(&path).expect_error(404, "grant_not_found");
    daemon.agent_token("atlas", &["*"]).delete(&path).expect_error(404, "grant_not_found");
    let as_bo = house.grants(&house.bo).into_iter().find(|grant| grant["agent_id"].is_null()).expect("a grant");
    let of_bo = format!("/api/oauth/grants/{}", text(&as_bo, "id"));
    house.carol.delete(&of_bo).expect_error(404, "grant_not_found");
    house.carol.delete(&path).expect(204);
    daemon.client(&of(&told, "access_token")).get("/api/v1/tasks").expect(401);
    program.refresh(&of(&told, "refresh_token")).expect_error(400, "invalid_grant");
    assert_eq!(house.grants(&house.carol).len(), 0);
}

#[test]
fn a_program_is_refreshed_only_while_who_let_it_in_may_change_the_agent() {
    let house = house();
    let (daemon, agent) = (&house.daemon, json!({"agent_id": house.agent}));
    let program = Program::named(daemon, "printer");
    let told = program.log_in(&browser(daemon, house.bo.token()), agent.clone(), &["tasks"]);
    let told = program.refresh(&of(&told, "refresh_token")).expect(200).json();
    let asked = [("token", of(&told, "refresh_token"))];
    let is_active = || {
        let form: Vec<_> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
        post_form(&daemon.operator(), "/oauth/introspect", &form).expect(200).json()["active"].clone()
    };
    assert_eq!(is_active(), json!(true));
    house.end_the_role_of("bo");
    assert_eq!(is_active(), json!(false));
    program.refresh(&of(&told, "refresh_token")).expect_error(400, "invalid_grant");
    // Bo may still end it, and so may Carol.
    assert_eq!((house.grants(&house.bo).len(), house.grants(&house.carol).len()), (1, 1));
    // The role comes back, and nothing was lost.
    daemon.grant("user:bo", &house.agent, "editor");
    let told = program.refresh(&of(&told, "refresh_token")).expect(200).json();
    daemon.operator().patch("/api/users/bo", json!({"disabled": true})).expect(200);
    program.refresh(&of(&told, "refresh_token")).expect_error(400, "invalid_grant");
}

#[test]
fn somebody_with_very_many_agents_sees_the_same() {
    let house = house();
    let program = Program::named(&house.daemon, "printer");
    program.log_in(&browser(&house.daemon, house.bo.token()), json!({"agent_id": house.agent}), &["tasks"]);
    let few = house.grants(&house.carol);
    house.daemon.execute(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300)
        INSERT INTO agents (id, slug, display_name, origin, owner_user_id, owner_space_id, space_id, created_by, status,
            scope, created_at, updated_at)
        SELECT printf('00000000-0000-7000-8000-%012d', n), 'n' || n, 'n', 'cloud', a.owner_user_id, a.owner_space_id,
            a.space_id, 'user:carol', 'registered', '[]', n, n FROM n, agents a WHERE a.slug = 'atlas'",
        [],
    );
    house.daemon.execute(
        "INSERT INTO grants (id, principal_user_id, agent_id, role, granted_by, granted_at)
        SELECT 'g' || id, owner_user_id, id, 'owner', 'system', 0 FROM agents WHERE slug <> 'atlas'",
        [],
    );
    assert_eq!(house.grants(&house.carol), few);
    assert_eq!(few.len(), 1);
}
