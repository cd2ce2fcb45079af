//! The box beside the model of rights: agents that ask, people who decide, a clock that moves, a daemon that is killed.

use std::path::Path;
use std::time::{Instant, SystemTime};

use rusqlite::Connection;
use serde_json::Value;

use crate::false_clock::FalseClock;
use crate::support::{Client, Daemon};

/// The scopes that are asked for, the path that tries each, and whether the path is below the agent's own path.
pub const SCOPES: [(&str, &str, bool); 3] = [
    ("agents.token.read", "token", true),
    ("agents.export", "export", true),
    ("operations.read", "/api/operations", false),
];
/// The seconds from which on a move of the clock is a jump.
const JUMP: i64 = 60;
/// The seconds around an end in which the model does not check.
const NEAR: f64 = 2.0;

/// Pseudo-random numbers, the same for the same seed (xorshift64*).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % most
    }

    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Scope(usize),
    Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The owner of the agents that ask.
    Ann,
    /// Ann, with a token that has only the first of the scopes.
    Narrow,
    /// The owner of the agents that roles are asked for.
    Bob,
    /// An admin.
    Eve,
}

#[derive(Debug, Clone)]
pub struct Asked {
    pub id: String,
    pub what: What,
    /// `None`: pending.
    pub given: Option<Given>,
}

#[derive(Debug, Clone)]
pub struct Given {
    pub by: Who,
    /// The end by the daemon's clock, in seconds since the epoch.
    pub until: f64,
    /// When it was given, by the monotonic clock, which nobody moves.
    pub at: Instant,
    pub seconds: f64,
}

impl Given {
    /// Whether the end is so near that it may or may not have come. The time that has passed counts too, because the
    /// clock may have gone back.
    pub fn is_near(&self, now: f64) -> bool {
        (self.until - now).abs() < NEAR || self.may_be_over()
    }

    /// Whether it ends soon or has ended.
    pub fn is_late(&self, now: f64) -> bool {
        self.until - now < NEAR || self.may_be_over()
    }

    fn may_be_over(&self) -> bool {
        self.at.elapsed().as_secs_f64() > self.seconds - NEAR
    }
}

/// An agent of ann's, and an agent of the operator's on which it asks for a role.
pub struct Fixture {
    pub atlas: Client,
    pub open: Vec<Asked>,
    pub bob_owns: bool,
    name: String,
    thing: String,
}

impl Fixture {
    /// The path that tries a scope.
    pub fn path(&self, scope: usize) -> String {
        let (_, path, own) = SCOPES[scope];
        if own { format!("/api/agents/{}/{path}", self.name) } else { path.to_owned() }
    }
}

pub struct Bench {
    pub clock: Option<FalseClock>,
    pub fixtures: Vec<Fixture>,
    pub operator: Client,
    daemon: Daemon,
    /// Closed while the daemon is down.
    db: Option<Connection>,
    offset: i64,
    /// The offset at the daemon's last clean stop, when it saved its clock.
    left: i64,
    clients: [Client; 4],
}

impl Bench {
    pub fn new(agents: u64, clock: Option<FalseClock>) -> Self {
        let env = [
            ("TAOSD_REQUESTS_PER_MINUTE", "0"),
            ("TAOSD_WRITE_ROWS_PER_HOUR", "0"),
            ("TAOSD_SWEEP_INTERVAL", "1"),
            ("TAOSD_BACKUP_INTERVAL", "0"),
            // If the model fails, the log is shown. There the daemon warns that it doubts its clock.
            ("TAOSD_LOG", "warn"),
        ];
        let daemon = match &clock {
            Some(clock) => {
                let mut daemon = clock.daemon(&env);
                daemon.spawn();
                daemon
            }
            None => Daemon::with(&[], &env),
        };
        let ann = daemon.member("ann", &["*"]);
        daemon.grant("user:ann", "*", "creator");
        let narrow = daemon.user_token("ann", &["requests.*", SCOPES[0].0]);
        let bob = daemon.member("bob", &["*"]);
        let eve = daemon.admin("eve");
        let fixture = |nth| {
            let (name, thing) = (format!("atlas{nth}"), daemon.agent(&format!("thing{nth}")));
            daemon.agent_by(&ann, &name);
            daemon.grant("user:bob", &thing, "owner");
            let atlas = crate::requests::harness::token(&daemon, &ann, &name);
            Fixture { atlas, open: Vec::new(), bob_owns: true, name, thing }
        };
        let fixtures = (0..agents).map(fixture).collect();
        let (operator, db) = (daemon.operator(), Some(daemon.db()));
        Self { clock, fixtures, operator, daemon, db, offset: 0, left: 0, clients: [ann, narrow, bob, eve] }
    }

