//! Credentials that are shown to be turned into others: keys at the exchange, users' tokens at the login.

use std::sync::Arc;

use super::bearer::{Presented, presented, secret_of};
use super::credential_lookup::{is_alive, is_good, is_good_key};
use crate::access::authorize::{Bad, nobody};
use crate::access::caller::{Caller, Who};
use crate::access::gate::Gate;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::head::Head;
use crate::rest::route::Need;
use crate::secret::{Kind, SecretHash};
use crate::store::credentials;
use crate::time::Micros;

/// What may be exchanged, and whom it stands for.
pub struct Exchanger {
    /// The principal behind it; of an enrollment, its issuer.
    pub caller: Caller,
    /// Its hash, to read it again where it is used.
    pub hash: SecretHash,
}

impl Gate {
    /// What a request to the exchange presents: a key, or an agent's own token.
    ///
    /// # Errors
    /// 401 `invalid_credential` or 429; 422 `class_not_allowed` for what is a credential and no key.
    pub fn exchanger(&self, head: &Head, need: &Need) -> Result<Exchanger, ApiError> {
        let (caller, kind, hash) = self.exchanging(head, need)?;
        self.check_channel(head, &caller, need)?;
        self.throttle(head, &caller)?;
        if let Some(id) = caller.credential_id() {
            self.last_used.note(id, Micros::now());
        }
        if kind == Kind::UserToken {
            return Err(
                ApiError::new(codes::CLASS_NOT_ALLOWED).detail("Send a user's token directly: it cannot be exchanged.")
            );
        }
        Ok(Exchanger { caller, hash })
    }

    /// Who is behind what is shown to be exchanged.
    fn exchanging(&self, head: &Head, need: &Need) -> Result<(Caller, Kind, SecretHash), ApiError> {
        let (kind, hash) = match presented(head) {
            Presented::Nothing => return Err(nobody(head, need)),
            Presented::Key(Some((kind, hash)))
            | Presented::Secret(kind @ (Kind::AgentToken | Kind::UserToken), hash) => (kind, hash),
            _ => return Err(self.refuse_credential(head, need, Bad::Dead)),
        };
        let found = self.store.lookup(|conn| credentials::find_exchangeable(conn, &hash))?;
        let Some(holder) = found.filter(|holder| is_good(holder, kind) || is_good_key(holder)) else {
            return Err(self.refuse_credential(head, need, Bad::Dead));
        };
        Ok((Caller::from_key(holder, head.request_id.clone()), kind, hash))
    }

    /// The principal behind a request to a route whose handler has the credential judged ([`Gate::exchanger`],
    /// [`Gate::sender`]), before its body is read. A request to be sent on counts twice in its rate then.
    ///
    /// # Errors
    /// Those of the two.
    pub fn vouch(&self, head: &Head, need: &Need) -> Result<String, ApiError> {
        match need.dialect {
            Dialect::Agentex => self.sending_principal(head, need),
            _ => {
                let (caller, ..) = self.exchanging(head, need)?;
                self.check_channel(head, &caller, need)?;
                Ok(caller.principal_key())
            }
        }
    }

    /// The user behind a token shown in a body, to open a session.
    ///
    /// # Errors
    /// 401, 429, or 403 `user_token_required`.
    pub fn login(&self, head: &Head, need: &Need, text: &str) -> Result<Caller, ApiError> {
        let hash = match secret_of(text) {
            Presented::Secret(Kind::UserToken, hash) => hash,
            Presented::Secret(Kind::AgentToken, hash) => {
                let known = self.store.lookup(|conn| credentials::find(conn, &hash))?;
                return Err(match known.filter(is_alive) {
                    Some(_) => codes::USER_TOKEN_REQUIRED.into(),
                    None => self.refuse_credential(head, need, Bad::Dead),
                });
            }
            _ => return Err(self.refuse_credential(head, need, Bad::Unverifiable)),
        };
        let found = self.store.lookup(|conn| credentials::find(conn, &hash))?;
        match found.filter(|holder| is_good(holder, Kind::UserToken)) {
            Some(holder) => {
                let caller = Caller::new(Arc::new(Who::from_holder(holder)), head.request_id.clone());
                self.throttle(head, &caller)?;
                Ok(caller)
            }
            None => Err(self.refuse_credential(head, need, Bad::Dead)),
        }
    }
}
