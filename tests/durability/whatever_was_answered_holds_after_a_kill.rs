//! Clients write every kind of thing at once, and the daemon is killed at a random moment, round after round.
//! Acknowledged writes hold, ended things stay ended, and the file and its audit are whole.
//! `TAOSD_TEST_KILLS=10000 TMPDIR=/dev/shm cargo test --release --test durability whatever_was_answered -- --nocapture`
//! runs it for longer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use crate::stories::{Cast, Fact, Known, STORIES, Teller};
use crate::storm::NO_RATES;
use crate::support::{Daemon, Dice, wait_until};

const ROUNDS: usize = 40;
/// Interrupted stories leave rows, and one owner may have 1,000 agents. So a new box starts after these rounds.
const ROUNDS_PER_BOX: usize = 25;
/// The number of facts of earlier rounds on the same box that are checked again.
const OLD_FACTS: usize = 60;

fn settings() -> Vec<(&'static str, &'static str)> {
    let mut settings = NO_RATES.to_vec();
    settings.extend([
        ("TAOSD_NOTIFY_PER_MINUTE", "0"),
        ("TAOSD_WRITE_ROWS_PER_HOUR", "0"),
        ("TAOSD_WRITE_BYTES_PER_HOUR", "0"),
        ("TAOSD_WORKSPACE_AGENT_ROWS_PER_DAY", "100000000"),
    ]);
    settings
}

/// Runs all stories at once, each again and again, and kills the daemon. The kill comes after `lives`, and not before
/// `least` stories have ended. Returns the number of ended stories.
fn storm(daemon: &mut Daemon, cast: &Cast, known: &Known, round: usize, (lives, least): (Duration, usize)) -> usize {
    let told = AtomicUsize::new(0);
    let address = daemon.address.clone();
    std::thread::scope(|scope| {
        for (place, (_, story)) in STORIES.iter().enumerate() {
            let (told, address) = (&told, &address);
            scope.spawn(move || {
                for n in 0.. {
                    let name = format!("r{round}s{place}n{n}");
                    if story(&Teller { cast, address, known, name }).is_none() {
                        return;
                    }
                    told.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(lives);
        wait_until("a storm", || told.load(Ordering::Relaxed) >= least);
        daemon.kill();
    });
    told.into_inner()
}

fn look(daemon: &Daemon, round: usize, facts: &BTreeMap<String, Vec<Fact>>) {
    for (subject, facts) in facts {
        for fact in facts {
            if let Some(broken) = fact.broken(daemon) {
                panic!("round {round}, {subject}: {broken}");
            }
        }
    }
}

/// Fails if the database has a state that no kill may leave.
fn is_whole(daemon: &Daemon, round: usize) {
    let conn = Connection::open(daemon.database()).unwrap();
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let twice = "SELECT count(*) FROM (SELECT 1 FROM credentials WHERE kind = 'agent_token' AND state = 'active' AND revoked_at IS NULL
        GROUP BY agent_id HAVING count(*) > 1)";
    assert_eq!(number(twice), 0, "round {round}: two live tokens of one agent");
    let half = "SELECT count(*) FROM grants WHERE request_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM requests r WHERE r.id = grants.request_id AND r.state = 'approved')";
    assert_eq!(number(half), 0, "round {round}: a grant without its decision");
}

#[test]
fn every_kind_of_write_at_every_moment() {
    let rounds =
        Dice::told("TAOSD_TEST_KILLS").map_or(ROUNDS, |rounds| usize::try_from(rounds).expect("a small number"));
    let mut dice = Dice::new(Dice::told("TAOSD_TEST_SEED").unwrap_or(1));
    let (mut stories, mut looked_at) = (0, 0);
    for first in (0..rounds).step_by(ROUNDS_PER_BOX) {
        let mut daemon = Daemon::with(&[], &settings());
        let cast = Cast::make(&daemon);
        let (known, mut before) = (Known::default(), BTreeMap::new());
        for round in first..rounds.min(first + ROUNDS_PER_BOX) {
            let lives = Duration::from_micros(5_000 + dice.below(150_000) as u64);
            // On average, more than one story must end in each round. On a slow disk the rounds last longer to reach
            // it.
            let least = (round + 2).saturating_sub(stories);
            stories += storm(&mut daemon, &cast, &known, round, (lives, least));
            assert!(daemon.check().contains("audit chain: "), "round {round}");
            is_whole(&daemon, round);
            daemon.spawn();
            let fresh = known.take();
            look(&daemon, round, &fresh);
            looked_at += fresh.values().map(Vec::len).sum::<usize>();
            before.extend(fresh.into_iter().filter(|(subject, _)| subject.contains(&format!("r{round}s"))));
            while before.len() > OLD_FACTS {
                let gone = before.keys().nth(dice.below(before.len())).cloned().unwrap_or_default();
                before.remove(&gone);
            }
            look(&daemon, round, &before);
        }
        assert_eq!(daemon.stop(), Some(0));
    }
    println!("{rounds} kills, {stories} stories told to their end, {looked_at} answers held");
    assert!(stories > rounds, "only {stories} stories in {rounds} rounds: this was no storm");
}
