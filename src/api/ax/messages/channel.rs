//! The channel of a message, as a request spells it: `dm:NAME` or `dm:ID` is a direct message to one member.

use rusqlite::Connection;

use super::fields::bad;
use crate::access::Caller;
use crate::api::engine::call::Tx;
use crate::rest::error::ApiError;
use crate::store;
use crate::store::messages::members::{self, NamedMember};
use crate::time::Micros;

/// The prefix of a direct message's channel.
pub(super) const DIRECT: &str = "dm:";

/// Returns the name in the channel of a direct message. The prefix counts in any case and after blanks: what is meant
/// for one member must not be published to all.
fn name_in(channel: &str) -> Option<&str> {
    let channel = channel.trim();
    let prefix = channel.get(..DIRECT.len())?;
    prefix.eq_ignore_ascii_case(DIRECT).then(|| channel[DIRECT.len()..].trim())
}

/// Returns the channel of a direct message to a member.
pub(super) fn to(name: &str) -> String {
    format!("{DIRECT}{name}")
}

/// Returns the members with this name, without the agents that the caller's key is not for.
///
/// # Errors
/// Any `StoreError`.
pub(super) fn named(
    conn: &Connection,
    caller: &Caller,
    space_id: &str,
    name: &str,
    now: Micros,
) -> store::Result<Vec<NamedMember>> {
    let mut found = members::named(conn, space_id, name, now)?;
    found.retain(|one| may_address(caller, one));
    Ok(found)
}

/// Returns the members that the channel of a direct message may mean: the one with this id, or those with this name.
fn meant(
    conn: &Connection,
    caller: &Caller,
    space_id: &str,
    name: &str,
    now: Micros,
) -> store::Result<Vec<NamedMember>> {
    let mut found: Vec<NamedMember> = members::with_id(conn, space_id, name, now)?.into_iter().collect();
    found.retain(|one| may_address(caller, one));
    if found.is_empty() { named(conn, caller, space_id, name, now) } else { Ok(found) }
}

/// True unless it is an agent that the caller's key is not for.
fn may_address(caller: &Caller, one: &NamedMember) -> bool {
    one.principal.strip_prefix("agent:").is_none_or(|id| caller.may_touch(id))
}

/// Returns the member to which a channel addresses a message; `None` if the message is for the whole space.
///
/// # Errors
/// `invalid_request` if the channel names no member or more than one, or a `StoreError`.
pub(super) fn addressee(tx: &Tx<'_>, space_id: &str, channel: &str) -> Result<Option<NamedMember>, ApiError> {
    let Some(name) = name_in(channel) else { return Ok(None) };
    let mut found = meant(tx.conn, tx.caller, space_id, name, tx.now)?;
    match found.len() {
        0 => Err(bad("channel", "names no member of the space")),
        1 => Ok(found.pop()),
        _ => Err(bad("channel", "names more than one member: send dm: with the id of one")),
    }
}

/// Returns a channel as the messages in it have it: the member's real name stands for any spelling of it.
///
/// # Errors
/// Any `StoreError`.
pub(super) fn as_stored(conn: &Connection, caller: &Caller, space_id: &str, channel: &str) -> store::Result<String> {
    let Some(name) = name_in(channel) else { return Ok(channel.to_owned()) };
    let found = meant(conn, caller, space_id, name, Micros::now())?;
    // A member who has left keeps the name under which the messages are.
    let member = found.iter().find(|one| one.name == name).or(found.first());
    Ok(to(member.map_or(name, |one| &one.name)))
}

#[cfg(test)]
mod tests {
    use super::name_in;

    #[test]
    fn any_spelling_of_the_prefix_is_direct() {
        for channel in ["dm:worker", "DM:worker", "Dm:worker", " dm:worker", "\u{a0}dM: worker "] {
            assert_eq!(name_in(channel), Some("worker"), "{channel}");
        }
        for channel in ["main", "dm", "d", "", "admin:dm:worker", "dmé", "éé:x"] {
            assert_eq!(name_in(channel), None, "{channel}");
        }
        assert_eq!(name_in("DM:"), Some(""));
    }
}
