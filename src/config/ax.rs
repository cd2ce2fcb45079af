//! The table `[ax]`: what the aX dialect leaves to the operator.

use super::{ConfigError, Sources, wrong};
use crate::limits::in_bounds;

/// What a client's new fingerprint does (aX contract, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FingerprintPolicy {
    /// It is told in the audit.
    Warn,
    /// The request is refused as well.
    Deny,
}

/// The table `[ax]` of `taosd.toml`; in the environment `TAOSD_AX_<KEY>`.
#[derive(Debug, Clone)]
pub struct Ax {
    /// `fingerprint_policy`: `warn` or `deny`.
    pub fingerprint_policy: FingerprintPolicy,
    /// `max_agent_pats`: active keys of one agent at the most, 1 to 100.
    pub max_agent_pats: u64,
}

impl Ax {
    /// Reads the table; its keys are read like the others, with `ax_` before their names.
    pub(super) fn from_sources(sources: &mut Sources<'_>) -> Result<Self, ConfigError> {
        sources.table("ax", |own| {
            let fingerprint_policy = match own.take("ax_fingerprint_policy") {
                None => FingerprintPolicy::Warn,
                Some((value, place)) => match value.as_str() {
                    Some("warn") => FingerprintPolicy::Warn,
                    Some("deny") => FingerprintPolicy::Deny,
                    _ => return wrong(format!("{place} must be warn or deny")),
                },
            };
            let max_agent_pats = own.limit("ax_max_agent_pats")?.unwrap_or(3);
            in_bounds("ax.max_agent_pats", max_agent_pats, 1, 100).map_err(ConfigError)?;
            Ok(Self { fingerprint_policy, max_agent_pats })
        })
    }
}