    /// The daemon's clock.
    pub fn now(&self) -> f64 {
        SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64() + self.offset as f64
    }

    pub fn client(&self, who: Who) -> &Client {
        &self.clients[who as usize]
    }

    fn db(&self) -> &Connection {
        self.db.as_ref().expect("a daemon")
    }

    /// The state of a request in the database.
    pub fn state(&self, id: &str) -> String {
        self.db().query_row("SELECT state FROM requests WHERE id = ?1", [id], |row| row.get(0)).unwrap()
    }

    /// Lets an hour pass for an agent's limits on requests.
    pub fn an_hour_passes(&self, nth: usize) {
        let sql = "UPDATE requests SET created_at = created_at - 3600000000 WHERE state <> 'pending'
            AND agent_id = (SELECT id FROM agents WHERE slug = ?1)";
        self.db().execute(sql, [&self.fixtures[nth].name]).unwrap();
    }

    /// Lets the agent ask for the same again.
    pub fn forget_denial(&self, id: &str) {
        assert_eq!(self.db().execute("UPDATE requests SET decided_at = 0 WHERE id = ?1", [id]).unwrap(), 1);
    }

    pub fn set_eve(&self, change: &Value) {
        self.operator.call("PATCH", "/api/users/eve", Some(change)).expect(200);
    }

    /// Replaces Eve's tokens by a new one, because a user may have at most a hundred.
    pub fn new_token_of_eve(&mut self) {
        for old in self.operator.get("/api/users/eve/tokens").expect(200).json().as_array().expect("a list") {
            let id = old["id"].as_str().expect("an id");
            self.operator.delete(&format!("/api/users/eve/tokens/{id}")).expect(204);
        }
        self.clients[Who::Eve as usize] = self.daemon.user_token("eve", &["*"]);
    }

    pub fn bob_owns_or_not(&mut self, nth: usize) {
        let fixture = &mut self.fixtures[nth];
        fixture.bob_owns = !fixture.bob_owns;
        self.daemon.grant("user:bob", &fixture.thing, if fixture.bob_owns { "owner" } else { "viewer" });
    }

    pub fn move_clock(&mut self, by: i64) {
        self.offset += by;
        self.clock.as_ref().expect("a clock").jump(&format!("{:+}", self.offset));
    }

    /// Kills or stops the daemon, and starts it again.
    pub fn again(&mut self, kill: bool) {
        self.db = None;
        // After a kill the daemon compares its clock with the one it saved last. If it moved too far since, that is a
        // jump, and what ends by a jump is refused but not ended for good (DESIGN D20).
        if kill && (self.offset - self.left).abs() < JUMP / 2 {
            self.daemon.kill();
            self.daemon.spawn();
        } else {
            self.daemon.restart();
            self.left = self.offset;
        }
        self.take_up();
    }

    /// Writes a backup of the box to a file.
    pub fn back_up(&self, file: &Path) {
        self.daemon.offline("backup", &[file]);
    }

    /// Stops the daemon, restores the backup, and starts the daemon.
    pub fn restore(&mut self, file: &Path) {
        self.db = None;
        assert_eq!(self.daemon.stop(), Some(0));
        self.daemon.offline("restore", &[file]);
        self.daemon.spawn();
        self.left = self.offset;
        self.take_up();
    }

    /// Opens the database again, and adapts the clients and the model to the new start.
    fn take_up(&mut self) {
        self.db = Some(self.daemon.db());
        // The daemon computes the remaining time anew from its present clock, which may be ahead.
        let (now, clock) = (self.now(), Instant::now());
        let open = self.fixtures.iter_mut().flat_map(|fixture| &mut fixture.open);
        for given in open.filter_map(|asked| asked.given.as_mut()) {
            let left = (given.until - now).max(0.0);
            if left < given.seconds - given.at.elapsed().as_secs_f64() {
                (given.at, given.seconds) = (clock, left);
            }
        }
        for fixture in &mut self.fixtures {
            fixture.atlas = self.daemon.client(fixture.atlas.token());
        }
        self.clients = self.clients.clone().map(|client| self.daemon.client(client.token()));
        self.operator = self.daemon.operator();
    }
}

/// The seconds since the epoch of a time in a reply.
pub fn seconds_of(time: &str) -> f64 {
    time.parse::<jiff::Timestamp>().unwrap().as_microsecond() as f64 / 1e6
}
