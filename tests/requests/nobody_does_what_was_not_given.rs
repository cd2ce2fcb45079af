//! A model of who was given what, beside a real daemon. Requests, decisions, revocations, lost rights, restarts, kills,
//! restores and moves of the clock are random. Each agent can do exactly what is in force at that moment.
//!
//! `TAOSD_MODEL_STEPS` sets the number of steps, `TAOSD_MODEL_SEED` the seed of the random choices. `TMPDIR=/dev/shm`
//! spares the disk.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use crate::false_clock::FalseClock;
use crate::requests::given::{Asked, Bench, Dice, Given, SCOPES, What, Who, seconds_of};
use crate::support::{Client, TempDir, text, wait_until};

/// The number of agents whose steps are mixed. A move of the clock or a restart is a step of all of them.
const AGENTS: u64 = 16;

/// In a run with backups, one of this many steps also kills or restarts the daemon, or makes or restores a backup.
const UPSET: u64 = 40;

struct Model {
    bench: Bench,
    dice: Dice,
    eve_is_admin: bool,
    eve_is_enabled: bool,
    /// The folder of the backups, and the state of the model at the last one. `None` in a run without backups.
    backups: Option<(TempDir, Option<Saved>)>,
    steps: u64,
    /// The numbers of tries that were refused and allowed.
    tried: [u64; 2],
}

/// The state of the model in a backup.
#[derive(Clone)]
struct Saved {
    file: PathBuf,
    eve_is_admin: bool,
    eve_is_enabled: bool,
    /// The open requests of each agent, and whether Bob owns the agent on which it asks for a role.
    agents: Vec<(Vec<Asked>, bool)>,
}

impl Model {
    /// With a `clock`, the steps also move it.
    fn new(seed: u64, clock: Option<FalseClock>, restores: bool) -> Self {
        let (bench, dice) = (Bench::new(AGENTS, clock), Dice::new(seed));
        let backups = restores.then(|| (TempDir::new(), None));
        Self { bench, dice, eve_is_admin: true, eve_is_enabled: true, backups, steps: 0, tried: [0; 2] }
    }

    fn may_decide(&self, who: Who, what: What, nth: usize) -> bool {
        match (who, what) {
            (Who::Ann, What::Scope(_)) => true,
            // Ann's token with one scope can give only that scope.
            (Who::Narrow, What::Scope(scope)) => scope == 0,
            (Who::Bob, What::Role) => self.bench.fixtures[nth].bob_owns,
            (Who::Eve, _) => self.eve_is_admin && self.eve_is_enabled,
            _ => false,
        }
    }

    fn ask(&mut self, nth: usize) {
        let what = if self.dice.below(4) == 0 { What::Role } else { What::Scope(self.dice.below(3) as usize) };
        let seconds = 60 + self.dice.below(90);
        let fixture = &mut self.bench.fixtures[nth];
        let body = match what {
            What::Scope(scope) => {
                json!({"kind": "scope", "scope": [SCOPES[scope].0], "reason": "r", "duration_seconds": seconds})
            }
            What::Role => json!({"kind": "grant", "resource": format!("agent:thing{nth}"), "role": "viewer",
                "reason": "r", "duration_seconds": seconds}),
        };
        let reply = fixture.atlas.post("/api/requests", body);
        match reply.status {
            201 => {
                let id = text(&reply.json(), "id");
                fixture.open.push(Asked { id, what, given: None });
            }
            // It already has this scope or role, or it waits for the same request.
            200 => assert!(fixture.open.iter().any(|asked| asked.what == what), "{}", reply.text()),
            409 => {}
            429 => self.bench.an_hour_passes(nth),
            _ => panic!("{}", reply.text()),
        }
    }

