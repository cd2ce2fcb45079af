//! The table `[ax]`: what the aX dialect leaves to the operator.

use super::source::Sources;

/// What a client's new fingerprint does (aX contract, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FingerprintPolicy {
    /// It is told in the audit.
    Warn,
    /// The request is refused as well.
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
    /// `max_agent_pats`: active keys of one agent at the most, 1 to 100.
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
