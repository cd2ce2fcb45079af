//! The sweeper: at the start and then once a minute it writes what is due and deletes what is past its retention
//! (DESIGN D17). On an idle box it finds nothing and writes nothing. While the clock is in doubt, nothing is deleted
//! because of its age (D20).

use rusqlite::Connection;
use std::sync::Arc;
use std::time::Duration;

use super::alarms::Alarms;
use super::expiry::Expiry;
use crate::access::Gate;
use crate::config::LiveConfig;
use crate::limits::{
    FINISHED_OPERATION_LIFE, FINISHED_TASK_LIFE, IDEMPOTENCY_LIFE, IDEMPOTENCY_ROWS, NOTIFICATION_LIFE, SWEEP_BATCH,
    UNFINISHED_UPLOAD_LIFE, seconds,
};
use crate::store::audit::AuditEntry;
use crate::store::idempotency::RowCounts;
use crate::store::{
    self, Store, StoreError, Swept, audit, context, credentials, idempotency, notifications, oauth_grants, operations,
    tasks, uploads,
};
use crate::threads::Periodic;
use crate::time::{Clock, Micros};

/// How long the row of a dead credential is kept, in microseconds, so that people can see it.
const DEAD_CREDENTIALS: i64 = 30 * Micros::DAY;

/// Audit rows that one transaction deletes, and such transactions in one round.
const AUDIT_BATCH: u64 = 200;
const AUDIT_BATCHES: usize = 200;
/// The pause between two of them, in which other writes can run.
const BREATH: Duration = Duration::from_millis(10);

/// Starts the thread.
///
/// # Errors
/// A thread cannot be started.
pub fn start(
    store: Arc<Store>,
    gate: Arc<Gate>,
    clock: Arc<Clock>,
    expiry: Expiry,
    config: Arc<LiveConfig>,
) -> std::io::Result<Periodic> {
    let (mut alarms, mut counts) = (Alarms::default(), RowCounts::default());
    Periodic::start("sweeper", move |pause| {
        end_orphaned_grants(&store);
        // It begins with what expired while the daemon was off, so that no jump of the clock revives a credential.
        loop {
            let limits = config.now().limits.clone();
            let now = clock.judging();
            sweep(&store, now);
            trim_replies(&store, &mut counts);
            trim_audit(&store, limits.audit_retention_days, limits.audit_max_bytes, now);
            sweep_notifications(&store, now);
            sweep_workspace(&store, now);
            expiry.warn(&store, now);
            alarms.tell(&store, &clock, &expiry.0);
            if !pause.lasts(seconds(limits.sweep_interval)) {
                break;
            }
            gate.flush(false);
        }
        gate.flush(true);
        clock.save();
    })
}

/// Deletes audit rows from the chain's beginning that are too old, or while the chain has more than `most` bytes. The
/// batches are so small that other writes hardly wait. Rows that remain are deleted in the next round.
fn trim_audit(store: &Store, days: u64, most: u64, now: Micros) {
    let days = i64::try_from(days).unwrap_or(i64::MAX);
    let before = now.plus(-days.saturating_mul(Micros::DAY));
    for _ in 0..AUDIT_BATCHES {
        let looked: store::Result<_> =
            store.lookup(|conn| Ok((audit::is_due(conn, before)?, audit::bytes(conn)? > most)));
        let large = match looked {
            Ok((false, false)) => return,
            Ok((_, large)) => large,
            Err(error) => return failed(Swept::Audit, &error),
        };
        match store.write(move |conn| audit::retain(conn, before, large, AUDIT_BATCH)) {
            Ok(0) => return,
            Ok(count) => told(Swept::Audit, count),
            Err(error) => return failed(Swept::Audit, &error),
        }
        std::thread::sleep(BREATH);
    }
}

/// Deletes old rows of [`Swept::Idempotency`], [`Swept::Credentials`] and [`Swept::Operations`].
fn sweep(store: &Store, now: Micros) {
    let life = i64::try_from(IDEMPOTENCY_LIFE.as_micros()).unwrap_or(i64::MAX);
    let ended = ago(now, FINISHED_OPERATION_LIFE);
    let due = |conn: &Connection| -> store::Result<bool> {
        Ok(idempotency::is_due(conn, now.plus(-life))?
            || credentials::is_due(conn, now, now.plus(-DEAD_CREDENTIALS))?
            || operations::is_due(conn, ended)?)
    };
    loop {
        // A transaction that changes nothing would still take the write lock and maybe write a page, so it reads first.
        match store.read(due) {
            Ok(false) => return,
            Ok(true) => {}
            Err(error) => return log::warn!("old rows could not be deleted: {error}"),
        }
        // In batches, so that other writes come in between.
        let swept = store.write(move |conn: &Connection| -> store::Result<usize> {
            Ok(idempotency::sweep(conn, now.plus(-life))?
                + credentials::sweep(conn, now, now.plus(-DEAD_CREDENTIALS))?
                + operations::sweep(conn, ended)?)
        });
        match swept {
            Ok(0) => return,
            Ok(count) => log::debug!("swept {count} rows"),
            Err(error) => return log::warn!("old rows could not be deleted: {error}"),
        }
    }
}

