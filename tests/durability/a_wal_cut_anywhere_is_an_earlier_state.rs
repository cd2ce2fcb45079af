//! The test cuts the write-ahead log of a killed daemon after every page and inside pages, and flips a bit in it. The
//! daemon always finds a whole earlier state, and a longer log never gives an earlier one.

use std::fs;

use rusqlite::Connection;

use crate::storm::NO_RATES;
use crate::support::{Daemon, TempDir};

/// The bytes before the first frame, and before each page (https://sqlite.org/fileformat2.html#walformat).
const WAL_HEAD: usize = 32;
const FRAME_HEAD: usize = 24;
const AGENTS: usize = 8;
/// One of this many cuts is also checked with `taosd check`, and served.
const CHECKED: usize = 16;

/// Returns the number of agents `n0`, `n1` and so on. Fails if one before the last is missing.
fn agents(conn: &Connection) -> usize {
    let slugs: Vec<String> = conn
        .prepare("SELECT slug FROM agents WHERE slug GLOB 'n[0-9]*' ORDER BY CAST(substr(slug, 2) AS INTEGER)")
        .and_then(|mut all| all.query_map([], |row| row.get(0))?.collect())
        .unwrap();
    slugs.iter().enumerate().for_each(|(n, slug)| assert_eq!(slug, &format!("n{n}"), "{slugs:?}"));
    slugs.len()
}

#[test]
fn each_cut_gives_a_whole_state_of_the_past() {
    let mut daemon = Daemon::with(&[], NO_RATES);
    // After the restart the file alone is a whole database.
    daemon.restart();
    for n in 0..AGENTS {
        daemon.agent(&format!("n{n}"));
    }
    daemon.kill();
    let wal = fs::read(daemon.data.join("taosd.db-wal")).unwrap();
    let page = u32::from_be_bytes(wal[8..12].try_into().unwrap()) as usize;
    let frames = (wal.len() - WAL_HEAD) / (FRAME_HEAD + page);
    assert!(frames > AGENTS * 4, "only {frames} pages in the log: it was put into the file meanwhile");
    let mut most = 0;
    for frame in 0..=frames {
        let whole = WAL_HEAD + frame * (FRAME_HEAD + page);
        let within = (frame % 4 == 0).then_some((whole + FRAME_HEAD + page / 2, false));
        for (at, checked) in [Some((whole, frame % CHECKED == 0)), within].into_iter().flatten() {
            let found = with_wal(&daemon, &wal[..at.min(wal.len())], checked);
            assert!(found >= most, "{found} agents with {at} bytes of the log, {most} with fewer");
            most = found;
        }
    }
    assert_eq!(most, AGENTS);
    for turned in (WAL_HEAD..wal.len()).step_by(wal.len() / 20) {
        let mut bytes = wal.clone();
        bytes[turned] ^= 1;
        assert!(with_wal(&daemon, &bytes, turned % 5 == 0) < AGENTS, "byte {turned} was taken as it stood");
    }
}

/// Returns the number of agents in a copy of the data with this log.
fn with_wal(daemon: &Daemon, wal: &[u8], checked: bool) -> usize {
    let dir = TempDir::new();
    let data = dir.path().join("d");
    fs::create_dir(&data).unwrap();
    fs::copy(daemon.database(), data.join("taosd.db")).unwrap();
    fs::write(data.join("taosd.db-wal"), wal).unwrap();
    if checked {
        for name in ["operator.token", "secret.key"] {
            let _ = fs::copy(daemon.data.join(name), data.join(name));
        }
        let mut copy = Daemon::prepared(Some(&data), &[], NO_RATES);
        copy.check();
        copy.spawn();
        assert_eq!(copy.stop(), Some(0));
    }
    let conn = Connection::open(data.join("taosd.db")).unwrap();
    let sound: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    agents(&conn)
}
