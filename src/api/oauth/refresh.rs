//! The grant type `refresh_token`: a new access token, and a new refresh token that replaces the presented one (OAuth
//! contract, section 6).

use std::sync::Arc;

use super::ending::end;
use super::endpoint::{NEED, issuer};
use super::form::OauthForm;
use super::target::{TokenTarget, audience};
use super::token_grant::{TokenGrant, invalid_grant, is_still_given, issue, require_client};
use super::{client, fields};
use crate::access::{self, Action, Principal};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::config::Config;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::input::Input;
use crate::secret::{Kind, PresentedRefresh, RefreshToken};
use crate::store::credentials::{self, CredentialState};
use crate::store::oauth_grants::{self, OauthGrant};
use crate::time::Micros;

/// How long a replaced token may be used again if its successor was not used, because the reply was lost. In
/// microseconds.
const SECOND_CHANCE: i64 = 60 * Micros::SECOND;
const REUSED: &str = "The refresh token was replaced; its grant has ended.";

pub(super) fn refresh(app: &App, input: Input, form: &OauthForm, id: String) -> Handled {
    let text = form.required(&fields::REFRESH_TOKEN)?;
    let refused = |input: &Input| invalid_grant(app, input, "The refresh token is unknown, or its grant has ended.");
    let Ok(shown) = RefreshToken::parse(text) else { return Err(refused(&input)) };
    let grant = app.store.lookup(|conn| oauth_grants::by_handle(conn, &shown.handle))?;
    let Some(grant) = grant.filter(|grant| grant.state == CredentialState::Active) else { return Err(refused(&input)) };
    if grant.client_hash != client::hash(&id).as_bytes() {
        return Err(invalid_grant(app, &input, "The refresh token was given to another client."));
    }
    if judged(&grant, &shown, Micros::now()) == Judged::Reused {
        let refusal = invalid_grant(app, &input, REUSED).reply(input.dialect);
        return end(app, &input, grant.id, "oauth.refresh_reuse", refusal);
    }
    let own = issuer(app, &input)?;
    let settings = app.config.now();
    let target = TokenTarget::named(&settings, &grant.audience)?;
    let asked = form.get(&fields::RESOURCE).map(|uri| audience(&settings, &own, Some(uri))).transpose()?;
    if asked.is_some_and(|asked| asked.audience != target.audience) {
        return Err(codes::INVALID_TARGET.into());
    }
    let words = target.words(&narrowed(&grant.words, form.get(&fields::SCOPE))?)?;
    let Some(caller) = app.gate.behind(&input.head, &NEED, &grant.id, Kind::OauthGrant)? else {
        return Err(refused(&input));
    };
    let refuse = invalid_grant_later(app, &input);
    let next = RefreshToken::successor(text).map_err(|_| codes::INVALID_GRANT)?;
    let (config, gate) = (app.config.now(), Arc::clone(&app.gate));
    Call::of(app, caller, input, Action::OauthToken).write(app, move |tx| {
        // Read again on the writer thread: of two requests at once, only the first replaces the token.
        let grant = oauth_grants::by_handle(tx.conn, &shown.handle)?
            .filter(|grant| grant.state == CredentialState::Active)
            .ok_or(codes::INVALID_GRANT)?;
        let previous = match judged(&grant, &shown, tx.now) {
            Judged::Present => Some(grant.current.clone()),
            Judged::Again => None,
            Judged::Reused => {
                credentials::revoke(tx.conn, &grant.id, tx.now)?;
                tx.audit_as("oauth.refresh_reuse", format!("credential:{}", grant.id))?;
                // The transaction commits although the reply is a refusal.
                return Ok(refuse(REUSED).reply(tx.input.dialect));
            }
        };
        require_client(tx.conn, &id)?;
        if !is_still_given(tx.conn, &grant)? {
            return Err(refuse("The user who let the program in may no longer change its agent."));
        }
        let expires_at = until(&config, &grant, tx.now);
        oauth_grants::rotate(tx.conn, &grant.id, &next, previous.as_deref(), tx.now, expires_at)?;
        tx.audit_as("oauth.grant.refresh", format!("credential:{}", grant.id))?;
        let given = TokenGrant { refresh: Some(next), ..given(tx, &grant, expires_at)? };
        issue(tx, &gate, &config, &given, &id, &words)
    })
}

/// Returns a function that refuses the token with a detail. Only its call counts as a failed login.
fn invalid_grant_later(app: &App, input: &Input) -> impl FnOnce(&str) -> ApiError + Send + 'static {
    let (gate, head) = (Arc::clone(&app.gate), Arc::clone(&input.head));
    move |detail| gate.failed(&head, &NEED, ApiError::new(codes::INVALID_GRANT).detail(detail))
}

/// The relation of a refresh token to its grant.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    /// The current token.
    Present,
    /// The previous token, used again because the reply was lost.
    Again,
    /// A replaced token: a thief has it or its successor.
    Reused,
}

fn judged(grant: &OauthGrant, shown: &PresentedRefresh, now: Micros) -> Judged {
    let is = |hash: &[u8]| hash == shown.whole.as_bytes();
    if is(&grant.current) {
        return Judged::Present;
    }
    let age = now.0 - grant.refreshed_at.0;
    let fresh = (0..=SECOND_CHANCE).contains(&age);
    if fresh && grant.previous.as_deref().is_some_and(is) { Judged::Again } else { Judged::Reused }
}

/// Returns when a grant ends that is refreshed now and not used again.
fn until(config: &Config, grant: &OauthGrant, now: Micros) -> Micros {
    let idle = i64::try_from(config.oauth.refresh_idle_days).unwrap_or(1) * Micros::DAY;
    now.plus(idle).min(grant.ends_at)
}

/// Returns the requested words that the grant has, or all of them if none are requested. Libraries may request words
/// that the person left out at the consent. Those are dropped, as at the consent.
fn narrowed(words: &str, asked: Option<&str>) -> Result<String, ApiError> {
    let Some(asked) = asked else { return Ok(words.to_owned()) };
    let asked: Vec<&str> = asked.split_ascii_whitespace().collect();
    let left: Vec<&str> = words.split(' ').filter(|word| asked.contains(word)).collect();
    if left.is_empty() {
        return Err(ApiError::new(codes::INVALID_SCOPE).detail("The grant has none of these scope words."));
    }
    Ok(left.join(" "))
}

/// Returns the grant in the form that tokens are made from.
fn given(tx: &Tx<'_>, grant: &OauthGrant, expires_at: Micros) -> Result<TokenGrant, ApiError> {
    let (agent, space_id) = match tx.caller.principal() {
        Principal::Agent { id, name, space_id, .. } => (Some((id.clone(), name.clone())), space_id.clone()),
        Principal::User(_) => (None, access::default_space(tx.conn, tx.caller)?),
    };
    Ok(TokenGrant {
        id: grant.id.clone(),
        audience: grant.audience.clone(),
        user_id: tx.caller.user().id.clone(),
        agent,
        space_id,
        expires_at,
        refresh: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_may_ask_for_less_and_never_for_more() {
        assert_eq!(narrowed("messages tasks", None).unwrap(), "messages tasks");
        assert_eq!(narrowed("messages tasks", Some("tasks")).unwrap(), "tasks");
        assert_eq!(narrowed("messages tasks", Some("tasks messages")).unwrap(), "messages tasks");
        assert_eq!(narrowed("messages tasks", Some("tasks context")).unwrap(), "tasks");
        for more in ["context", "context notify", " "] {
            assert!(narrowed("messages tasks", Some(more)).is_err(), "{more}");
        }
    }
}
