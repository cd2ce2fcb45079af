//! The sweeper: at the start and then once a minute it writes what is due and removes what has had its time (DESIGN
//! D17). On an idle box it finds nothing and writes nothing.

use rusqlite::Connection;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;

use super::expiry::Expiry;
use crate::access::Gate;
use crate::config::Live;
use crate::limits::{IDEMPOTENCY_LIFE, NOTIFICATION_LIFE, NOTIFICATION_ROWS, SWEEP_BATCH, seconds};
use crate::store::{self, Store, audit, credentials, idempotency, notifications, operations};
use crate::time::Micros;

/// How long an operation stays after its end.
const FINISHED_OPERATIONS: i64 = 30 * Micros::DAY;
/// How long a dead credential's row stays to be looked at.
const DEAD_CREDENTIALS: i64 = 30 * Micros::DAY;

/// The sweeper's thread; dropping it ends the thread after a last flush.
pub struct Sweeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn start(store: Arc<Store>, gate: Arc<Gate>, expiry: Expiry, config: Arc<Live>) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("sweeper".into()).spawn(move || {
            // First of all what had its time while the daemon was off: no jump of the clock revives a credential.
            loop {
                let limits = config.now().limits.clone();
                sweep(&store, limits.audit_retention_days, Micros::now());
                sweep_notifications(&store, Micros::now());
                expiry.warn(&store, Micros::now());
                if stopped.recv_timeout(seconds(limits.sweep_interval)) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
                gate.flush(false);
            }
            gate.flush(true);
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn sweep(store: &Store, audit_days: u64, now: Micros) {
    let life = i64::try_from(IDEMPOTENCY_LIFE.as_micros()).unwrap_or(i64::MAX);
    let audit_days = i64::try_from(audit_days).unwrap_or(i64::MAX);
    let audit_before = now.plus(-audit_days.saturating_mul(Micros::DAY));
    let due = |conn: &Connection| -> store::Result<bool> {
        Ok(idempotency::is_due(conn, now.plus(-life))?
            || credentials::is_due(conn, now, now.plus(-DEAD_CREDENTIALS))?
            || operations::is_due(conn, now.plus(-FINISHED_OPERATIONS))?
            || audit::is_due(conn, audit_before)?)
    };
    // A transaction that changes nothing would still be a write lock and maybe a page; so look first.
    match store.read(due) {
        Ok(false) => return,
        Ok(true) => {}
        Err(error) => return log::warn!("sweeping: {error}"),
    }
    let swept = store.write(move |conn: &Connection| -> store::Result<usize> {
        Ok(idempotency::sweep(conn, now.plus(-life))?
            + credentials::sweep(conn, now, now.plus(-DEAD_CREDENTIALS))?
            + operations::sweep(conn, now.plus(-FINISHED_OPERATIONS))?
            + audit::retain(conn, audit_before)?)
    });
    match swept {
        Ok(count) => log::debug!("swept {count} rows"),
        Err(error) => log::warn!("sweeping: {error}"),
    }
}

/// Removes notifications that are too old or too many, so few at a time that other writes hardly wait.
fn sweep_notifications(store: &Store, now: Micros) {
    let before = now.plus(-i64::try_from(NOTIFICATION_LIFE.as_micros()).unwrap_or(i64::MAX));
    loop {
        match store.lookup(|conn| notifications::is_due(conn, before, NOTIFICATION_ROWS)) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return log::warn!("sweeping notifications: {error}"),
        }
        let swept = store.write(move |conn| notifications::sweep(conn, before, NOTIFICATION_ROWS, SWEEP_BATCH));
        match swept {
            Ok(0) => return,
            Ok(count) => log::debug!("swept {count} notifications"),
            Err(error) => return log::warn!("sweeping notifications: {error}"),
        }
    }
}
