//! Events of the whole box: the daemon restarts or is killed, a backup is restored, the clock moves.

use std::time::Duration;

use serde_json::json;

use crate::support::TempDir;
use crate::whole_box::World;
use crate::whole_box::state::{Credential, Kind, State};

/// The kinds of events in a run.
#[derive(Clone, Copy, PartialEq)]
pub enum Upsets {
    None,
    Restores,
    Clock,
    All,
}

/// The seconds from which on a move of the clock is a jump.
const JUMP: i64 = 60;

impl World {
    /// Now and then causes one of the events.
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

    /// Stops or kills the daemon, and starts it again.
    fn begin_again(&mut self) {
        let kill = self.dice.once_in(2);
        let bench = &mut self.bench;
        // After a kill the daemon compares its clock with the one it saved last. If it moved too far, that is a jump
        // (DESIGN D20).
        if kill && (bench.offset - bench.left).abs() < JUMP / 2 {
            bench.daemon.kill();
            bench.daemon.spawn();
        } else {
            bench.daemon.restart();
            bench.left = bench.offset;
        }
        bench.operator = bench.daemon.operator();
        // The daemon computes the rest of a lease by its clock, which may have moved.
        if bench.clock.is_some() {
            bench.state.forget_leases();
        }
    }

    /// Makes a backup, does some steps, and restores it. Only what is in force in both states is left.
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
        // An agent's key may now hold less than the model knows.
        let is_key = |one: &Credential| one.is_live && [Kind::AgentKey, Kind::InternalKey].contains(&one.kind);
        for nth in 0..self.bench.state.credentials.len() {
            if is_key(&self.bench.state.credentials[nth]) {
                self.revoke(nth);
            }
        }
    }

    /// Moves the clock several times, each time by less than a jump.
    fn time_passes(&mut self) {
        if self.bench.clock.is_none() {
            return self.begin_again();
        }
        for _ in 0..=self.dice.below(5) {
            let by = i64::try_from(15 + self.dice.below(14)).expect("small");
            self.bench.offset += by;
            let offset = format!("{:+}", self.bench.offset);
            self.bench.clock.as_ref().expect("a clock").jump(&offset);
            // At once, before an end is recorded, because each check compares the time itself.
            (0..20).for_each(|_| self.attempt());
            // The daemon looks at its clock every second.
            std::thread::sleep(Duration::from_millis(1300));
            self.bench.operator.post("/api/ui/notify", json!({"title": "t", "body": "b"})).expect(200);
        }
        self.bench.forget_tokens();
    }
}
