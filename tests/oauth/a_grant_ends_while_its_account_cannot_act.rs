//! A revocation, a replayed code and a reused refresh token end their grants while the agent is frozen, the user is
//! disabled, or the account's rate of requests is used up.

use serde_json::{Value, json};

use crate::program::{Program, browser, of, post_form};
use crate::support::{Client, Daemon, Reply};

const AUDITED: &str = "SELECT count(*) FROM audit WHERE action IN ('oauth.grant.revoke', 'oauth.refresh_reuse',
    'oauth.code_reuse')";
const LIVE: &str = "SELECT count(*) FROM credentials WHERE kind = 'oauth_grant' AND state = 'active'";

/// Three grants that are about to end, each in its own way.
struct Ending<'a> {
    program: &'a Program<'a>,
    code: String,
    replayed: Value,
    revoked: Value,
    old: Value,
    reused: Value,
}

impl<'a> Ending<'a> {
    fn begin(program: &'a Program<'a>, person: &Client, act_as: &Value) -> Self {
        let code = program.code(person, act_as.clone(), &["tasks"]);
        let replayed = program.show_code(&code, &[]).expect(200).json();
        let revoked = program.log_in(person, act_as.clone(), &["tasks"]);
        let old = program.log_in(person, act_as.clone(), &["tasks"]);
        let next = program.refresh(&of(&old, "refresh_token")).expect(200).json();
        let reused = program.refresh(&of(&next, "refresh_token")).expect(200).json();
        Self { program, code, replayed, revoked, old, reused }
    }

    fn end_all(&self) {
        revoke(self.program, &self.revoked).expect(200);
        self.program.refresh(&of(&self.old, "refresh_token")).expect_error(400, "invalid_grant");
        self.program.show_code(&self.code, &[]).expect_error(400, "invalid_grant");
    }

    fn all_have_ended(&self) {
        for grant in [&self.replayed, &self.revoked, &self.reused] {
            self.program.refresh(&of(grant, "refresh_token")).expect_error(400, "invalid_grant");
        }
        assert_eq!(self.program.daemon.number(AUDITED, []), 3);
    }
}

fn revoke(program: &Program<'_>, grant: &Value) -> Reply {
    let token = of(grant, "refresh_token");
    post_form(&program.daemon.anonymous(), "/oauth/revoke", &[("token", &token), ("client_id", &program.id)])
}

#[test]
fn while_the_agent_is_frozen() {
    let daemon = Daemon::start();
    let agent = json!({"agent_id": daemon.agent("atlas")});
    let (person, program) = (browser(&daemon, &daemon.token), Program::named(&daemon, "editor"));
    let ending = Ending::begin(&program, &person, &agent);
    let kept = program.log_in(&person, agent.clone(), &["tasks"]);
    daemon.operator().post("/api/agents/atlas/freeze", json!({"reason": "alarm"})).expect(200);
    ending.end_all();
    program.refresh(&of(&kept, "refresh_token")).expect_error(400, "invalid_grant");
    daemon.operator().post("/api/agents/atlas/thaw", json!({})).expect(200);
    ending.all_have_ended();
    program.refresh(&of(&kept, "refresh_token")).expect(200);
}

#[test]
fn while_the_user_is_disabled() {
    let daemon = Daemon::start();
    let ann = daemon.member("ann", &["*"]);
    let (person, program) = (browser(&daemon, ann.token()), Program::named(&daemon, "editor"));
    let ending = Ending::begin(&program, &person, &json!({"user": true}));
    daemon.operator().patch("/api/users/ann", json!({"disabled": true})).expect(200);
    ending.end_all();
    daemon.operator().patch("/api/users/ann", json!({"disabled": false})).expect(200);
    ending.all_have_ended();
}

#[test]
fn while_the_rate_of_the_account_is_used_up() {
    let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "100")]);
    let ann = daemon.member("ann", &["*"]);
    let (person, program) = (browser(&daemon, ann.token()), Program::named(&daemon, "editor"));
    let ending = Ending::begin(&program, &person, &json!({"user": true}));
    assert!((0..200).any(|_| ann.get("/api/auth/whoami").status == 429), "the rate is used up");
    ending.end_all();
    assert_eq!((daemon.number(LIVE, []), daemon.number(AUDITED, [])), (0, 3));
}
