//! The whole box beside a model: people, agents, spaces, roles, credentials, requests, freezes, leases and time. The
//! test changes and uses them at random through all dialects at once. A caller can do exactly what the model says. No
//! reply of any kind contains a marker of something that its reader may not see.
//!
//! `TAOSD_MODEL_STEPS` sets the number of steps, `TAOSD_MODEL_SEED` the seed of the random choices. Without a seed the
//! short runs are the same each time, and the long one differs. `TMPDIR=/dev/shm` spares the disk.

mod bench;
mod changes;
mod state;
mod tries;
mod upsets;

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime};

use crate::false_clock::FalseClock;
use crate::support::Dice;
use crate::whole_box::bench::Bench;
use crate::whole_box::upsets::Upsets;

/// How many of a thousand steps are changes.
const CHANGES: usize = 120;

struct World {
    bench: Bench,
    dice: Dice,
    steps: usize,
    /// The numbers of tries that were refused and done.
    tried: [usize; 2],
    /// The same numbers for each route, tool and page.
    ways: BTreeMap<String, [usize; 2]>,
    /// Whether an agent may be replaced by another of its name. False between a backup and its restore.
    may_replace: bool,
}

impl World {
    fn step(&mut self) {
        self.steps += 1;
        if self.dice.below(1000) < CHANGES { self.change() } else { self.attempt() }
    }
}

fn run(steps: usize, seed: Option<u64>, clock: Option<FalseClock>, upsets: Upsets) {
    let steps = Dice::told("TAOSD_MODEL_STEPS").and_then(|told| usize::try_from(told).ok()).unwrap_or(steps);
    let any =
        || u64::try_from(SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_nanos() & 0xffff_ffff).expect("small");
    let seed = Dice::told("TAOSD_MODEL_SEED").or(seed).unwrap_or_else(any);
    eprintln!("TAOSD_MODEL_SEED={seed} TAOSD_MODEL_STEPS={steps}");
    let bench = Bench::new(clock);
    let (dice, ways) = (Dice::new(seed), BTreeMap::new());
    let mut world = World { bench, dice, steps: 0, tried: [0; 2], ways, may_replace: true };
    let began = Instant::now();
    while world.steps < steps {
        world.upset(upsets);
        world.step();
        if world.steps.is_multiple_of(50_000) {
            eprintln!("{} steps in {:?}: {:?} refused and done", world.steps, began.elapsed(), world.tried);
        }
    }
    let [refused, done] = world.tried;
    eprintln!("{steps} steps in {:?}: {refused} tries were refused, {done} were not", began.elapsed());
    eprintln!("of each, refused and done: {:?}", world.ways);
    assert!(refused > steps / 8 && done > steps / 8, "{refused} {done}");
}

#[test]
fn everybody_does_and_sees_exactly_what_is_theirs() {
    run(3000, Some(1), None, Upsets::None);
}

#[test]
fn everybody_does_and_sees_exactly_what_is_theirs_whatever_is_killed_or_restored() {
    run(1500, Some(2), None, Upsets::Restores);
}

#[test]
#[ignore = "needs libfaketime: apt install faketime"]
fn everybody_does_and_sees_exactly_what_is_theirs_while_the_clock_moves() {
    run(3000, Some(3), Some(FalseClock::find()), Upsets::Clock);
}

#[test]
#[ignore = "takes long, and libfaketime"]
fn everybody_does_and_sees_exactly_what_is_theirs_a_million_times() {
    run(1_000_000, None, Some(FalseClock::find()), Upsets::All);
}