    fn approve(&mut self, nth: usize) {
        let Some(one) = self.any(nth) else { return };
        let who = self.dice.of(&[Who::Ann, Who::Narrow, Who::Bob, Who::Eve, Who::Eve]);
        let asked = self.bench.fixtures[nth].open[one].clone();
        let shorter = self.dice.below(2) == 0;
        let body = if shorter { json!({"duration_seconds": 60}) } else { json!({}) };
        let reply = self.bench.client(who).post(&format!("/api/requests/{}/approve", asked.id), body);
        let may = self.may_decide(who, asked.what, nth) && asked.given.is_none();
        assert_eq!(reply.status == 200, may, "{who:?} approves {asked:?}: {}", reply.text());
        if may {
            let until = seconds_of(&text(&reply.json(), "until"));
            let seconds = until - self.bench.now();
            self.bench.fixtures[nth].open[one].given = Some(Given { by: who, until, at: Instant::now(), seconds });
        }
    }

    /// The index of a random open request of an agent.
    fn any(&mut self, nth: usize) -> Option<usize> {
        let open = self.bench.fixtures[nth].open.len() as u64;
        (open > 0).then(|| self.dice.below(open) as usize)
    }

    fn close(&mut self, nth: usize, what: &str) {
        let Some(one) = self.any(nth) else { return };
        let asked = self.bench.fixtures[nth].open[one].clone();
        let by = if what == "withdraw" { &self.bench.fixtures[nth].atlas } else { &self.bench.operator };
        let reply = by.post(&format!("/api/requests/{}/{what}", asked.id), json!({}));
        let may = (what == "revoke") == asked.given.is_some();
        // A request that was about to end may have ended by now.
        let is_late = asked.given.as_ref().is_some_and(|given| given.is_late(self.bench.now()));
        if is_late && reply.status != 200 {
            return;
        }
        assert_eq!(reply.status == 200, may, "{what} of {asked:?}: {}", reply.text());
        if may {
            self.bench.fixtures[nth].open.remove(one);
        }
        if may && what == "deny" {
            self.bench.forget_denial(&asked.id);
        }
    }

    /// Somebody loses a right, or gets it back. What depended on a lost right has ended for good.
    fn rights(&mut self, nth: usize) {
        match self.dice.below(3) {
            // Eve decides for all agents, so her rights change only as often as those of one agent.
            0 | 1 if self.dice.below(AGENTS) > 0 => self.probe(nth),
            0 => {
                self.eve_is_enabled = !self.eve_is_enabled;
                self.bench.set_eve(&json!({"disabled": !self.eve_is_enabled}));
                if self.eve_is_enabled {
                    // A disabled user's credentials have ended.
                    self.bench.new_token_of_eve();
                }
            }
            1 => {
                self.eve_is_admin = !self.eve_is_admin;
                self.bench.set_eve(&json!({"role": if self.eve_is_admin { "admin" } else { "member" }}));
            }
            _ => self.bench.bob_owns_or_not(nth),
        }
        self.end_what_hangs_on_rights();
    }

    fn end_what_hangs_on_rights(&mut self) {
        let eve = self.eve_is_admin && self.eve_is_enabled;
        for fixture in &mut self.bench.fixtures {
            let bob = fixture.bob_owns;
            fixture.open.retain(|asked| match &asked.given {
                Some(given) => (bob || given.by != Who::Bob) && (eve || given.by != Who::Eve),
                None => true,
            });
        }
    }

    /// Kills or restarts the daemon, makes a backup, or restores the last one.
    fn upset(&mut self) {
        let saved = self.backups.as_ref().and_then(|(_, saved)| saved.clone());
        match (self.dice.below(4), saved) {
            (0, _) => {
                let kill = self.dice.below(2) == 0;
                self.bench.again(kill);
            }
            (1 | 2, Some(saved)) => self.restore(&saved),
            _ => self.back_up(),
        }
    }

    fn back_up(&mut self) {
        let Some((dir, saved)) = &mut self.backups else { return };
        let file = dir.path().join(format!("{}.db", self.steps));
        self.bench.back_up(&file);
        if let Some(before) = saved.take() {
            std::fs::remove_file(before.file).unwrap();
        }
        let agents = self.bench.fixtures.iter().map(|one| (one.open.clone(), one.bob_owns)).collect();
        let (eve_is_admin, eve_is_enabled) = (self.eve_is_admin, self.eve_is_enabled);
        *saved = Some(Saved { file, eve_is_admin, eve_is_enabled, agents });
    }

