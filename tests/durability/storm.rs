//! A storm of writes: several clients at once create agents and issue and revoke tokens, and record the acknowledged
//! writes.

#![allow(dead_code, reason = "each test target uses its own part of this")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::json;

use crate::support::{Client, Daemon};

/// Settings without the rate limits that would refuse a storm.
pub const NO_RATES: &[(&str, &str)] = &[("TAOSD_REQUESTS_PER_MINUTE", "0"), ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")];

/// The known tokens of one agent.
#[derive(Debug, Default, Clone)]
pub struct Tokens {
    /// The newest acknowledged token, unless a revoke was acknowledged after it.
    pub newest: Option<String>,
    /// All earlier tokens. They must never work again.
    pub older: Vec<String>,
    /// True if a request about the token got no reply. Its effect is unknown.
    pub unsure: bool,
}

/// The writes that the daemon has acknowledged.
#[derive(Debug, Default, Clone)]
pub struct Acknowledged {
    /// The slugs of the created agents.
    pub agents: Vec<String>,
    /// The tokens, by agent.
    pub tokens: HashMap<String, Tokens>,
}

impl Acknowledged {
    /// Returns the number of these writes.
    pub fn writes(&self) -> usize {
        self.agents.len() + self.tokens.values().map(|tokens| tokens.older.len()).sum::<usize>()
    }
}

/// A storm that continues until [`Storm::end`].
pub struct Storm {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
    seen: Arc<Mutex<Acknowledged>>,
}

impl Storm {
    /// Starts a storm of `clients` clients. `round` makes the names unique.
    pub fn start(daemon: &Daemon, clients: usize, round: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Acknowledged::default()));
        let client = |n: usize| {
            let (client, stop, seen) = (daemon.operator(), Arc::clone(&stop), Arc::clone(&seen));
            std::thread::spawn(move || work(&client, &format!("r{round}c{n}"), &stop, &seen))
        };
        Self { clients: (0..clients).map(client).collect(), stop, seen }
    }

    /// Returns the number of agents whose creation was acknowledged so far.
    pub fn created(&self) -> usize {
        self.seen.lock().unwrap().agents.len()
    }

    /// Returns the writes that were acknowledged so far.
    pub fn so_far(&self) -> Acknowledged {
        self.seen.lock().unwrap().clone()
    }

    /// Ends the storm. Returns the acknowledged writes.
    pub fn end(self) -> Acknowledged {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("a client");
        }
        let seen = self.seen.lock().unwrap();
        seen.clone()
    }
}

fn work(client: &Client, name: &str, stop: &AtomicBool, seen: &Mutex<Acknowledged>) {
    // Each client works with the tokens of its first agent.
    if !create(client, name, seen) {
        return;
    }
    for n in 0.. {
        let answered = match n % 4 {
            _ if stop.load(Ordering::Relaxed) => false,
            // Only a few agents, because one owner may have 1000, and some tests have fifty storms.
            0 if n % 32 == 0 => create(client, &format!("{name}n{n}"), seen),
            3 if n % 8 == 3 => token(client, name, seen, false),
            _ => token(client, name, seen, true),
        };
        if !answered {
            return;
        }
    }
}

/// Creates an agent. Returns false if the daemon is gone.
fn create(client: &Client, name: &str, seen: &Mutex<Acknowledged>) -> bool {
    let body = json!({"name": name}).to_string();
    match client.try_send("POST", "/api/agents", Some(body.as_bytes())) {
        Ok(reply) if reply.status == 503 => false,
        Ok(reply) => {
            assert_eq!(reply.status, 200, "{}", reply.text());
            seen.lock().unwrap().agents.push(name.to_owned());
            true
        }
        Err(_) => false,
    }
}

/// Issues a token, or revokes the current one. Returns false if the daemon is gone.
fn token(client: &Client, agent: &str, seen: &Mutex<Acknowledged>, issue: bool) -> bool {
    let reply = match issue {
        true => client.try_send("POST", &format!("/api/agents/{agent}/token/issue"), Some(b"{}")),
        false => client.try_send("DELETE", &format!("/api/agents/{agent}/token"), None),
    };
    let mut seen = seen.lock().unwrap();
    let tokens = seen.tokens.entry(agent.to_owned()).or_default();
    let reply = match reply {
        Ok(reply) if reply.status != 503 => reply,
        _ => {
            tokens.unsure = true;
            return false;
        }
    };
    let before = tokens.newest.take();
    tokens.older.extend(before);
    if issue {
        tokens.newest = Some(reply.expect(200).json()["token"].as_str().expect("a token").to_owned());
    } else {
        reply.expect(204);
    }
    true
}

impl Acknowledged {
    /// Fails unless the daemon knows every agent and refuses every replaced or revoked token. Does not check the newest
    /// tokens, because requests were still in flight when this was recorded.
    pub fn hold_at_least(&self, daemon: &Daemon) {
        for agent in &self.agents {
            daemon.operator().get(&format!("/api/agents/{agent}")).expect(200);
        }
        for older in self.tokens.values().flat_map(|tokens| &tokens.older) {
            daemon.client(older).get("/api/auth/whoami").expect_error(401, "invalid_token");
        }
    }

    /// Fails unless the daemon knows every agent, accepts its newest token and refuses the older ones.
    pub fn hold(&self, daemon: &Daemon) {
        let operator = daemon.operator();
        for agent in &self.agents {
            operator.get(&format!("/api/agents/{agent}")).expect(200);
        }
        for (agent, tokens) in &self.tokens {
            let whoami = |token: &str| daemon.client(token).get("/api/auth/whoami").status;
            if let (Some(newest), false) = (&tokens.newest, tokens.unsure) {
                assert_eq!(whoami(newest), 200, "the newest token of {agent}");
            }
            for older in &tokens.older {
                assert_eq!(whoami(older), 401, "a replaced or revoked token of {agent} works");
            }
        }
    }
}
