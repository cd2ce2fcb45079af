//! A box that lives through a year in which a day lasts a second. The wall clock jumps a day forward at a time, and a
//! time server confirms each jump.
//!
//! A faster clock would not work. Deadlines of requests, rates and pauses use the time since boot, and libfaketime does
//! not change how long the kernel lets a thread wait. With a faster time since boot the daemon would cut each request,
//! and the sweep would sleep forever.

mod life;
mod marks;
mod promises;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::false_clock::FalseClock;
use crate::support::{Client, Daemon, text};
use life::{Baby, Guest, Keeper};
pub use marks::Mark;
use promises::Promise;

/// The least duration of a day. The sweep runs every second.
const DAY: Duration = Duration::from_millis(1300);

/// The number of days, and the days on which the daemon stops or is killed.
pub struct Plan {
    pub days: u64,
    /// The days for which the audit and messages are kept.
    pub kept_days: u64,
    /// The days at whose end the box is measured.
    pub marks: Vec<u64>,
    /// The nights during which the daemon is off.
    pub nights: Vec<u64>,
    /// The days on which the daemon is killed.
    pub kills: Vec<u64>,
}

/// The box.
pub struct Year {
    pub plan: Plan,
    pub daemon: Daemon,
    pub day: u64,
    /// The measurements so far.
    pub marks: Vec<Mark>,
    clock: FalseClock,
    synced: PathBuf,
    /// The token of the member Ann, who owns everything in this test. `space` is her space.
    ann: String,
    space: String,
    babies: Vec<Baby>,
    guests: Vec<Guest>,
    keepers: Vec<Keeper>,
    /// The ids of Ann's keys, oldest first.
    keys: VecDeque<String>,
    /// The acknowledged things that must last.
    promises: Vec<Promise>,
    /// Tokens that must be refused from now on.
    dead: Vec<String>,
    /// Tokens that are valid today and must be refused tomorrow.
    mortal: Vec<String>,
    /// Ann's replaced tokens, each with the last day on which it is valid.
    replaced: Vec<(u64, String)>,
}

impl Year {
    /// Makes a box on its first day.
    pub fn begin(plan: Plan) -> Self {
        let clock = FalseClock::find();
        let synced = clock.file_beside("synchronized");
        let kept = plan.kept_days.to_string();
        let mut daemon = clock.daemon(&[
            ("TAOSD_TIME_SYNC_FILE", synced.to_str().expect("UTF-8")),
            ("TAOSD_SWEEP_INTERVAL", "1"),
            ("TAOSD_BACKUP_INTERVAL", "2"),
            ("TAOSD_AUDIT_RETENTION_DAYS", &kept),
            ("TAOSD_WORKSPACE_MESSAGE_DAYS", &kept),
            // The test tries many invalid tokens.
            ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0"),
            ("TAOSD_LOG", "warn"),
            // As the unit of systemd sets it.
            ("MALLOC_ARENA_MAX", "1"),
        ]);
        daemon.spawn();
        let ann = daemon.member("ann", &["*"]);
        daemon.grant("user:ann", "*", "creator");
        let space = text(&ann.get("/auth/me").expect(200).json(), "space_id");
        let ann = ann.token().to_owned();
        let mut year = Self {
            plan,
            daemon,
            day: 0,
            marks: Vec::new(),
            clock,
            synced,
            ann,
            space,
            babies: Vec::new(),
            guests: Vec::new(),
            keepers: Vec::new(),
            keys: VecDeque::new(),
            promises: Vec::new(),
            dead: Vec::new(),
            mortal: Vec::new(),
            replaced: Vec::new(),
        };
        year.furnish();
        year
    }

    /// Runs the days of the plan.
    pub fn live(&mut self) {
        for day in 1..=self.plan.days {
            let dawn = Instant::now();
            self.next_day(day);
            self.live_a_day();
            if self.plan.kills.contains(&day) {
                self.daemon.kill();
                self.daemon.spawn();
            }
            std::thread::sleep(DAY.saturating_sub(dawn.elapsed()));
            if self.plan.marks.contains(&day) {
                self.mark();
            }
        }
    }

    /// Moves to the next day. Tokens that were valid until yesterday must be refused.
    fn next_day(&mut self, day: u64) {
        let is_off = self.plan.nights.contains(&day);
        if is_off {
            assert_eq!(self.daemon.stop(), Some(0), "{}", self.daemon.log_text());
        }
        self.day = day;
        self.clock.jump(&format!("+{day}d"));
        self.clock.confirm(&self.synced, day);
        if is_off {
            self.daemon.spawn();
        }
        for token in std::mem::take(&mut self.mortal) {
            assert_eq!(self.whoami(&token), 401, "day {day}: what was good until yesterday");
            self.dead.push(token);
        }
        let over = self.replaced.iter().filter(|(last, _)| *last < day).map(|(_, token)| token.clone());
        self.dead.extend(over);
        self.replaced.retain(|(last, _)| *last >= day);
    }

    /// A client on the operator's socket, which has no allowance.
    fn operator(&self) -> Client {
        self.daemon.on_socket()
    }

    fn ann(&self) -> Client {
        self.daemon.client(&self.ann)
    }

    fn whoami(&self, token: &str) -> u16 {
        self.daemon.client(token).try_send("GET", "/api/auth/whoami", None).expect("a reply").status
    }

    /// Issues a new token of one of Ann's agents.
    fn issue(&self, agent: &str, body: Value) -> String {
        text(&self.ann().post(&format!("/api/agents/{agent}/token/issue"), body).expect(200).json(), "token")
    }

    /// Sends a message to Ann's space. Returns its id.
    fn say(&self, who: &Client, body: Value) -> String {
        text(&who.post("/api/v1/messages", body).expect(200).json()["message"], "id")
    }

    /// Makes the things that last as long as the box, and the tokens that stay refused.
    fn furnish(&mut self) {
        for name in ["keeper-0", "keeper-1", "keeper-2"] {
            self.daemon.agent_by(&self.ann(), name);
            let token = self.issue(name, json!({}));
            self.keepers.push(Keeper { name: name.to_owned(), token });
        }
        self.daemon.agent_by(&self.ann(), "lasting");
        let lasting = self.issue("lasting", json!({}));
        self.promise(Some(&lasting), "/api/auth/whoami", "lasting");
        let id = self.daemon.agent_by(&self.ann(), "sleeper");
        let sleeper = self.issue("sleeper", json!({}));
        self.ann().delete("/api/agents/sleeper").expect(200);
        self.dead.push(sleeper);
        self.promise(None, "/api/agents/archived", &id);
        self.daemon.agent_by(&self.ann(), "revoked");
        let revoked = self.issue("revoked", json!({}));
        self.ann().delete("/api/agents/revoked/token").expect(204);
        self.dead.push(revoked);
    }
}
