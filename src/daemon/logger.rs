//! The log: a line on stderr for what passes the filter, which a reload may change.

use std::env;
use std::sync::{OnceLock, PoisonError, RwLock};

use env_filter::{Builder, Filter};
use log::{Log, Metadata, Record};

use crate::config::log_filter;
use crate::say;
use crate::secret::redacted;
use crate::time::Micros;

static LOGGER: OnceLock<Logger> = OnceLock::new();

struct Logger {
    filter: RwLock<Filter>,
    /// The journal puts its own time before each line.
    with_time: bool,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.read().unwrap_or_else(PoisonError::into_inner).enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.filter.read().unwrap_or_else(PoisonError::into_inner).matches(record) {
            return;
        }
        let time = if self.with_time { format!("{} ", Micros::now().millis()) } else { String::new() };
        let text = record.args().to_string();
        let line = format!("{time}{} {}: {}\n", record.level(), record.target(), redacted(&text));
        // In one piece, so that lines of several threads do not mix. Nobody is left to be told if stderr is gone.
        say::complain(&line);
    }

    fn flush(&self) {}
}

/// Sends log lines to stderr, as `RUST_LOG` says; `info` if it says nothing.
pub fn init() {
    let filter = RwLock::new(Builder::new().build());
    let logger = LOGGER.get_or_init(|| Logger { filter, with_time: env::var_os("JOURNAL_STREAM").is_none() });
    // Fails where there is a logger already, which may stay.
    let _ = log::set_logger(logger);
    set(&log_filter(env::var("RUST_LOG").ok().as_deref()));
}

/// Filters as this says from now on: levels, and `module=level` pairs. What cannot be understood is `info`.
pub fn set(filter: &str) {
    let Some(logger) = LOGGER.get() else { return };
    // What `parse` does not understand it prints, and that may panic.
    let mut builder = Builder::new();
    let filter = match builder.try_parse(filter) {
        Ok(builder) => builder.build(),
        Err(_) => Builder::new().filter_level(log::LevelFilter::Info).build(),
    };
    log::set_max_level(filter.filter());
    *logger.filter.write().unwrap_or_else(PoisonError::into_inner) = filter;
}
