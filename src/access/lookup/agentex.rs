//! The credentials of Agentex clients: a Bearer, or an agent's secret in `x-agent-api-key`; and who may have a request
//! sent on to an agent (Agentex contract, sections 2 and 7).

use hyper::header::AUTHORIZATION;
use rusqlite::Connection;

use super::bearer::{self, Presented, secret_of};
use crate::access::role::still_edits;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::head::{Head, X_AGENT_API_KEY};
use crate::secret::{AgentKey, Kind, SecretHash};
use crate::store;
use crate::store::credentials::Holder;

/// True if the request carries more than one credential, because it would be a guess which one counts.
fn are_two(head: &Head) -> bool {
    head.headers.get_all(AUTHORIZATION).iter().count() + head.headers.get_all(&X_AGENT_API_KEY).iter().count() > 1
}

/// Reads the credential of an Agentex request. A key is read only from its own header.
///
/// # Errors
/// `two_credentials`.
pub fn presented(head: &Head) -> Result<Presented<'_>, ApiError> {
    if are_two(head) {
        return Err(codes::TWO_CREDENTIALS.into());
    }
    let Some(value) = head.headers.get(&X_AGENT_API_KEY) else {
        return Ok(match bearer::presented(head) {
            Presented::Secret(Kind::AgentKey, _) => Presented::Malformed,
            other => other,
        });
    };
    Ok(match value.to_str().map(|text| secret_of(text.trim())) {
        Ok(known @ (Presented::Secret(Kind::AgentKey | Kind::AgentToken, _) | Presented::Key(_))) => known,
        _ => Presented::Malformed,
    })
}

/// Reads the key of a request to be sent on, from its own header or from `Authorization: AgentKey KEY`. The inner
/// `None` means that the text cannot be a key.
///
/// # Errors
/// `two_credentials`.
pub fn forwarding_key(head: &Head) -> Result<Option<Option<SecretHash>>, ApiError> {
    if are_two(head) { Err(codes::TWO_CREDENTIALS.into()) } else { Ok(key(head)) }
}

fn key(head: &Head) -> Option<Option<SecretHash>> {
    if let Some(value) = head.headers.get(&X_AGENT_API_KEY) {
        return Some(value.to_str().ok().and_then(|text| AgentKey::parse(text.trim()).ok()));
    }
    let (scheme, rest) = head.headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("agentkey").then(|| AgentKey::parse(rest.trim()).ok())
}

/// True while the user who made a key may send requests on to its agent: the user is enabled and at least an editor of
/// it.
pub(super) fn still_gives(conn: &Connection, holder: &Holder) -> store::Result<bool> {
    let (Some(maker), Some(agent)) = (&holder.issuer_id, &holder.agent) else { return Ok(true) };
    let Some(user_id) = maker.strip_prefix("user:") else { return Ok(false) };
    still_edits(conn, user_id, &agent.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::head::Peer;
    use crate::secret::UserToken;

    fn head(headers: &[(&'static str, &str)]) -> Head {
        Head { peer: Peer::Ip([127, 0, 0, 1].into()), ..Head::for_test(headers) }
    }

    #[test]
    fn a_key_counts_in_its_own_header_only_and_two_credentials_count_for_nothing() {
        let (made, user) = (AgentKey::generate(), UserToken::generate());
        let (text, user) = (made.plaintext.reveal(), user.plaintext.reveal());
        let good = head(&[("x-agent-api-key", text)]);
        assert_eq!(presented(&good).unwrap(), Presented::Secret(Kind::AgentKey, made.hash));
        let bearer = format!("Bearer {text}");
        assert_eq!(presented(&head(&[("authorization", &bearer)])).unwrap(), Presented::Malformed);
        assert_eq!(presented(&head(&[("x-agent-api-key", user)])).unwrap(), Presented::Malformed);
        assert_eq!(presented(&head(&[("x-agent-api-key", "")])).unwrap(), Presented::Malformed);
        let two = [("x-agent-api-key", text), ("authorization", bearer.as_str())];
        assert!(presented(&head(&two)).is_err());
        assert!(presented(&head(&[two[0], two[0]])).is_err() && presented(&head(&[two[1], two[1]])).is_err());
        assert_eq!(presented(&head(&[])).unwrap(), Presented::Nothing);
    }
}
