//! What happens to a box: it ends and begins, is killed, is restored from a backup, and its clock moves.

use std::time::Duration;

use serde_json::json;

use crate::support::TempDir;
use crate::whole_box::World;
use crate::whole_box::state::{Credential, Kind, State};

/// Which of them happen.
#[derive(Clone, Copy, PartialEq)]
pub enum Upsets {
    None,
    Restores,
    Clock,
    All,
}

/// Seconds that are a jump of the clock.
const JUMP: i64 = 60;

impl World {
    /// Now and then, something.
    pub fn upset(&mut self, which: Upsets) {
        let one_in = match which {
            Upsets::None => return,
            Upsets::Restores => 60,
            Upsets::Clock => 500,
            Upsets::All => 4000,
        };
        if !self.dice.once_in(one_in) {
            return;
        }
        match (which, self.dice.below(3)) {
            (Upsets::Clock, _) | (Upsets::All, 0) => self.time_passes(),
            (_, 1) => self.restore(),
            _ => self.begin_again(),
        }
    }

    /// It ends in order, or is killed.
    fn begin_again(&mut self) {
        let kill = self.dice.once_in(2);
        let bench = &mut self.bench;
        // Killed, it compares its clock with what it left before: what has gone too far since is a jump (DESIGN D20).
        if kill && (bench.offset - bench.left).abs() < JUMP / 2 {
            bench.daemon.kill();
            bench.daemon.spawn();
        } else {
            bench.daemon.restart();
            bench.left = bench.offset;
        }
        bench.operator = bench.daemon.operator();
        // What is left of a lease is counted by the clock, which may have moved.
        if bench.clock.is_some() {
            bench.state.forget_leases();
        }
    }

    /// A backup, some steps, and the box as it was in it: of both, the lesser.
    fn restore(&mut self) {
        let dir = TempDir::new();
        let file = dir.path().join("backup.db");
        self.bench.daemon.offline("backup", &[&file]);
        let then = self.bench.state.clone();
        self.may_replace = false;
        for _ in 0..self.dice.below(60) {
            self.step();
        }
        self.may_replace = true;
        assert_eq!(self.bench.daemon.stop(), Some(0));
        self.bench.daemon.offline("restore", &[&file]);
        self.bench.daemon.spawn();
        self.bench.left = self.bench.offset;
        self.bench.operator = self.bench.daemon.operator();
        self.bench.state = State::lesser(&then, &self.bench.state);
        self.bench.forget_tokens();
        // A key of an agent may have become less than the model knows.
        let is_key = |one: &Credential| one.is_live && [Kind::AgentKey, Kind::InternalKey].contains(&one.kind);
        for nth in 0..self.bench.state.credentials.len() {
            if is_key(&self.bench.state.credentials[nth]) {
                self.revoke(nth);
            }
        }
    }

    /// The clock moves some times, each by less than what is a jump.
    fn time_passes(&mut self) {
        if self.bench.clock.is_none() {
            return self.begin_again();
        }
        for _ in 0..=self.dice.below(5) {
            let by = i64::try_from(15 + self.dice.below(14)).expect("small");
            self.bench.offset += by;
            let offset = format!("{:+}", self.bench.offset);
            self.bench.clock.as_ref().expect("a clock").jump(&offset);
            // At once, before anything is written down: each check looks at the time itself.
            (0..20).for_each(|_| self.attempt());
            // The daemon looks at its clock every second.
            std::thread::sleep(Duration::from_millis(1300));
            self.bench.operator.post("/api/ui/notify", json!({"title": "t", "body": "b"})).expect(200);
        }
        self.bench.forget_tokens();
    }
}
