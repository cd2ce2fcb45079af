//! The first start: the operator, its default space and `operator.token` (DESIGN D7).

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use crate::access::Scopes;
use crate::secret::{Issued, Kind, Plaintext, UserToken};
use crate::store::credentials::{self, NewCredential};
use crate::store::grants;
use crate::store::users::{self, Role, User};
use crate::store::{self, Result, Store, StoreError, audit, meta, spaces};
use crate::time::Micros;

/// The name of the first user.
pub const OPERATOR: &str = "operator";
/// The file that holds the operator's token, in the data directory.
pub const TOKEN_FILE: &str = "operator.token";
const LABEL: &str = "operator.token";

/// Makes the operator if there is none yet.
///
/// # Errors
/// The store's, or the token file's.
pub fn prepare(store: &Arc<Store>) -> Result<()> {
    if store.lookup(|conn| meta::get(conn, meta::INSTALL_ID))?.is_some() {
        return Ok(());
    }
    // The file first: a token on disk that the database does not know is harmless, the other way round nobody could
    // log in. A crash in between leaves a start that begins anew.
    let issued = UserToken::generate();
    write_token(&store.dir().join(TOKEN_FILE), &issued.plaintext)
        .map_err(|error| StoreError::Other(format!("{TOKEN_FILE}: {error}")))?;
    store.write(move |conn| create_operator(conn, &issued))
}

fn create_operator(conn: &Connection, issued: &Issued) -> Result<()> {
    let now = Micros::now();
    let user = User {
        id: store::new_id(),
        username: OPERATOR.into(),
        display_name: "Operator".into(),
        role: Role::Admin,
        disabled: false,
        created_at: now,
        updated_at: now,
    };
    users::insert(conn, &user)?;
    spaces::insert_default(conn, &store::new_id(), OPERATOR, &user.id, now)?;
    meta::set(conn, meta::INSTALL_ID, &store::new_id())?;
    insert_token(conn, &user, issued, now)?;
    grants::put(conn, &store::new_id(), &grants::Grantee::User(user.id.clone()), None, "creator", "system", now)?;
    record(conn, "users.create", format!("user:{}", user.id), now)
}

fn insert_token(conn: &Connection, user: &User, issued: &Issued, now: Micros) -> Result<()> {
    let id = store::new_id();
    credentials::insert(
        conn,
        &NewCredential {
            id: &id,
            kind: Kind::UserToken,
            issued,
            user_id: Some(&user.id),
            agent_id: None,
            scopes: &Scopes::all().stored(),
            label: LABEL,
            state: "active",
            issued_by: "system",
            issued_at: now,
            expires_at: None,
        },
    )?;
    record(conn, "users.token.issue", format!("credential:{id}"), now)
}

fn record(conn: &Connection, action: &str, resource: String, now: Micros) -> Result<()> {
    let entry = audit::Entry {
        at: now,
        actor: "system".into(),
        action: action.into(),
        resource,
        outcome: audit::Outcome::Ok,
        count: 1,
        request_id: "-".into(),
    };
    audit::append(conn, &entry)
}

/// Replaces the operator's token: the old one is dead, the new one is in the file. Where the file is.
///
/// # Errors
/// The store's, or the token file's.
pub fn rotate(store: &Arc<Store>) -> Result<PathBuf> {
    let path = store.dir().join(TOKEN_FILE);
    let issued = UserToken::generate();
    let next = path.with_extension("token.next");
    let file = |error: io::Error| StoreError::Other(format!("{TOKEN_FILE}: {error}"));
    write_token(&next, &issued.plaintext).map_err(file)?;
    store.write(move |conn| {
        let operator = users::operator(conn)?.ok_or_else(|| StoreError::Other("there is no operator".into()))?;
        let now = Micros::now();
        credentials::revoke_labelled(conn, &operator.id, LABEL, now)?;
        insert_token(conn, &operator, &issued, now)
    })?;
    fs::rename(&next, &path).map_err(file)?;
    Ok(path)
}

/// Writes a token to a 0600 file beside its place and moves it there, on disk before this returns.
fn write_token(path: &Path, token: &Plaintext) -> io::Result<()> {
    let beside = path.with_extension("tmp");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(token.reveal().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(dir) => fs::File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}
