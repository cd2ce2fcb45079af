//! Opening the database: the file's identity, modes and pragmas.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, OpenFlags};

use super::error::StoreError;

/// The name of the database file.
pub const FILE: &str = "taosd.db";
/// `taos` in ASCII: the `PRAGMA application_id` of taosd's database files.
pub const APPLICATION_ID: i32 = 0x7461_6f73;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// How long a connection waits for a lock held by another process (a backup, an administrator's shell).
const BUSY: Duration = Duration::from_secs(5);

/// The page size of a new database, in bytes. A commit writes each changed page as a whole, mostly for a row of some
/// hundred bytes. Half of SQLite's default of 4,096 therefore halves the bytes written.
const PAGE_BYTES: i64 = 2048;
/// The size of the WAL, in bytes, from which SQLite writes it back into the database.
const WAL_BYTES: i64 = 4 * 1024 * 1024;

/// Why the data directory cannot be used. The binary turns these into exit codes (DESIGN section 3).
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another daemon holds the directory: exit code 3.
    #[error("{path} is in use by another taosd; stop it, or choose another --data-dir", path = .0.display())]
    Locked(PathBuf),
    /// The directory belongs to a box, but its database is missing: exit code 4.
    #[error(
        "{path} is not there, but {1} is: this was a box. Restore a backup with `taosd restore FILE`, or put the file back; \
         `taosd serve --new-box` makes an empty box in its place", path = .0.display()
    )]
    Lost(PathBuf, String),
    /// The file is damaged: exit code 4.
    #[error("{path} is damaged: {1}; run `taosd check`, then restore a backup", path = .0.display())]
    Damaged(PathBuf, String),
    /// The file is the database of another program, or no database: exit code 4.
    #[error("{path} is not a taosd database ({1}); move it away or choose another --data-dir", path = .0.display())]
    Foreign(PathBuf, String),
    /// The file was written by a newer release.
    #[error("{} has schema version {found}, newer than this taosd's {known}; install the newer taosd again or restore a backup made before the upgrade", .path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The schema version of the file.
        found: i64,
        /// The newest schema version that this daemon knows.
        known: i64,
    },
    /// The directory or file cannot be made, read or written.
    #[error("{path}: {1}", path = .0.display())]
    Io(PathBuf, std::io::Error),
    /// The database failed in another way.
    #[error("{path}: {1}", path = .0.display())]
    Store(PathBuf, StoreError),
}

/// Removes the permissions that `mode` does not allow, such as those of group and others.
///
/// # Errors
/// Any error of the operating system.
pub fn tighten(path: &Path, mode: u32) -> std::io::Result<()> {
    let present = fs::metadata(path)?.permissions().mode() & 0o777;
    if present & !mode == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(present & mode))
}

/// Makes an empty file with mode 0600 and the owner of its directory, if there is no file.
///
/// # Errors
/// [`OpenError::Io`] if the file cannot be made.
pub fn make_file(path: &Path) -> Result<(), OpenError> {
    let made = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => own(path.parent().unwrap_or(Path::new("/")), path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    };
    made.map_err(|error| OpenError::Io(path.to_owned(), error))
}

/// Checks that `path` is a taosd database or an empty file, and lets only its owner read it.
///
/// # Errors
/// [`OpenError::Foreign`] for any other file; [`OpenError::Io`] if it cannot be read or its mode cannot be set.
pub fn prepare_file(path: &Path) -> Result<(), OpenError> {
    let io = |error| OpenError::Io(path.to_owned(), error);
    if fs::metadata(path).map_err(io)?.len() > 0 {
        identify(path)?;
    }
    tighten(path, 0o600).map_err(io)
}

/// Checks that `path` is a taosd database, by its first 100 bytes alone.
///
/// # Errors
/// [`OpenError::Foreign`] for any other file; [`OpenError::Io`] if it cannot be read.
pub fn identify(path: &Path) -> Result<(), OpenError> {
    let io = |error| OpenError::Io(path.to_owned(), error);
    let foreign = |why: &str| OpenError::Foreign(path.to_owned(), why.to_owned());
    let mut head = Vec::with_capacity(100);
    File::open(path).map_err(io)?.take(100).read_to_end(&mut head).map_err(io)?;
    if !head.starts_with(MAGIC) {
        return Err(foreign("it is not an SQLite file"));
    }
    // Offset 68 of the header is the application id (SQLite file format, section 1.3).
    let id = head.get(68..72).map(|b| i32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    // If the first start was killed before the first checkpoint, only the WAL has the id.
    if id != Some(APPLICATION_ID) && !(id == Some(0) && beside(path, "-wal").exists()) {
        return Err(foreign("its application id is another"));
    }
    Ok(())
}

static SLOW_MICROS: AtomicU64 = AtomicU64::new(250_000);

/// Sets the milliseconds from which a statement is logged as slow, in every store of the process.
pub fn log_statements_slower_than(millis: u64) {
    SLOW_MICROS.store(millis.saturating_mul(1000), Ordering::Relaxed);
}

fn log_if_slow(event: TraceEvent<'_>) {
    if let TraceEvent::Profile(statement, took) = event
        && took.as_micros() as u64 >= SLOW_MICROS.load(Ordering::Relaxed)
    {
        // The statement's own text, without its parameters.
        log::warn!("slow statement, {} ms: {}", took.as_millis(), statement.sql());
    }
}

/// How the file can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// It can be read and written.
    Live,
    /// It is complete without a WAL and nobody changes it, for example on a file system mounted read-only. SQLite needs
    /// no files beside it and refuses every write.
    Frozen,
}

