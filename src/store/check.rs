//! Checks of a database file that do not write to it, for `taosd check` and for every copy.

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
/// The name of the step that reads the version of the schema.
const SCHEMA_VERSION: &str = "schema version";

/// The result of one step of a check.
#[derive(Debug, Clone)]
pub struct CheckFinding {
    /// The name of the step.
    pub name: &'static str,
    /// What was found, or what is wrong.
    pub result: std::result::Result<String, String>,
}

/// How often a check asks whether it is wanted: steps of SQLite's virtual machine, or pages for the structure.
const STEPS: i32 = 256;
/// How long a gentle check works between two pauses: the SD card also has commits to write.
const WORK: Duration = Duration::from_millis(10);
const PAUSE: Duration = Duration::from_millis(2);

/// The result of a step: what was found, or what is wrong.
type Looked = Result<std::result::Result<String, String>>;
type CheckStep = fn(&mut Connection) -> Looked;

/// Checks a database file: identity, schema version, schema, structure, foreign keys, audit chain. If the schema is not
/// taosd's, the check ends there, so that no SQL of that schema ever runs.
///
/// # Errors
/// A [`StoreError`] if the file cannot be opened. Damage, even if it prevents opening, is a finding.
pub fn check(path: &Path) -> Result<Vec<CheckFinding>> {
    check_while(path, &StillWanted::always())
}

/// Like [`check`], but stops when the check is not `wanted` any more. A step that it stops counts as not sound.
///
/// # Errors
/// As [`check`].
pub(super) fn check_while(path: &Path, wanted: &StillWanted) -> Result<Vec<CheckFinding>> {
    check_telling(path, wanted, &mut |_, _| ())
}

/// Like [`check`], but with pauses, for a database in use, and only while it is `wanted`. Before each step it calls
/// `told` with the name of the step and the findings so far.
///
/// # Errors
/// As [`check`].
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
        (SCHEMA_VERSION, version),
        (SCHEMA, objects::compare),
        ("structure", structure),
        ("foreign keys", foreign_keys),
        ("audit chain", chain),
    ];
    let mut findings = Vec::new();
    for (name, look) in checks {
        told(name, &findings);
        // Set again for each step, because a step may set a handler of its own.
        let wanted = wanted.clone();
        conn.progress_handler(STEPS, Some(move || !wanted.now()))?;
        let result = look(&mut conn).unwrap_or_else(|error| Err(error.to_string()));
        // What comes after these two reads tables that have to be taosd's, of a version that it knows.
        let goes_on = ![SCHEMA, SCHEMA_VERSION].contains(&name) || result.is_ok();
        findings.push(CheckFinding { name, result });
        if !goes_on {
            break;
        }
    }
    Ok(findings)
}

/// Runs one more read of a database file that [`check`] found sound.
///
/// # Errors
/// Any [`StoreError`].
pub fn look<T>(path: &Path, at: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    at(&open::reading(path, open::at_rest(path))?)
}

/// Checks that a file that no daemon uses is a taosd database of a schema version that this daemon knows.
///
/// # Errors
/// [`OpenError::Foreign`], [`OpenError::TooNew`], or the [`OpenError`] of a file that cannot be read.
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

/// Whether a copy or a check is still wanted. It is asked all the time during the work.
#[derive(Clone)]
pub struct StillWanted(Arc<dyn Fn() -> bool + Send + Sync>);

impl StillWanted {
    /// Wanted however long it takes.
    pub fn always() -> Self {
        Self(Arc::new(|| true))
    }

    /// Wanted until `ends` is set.
    pub fn unless(ends: Arc<AtomicBool>) -> Self {
        Self(Arc::new(move || !ends.load(Ordering::Relaxed)))
    }

    /// Wanted while `holds` returns true. It is called on the thread that does the work.
    pub fn as_long_as(holds: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(holds))
    }

    /// Wanted for `time` from now on.
    pub fn within(time: Duration) -> Self {
        let until = Instant::now() + time;
        Self(Arc::new(move || Instant::now() < until))
    }

    /// Returns true while the work is wanted.
    pub fn now(&self) -> bool {
        (self.0)()
    }
}
