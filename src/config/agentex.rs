//! The table `[agentex]`: what the Agentex dialect leaves to the operator.

use super::{ConfigError, Sources};
use crate::limits::in_bounds;

/// The table `[agentex]` of `taosd.toml`; in the environment `TAOSD_AGENTEX_<KEY>`.
#[derive(Debug, Clone)]
pub struct Agentex {
    /// `health_checks`: whether agents are asked for their health.
    pub health_checks: bool,
    /// `health_interval`: seconds between two rounds, 1 to 3600.
    pub health_interval: u64,
}

impl Agentex {
    pub(super) fn from_sources(sources: &mut Sources<'_>) -> Result<Self, ConfigError> {
        sources.table("agentex", |own| {
            let health_checks = own.flag("agentex_health_checks")?.unwrap_or(false);
            let health_interval = own.limit("agentex_health_interval")?.unwrap_or(30);
            in_bounds("agentex.health_interval", health_interval, 1, 3600).map_err(ConfigError)?;
            Ok(Self { health_checks, health_interval })
        })
    }
}
