//! A key that is for some agents sees no other one, in no list and by no id, live or archived, its user's own or not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use taosd::api::{ApiRoute, routes};
use taosd::rest::route::Answer;

use crate::power::harness::{jwt, key};
use crate::support::{AxReply, Client, Daemon, text};

/// What is told of the whole box or to the user in person, by route, and why a key may read it all the same.
const WHOLE: &[(&str, &str)] = &[("audit_list", "what happened on the box: for admins alone")];

/// A box where a user owns one agent that the key is for, and two that it is not for, one of them archived.
struct Restricted {
    daemon: Daemon,
    /// With the key's token for the user's work, and with the one for managing.
    client: Client,
    manager: Client,
    mine: String,
    hidden: String,
    gone: String,
    operation: String,
}

impl Restricted {
    #[track_caller]
    fn of(daemon: Daemon, owner: &Client, username: &str) -> Self {
        let [mine, hidden, gone] = ["mine", "hidden-agent", "gone-agent"].map(|name| daemon.agent_by(owner, name));
        for name in ["mine", "hidden-agent"] {
            let path = format!("/api/agents/{name}/token/issue");
            owner.post(&path, json!({"expires_in_days": 1})).expect(200);
        }
        owner.delete("/api/agents/gone-agent").expect(200);
        daemon.operator().post("/api/users", json!({"username": "guest"})).expect(201);
        let grant = json!({"principal": "user:guest", "resource": format!("agent:{hidden}"), "role": "viewer"});
        owner.post("/api/grants", grant).expect(201);
        daemon.execute(
            "INSERT INTO operations (id, kind, status, agent_id, agent_name, actor, actor_id, request_id, created_at,
                finished_at)
            VALUES ('op-hidden', 'stop', 'succeeded', ?1, 'hidden-agent', 'user:' || ?2,
                (SELECT 'user:' || id FROM users WHERE username = ?2), '-', 1, 2)",
            [&hidden, username],
        );
        let made = key(owner, json!({"allowed_agent_ids": [mine]}));
        let [client, manager] = ["user_access", "user_admin"].map(|class| jwt(&daemon, &made, class));
        Self { daemon, client, manager, mine, hidden, gone, operation: "op-hidden".to_owned() }
    }

    /// True if a text names what the key is not for.
    fn tells(&self, said: &str) -> bool {
        [&self.hidden, &self.gone, "hidden-agent", "gone-agent", &self.operation]
            .iter()
            .any(|name| said.contains(*name))
    }

    /// Asks every route that reads, with each of these words in its path.
    fn ask_all(&self) {
        let is_stream =
            |route: &ApiRoute| matches!(route.answer.1, Answer::Other(media) if media.contains(&"text/event-stream"));
        let reads = routes().iter().flat_map(|table| table.iter()).filter(|route| route.method == "GET");
        let mut asked = 0;
        for route in reads.filter(|route| !is_stream(route) && !WHOLE.iter().any(|(id, _)| *id == route.id)) {
            for word in [&self.hidden, "hidden-agent", &self.gone, &self.operation] {
                let names = route.parameters();
                let path = names
                    .iter()
                    .fold(route.path.replace("...}", "}"), |path, name| path.replace(&format!("{{{name}}}"), word));
                for client in [&self.client, &self.manager] {
                    let reply = client.get(&path);
                    let said = reply.text();
                    assert!(reply.status >= 300 || !self.tells(&said), "{} {path}: {said}", route.id);
                    asked += u32::from(reply.status < 300);
                }
            }
        }
        assert!(asked > 40, "only {asked} replies were looked at");
    }

    /// The events of all that happened, as far as they come at once.
    fn events(&self) -> String {
        let mut stream = TcpStream::connect(&self.daemon.address).expect("a connection");
        let head = format!(
            "GET /api/events?types=agent,operation HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
            Last-Event-ID: 0.0\r\n\r\n",
            self.client.token()
        );
        stream.write_all(head.as_bytes()).expect("a request");
        stream.set_read_timeout(Some(Duration::from_secs(1))).expect("a socket");
        let (mut all, mut part) = (Vec::new(), [0; 4096]);
        while let Ok(length @ 1..) = stream.read(&mut part) {
            all.extend_from_slice(&part[..length]);
        }
        String::from_utf8_lossy(&all).into_owned()
    }

    fn check(&self) {
        self.ask_all();
        let events = self.events();
        assert!(events.contains(&self.mine) && !self.tells(&events), "{events}");
        // Its own it sees, in the lists that leave out the others.
        let listed = self.client.get("/api/agents").expect(200).json();
        assert_eq!(text(&listed[0], "id"), self.mine);
        assert_eq!(self.client.get("/api/agents/archived").expect(200).json(), json!([]));
        let expiring = self.manager.get("/api/credentials/expiring").expect(200).json();
        assert_eq!(expiring.as_array().map(Vec::len), Some(1), "{expiring}");
        assert_eq!(expiring[0]["agent_name"], "mine");
    }
}

#[test]
fn of_a_member() {
    let daemon = Daemon::start();
    let ann = daemon.member("ann", &["*"]);
    daemon.grant("user:ann", "*", "creator");
    Restricted::of(daemon, &ann, "ann").check();
}

#[test]
fn of_an_admin() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    Restricted::of(daemon, &operator, "operator").check();
}

#[test]
fn in_a_space_that_they_share() {
    let daemon = Daemon::start();
    let ann = daemon.member("ann", &["*"]);
    daemon.grant("user:ann", "*", "creator");
    let [mine, hidden] = ["mine", "hidden-agent"].map(|name| daemon.agent_by(&ann, name));
    let key = key(&ann, json!({"allowed_agent_ids": [mine]}));
    let client = jwt(&daemon, &key, "user_access");
    let space = text(&ann.get("/auth/me").json(), "space_id");
    let members = client.get(&format!("/api/v1/spaces/{space}/members")).expect(200).text();
    assert!(members.contains(&mine) && !members.contains("hidden-agent") && !members.contains(&hidden), "{members}");
    let count = |who: &Client| who.get(&format!("/api/v1/spaces/{space}")).expect(200).json()["member_count"].clone();
    assert_eq!((count(&client), count(&ann)), (json!(2), json!(3)));
    client.delete(&format!("/api/v1/spaces/{space}/members/{hidden}")).expect_ax(404, "member_not_found");
    let refused = client.post("/api/v1/agents", json!({"name": "new"}));
    assert!(refused.text().contains("for some agents only"), "{}", refused.text());
    refused.expect_ax(403, "create_not_allowed");
    // It gives work and messages to no other one, and learns no more than of an agent that there is not.
    let assigned = |id: &str| client.post("/api/v1/tasks", json!({"title": "t", "assignee_id": id}));
    assigned(&mine).expect(201);
    assert_eq!(assigned(&hidden).expect(422).json()["detail"], assigned("nobody").expect(422).json()["detail"]);
    let direct = |name: &str| client.post("/api/v1/messages", json!({"content": "x", "channel": format!("dm:{name}")}));
    direct("mine").expect(200);
    assert_eq!(direct("hidden-agent").expect(422).json()["detail"], direct("nobody").expect(422).json()["detail"]);
    let sent = client.post("/api/v1/messages", json!({"content": "@mine and @hidden-agent"})).expect(200).json();
    assert_eq!(sent["message"]["mentions"], json!(["mine"]));
}
