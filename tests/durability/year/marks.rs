//! Measures the box at the end of a day, and checks its bounds.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use taosd::limits::{
    BACKUPS_KEPT, CLIENT_ID_LIFE, FINISHED_OPERATION_LIFE, FINISHED_TASK_LIFE, IDEMPOTENCY_LIFE, Limits,
    NOTIFICATION_LIFE, UNFINISHED_UPLOAD_LIFE,
};
use taosd::store::Swept;

use super::Year;
use crate::support::wait_until;

const MIB: u64 = 1024 * 1024;
/// The write-ahead log is written back from 4 MiB on and cut to 8 (`src/store/open.rs`).
const WAL: u64 = 12 * MIB;
/// The most memory that the daemon may use (`tests/load/hostile_agents_stay_within_the_security_page.rs`).
const RSS_KIB: u64 = 96 * 1024;
/// How much more memory it may use at the end of a run of half a year than at its beginning.
const RSS_GROWTH_KIB: u64 = 6 * 1024;
/// The connections of the test that are not closed yet.
const DESCRIPTORS: usize = 6;
/// The time for which the row of an ended credential is kept.
const DEAD: Duration = Duration::from_secs(30 * 24 * 3600);
/// The number of changes that are kept for streams (`schema.sql`).
const CHANGES: i64 = 10_000;
/// The lasting rows that each week adds, by table. Finished tasks stay for a year.
const KEPT: &[(&str, i64)] = &[
    ("uploads", 1),
    ("upload_contents", 1),
    ("upload_chunks", 1),
    ("context", 1),
    ("messages", 1),
    ("message_words_docsize", 1),
    ("knowledge_items", 1),
    ("knowledge_words_docsize", 1),
    ("tasks", 8),
    ("task_history", 40),
];
/// The bytes that those rows take each week.
const KEPT_BYTES: u64 = 96 * 1024;

/// The measurements at the end of a day.
#[derive(Debug, Clone)]
pub struct Mark {
    pub day: u64,
    /// The bytes of the database file. `used` is the part in use.
    pub database: u64,
    pub used: u64,
    pub wal: u64,
    pub backups: u64,
    pub files: usize,
    pub descriptors: usize,
    pub rss_kib: u64,
    pub rows: BTreeMap<String, i64>,
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// Returns the number of files below a folder, and their bytes. Ignores a copy that is not finished yet.
fn files(dir: &Path) -> (usize, u64) {
    let mut all = (0, 0);
    let is_made = |entry: &fs::DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
    for entry in fs::read_dir(dir).into_iter().flatten().flatten().filter(is_made) {
        let of = if entry.path().is_dir() { files(&entry.path()) } else { (1, size(&entry.path())) };
        all = (all.0 + of.0, all.1 + of.1);
    }
    all
}

impl Year {
    /// Measures the box, and fails if a bound is exceeded.
    pub(super) fn mark(&mut self) {
        self.nothing_is_older_than_it_may_be();
        let mark = self.look();
        println!(
            "| {} | {:.1} | {:.1} | {:.1} | {} | {} | {:.0} | {} | {} |",
            mark.day,
            mark.database as f64 / MIB as f64,
            mark.wal as f64 / MIB as f64,
            mark.backups as f64 / MIB as f64,
            mark.files,
            mark.descriptors,
            mark.rss_kib as f64 / 1024.0,
            mark.rows["audit"],
            mark.rows.values().sum::<i64>(),
        );
        self.is_bounded(&mark);
        self.hold();
        assert!(self.daemon.check().contains("unbroken"), "the audit's chain");
        self.marks.push(mark);
    }

