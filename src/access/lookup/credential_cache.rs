//! A cache of recently found callers, so that a busy client costs no database read and no signature check per request.
//!
//! No entry outlives a commit: an entry is valid for the database state that it was read at, and every commit that
//! changes something makes a new state before anybody learns of it. So a revoke takes effect before its reply is sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::access::caller::Caller;
use crate::access::tokens::jwt::Claims;
use crate::limits::{KNOWN_CREDENTIALS, KNOWN_TOKENS};
use crate::rest::head::Head;
use crate::secret::SecretHash;
use crate::threads::lock;

/// How long an entry is valid without a commit. This limits how long a change made outside the daemon is missed.
pub const LIFE: Duration = Duration::from_millis(250);

/// Live callers by the hash of their credential. Only valid credentials are stored, so nobody can fill it with guesses.
#[derive(Debug, Default)]
pub struct CredentialCache(Mutex<HashMap<SecretHash, CachedCredential>>);

#[derive(Debug)]
struct CachedCredential {
    caller: Caller,
    state: u64,
    since: Instant,
}

impl CredentialCache {
    /// Returns the caller with this credential, if it was found in this state of the database less than [`LIFE`] ago.
    pub fn get(&self, presented: &SecretHash, state: u64, head: &Head) -> Option<Caller> {
        let entries = lock(&self.0);
        let entry = entries.get(presented)?;
        let fresh = entry.state == state && head.arrived.saturating_duration_since(entry.since) < LIFE;
        (fresh && !entry.caller.is_expired()).then(|| entry.caller.again(head.request_id.clone()))
    }

    /// Stores the caller that was found. `state` must be read before the database is.
    pub fn put(&self, presented: SecretHash, caller: &Caller, state: u64, now: Instant) -> Caller {
        let caller = caller.again(caller.request_id().to_owned()).with_rights_of(presented, state);
        let mut entries = lock(&self.0);
        if entries.len() >= KNOWN_CREDENTIALS && !entries.contains_key(&presented) {
            entries.clear();
        }
        entries.insert(presented, CachedCredential { caller: caller.again(String::new()), state, since: now });
        caller
    }
}

/// The claims of short-lived tokens whose signatures were verified, until they end. Whether the credential behind a
/// token is live is checked each time.
#[derive(Debug, Default)]
pub struct VerifiedTokens(Mutex<HashMap<SecretHash, Arc<Claims>>>);

impl VerifiedTokens {
    /// Returns the claims of this token, if it was verified and has not ended. `now` is in seconds since 1970.
    pub fn get(&self, token: &SecretHash, now: i64) -> Option<Arc<Claims>> {
        let mut known = lock(&self.0);
        let claims = known.get(token)?;
        if now < claims.exp {
            return Some(Arc::clone(claims));
        }
        known.remove(token);
        None
    }

    /// Stores the claims of a verified token.
    pub fn put(&self, token: SecretHash, claims: Arc<Claims>, now: i64) {
        let mut known = lock(&self.0);
        if known.len() >= KNOWN_TOKENS && !known.contains_key(&token) {
            known.retain(|_, claims| now < claims.exp);
            if known.len() >= KNOWN_TOKENS {
                known.clear();
            }
        }
        known.insert(token, claims);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::access::caller::Who;
    use crate::secret::Kind;
    use crate::store::credentials::{CredentialState, Holder};
    use crate::store::users::{Role, User};
    use crate::time::Micros;

    fn head(arrived: Instant) -> Head {
        Head { arrived, raw_path: String::new(), ..Head::for_test(&[]) }
    }

    fn caller(expires_at: Option<Micros>) -> Caller {
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
        let who = Who::from_holder(Holder {
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
        });
        Caller::new(Arc::new(who), text())
    }

    #[test]
    fn an_entry_is_good_for_its_version_and_a_moment() {
        let (known, hash, start) = (CredentialCache::default(), SecretHash::of("a"), Instant::now());
        drop(known.put(hash, &caller(None), 7, start));
        let found = known.get(&hash, 7, &head(start)).unwrap();
        assert_eq!((found.request_id(), found.rights_read().unwrap().state), ("r", 7));
        assert!(known.get(&hash, 8, &head(start)).is_none(), "something was committed");
        assert!(known.get(&hash, 7, &head(start + LIFE)).is_none());
        assert!(known.get(&SecretHash::of("b"), 7, &head(start)).is_none());
    }

    #[test]
    fn an_entry_that_has_expired_is_not_good_and_the_table_is_bounded() {
        let (known, start) = (CredentialCache::default(), Instant::now());
        let hash = SecretHash::of("a");
        drop(known.put(hash, &caller(Some(Micros(1))), 1, start));
        assert!(known.get(&hash, 1, &head(start)).is_none());
        for n in 0..KNOWN_CREDENTIALS * 2 {
            drop(known.put(SecretHash::of(&n.to_string()), &caller(None), 1, start));
        }
        assert!(known.0.lock().unwrap().len() <= KNOWN_CREDENTIALS);
    }

    #[test]
    fn a_verified_token_is_known_until_its_end_and_the_table_is_bounded() {
        let claims = |exp| {
            let text = String::new;
            Arc::new(Claims {
                sub: text(),
                audience: crate::access::tokens::jwt::Audience::Api,
                iat: 0,
                exp,
                jti: text(),
                class: crate::rest::class::Class::User,
                scope: text(),
                user_id: text(),
                credential_id: text(),
                space_id: text(),
                agent: None,
                program: None,
            })
        };
        let (known, hash) = (VerifiedTokens::default(), SecretHash::of("a"));
        known.put(hash, claims(10), 1);
        assert!(known.get(&hash, 9).is_some());
        assert!(known.get(&hash, 10).is_none());
        for n in 0..KNOWN_TOKENS * 2 {
            known.put(SecretHash::of(&n.to_string()), claims(10), 1);
        }
        assert!(known.0.lock().unwrap().len() <= KNOWN_TOKENS);
    }
}
