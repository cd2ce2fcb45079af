//! The table `[requests]`: settings for the requests that agents make to people (requests contract).

use super::source::Sources;
use crate::limits::REQUEST_LIFE;

/// The table `[requests]` of `taosd.toml`; in the environment `TAOSD_REQUESTS_<KEY>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requests {
    /// Seconds in which a request can be decided if it names no time itself.
    pub ttl: i64,
}

impl Requests {
    pub(super) fn from_sources(sources: &mut Sources) -> Self {
        let (least, most, usual) = REQUEST_LIFE;
        let ttl = sources.number(&["requests", "ttl"], "TAOSD_REQUESTS_TTL", least.unsigned_abs(), most.unsigned_abs());
        Self { ttl: ttl.and_then(|ttl| i64::try_from(ttl).ok()).unwrap_or(usual) }
    }
}
