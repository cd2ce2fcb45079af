//! Who is a member of a space, and in which role (workspace contract, section 1). Spaces are walls: every route that
//! touches something in a space checks it here, and nowhere else.

use rusqlite::Connection;

use super::caller::{Caller, Principal};
use super::hint;
use super::role::is_admin_now;
use crate::closed_set::closed_set;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::grants::{GrantRole, Grantee, On};
use crate::store::users::{Role, User};
use crate::store::{self, agents, grants, spaces};
use crate::time::Micros;

closed_set! {
    /// What a member may do in a space; each role includes those before it.
    pub enum SpaceRole {
        Viewer "viewer" "Reads what is in the space.";
        Editor "editor" "Also writes: messages, tasks, context, files.";
        Owner "owner" "Also has a say over members and over what others wrote.";
    }
}

/// Returns the caller's role in a space at this time; `None` if it is no member, or if there is no such space. Everything
/// that it follows from is read from the database: the caller may have been admitted long ago, for a stream or a wait.
///
/// # Errors
/// Any store error.
pub fn space_role_on(
    conn: &Connection,
    caller: &Caller,
    space_id: &str,
    now: Micros,
) -> store::Result<Option<SpaceRole>> {
    match caller.principal() {
        Principal::User(user) if user.role == Role::Admin && is_admin_now(conn, &user.id)? => {
            Ok(spaces::owner_of(conn, space_id)?.map(|_| SpaceRole::Owner))
        }
        Principal::User(user) => role_of_user(conn, &user.id, space_id, now),
        Principal::Agent { id, .. } => {
            let at_home = match agents::owner_of_resident(conn, id, space_id)? {
                Some(owner) => role_at_home(conn, &owner, space_id, now)?,
                None => None,
            };
            Ok(granted(conn, &Grantee::Agent(id.clone()), space_id, now)?.max(at_home))
        }
    }
}

/// The role of a user who is no admin.
fn role_of_user(conn: &Connection, user_id: &str, space_id: &str, now: Micros) -> store::Result<Option<SpaceRole>> {
    if spaces::owner_of(conn, space_id)?.as_deref() == Some(user_id) {
        return Ok(Some(SpaceRole::Owner));
    }
    granted(conn, &Grantee::User(user_id.to_owned()), space_id, now)
}

/// The role of an agent in the space it lives in: at most editor, and at most its owner's role.
fn role_at_home(conn: &Connection, owner: &User, space_id: &str, now: Micros) -> store::Result<Option<SpaceRole>> {
    let of_owner = match owner.role {
        Role::Admin => Some(SpaceRole::Owner),
        Role::Member => role_of_user(conn, &owner.id, space_id, now)?,
    };
    Ok(of_owner.min(Some(SpaceRole::Editor)))
}

fn granted(conn: &Connection, grantee: &Grantee, space_id: &str, now: Micros) -> store::Result<Option<SpaceRole>> {
    // A role that spaces do not have gives no right.
    let role = grants::role_of(conn, grantee, &On::space(space_id), now)?;
    Ok(role.and_then(|role| role.slug().parse().ok()))
}

/// Checks that the caller has at least the role `needed` in the space.
///
/// # Errors
/// - `space_not_found` if the caller is no member and `needed` is viewer.
/// - `space_forbidden` if the caller is no member and `needed` is more. Both are the same whether the space exists or
///   not.
/// - `forbidden` for a member whose role is too low.
/// - A store error.
pub fn require_space(conn: &Connection, caller: &Caller, space_id: &str, needed: SpaceRole) -> Result<(), ApiError> {
    match space_role_on(conn, caller, space_id, Micros::now())? {
        None if needed == SpaceRole::Viewer => Err(codes::SPACE_NOT_FOUND.into()),
        None => Err(hint::of_role(caller, &format!("space:{space_id}"), needed.slug(), codes::SPACE_FORBIDDEN.into())),
        Some(role) if role < needed => {
            let refusal = ApiError::new(codes::FORBIDDEN)
                .detail(format!("This needs the role {needed} in the space; the caller has {role}."));
            Err(hint::of_role(caller, &format!("space:{space_id}"), needed.slug(), refusal))
        }
        Some(_) => Ok(()),
    }
}

/// Checks that the role of the caller, who is an owner, has no end. A temporary role cannot be passed on, or what it
/// gave would outlast it.
///
/// # Errors
/// `forbidden`, or a store error.
pub fn require_lasting(conn: &Connection, caller: &Caller, on: &On) -> Result<(), ApiError> {
    const EVER: Micros = Micros(i64::MAX);
    let lasts = match on {
        _ if caller.is_admin() => true,
        On::Space(id) => space_role_on(conn, caller, id, EVER)? == Some(SpaceRole::Owner),
        _ => grants::role_of(conn, &caller.grantee(), on, EVER)? == Some(GrantRole::Owner),
    };
    if lasts {
        return Ok(());
    }
    Err(ApiError::new(codes::FORBIDDEN).detail("The caller's own role has an end; such a role cannot be passed on."))
}

/// Returns the id of the space that a caller works in if a request names none: an agent's own, a user's default.
///
/// # Errors
/// Any store error.
pub fn default_space(conn: &Connection, caller: &Caller) -> store::Result<String> {
    match caller.principal() {
        Principal::Agent { space_id, .. } => Ok(space_id.clone()),
        Principal::User(user) => spaces::default_of(conn, &user.id),
    }
}

/// Returns the id of the space that a request names, or of the caller's default one, if the caller has at least
/// `needed` there.
///
/// # Errors
/// Those of [`require_space`].
pub fn resolve_space(
    conn: &Connection,
    caller: &Caller,
    named: Option<&str>,
    needed: SpaceRole,
) -> Result<String, ApiError> {
    let space_id = match named {
        Some(id) => id.to_owned(),
        None => default_space(conn, caller)?,
    };
    require_space(conn, caller, &space_id, needed)?;
    Ok(space_id)
}
