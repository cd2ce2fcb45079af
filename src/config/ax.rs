//! The table `[ax]`: the operator's settings for the aX dialect.

use super::source::Sources;

/// The effect of a new fingerprint of a client (aX contract, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FingerprintPolicy {
    /// It is recorded in the audit.
    Warn,
    /// It is recorded in the audit, and the request is refused.
    Deny,
}

/// The words for the policies.
pub(super) const POLICIES: [(&str, FingerprintPolicy); 2] =
    [("warn", FingerprintPolicy::Warn), ("deny", FingerprintPolicy::Deny)];

/// The table `[ax]` of `taosd.toml`; in the environment `TAOSD_AX_<KEY>`.
#[derive(Debug, Clone)]
pub struct Ax {
    /// `fingerprint_policy`: `warn` or `deny`.
    pub fingerprint_policy: FingerprintPolicy,
    /// `max_agent_pats`: the most active keys of one agent, 1 to 100.
    pub max_agent_pats: u64,
}

impl Ax {
    pub(super) fn from_sources(sources: &mut Sources) -> Self {
        let fingerprint_policy = sources.word(&["ax", "fingerprint_policy"], "TAOSD_AX_FINGERPRINT_POLICY", &POLICIES);
        let max_agent_pats = sources.number(&["ax", "max_agent_pats"], "TAOSD_AX_MAX_AGENT_PATS", 1, 100);
        Self {
            fingerprint_policy: fingerprint_policy.unwrap_or(FingerprintPolicy::Warn),
            max_agent_pats: max_agent_pats.unwrap_or(3),
        }
    }
}
