//! The journal of a container where systemd runs.
//!
//! Hostile code writes its files and their format is binary, so the daemon never reads them. The container's own
//! `journalctl` reads them, with the container's rights, inside its name spaces. Its output is text within bounds, as
//! untrusted as the console's. The command is fixed except for two numbers, contains no secret and gets no input.

use std::time::Instant;

use super::until::half;
use super::{ContainerName, Driver, Error, LogLimits, Logs};

/// The source of a container's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogSource {
    /// The output on its console.
    Console,
    /// The journal of its systemd.
    Journal,
}

impl LogSource {
    /// The words of all sources.
    pub const WORDS: &'static [&'static str] = &["console", "journal"];

    /// The word of the source.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Journal => "journal",
        }
    }

    /// The source with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Console, Self::Journal].into_iter().find(|source| source.as_str() == word)
    }
}

/// Reads the end of a log and says which source it is from. With no `wish` it is the journal if there is one, else the
/// console: if systemd runs, a console has little more than the start. The console also stands in for a journal that
/// cannot be read, for which it keeps half of the time. `None` if the wish is a journal and there is none.
///
/// # Errors
/// Any [`Error`] of the driver.
pub fn read_log(
    driver: &dyn Driver,
    name: &ContainerName,
    wish: Option<LogSource>,
    limits: LogLimits,
    deadline: Instant,
) -> Result<Option<(LogSource, Logs)>, Error> {
    let console = || Ok(Some((LogSource::Console, driver.logs(name, limits, deadline)?)));
    let journal = |deadline| match driver.journal(name, limits, deadline) {
        Err(Error::Deadline(_)) => Err(Error::JournalHangs),
        other => Ok(other?.map(|logs| (LogSource::Journal, logs))),
    };
    match wish {
        Some(LogSource::Console) => console(),
        Some(LogSource::Journal) => journal(deadline),
        None => match journal(half(deadline)) {
            Ok(Some(read)) => Ok(Some(read)),
            Ok(None) => console(),
            Err(error @ (Error::JournalHangs | Error::Refused(_) | Error::Failed(_) | Error::InvalidResponse(_))) => {
                log::debug!("the console of {name} is read instead of its journal: {error}");
                console()
            }
            Err(error) => Err(error),
        },
    }
}

/// The folder that exists if systemd has booted the system (`sd_booted(3)`).
pub(super) const BOOTED: &str = "/run/systemd/system";
/// The exit code of the command if there is no `journalctl`.
pub(super) const NO_PROGRAM: i64 = 127;
/// No colours, pager, host name or hints; times in UTC.
const READ: &str = "journalctl --no-pager --quiet --utc --no-hostname --output=short-iso --lines=\"$1\"";

/// The command that writes the end of the journal to the file `place` inside, or to its output. It writes one entry
/// and one byte more than the limits, which shows whether there is more.
pub(super) fn command(limits: LogLimits, place: Option<&str>) -> Vec<String> {
    let into = place.map_or_else(String::new, |place| format!(" >{place}"));
    let script = format!(
        "command -v journalctl >/dev/null || exit {NO_PROGRAM}; umask 077; {READ} 2>/dev/null | tail -c \"$2\"{into}"
    );
    let numbers = [limits.lines + 1, limits.bytes + 1].map(|number| number.to_string());
    ["/bin/sh".to_owned(), "-c".to_owned(), script, "sh".to_owned()].into_iter().chain(numbers).collect()
}
