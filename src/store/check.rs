//! Checking a database file without writing to it: `taosd check`, and every copy that is made.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::open::{self, APPLICATION_ID, OpenError};
use super::{Result, StoreError, VERSION, audit, objects};
use crate::threads::lock;

const SCHEMA: &str = "schema";

/// One thing that was looked at.
#[derive(Debug, Clone)]
pub struct CheckFinding {
    /// What was looked at.
    pub name: &'static str,
    /// What was found, or what is wrong.
    pub result: std::result::Result<String, String>,
}

/// How often a look asks whether it is still wanted, in steps of SQLite's machine; of the structure, in pages.
const STEPS: i32 = 256;
/// How long a gentle look works between two pauses: the card also has commits to write.
const WORK: Duration = Duration::from_millis(10);
const PAUSE: Duration = Duration::from_millis(2);

/// What a look ends in: what was found, or what is wrong.
type Looked = Result<std::result::Result<String, String>>;
type CheckStep = fn(&mut Connection) -> Looked;

/// Looks at a database file: identity, schema version, schema, structure, foreign keys, audit chain. What stands in a
/// schema that is not ours is never run: nothing more is looked at then.
///
/// # Errors
/// Where the file cannot be opened at all.
pub fn check(path: &Path) -> Result<Vec<CheckFinding>> {
    check_while(path, &StillWanted::always())
}

/// Like [`check`], as long as it is wanted; what was not looked at by then counts as not sound.
///
/// # Errors
/// As there.
pub(super) fn check_while(path: &Path, wanted: &StillWanted) -> Result<Vec<CheckFinding>> {
    check_telling(path, wanted, &mut |_, _| ())
}

/// The same beside a daemon at work, with pauses. `told` hears what is looked at next, and what was found so far.
///
/// # Errors
/// As there.
pub fn check_gently(
    path: &Path,
    wanted: &StillWanted,
    mut told: impl FnMut(&'static str, &[CheckFinding]),
) -> Result<Vec<CheckFinding>> {
    let (worked, wanted) = (Mutex::new(Instant::now()), wanted.clone());
    let gently = StillWanted::as_long_as(move || {
        let mut worked = lock(&worked);
        if worked.elapsed() >= WORK {
            std::thread::sleep(PAUSE);
            *worked = Instant::now();
        }
        wanted.now()
    });
    check_telling(path, &gently, &mut told)
}

type TellFindings<'a> = &'a mut dyn FnMut(&'static str, &[CheckFinding]);

fn check_telling(path: &Path, wanted: &StillWanted, told: TellFindings<'_>) -> Result<Vec<CheckFinding>> {
    // A database in use has a WAL; one without is not in use.
    let mut conn = match open::reading(path, open::at_rest(path)).map_err(StoreError::from) {
        Err(StoreError::Damaged(why)) => return Ok(vec![CheckFinding { name: "structure", result: Err(why) }]),
        conn => conn?,
    };
    let checks: [(&'static str, CheckStep); 6] = [
        ("file", identity),
        ("schema version", version),
        (SCHEMA, objects::compare),
        ("structure", structure),
        ("foreign keys", foreign_keys),
        ("audit chain", chain),
    ];
    let mut findings = Vec::new();
    for (name, look) in checks {
        told(name, &findings);
        // Anew each time: a look may set one of its own.
        let wanted = wanted.clone();
        conn.progress_handler(STEPS, Some(move || !wanted.now()))?;
        let result = look(&mut conn).unwrap_or_else(|error| Err(error.to_string()));
        let goes_on = name != SCHEMA || result.is_ok();
        findings.push(CheckFinding { name, result });
        if !goes_on {
            break;
        }
    }
    Ok(findings)
}

/// Looks at one thing more in a database file that [`check`] found sound.
///
/// # Errors
/// The store's.
pub fn look<T>(path: &Path, at: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    at(&open::reading(path, open::at_rest(path))?)
}

/// Makes sure that a file at rest is a taosd database of a schema that this daemon knows.
///
/// # Errors
/// [`OpenError`]: foreign, too new, or not to be read.
pub fn recognise(path: &Path) -> std::result::Result<(), OpenError> {
    open::identify(path)?;
    let failed = |error: StoreError| match error {
        StoreError::Damaged(why) => OpenError::Damaged(path.to_owned(), why),
        other => OpenError::Store(path.to_owned(), other),
    };
    let conn = open::reading(path, open::at_rest(path)).map_err(|error| failed(error.into()))?;
    let version = conn.pragma_query_value(None, "user_version", |row| row.get(0));
    let found: i64 = version.map_err(|error| failed(error.into()))?;
    if found > VERSION {
        return Err(OpenError::TooNew { path: path.to_owned(), found, known: VERSION });
    }
    Ok(())
}

fn identity(conn: &mut Connection) -> Looked {
    let id: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(if id == APPLICATION_ID { Ok("a taosd database".into()) } else { Err("not a taosd database".into()) })
}

fn version(conn: &mut Connection) -> Looked {
    let found: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(if found <= VERSION {
        Ok(format!("{found}, this taosd writes {VERSION}"))
    } else {
        Err(format!("{found}, newer than this taosd's {VERSION}"))
    })
}

fn structure(conn: &mut Connection) -> Looked {
    let mut statement = conn.prepare("PRAGMA integrity_check(20)")?;
    let rows: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(if rows == ["ok"] { Ok("ok".into()) } else { Err(rows.join("; ")) })
}

fn foreign_keys(conn: &mut Connection) -> Looked {
    let mut statement = conn.prepare("PRAGMA foreign_key_check")?;
    let broken = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(if broken.is_empty() { Ok("ok".into()) } else { Err(format!("{} rows point nowhere", broken.len())) })
}

fn chain(conn: &mut Connection) -> Looked {
    Ok(match audit::verify(conn)? {
        Ok(rows) => Ok(format!("{rows} rows, unbroken")),
        Err(broken) => Err(broken.to_string()),
    })
}

/// Whether a copy is still wanted: asked all the time while it is made.
#[derive(Clone)]
pub struct StillWanted(Arc<dyn Fn() -> bool + Send + Sync>);

impl StillWanted {
    /// However long it takes.
    pub fn always() -> Self {
        Self(Arc::new(|| true))
    }

    /// Until this is set.
    pub fn unless(ends: Arc<AtomicBool>) -> Self {
        Self(Arc::new(move || !ends.load(Ordering::Relaxed)))
    }

    /// While this holds. It is asked on the thread that works.
    pub fn as_long_as(holds: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(holds))
    }

    /// For so long.
    pub fn within(time: Duration) -> Self {
        let until = Instant::now() + time;
        Self(Arc::new(move || Instant::now() < until))
    }

    /// True while it is.
    pub fn now(&self) -> bool {
        (self.0)()
    }
}
