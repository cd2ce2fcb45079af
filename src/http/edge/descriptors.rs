//! File descriptors: the limit is raised at the start, and the number of connections is reduced to fit it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors reserved for the database, logs and similar files.
const RESERVE: u64 = 16;
/// The least number of connections, whatever the limit is.
const FEWEST: u64 = 8;

/// Raises the soft limit to the hard one. Returns how many of the `wanted` connections fit beside the open descriptors.
/// `open` of those are connections, which count among the `wanted` ones.
pub(super) fn connections_that_fit(wanted: u64, open: u64) -> u64 {
    let limit = raise();
    let others = in_use().saturating_sub(open);
    let fit = limit.saturating_sub(others + RESERVE).max(FEWEST).min(wanted);
    if fit < wanted {
        log::warn!(
            "max_connections is {fit} instead of {wanted}: {limit} file descriptors are allowed (RLIMIT_NOFILE)"
        );
    }
    fit
}

fn raise() -> u64 {
    let before = getrlimit(Resource::Nofile);
    if before.current != before.maximum {
        let raised = Rlimit { current: before.maximum, maximum: before.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            log::warn!("the limit of file descriptors could not be raised: {error}");
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn in_use() -> u64 {
    // Without `/proc` the number is a guess for a small daemon.
    std::fs::read_dir("/proc/self/fd").map_or(32, |entries| entries.count() as u64)
}