    /// Restores a backup. Afterwards only what was in force both then and now is in force.
    fn restore(&mut self, saved: &Saved) {
        self.bench.restore(&saved.file);
        for (fixture, (open, bob_owned)) in self.bench.fixtures.iter_mut().zip(&saved.agents) {
            let now = std::mem::take(&mut fixture.open);
            let lesser = |then: &Asked| {
                let now = now.iter().find(|now| now.id == then.id)?;
                // A request that was pending then and was approved since is pending again.
                Some(Asked { given: then.given.as_ref().and(now.given.clone()), ..then.clone() })
            };
            fixture.open = open.iter().filter_map(lesser).collect();
            fixture.bob_owns &= bob_owned;
        }
        self.eve_is_admin &= saved.eve_is_admin;
        self.eve_is_enabled &= saved.eve_is_enabled;
        self.end_what_hangs_on_rights();
        // A token that the backup does not know is invalid, and so is one that has ended since.
        if self.eve_is_enabled {
            self.bench.new_token_of_eve();
        }
        (0..self.bench.fixtures.len()).for_each(|nth| self.probe(nth));
    }

    /// Moves the clock several times, each time by less than a jump. What ends by such a move has ended for good.
    fn time(&mut self) {
        if self.bench.clock.is_none() {
            return;
        }
        for _ in 0..=self.dice.below(8) {
            self.settle();
            // Two moves together are no jump either. On a busy machine the daemon may not look at its clock in between.
            let by = if self.dice.below(4) == 0 { -28 } else { 15 + self.dice.below(14) as i64 };
            self.bench.move_clock(by);
            // At once, before an end is recorded, because each check compares the time itself.
            let (fixtures, first) = (self.bench.fixtures.len(), self.dice.below(AGENTS) as usize);
            (0..fixtures).for_each(|nth| self.probe((first + nth) % fixtures));
            // The daemon looks at its clock every second.
            std::thread::sleep(Duration::from_millis(1300));
            (0..fixtures).for_each(|nth| self.probe(nth));
        }
        self.settle();
    }

    /// Revokes what is about to end, and waits until every end is recorded, before the clock moves on.
    fn settle(&mut self) {
        let is_late = |asked: &Asked, now: f64| asked.given.as_ref().is_some_and(|given| given.is_late(now));
        // On a busy machine this takes long, and more may end meanwhile.
        while self.bench.fixtures.iter().flat_map(|fixture| &fixture.open).any(|asked| is_late(asked, self.bench.now()))
        {
            self.settle_once();
        }
    }

    fn settle_once(&mut self) {
        let now = self.bench.now();
        let in_doubt = |asked: &Asked| asked.given.as_ref().is_some_and(|given| given.is_near(now));
        let is_over = |asked: &Asked| asked.given.as_ref().is_some_and(|given| given.until <= now);
        let all = || self.bench.fixtures.iter().flat_map(|fixture| &fixture.open);
        for asked in all().filter(|asked| in_doubt(asked)) {
            let reply = self.bench.operator.post(&format!("/api/requests/{}/revoke", asked.id), json!({}));
            assert!([200, 409].contains(&reply.status), "{}", reply.text());
        }
        // After a commit the daemon records what has ended.
        self.bench.operator.post("/api/ui/notify", json!({"title": "t", "body": "b"})).expect(200);
        for asked in all().filter(|asked| is_over(asked)) {
            wait_until("the end is written down", || self.bench.state(&asked.id) != "approved");
        }
        for fixture in &mut self.bench.fixtures {
            fixture.open.retain(|asked| !in_doubt(asked) && !is_over(asked));
        }
    }