    fn look(&self) -> Mark {
        let number = |sql: &str| self.daemon.number(sql, []);
        let pages = |name: &str| number(&format!("PRAGMA {name}")).unsigned_abs();
        let status = fs::read_to_string(format!("/proc/{}/status", self.daemon.pid())).expect("a running process");
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the line");
        Mark {
            day: self.day,
            database: size(&self.daemon.database()),
            used: (pages("page_count") - pages("freelist_count")) * pages("page_size"),
            wal: size(&self.daemon.data.join("taosd.db-wal")),
            backups: files(&self.daemon.data.join("backup")).1,
            files: files(&self.daemon.data).0,
            descriptors: fs::read_dir(format!("/proc/{}/fd", self.daemon.pid())).expect("its descriptors").count(),
            rss_kib: rss.trim().trim_end_matches(" kB").parse().expect("a number"),
            rows: self.rows(),
        }
    }

    /// Returns the number of rows of each table. For a full-text index this is the number of texts.
    fn rows(&self) -> BTreeMap<String, i64> {
        let conn = self.daemon.db();
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
            AND sql NOT LIKE 'CREATE VIRTUAL%' AND name NOT GLOB '*_data' AND name NOT GLOB '*_idx'
            AND name NOT GLOB '*_config'";
        let mut tables = conn.prepare(sql).expect("tables");
        let names: Vec<String> =
            tables.query_map([], |row| row.get(0)).expect("names").collect::<Result<_, _>>().expect("names");
        let count = |name: String| {
            let rows = self.daemon.number(&format!("SELECT count(*) FROM {name}"), []);
            (name, rows)
        };
        names.into_iter().map(count).collect()
    }

    /// Checks the bounds that hold on every day.
    fn is_bounded(&self, mark: &Mark) {
        let at = format!("day {}: {mark:?}", mark.day);
        let largest = self.marks.iter().map(|mark| mark.database).max().unwrap_or(0).max(mark.database);
        // The backups that are kept, and the daemon's own copy.
        assert!(mark.backups <= (BACKUPS_KEPT as u64 + 1) * largest, "{at}");
        assert!(mark.wal <= WAL, "{at}");
        assert!(mark.rss_kib <= RSS_KIB, "{at}");
        assert!(mark.rows["changes"] <= CHANGES, "{at}");
        assert_eq!(mark.rows["message_words_docsize"], mark.rows["messages"], "{at}");
        assert_eq!(mark.rows["knowledge_words_docsize"], mark.rows["knowledge_items"], "{at}");
        let (audit, conn) = (Limits::default().audit_max_bytes, self.daemon.db());
        assert!(taosd::store::audit::bytes(&conn).expect("its bytes") <= audit, "{at}");
    }

    /// Fails if rows stay longer than their age allows. A day is a second, and the sweep may need one.
    fn nothing_is_older_than_it_may_be(&self) {
        for table in Swept::ALL {
            let (column, of, life) = self.life(*table);
            let late = life.as_micros() as i64 + 24 * 3600 * 1_000_000;
            let sql = format!(
                "SELECT count(*) FROM {table} WHERE ({of}) AND {column} < unixepoch() * 1000000 + ?1 * 86400000000 - ?2"
            );
            wait_until(&format!("day {}: what is old of {table} goes", self.day), || {
                self.daemon.number(&sql, (self.day, late)) == 0
            });
        }
        let strangers = "SELECT count(*) FROM message_readers WHERE principal NOT IN
            (SELECT 'agent:' || id FROM agents UNION ALL SELECT 'user:' || id FROM users)";
        wait_until("who is gone is no reader", || self.daemon.number(strangers, []) == 0);
        // Rows that count events for a while are written later than their date. No other row may have an earlier date
        // than a row before it.
        let misdated = "SELECT count(*) FROM (SELECT at, max(at) OVER (ORDER BY seq) AS latest FROM audit
            WHERE outcome <> 'checkpoint') WHERE at < latest - 3 * 86400000000";
        assert_eq!(self.daemon.number(misdated, []), 0, "day {}", self.day);
        let ended = "SELECT (SELECT count(*) FROM grants WHERE expires_at < ?1)
            + (SELECT count(*) FROM requests WHERE state = 'approved' AND until < ?1)
            + (SELECT count(*) FROM requests WHERE state = 'pending' AND expires_at < ?1)
            + (SELECT count(*) FROM credentials WHERE expires_at < ?1 AND state IN ('active', 'grace'))";
        let yesterday = format!("SELECT unixepoch() * 1000000 + {} * 86400000000", self.day as i64 - 1);
        let yesterday = self.daemon.number(&yesterday, []);
        wait_until("what was given for a time has ended", || self.daemon.number(ended, [yesterday]) == 0);
    }

