//! File descriptors: the limit is raised at start, and connections are cut to what it leaves.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors left for the database, logs and the like.
const RESERVE: u64 = 16;
/// Connections there must be in any case.
const FEWEST: u64 = 8;

/// Raises the soft limit to the hard one and says how many of the `wanted` connections fit beside what is open.
pub(super) fn connections_that_fit(wanted: u64) -> u64 {
    let limit = raise();
    let fit = limit.saturating_sub(in_use() + RESERVE).max(FEWEST).min(wanted);
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
    // Where /proc is missing a small daemon's number is guessed.
    std::fs::read_dir("/proc/self/fd").map_or(32, |entries| entries.count() as u64)
}