    /// The agent tries everything: exactly what is in force works, and nothing that another agent was given.
    fn probe(&mut self, nth: usize) {
        let other = (nth + 1 + self.dice.below(AGENTS - 1) as usize) % AGENTS as usize;
        let fixture = &self.bench.fixtures[nth];
        let tries = (0..SCOPES.len()).map(|scope| (What::Scope(scope), fixture.path(scope)));
        let role = (What::Role, format!("/api/agents/thing{nth}"));
        for (what, path) in tries.chain([role]) {
            let given: Vec<&Given> = fixture
                .open
                .iter()
                .filter(|asked| asked.what == what)
                .filter_map(|asked| asked.given.as_ref())
                .collect();
            let in_doubt = |now: f64| given.iter().any(|one| one.is_near(now));
            let now = self.bench.now();
            if in_doubt(now) {
                continue;
            }
            let status = tried(&fixture.atlas, &path);
            // A busy machine may have answered late.
            if in_doubt(self.bench.now()) {
                continue;
            }
            let wanted = given.iter().any(|given| given.until > now);
            let told = || format!("step {}: {path} is {status} with {:?} at {now}", self.steps, fixture.open);
            assert_eq!(status == 200, wanted, "{}", told());
            assert!(status == 200 || [403, 404].contains(&status), "{}", told());
            self.tried[usize::from(wanted)] += 1;
        }
        let anothers = tried(&fixture.atlas, &format!("/api/agents/thing{other}"));
        assert_eq!(anothers, 404, "step {}: of thing{other} with {:?}", self.steps, fixture.open);
    }

    fn step(&mut self) {
        self.steps += 1;
        let nth = self.dice.below(AGENTS) as usize;
        if self.backups.is_some() && self.dice.below(UPSET) == 0 {
            self.upset();
        }
        match self.dice.below(1000) {
            0..=2 if self.dice.below(AGENTS) == 0 => self.time(),
            3..=6 if self.dice.below(AGENTS) == 0 => {
                let kill = self.dice.below(2) == 0;
                self.bench.again(kill);
            }
            7..=28 => self.rights(nth),
            29..=250 => self.ask(nth),
            251..=500 => self.approve(nth),
            501..=560 => self.close(nth, "deny"),
            561..=620 => self.close(nth, "revoke"),
            621..=650 => self.close(nth, "withdraw"),
            _ => self.probe(nth),
        }
        if self.steps.is_multiple_of(5) {
            self.probe(nth);
        }
    }
}

/// The status of an agent's try. Other tests check the form of replies; here that would take half the time.
fn tried(atlas: &Client, path: &str) -> u16 {
    atlas.try_send("GET", path, None).expect("a reply").status
}

fn run(steps: u64, clock: Option<FalseClock>, restores: bool) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let steps = number("TAOSD_MODEL_STEPS").unwrap_or(steps);
    let seed = number("TAOSD_MODEL_SEED")
        .unwrap_or_else(|| u64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() & 0xffff_ffff).unwrap());
    eprintln!("TAOSD_MODEL_SEED={seed} TAOSD_MODEL_STEPS={steps}");
    let mut model = Model::new(seed, clock, restores);
    let began = Instant::now();
    for nth in 1..=steps {
        model.step();
        if nth.is_multiple_of(50_000) {
            eprintln!("{nth} steps in {:?}", began.elapsed());
        }
    }
    let [refused, allowed] = model.tried;
    eprintln!("{steps} steps in {:?}: {allowed} tries were in force, {refused} were not", began.elapsed());
    assert!(refused > steps / 20 && allowed > steps / 200, "{refused} {allowed}");
}

#[test]
fn an_agent_does_exactly_what_is_in_force() {
    run(1500, None, false);
}

#[test]
fn an_agent_does_exactly_what_is_in_force_whatever_is_killed_or_restored() {
    run(800, None, true);
}

#[test]
#[ignore = "needs libfaketime: apt install faketime"]
fn an_agent_does_exactly_what_is_in_force_while_the_clock_jumps() {
    run(5000, Some(FalseClock::find()), false);
}

#[test]
#[ignore = "takes long, and libfaketime"]
fn an_agent_does_exactly_what_is_in_force_a_million_times() {
    run(1_000_000, Some(FalseClock::find()), false);
}