    /// Returns the column with a row's age, the condition for rows that go, and their life.
    fn life(&self, table: Swept) -> (&'static str, &'static str, Duration) {
        let kept = Duration::from_secs(self.plan.kept_days * 24 * 3600);
        match table {
            // The sweep cuts the audit from its beginning, whatever date later rows have.
            Swept::Audit => ("at", "seq = (SELECT min(seq) FROM audit WHERE outcome <> 'checkpoint')", kept),
            Swept::Notifications => ("created_at", "1", NOTIFICATION_LIFE),
            Swept::Idempotency => ("created_at", "1", IDEMPOTENCY_LIFE),
            Swept::Operations => ("finished_at", "finished_at IS NOT NULL", FINISHED_OPERATION_LIFE),
            Swept::Credentials => ("coalesce(revoked_at, expires_at)", "state IN ('revoked', 'expired')", DEAD),
            Swept::Context => ("expires_at", "expires_at IS NOT NULL", Duration::ZERO),
            Swept::Tasks => ("finished_at", "finished_at IS NOT NULL", FINISHED_TASK_LIFE),
            Swept::Uploads => ("begun_at", "hash IS NULL", UNFINISHED_UPLOAD_LIFE),
            Swept::Messages => ("created_at", "pinned = 0 AND task IS NULL", kept),
            Swept::MessageClientIds => ("created_at", "1", CLIENT_ID_LIFE),
            Swept::WebhookOutbox | Swept::ChannelOutbox => ("queued_at", "1", Duration::from_secs(24 * 3600)),
        }
    }

    /// Fails if the later of two marks has more than the bounds allow.
    pub fn has_not_grown(&self, early: u64, late: u64) {
        let at = |day: u64| self.marks.iter().find(|mark| mark.day == day).expect("a mark");
        let (early, late) = (at(early), at(late));
        let weeks = (late.day - early.day).div_ceil(7);
        let mut wrong = Vec::new();
        for (table, after) in &late.rows {
            // The bound of this table is not an age.
            if table == "changes" {
                continue;
            }
            let before = early.rows[table];
            let more = KEPT.iter().find(|(name, _)| name == table).map_or(0, |(_, a_week)| a_week * weeks as i64);
            // Allows for a day more or less, and for weekly events.
            if *after > before + more + before / 20 + 10 {
                wrong.push(format!("{table}: {before} rows on day {}, {after} on day {}", early.day, late.day));
            }
        }
        let bytes = early.used + early.used / 5 + KEPT_BYTES * weeks;
        if late.used > bytes {
            wrong.push(format!("{} bytes in use, then {}", early.used, late.used));
        }
        if late.files != early.files {
            wrong.push(format!("{} files, then {}", early.files, late.files));
        }
        if late.descriptors > early.descriptors + DESCRIPTORS {
            wrong.push(format!("{} descriptors, then {}", early.descriptors, late.descriptors));
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Fails if the daemon uses more memory than at the earlier mark. It must not have been restarted in between.
    pub fn holds_no_more_memory(&self, early: u64, late: u64) {
        let at = |day: u64| self.marks.iter().find(|mark| mark.day == day).expect("a mark").rss_kib;
        assert!(at(late) <= at(early) + RSS_GROWTH_KIB, "{} KiB, then {}", at(early), at(late));
    }
}
