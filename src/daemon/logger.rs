//! The log: `env_logger` with secrets cut out of its lines, in a wrapper whose filter a reload can change.

use std::env;
use std::io::Write;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use env_logger::{Builder, Logger};
use log::{LevelFilter, Log, Metadata, Record};

use crate::config::log_filter;
use crate::secret::redacted;
use crate::time::Micros;

static LOGGER: OnceLock<Reloadable> = OnceLock::new();

struct Reloadable(RwLock<Arc<Logger>>);

impl Reloadable {
    fn now(&self) -> Arc<Logger> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Log for Reloadable {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.now().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.now().log(record);
    }

    fn flush(&self) {}
}

/// Starts logging to stderr with the filter from `RUST_LOG`; `info` by default.
pub fn init() {
    let filter = log_filter(env::var("RUST_LOG").ok().as_deref());
    let logger = LOGGER.get_or_init(|| Reloadable(RwLock::new(Arc::new(build(&filter)))));
    // This fails if there is a logger already. Then that one stays.
    let _ = log::set_logger(logger);
    set(&filter);
}

/// Changes the filter: levels, and `module=level` pairs. A filter that cannot be parsed becomes `info`.
pub fn set(filter: &str) {
    let Some(logger) = LOGGER.get() else { return };
    let new = build(filter);
    log::set_max_level(new.filter());
    *logger.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
}

fn build(filter: &str) -> Logger {
    let mut builder = Builder::new();
    // env_logger prints its parse errors, which may panic. So it gets only filters that can be parsed.
    match env_filter::Builder::new().try_parse(filter) {
        Ok(_) => builder.parse_filters(filter),
        Err(_) => builder.filter_level(LevelFilter::Info),
    };
    // The journal adds its own time to each line.
    let with_time = env::var_os("JOURNAL_STREAM").is_none();
    builder.format(move |line, record| {
        let time = if with_time { format!("{} ", Micros::now().millis()) } else { String::new() };
        let text = record.args().to_string();
        writeln!(line, "{time}{} {}: {}", record.level(), record.target(), redacted(&text))
    });
    builder.build()
}
