//! The journal of a container where systemd runs.
//!
//! Its files are written by hostile code and their format is binary, so the daemon never reads them. The container's own
//! `journalctl` does, with the container's rights, inside its name spaces; what comes out is text within bounds, as
//! untrusted as the console's. The command is fixed but for two numbers, nothing secret is in it, and it gets no input.

use std::time::Instant;

use super::{ContainerName, Driver, Error, LogLimits, Logs};

/// Where a log comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogSource {
    /// What was written to its console.
    Console,
    /// What its journal has.
    Journal,
}

impl LogSource {
    /// The words for them.
    pub const WORDS: &'static [&'static str] = &["console", "journal"];

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Journal => "journal",
        }
    }

    /// The one of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Console, Self::Journal].into_iter().find(|source| source.as_str() == word)
    }
}

/// The end of a log and where it came from. Without a wish it is the journal where there is one, else the console: where
/// systemd runs, a console holds little but its start. `None` where a journal is wished for and there is none.
///
/// # Errors
/// The driver's.
pub fn read_log(
    driver: &dyn Driver,
    name: &ContainerName,
    wish: Option<LogSource>,
    limits: LogLimits,
    deadline: Instant,
) -> Result<Option<(LogSource, Logs)>, Error> {
    if wish != Some(LogSource::Console)
        && let Some(logs) = driver.journal(name, limits, deadline)?
    {
        return Ok(Some((LogSource::Journal, logs)));
    }
    if wish == Some(LogSource::Journal) {
        return Ok(None);
    }
    Ok(Some((LogSource::Console, driver.logs(name, limits, deadline)?)))
}

/// Where a system that systemd has booted is known by (sd_booted(3)).
pub(super) const BOOTED: &str = "/run/systemd/system";
/// What the command exits with where there is no `journalctl`.
pub(super) const NO_PROGRAM: i64 = 127;
/// Without colours, pager, host name and hints; times in UTC.
const READ: &str = "journalctl --no-pager --quiet --utc --no-hostname --output=short-iso --lines=\"$1\"";

/// The command that writes the journal's end to this place inside, or to its output. One entry and one byte more than
/// the limits, so that it shows whether there is more.
pub(super) fn command(limits: LogLimits, place: Option<&str>) -> Vec<String> {
    let into = place.map_or_else(String::new, |place| format!(" >{place}"));
    let script = format!(
        "command -v journalctl >/dev/null || exit {NO_PROGRAM}; umask 077; {READ} 2>/dev/null | tail -c \"$2\"{into}"
    );
    let numbers = [limits.lines + 1, limits.bytes + 1].map(|number| number.to_string());
    ["/bin/sh".to_owned(), "-c".to_owned(), script, "sh".to_owned()].into_iter().chain(numbers).collect()
}