/// Deletes the oldest replies of principals with too many. Only rows that are new since the last round are looked at;
/// the first round looks at all of them.
fn trim_replies(store: &Store, counts: &mut RowCounts) {
    loop {
        let (crowded, more) = match store.lookup(|conn| counts.look(conn, IDEMPOTENCY_ROWS)) {
            Ok(looked) => looked,
            Err(error) => return failed(Swept::Idempotency, &error),
        };
        for principal in crowded {
            if let Err(error) = trim_replies_of(store, &principal, IDEMPOTENCY_ROWS) {
                return failed(Swept::Idempotency, &error);
            }
        }
        if !more {
            return;
        }
    }
}

fn trim_replies_of(store: &Store, principal: &str, most: u64) -> store::Result<()> {
    loop {
        let surplus = store.lookup(|conn| idempotency::surplus(conn, principal, most, most))?;
        for batch in surplus.chunks(SWEEP_BATCH as usize) {
            let (principal, batch) = (principal.to_owned(), batch.to_vec());
            told(Swept::Idempotency, store.write(move |conn| idempotency::delete_all(conn, &principal, &batch))?);
        }
        if (surplus.len() as u64) < most {
            return Ok(());
        }
    }
}

/// Ends the grants to programs that an older release left behind when it deleted the user who gave them: nobody could
/// list or end them. A reader finds them, and there are none after the first start.
fn end_orphaned_grants(store: &Store) {
    loop {
        // They end for what they are and not for their age, and the audit needs a time that can be read.
        let now = Micros::now();
        let orphans = match store.lookup(|conn| oauth_grants::orphaned(conn, now, SWEEP_BATCH)) {
            Ok(none) if none.is_empty() => return,
            Ok(orphans) => orphans,
            Err(error) => return log::warn!("grants whose giver was deleted could not be found: {error}"),
        };
        let ended = store.write(move |conn: &Connection| -> store::Result<()> {
            for id in orphans {
                credentials::revoke(conn, &id, now)?;
                let resource = format!("credential:{id}");
                audit::append(conn, &AuditEntry::new("system", "oauth.grant.revoke", resource, "-").at(now))?;
            }
            Ok(())
        });
        if let Err(error) = ended {
            return log::warn!("grants whose giver was deleted could not be ended: {error}");
        }
    }
}

/// Deletes notifications that are too old or too many, in batches so small that other writes hardly wait. A reader
/// finds them; the writer only deletes them.
fn sweep_notifications(store: &Store, now: Micros) {
    let before = now.plus(-i64::try_from(NOTIFICATION_LIFE.as_micros()).unwrap_or(i64::MAX));
    loop {
        let surplus = match store.lookup(|conn| notifications::surplus(conn, before, SWEEP_BATCH)) {
            Ok(none) if none.is_empty() => return,
            Ok(surplus) => surplus,
            Err(error) => return failed(Swept::Notifications, &error),
        };
        match store.write(move |conn| notifications::delete_all(conn, &surplus)) {
            Ok(0) => return,
            Ok(count) => told(Swept::Notifications, count),
            Err(error) => return failed(Swept::Notifications, &error),
        }
    }
}

fn told(what: Swept, count: usize) {
    log::debug!("swept {count} rows of {what}");
}

fn failed(what: Swept, error: &StoreError) {
    log::warn!("old rows of {what} could not be deleted: {error}");
}

/// The time `life` before `now`.
fn ago(now: Micros, life: std::time::Duration) -> Micros {
    now.plus(-i64::try_from(life.as_micros()).unwrap_or(i64::MAX))
}

/// Deletes expired context, tasks that were finished long ago, and uploads that were never completed or are deleted.
fn sweep_workspace(store: &Store, now: Micros) {
    let (finished, unfinished) = (ago(now, FINISHED_TASK_LIFE), ago(now, UNFINISHED_UPLOAD_LIFE));
    repeat(
        store,
        Swept::Context,
        move |conn| context::is_due(conn, now),
        move |conn| context::sweep(conn, now, SWEEP_BATCH),
    );
    repeat(
        store,
        Swept::Tasks,
        move |conn| tasks::is_due(conn, finished),
        move |conn| tasks::sweep(conn, finished, SWEEP_BATCH),
    );
    drop_uploads_before(store, unfinished);
}

/// Deletes unfinished uploads. Called before the daemon serves, when no upload is running.
pub fn drop_unfinished_uploads(store: &Store) {
    drop_uploads_before(store, Micros(i64::MAX));
}

fn drop_uploads_before(store: &Store, before: Micros) {
    repeat(store, Swept::Uploads, move |conn| uploads::is_due(conn, before), move |conn| uploads::sweep(conn, before));
}

/// Deletes in small transactions, so that other writes hardly wait, until nothing is due.
fn repeat(
    store: &Store,
    what: Swept,
    is_due: impl Fn(&Connection) -> store::Result<bool>,
    sweep: impl Fn(&Connection) -> store::Result<usize> + Copy + Send + 'static,
) {
    loop {
        match store.lookup(&is_due) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return failed(what, &error),
        }
        match store.write(move |conn| sweep(conn)) {
            Ok(0) => return,
            Ok(count) => told(what, count),
            Err(error) => return failed(what, &error),
        }
    }
}
