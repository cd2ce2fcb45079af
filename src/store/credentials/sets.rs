//! The closed sets of words in a credential's row, other than its kind.

use crate::closed_set::closed_set;

closed_set! {
    /// The state of a credential.
    pub enum CredentialState {
        Pending "pending" "It is being delivered and not good yet.";
        Active "active" "It is good until it expires.";
        Grace "grace" "It was replaced and is good for a little longer.";
        Revoked "revoked" "It was ended.";
        Expired "expired" "Its time is over.";
        PendingEnrollment "pending_enrollment" "It waits for the agent that it is to make.";
    }
}

closed_set! {
    /// What a key may be exchanged for.
    pub enum KeyAudience {
        Cli "cli" "Tokens for this daemon.";
        Mcp "mcp" "Tokens for other services.";
        Both "both" "Either.";
    }
}

closed_set! {
    /// What an agent's key is for.
    pub enum KeyType {
        Internal "internal" "It is the agent itself.";
        External "external" "It has requests sent on to the agent.";
    }
}
