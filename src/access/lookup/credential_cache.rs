//! Credentials looked up a moment ago: a busy client costs no database read a request.
//!
//! Nothing here outlives a commit: an entry is good for the version of the database it was read at, and every commit
//! that changes something makes a new version before anybody is told of it. So a revoke holds from its answer on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::access::caller::Who;
use crate::limits::KNOWN_CREDENTIALS;
use crate::secret::SecretHash;
use crate::threads::lock;

/// How long an entry is good where nothing is committed: bounds what is missed of a change made past the daemon.
const LIFE: Duration = Duration::from_millis(250);

/// Live credentials by their hash. Only what was found is in it, so nobody fills it with guesses.
#[derive(Debug, Default)]
pub struct CredentialCache(Mutex<HashMap<SecretHash, Entry>>);

#[derive(Debug)]
struct Entry {
    who: Arc<Who>,
    version: u64,
    since: Instant,
}

impl CredentialCache {
    /// Who holds this credential, if that was looked up at this version of the database, a moment ago.
    pub fn get(&self, hash: &SecretHash, version: u64, now: Instant) -> Option<Arc<Who>> {
        let entries = lock(&self.0);
        let entry = entries.get(hash)?;
        let fresh = entry.version == version && now.saturating_duration_since(entry.since) < LIFE;
        (fresh && !entry.who.is_expired()).then(|| Arc::clone(&entry.who))
    }

    /// Keeps what was looked up. `version` was read before the database was.
    pub fn put(&self, hash: SecretHash, who: Arc<Who>, version: u64, now: Instant) {
        let mut entries = lock(&self.0);
        if entries.len() >= KNOWN_CREDENTIALS && !entries.contains_key(&hash) {
            entries.clear();
        }
        entries.insert(hash, Entry { who, version, since: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Kind;
    use crate::store::credentials::{CredentialState, Holder};
    use crate::store::users::{Role, User};
    use crate::time::Micros;

    fn who(expires_at: Option<Micros>) -> Arc<Who> {
        let (now, text) = (Micros(0), String::new);
        let user = User {
            id: text(),
            username: text(),
            display_name: text(),
            role: Role::Member,
            disabled: false,
            created_at: now,
            updated_at: now,
        };
        let scopes = "[]".to_owned();
        let kind = Kind::UserToken;
        Arc::new(Who::from_holder(Holder {
            credential_id: text(),
            kind,
            scopes,
            expires_at,
            user,
            agent: None,
            audience: None,
            admin: false,
            only_agents: None,
            space_id: None,
            token_mark: None,
            fingerprints: "[]".to_owned(),
            key_type: None,
            state: CredentialState::Active,
            parent_id: None,
            made_by: None,
            issuer_id: None,
        }))
    }

    #[test]
    fn an_entry_is_good_for_its_version_and_a_moment() {
        let (known, hash, start) = (CredentialCache::default(), SecretHash::of("a"), Instant::now());
        known.put(hash, who(None), 7, start);
        assert!(known.get(&hash, 7, start).is_some());
        assert!(known.get(&hash, 8, start).is_none(), "something was committed");
        assert!(known.get(&hash, 7, start + LIFE).is_none());
        assert!(known.get(&SecretHash::of("b"), 7, start).is_none());
    }

    #[test]
    fn an_entry_that_has_expired_is_not_good_and_the_table_is_bounded() {
        let (known, start) = (CredentialCache::default(), Instant::now());
        let hash = SecretHash::of("a");
        known.put(hash, who(Some(Micros(1))), 1, start);
        assert!(known.get(&hash, 1, start).is_none());
        for n in 0..KNOWN_CREDENTIALS * 2 {
            known.put(SecretHash::of(&n.to_string()), who(None), 1, start);
        }
        assert!(known.0.lock().unwrap().len() <= KNOWN_CREDENTIALS);
    }
}
