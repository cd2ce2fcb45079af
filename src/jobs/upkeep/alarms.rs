//! Faults that the daemon finds in itself and reports to the admins as notifications: a damaged or missing database
//! file, and a clock that jumped. Each is reported once, and again if it was repaired in between.

use crate::jobs::events::notifier::{Notice, Notifier};
use crate::store::notifications::Level;
use crate::store::{Store, StoreError};
use crate::time::Clock;

const STORAGE_PAGE: &str = "/docs/agents/recipes/troubleshooting#damaged";
const CLOCK_PAGE: &str = "/docs/agents/recipes/troubleshooting#the-clock";

/// The faults that were reported.
#[derive(Debug, Default)]
pub struct Alarms {
    /// The title of the database fault that was logged.
    logged: Option<String>,
    /// The title of the database fault that the admins know.
    told: Option<String>,
}

impl Alarms {
    /// Checks for faults and reports new ones. If a report fails, because nothing can be written, the next call tries
    /// again.
    pub fn tell(&mut self, store: &Store, clock: &Clock, notifier: &Notifier) {
        self.tell_storage(store.condition().err(), notifier);
        if let Some(alarm) = clock.take_alarm() {
            let notice = Notice {
                level: Level::High,
                title: "The clock cannot be believed".into(),
                message: alarm.clone(),
                page: CLOCK_PAGE.into(),
                topic: None,
            };
            if notifier.tell_admins(notice).is_err() {
                clock.put_back(alarm);
            }
        }
    }

    fn tell_storage(&mut self, trouble: Option<StoreError>, notifier: &Notifier) {
        let Some(error) = trouble else {
            if self.logged.take().is_some() {
                log::warn!("the database file is usable again");
            }
            self.told = None;
            return;
        };
        let (title, message) = words(&error);
        if self.logged.as_deref() != Some(title) {
            log::error!("{error}");
            self.logged = Some(title.to_owned());
        }
        if self.told.as_deref() == Some(title) {
            return;
        }
        let notice = Notice {
            level: Level::High,
            title: title.into(),
            message: message.into(),
            page: STORAGE_PAGE.into(),
            topic: None,
        };
        if notifier.alert(notice) {
            self.told = Some(title.to_owned());
        }
    }
}

/// The title and the text of a notice, without the path of a file.
fn words(error: &StoreError) -> (&'static str, &'static str) {
    match error {
        StoreError::Gone(_) => (
            "The database file is gone",
            "taosd.db was removed or replaced while the daemon runs. Nothing can be written any more; reads still see what \
             was there. Put the file back, or stop the daemon and restore a backup.",
        ),
        _ => (
            "The database file is damaged",
            "What was read from taosd.db is not what was written there. Stop the daemon, run taosd check and restore a backup.",
        ),
    }
}