/// Returns how a file can be used, by its file system. On a read-only one, a file with a WAL left by a crash is `Live`:
/// SQLite has to report whether it can be read.
///
/// # Errors
/// Any error of the operating system.
pub fn medium(path: &Path) -> std::io::Result<Medium> {
    let read_only = rustix::fs::statvfs(path)?.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
    Ok(if read_only && !beside(path, "-wal").exists() { Medium::Frozen } else { Medium::Live })
}

/// Returns how to read a file that no daemon uses. If there is a WAL, the content is in both files (`Live`). If there
/// is none, SQLite must not leave files beside the database (`Frozen`).
pub fn at_rest(path: &Path) -> Medium {
    if beside(path, "-wal").exists() { Medium::Live } else { Medium::Frozen }
}

/// Returns the path of a file beside the database, such as SQLite's `-wal`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

/// Opens a connection with the settings that all connections share.
fn connect(path: &Path, medium: Medium) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let path = &without_links(path);
    let mut conn = match medium {
        Medium::Live => Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_WRITE)?,
        Medium::Frozen => {
            let uri = format!("file:{}?immutable=1", uri_path(path));
            Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)?
        }
    };
    conn.busy_timeout(BUSY)?;
    // Otherwise SQLite compiles a cached statement anew at every use if a parameter may decide on a partial index.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A word in double quotes is a name and never a text, as in standard SQL.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    conn.set_prepared_statement_cache_capacity(96);
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.trace_v2(TraceEventCodes::SQLITE_TRACE_PROFILE, Some(log_if_slow))?;
    Ok(conn)
}

/// Returns the path with the symbolic links of its directory resolved. SQLite follows none: the file itself must not be
/// a link, but the data directory may be one.
fn without_links(path: &Path) -> PathBuf {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (dir.canonicalize(), path.file_name()) {
        (Ok(dir), Some(name)) => dir.join(name),
        // SQLite reports what is wrong with the path.
        _ => path.to_owned(),
    }
}

/// Encodes a path for SQLite's URI filenames.
fn uri_path(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    percent_encoding::percent_encode(path.as_os_str().as_bytes(), percent_encoding::NON_ALPHANUMERIC)
        .to_string()
        .replace("%2F", "/")
}

/// Opens the only writing connection, in WAL mode: every commit is on disk before it is answered.
///
/// # Errors
/// Any error of SQLite.
pub fn writing(path: &Path, medium: Medium) -> rusqlite::Result<Connection> {
    let conn = connect(path, medium)?;
    if medium == Medium::Frozen {
        return Ok(conn);
    }
    // SQLite takes these two only for a file without pages. Later, `taosd compact` can still set `auto_vacuum`.
    let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0))?;
    if pages == 0 {
        conn.pragma_update(None, "page_size", PAGE_BYTES)?;
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "cache_size", -2048)?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", WAL_BYTES / PAGE_BYTES, |_| Ok(()))?;
    // A burst of writes may make the WAL larger. SQLite then truncates it to this size.
    conn.pragma_update_and_check(None, "journal_size_limit", 8 * 1024 * 1024, |_| Ok(()))?;
    Ok(conn)
}

/// Opens a copy in the making, without journal and syncs: nobody reads it before it is complete and synced.
///
/// # Errors
/// Any error of SQLite.
pub fn copy_in_making(path: &Path) -> rusqlite::Result<Connection> {
    let conn = connect(path, Medium::Live)?;
    conn.pragma_update(None, "synchronous", "OFF")?;
    conn.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    Ok(conn)
}

/// Opens a copy that nobody else uses, to change it in one file, without a WAL.
///
/// # Errors
/// Any error of SQLite.
pub fn copy_in_hand(path: &Path) -> rusqlite::Result<Connection> {
    let conn = connect(path, Medium::Live)?;
    conn.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    Ok(conn)
}

/// Writes the WAL of a database that nobody uses back into it, so that the database is one file.
///
/// # Errors
/// [`StoreError::Unavailable`] if somebody still uses the database; any error of SQLite. The WAL is still there then.
pub fn write_back(path: &Path) -> Result<(), StoreError> {
    if at_rest(path) == Medium::Live {
        let conn = connect(path, Medium::Live)?;
        let busy: bool = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy {
            return Err(StoreError::Unavailable("somebody still uses it".into()));
        }
    }
    Ok(())
}

/// Opens a connection only for `VACUUM INTO`. The copy that this makes can give free space back.
///
/// # Errors
/// Any error of SQLite.
pub fn to_be_copied(path: &Path, medium: Medium) -> rusqlite::Result<Connection> {
    let conn = connect(path, medium)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.pragma_update(None, "cache_size", -2048)?;
    // If it is set already, setting it again would be a write.
    let mode: i64 = conn.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    if mode == 0 {
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    Ok(conn)
}

/// Opens a connection that only reads.
///
/// # Errors
/// Any error of SQLite.
pub fn reading(path: &Path, medium: Medium) -> rusqlite::Result<Connection> {
    let conn = connect(path, medium)?;
    // The file may come from anywhere: its SQL must not reach SQLite's own tables.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.pragma_update(None, "cache_size", -512)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

/// Gives a file that was made in `dir` to the owner of `dir`, if root runs this process: root may work on the data of
/// another user's daemon.
///
/// # Errors
/// Any error of the operating system.
pub fn own(dir: &Path, file: &Path) -> io::Result<()> {
    let (dir, meta) = (fs::metadata(dir)?, fs::symlink_metadata(file)?);
    if (dir.uid(), dir.gid()) == (meta.uid(), meta.gid()) || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    chown(file, Some(dir.uid()), Some(dir.gid()))
}
