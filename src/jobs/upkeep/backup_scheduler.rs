//! Keeps `backup/taosd.db` fresh: makes a new copy at an interval if something has changed, and one after the last
//! commit of a stop. A failure is reported to the admins, in `/readyz` and in `/metrics`, until a copy succeeds again
//! (DESIGN D16).

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::audit_head::HeadLogger;
use crate::config::Watched;
use crate::jobs::events::notifier::{Notice, Notifier};
use crate::jobs::events::space::IncrementalVacuum;
use crate::jobs::operations::backups;
use crate::store::notifications::Level;
use crate::store::{self, FILE, OpenError, StillWanted, Store, StoreError};
use crate::threads::{Pause, Periodic, lock};
use crate::time::Micros;

/// The pause after a failure, and before the first copy of a start that found no copy or an old one.
const SOON: Duration = Duration::from_secs(60);
/// How long the copy at a stop may take, because a stop must not wait longer. The next start makes up for it.
const LAST_COPY: Duration = Duration::from_secs(4);
const PAGE: &str = "/docs/agents/recipes/backup#when-a-backup-fails";

/// The state of the automatic backups, shared between threads.
#[derive(Debug, Default)]
pub struct BackupHealth(Mutex<BackupStatus>);

/// The state of the automatic backups.
#[derive(Debug, Clone, Default)]
pub struct BackupStatus {
    /// When the present copy was made; `None` if there is none.
    pub made: Option<Micros>,
    /// Failures since the start.
    pub failures: u64,
    /// Why the last try failed; `None` if it succeeded.
    pub trouble: Option<String>,
    /// The state of the database that the copy covers, except for changes that are not worth a new copy.
    pub covered: Option<u64>,
}

impl BackupHealth {
    /// Returns the present state.
    pub fn read(&self) -> BackupStatus {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BackupStatus> {
        lock(&self.0)
    }
}

/// Starts the thread; while `interval` is 0 it makes no copies. `fresh`: whether the copy covered the database when the
/// daemon started.
///
/// # Errors
/// A thread cannot be started.
pub fn start(
    store: Arc<Store>,
    health: Arc<BackupHealth>,
    notifier: Notifier,
    interval: Watched<Duration>,
    fresh: bool,
    teller: Option<HeadLogger>,
) -> std::io::Result<Periodic> {
    let covered = fresh.then_some(0);
    *health.lock() = BackupStatus { covered, made: backups::time_of_latest(store.dir()), ..BackupStatus::default() };
    let space = IncrementalVacuum::new(Arc::clone(&store));
    let mut work = BackupWork { space, light: 0, store, health, notifier, interval, covered, told: false, teller };
    Periodic::start("scheduler", move |pause| work.run(pause))
}

struct BackupWork {
    space: IncrementalVacuum,
    /// The last commit of changes not worth a copy by themselves that the copy has.
    light: u64,
    store: Arc<Store>,
    health: Arc<BackupHealth>,
    notifier: Notifier,
    interval: Watched<Duration>,
    /// The state of the database that the copy covers.
    covered: Option<u64>,
    /// True if the admins know of the present failure.
    told: bool,
    /// Logs the signed head of the audit, if it can be signed.
    teller: Option<HeadLogger>,
}

impl BackupWork {
    fn run(&mut self, pause: &Pause) {
        let dir = self.store.dir().to_owned();
        let mut since = Instant::now();
        self.tell(false);
        while pause.lasts(self.turn()) {
            self.tell(false);
            self.space.turn();
            if !self.is_due(since) {
                continue;
            }
            since = Instant::now();
            // Read before the copy: later commits may or may not be in it.
            let (version, light) = (self.store.version(), self.store.light_version());
            if self.covered != Some(version) || (self.light != light && backups::is_old(&dir, Micros::now())) {
                let result = backups::refresh(&self.store, &StillWanted::unless(pause.ends()));
                if result.is_err() && pause.ends().load(Ordering::Relaxed) {
                    log::info!("the automatic backup was given up: the daemon stops");
                    break;
                }
                self.covered = result.is_ok().then_some(version);
                self.light = light;
                self.note(&dir, result);
                self.health.lock().covered = self.covered;
            }
        }
        self.tell(true);
    }

    fn tell(&mut self, last: bool) {
        if let Some(teller) = &mut self.teller {
            teller.turn(last);
        }
    }

    /// How long to sleep. It is short, because a reload may set another interval.
    fn turn(&self) -> Duration {
        let interval = self.interval.now();
        if interval.is_zero() { SOON } else { interval.min(SOON) }
    }

    fn is_due(&self, since: Instant) -> bool {
        let interval = self.interval.now();
        let pause = if self.covered.is_none() { interval.min(SOON) } else { interval };
        !interval.is_zero() && since.elapsed() >= pause
    }

    fn note(&mut self, dir: &Path, result: store::Result<()>) {
        let mut health = self.health.lock();
        let Err(error) = result else {
            *health = BackupStatus { made: backups::time_of_latest(dir), trouble: None, ..*health };
            self.told = false;
            return;
        };
        health.failures += 1;
        health.trouble = Some(reason(&error).to_owned());
        drop(health);
        log::error!("the automatic backup failed: {error}");
        if !self.told {
            // On a full disk no notification can be stored; the next failure tries again.
            self.told = self.notifier.tell_admins(notice(&error)).is_ok();
        }
    }
}

/// The cause of a failure, without the name of a file.
fn reason(error: &StoreError) -> &'static str {
    match error {
        StoreError::Full(_) => "the disk is full",
        StoreError::ReadOnly(_) => "the file system is read-only",
        StoreError::Damaged(_) => "the database is damaged",
        StoreError::Gone(_) => "the database file was removed or replaced",
        _ => "the last automatic backup failed; the log says why",
    }
}

fn notice(error: &StoreError) -> Notice {
    Notice {
        level: Level::High,
        title: "The automatic backup failed".into(),
        message: format!(
            "backup/taosd.db in the data directory could not be brought up to date: {}. It is tried again every minute; \
             the log has the details.",
            reason(error)
        ),
        page: PAGE.into(),
        topic: None,
    }
}

/// Brings the copy up to date after the store has closed, if needed. `covered`: whether it has all changes that are
/// worth a copy. A failure is only logged: the database itself is whole.
pub fn refresh_at_stop(dir: &Path, covered: bool) {
    let path: PathBuf = dir.to_owned();
    match store::lock_dir(&path) {
        // Another daemon uses the directory now and keeps the copy fresh.
        Err(OpenError::Locked(_)) => {}
        Err(error) => log::warn!("the last backup could not be made: {error}"),
        Ok(_lock) if backups::is_fresh(dir) => {}
        Ok(_lock) if covered && !backups::is_old(dir, Micros::now()) => {
            if let Err(error) = backups::mark_as_covered(dir) {
                log::warn!("the next start makes a needless backup: {error}");
            }
        }
        Ok(_lock) => {
            let wanted = StillWanted::within(LAST_COPY);
            match backups::refresh_at_rest(dir, &wanted) {
                Ok(()) => {}
                Err(_) if !wanted.now() => log::warn!(
                    "the last backup took more than {} s and was given up: backup/{FILE} is older than {FILE}; the next \
                     start makes it",
                    LAST_COPY.as_secs()
                ),
                Err(error) => log::error!("the last backup could not be made: {error}"),
            }
        }
    }
}
