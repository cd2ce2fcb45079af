//! The table `[agentex]`: the operator's settings for the Agentex dialect.

use super::source::Sources;

/// The table `[agentex]` of `taosd.toml`; in the environment `TAOSD_AGENTEX_<KEY>`.
#[derive(Debug, Clone)]
pub struct Agentex {
    /// `health_checks`: whether the daemon checks the health of agents.
    pub health_checks: bool,
    /// `health_interval`: seconds between two rounds of health checks, 1 to 3600.
    pub health_interval: u64,
}

impl Agentex {
    pub(super) fn from_sources(sources: &mut Sources) -> Self {
        let health_checks = sources.switch(&["agentex", "health_checks"], "TAOSD_AGENTEX_HEALTH_CHECKS");
        let health_interval = sources.number(&["agentex", "health_interval"], "TAOSD_AGENTEX_HEALTH_INTERVAL", 1, 3600);
        Self { health_checks: health_checks.unwrap_or(false), health_interval: health_interval.unwrap_or(30) }
    }
}
