//! The first start: makes the operator, its default space and `operator.token` (DESIGN D7).

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use zeroize::Zeroizing;

use crate::access::Scopes;
use crate::secret::{Issued, Kind, Plaintext, SecretHash, UserToken};
pub use crate::store::TOKEN_FILE;
use crate::store::credentials::{self, CredentialState, Maker, NewCredential};
use crate::store::grants;
use crate::store::users::{self, Role, User};
use crate::store::{self, Result, Store, StoreError, audit, meta, restore, spaces};
use crate::time::Micros;

/// The name of the first user.
pub const OPERATOR: &str = "operator";
const LABEL: &str = "operator.token";

/// Makes the operator if there is none yet.
///
/// # Errors
/// A store error, or the token file cannot be written.
pub fn prepare(store: &Arc<Store>) -> Result<()> {
    if store.lookup(|conn| meta::get(conn, meta::INSTALL_ID))?.is_some() {
        return Ok(());
    }
    // The file is written first. A token on disk that the database does not know is harmless; in the reverse order
    // nobody could log in. After a crash in between, the next start begins again.
    let issued = UserToken::generate();
    write_token(&store.dir().join(TOKEN_FILE), &issued.plaintext).map_err(of_token)?;
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
    grants::put(
        conn,
        &store::new_id(),
        &grants::Grantee::User(user.id.clone()),
        &grants::On::AllAgents,
        grants::GrantRole::Creator,
        "system",
        now,
    )?;
    record(conn, "users.create", format!("user:{}", user.id), now)
}

fn insert_token(conn: &Connection, user: &User, issued: &Issued, now: Micros) -> Result<String> {
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
            state: CredentialState::Active,
            maker: &Maker::system(),
            issued_at: now,
            expires_at: None,
        },
    )?;
    record(conn, "users.token.issue", format!("credential:{id}"), now)?;
    Ok(id)
}

fn record(conn: &Connection, action: &str, resource: String, now: Micros) -> Result<()> {
    let entry = audit::AuditEntry::new("system", action, resource, "-").at(now);
    audit::append(conn, &entry)
}

/// A new token of the operator that is in the database, and in a file beside its place.
pub struct NewToken {
    next: PathBuf,
    place: PathBuf,
}

impl NewToken {
    /// Moves the token into its file. Returns the path of the file.
    ///
    /// # Errors
    /// The file cannot be renamed.
    pub fn settle(self) -> Result<PathBuf> {
        fs::rename(&self.next, &self.place).map_err(of_token)?;
        Ok(self.place)
    }
}

/// Replaces the operator's token: revokes the old one and writes the new one to the file. Returns the path of the file.
///
/// # Errors
/// A store error, or the token file cannot be written.
pub fn rotate(store: &Arc<Store>) -> Result<PathBuf> {
    let dir = store.dir().to_owned();
    store.write(move |conn| new_token(&dir, conn))?.settle()
}

/// Makes a new token for the operator if the one in the data directory's file is not valid in this database.
///
/// # Errors
/// A store error, or the token file cannot be read or written.
pub fn token_for(data_dir: &Path, conn: &Connection) -> Result<Option<NewToken>> {
    match token_in(&data_dir.join(TOKEN_FILE)).map_err(of_token)? {
        Some(hash) if restore::is_admins(conn, hash.as_bytes())? => Ok(None),
        _ => new_token(data_dir, conn).map(Some),
    }
}

fn new_token(data_dir: &Path, conn: &Connection) -> Result<NewToken> {
    let place = data_dir.join(TOKEN_FILE);
    let next = place.with_extension("token.next");
    let issued = UserToken::generate();
    write_token(&next, &issued.plaintext).map_err(of_token)?;
    let operator = users::operator(conn)?.ok_or_else(|| StoreError::Other("there is no operator".into()))?;
    let now = Micros::now();
    let old = credentials::labelled(conn, &operator.id, LABEL)?;
    let new = insert_token(conn, &operator, &issued, now)?;
    for id in old {
        credentials::revoke(conn, &id, now)?;
        // Credentials that were made with the old token belong to its successor from now on.
        credentials::reparent(conn, &id, Some(&new), now)?;
    }
    Ok(NewToken { next, place })
}

/// Reads the hash of the token in a file; `None` if there is none.
fn token_in(path: &Path) -> io::Result<Option<SecretHash>> {
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut text = Zeroizing::new(String::new());
    file.take(1024).read_to_string(&mut text)?;
    Ok(UserToken::parse(text.trim_end()).ok())
}

fn of_token(error: io::Error) -> StoreError {
    StoreError::of_io(format!("{TOKEN_FILE}: {error}"), error.kind())
}

/// Writes a token to a 0600 file beside its place and renames it. It is on disk when this returns.
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
    if let Some(dir) = path.parent() {
        store::own(dir, &beside)?;
    }
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(dir) => fs::File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}
