//! Uploaded files: their bytes are in rows of at most 256 KiB. A space holds the same bytes only once.
//!
//! A file is written as an unfinished content, each chunk in a transaction of its own. The last transaction publishes
//! it: until then nobody can read it. The sweep removes unfinished and deleted contents, a few chunks at a time: a
//! chunk is many pages, and other writes must not wait for all pages of a file.

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use super::page::{Page, Take, each};
use super::row::record;
use super::usage::{self, UsageHolder};
use crate::time::Micros;

/// The most bytes in one row.
pub const CHUNK_BYTES: usize = 256 * 1024;
/// The bytes that each file's name counts as. The schema's triggers use the same number.
pub const NAME_COUNTS: u64 = 512;

const BEGIN: &str = "INSERT INTO upload_contents (space_id, size, begun_at) VALUES (?1, 0, ?2) RETURNING id";
const ADD: &str = "INSERT INTO upload_chunks (content_id, number, bytes) VALUES (?1, ?2, ?3)";
const GROW: &str = "UPDATE upload_contents SET size = size + ?2 WHERE id = ?1 AND hash IS NULL AND begun_at > 0";
const SAME: &str = "SELECT id FROM upload_contents WHERE space_id = ?1 AND hash = ?2";
const FINISH: &str = "UPDATE upload_contents SET hash = ?2 WHERE id = ?1 AND hash IS NULL";
/// Nothing more can be added and the bytes no longer count. The next round of the sweep deletes the content.
const ABANDON: &str = "UPDATE upload_contents SET size = 0, begun_at = 0 WHERE id = ?1 AND hash IS NULL";
const END: &str = "UPDATE upload_contents SET hash = NULL, size = 0, begun_at = 0 WHERE id = ?1";
const INSERT: &str = "INSERT INTO uploads (id, space_id, content_id, filename, content_type, created_by, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const CHUNK: &str = "SELECT bytes FROM upload_chunks WHERE content_id = ?1 AND number = ?2";
const UNFINISHED: &str = "SELECT EXISTS (SELECT 1 FROM upload_contents WHERE hash IS NULL AND begun_at < ?1)";
const NEXT_DUE: &str = "SELECT id FROM upload_contents WHERE hash IS NULL AND begun_at < ?1 ORDER BY begun_at LIMIT 1";
const SWEEP_CHUNKS: &str = "DELETE FROM upload_chunks WHERE rowid IN
    (SELECT rowid FROM upload_chunks WHERE content_id = ?1 LIMIT ?2)";
const SWEEP: &str = "DELETE FROM upload_contents WHERE id = ?1";
const DELETE: &str = "DELETE FROM uploads WHERE id = ?1";
const IS_USED: &str = "SELECT EXISTS (SELECT 1 FROM uploads WHERE content_id = ?1)";
/// The most chunks that one write of the sweep deletes: 2 MiB.
const CHUNKS_AT_ONCE: usize = 8;

record! {
    /// A published file.
    pub struct Upload from "uploads u JOIN upload_contents c ON c.id = u.content_id" {
        /// The attachment's id.
        pub id: String = "u.id",
        /// The space's id.
        pub space_id: String = "u.space_id",
        /// The content that has its bytes.
        pub content_id: i64 = "u.content_id",
        /// The name it was given.
        pub filename: String = "u.filename",
        /// Its content type.
        pub content_type: String = "u.content_type",
        /// Its size in bytes.
        pub size: u64 = "c.size",
        /// The name of the uploader.
        pub created_by: String = "u.created_by",
        /// When it was published.
        pub created_at: Micros = "u.created_at",
    }
}

/// A file to publish.
#[derive(Debug)]
pub struct NewUpload {
    /// The attachment's id.
    pub id: String,
    /// The space's id.
    pub space_id: String,
    /// The unfinished content; `None` for an empty file.
    pub content_id: Option<i64>,
    /// The hash of all its bytes.
    pub hash: [u8; 32],
    /// The name of the file.
    pub filename: String,
    /// The content type.
    pub content_type: &'static str,
    /// The name of the uploader.
    pub created_by: String,
}

/// The most bytes of files that may be held.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// The most bytes in one space.
    pub space: u64,
    /// The most bytes on the box.
    pub all: u64,
}

/// Returns true if the space and the box have room for `bytes` more bytes.
///
/// # Errors
/// Any `StoreError`.
pub fn has_room(conn: &Connection, space_id: &str, bytes: u64, quota: Quota) -> Result<bool> {
    let space = usage::of(conn, UsageHolder::Space(space_id))?.upload_bytes;
    let all = usage::of(conn, UsageHolder::Box)?.upload_bytes;
    Ok(space.saturating_add(bytes) <= quota.space && all.saturating_add(bytes) <= quota.all)
}

/// Begins an unfinished content and returns its id.
///
/// # Errors
/// Any `StoreError`.
pub fn begin(conn: &Connection, space_id: &str, now: Micros) -> Result<i64> {
    Ok(conn.prepare_cached(BEGIN)?.query_row(params![space_id, now], |row| row.get(0))?)
}

/// Adds the next chunk to an unfinished content. Returns false if that was abandoned or swept.
///
/// # Errors
/// Any `StoreError`.
pub fn add(conn: &Connection, content_id: i64, number: u64, bytes: &[u8]) -> Result<bool> {
    if conn.prepare_cached(GROW)?.execute(params![content_id, bytes.len()])? == 0 {
        return Ok(false);
    }
    conn.prepare_cached(ADD)?.execute(params![content_id, number, bytes])?;
    Ok(true)
}

/// Publishes a file. If the space has the same bytes already, the file uses those and the new content is abandoned.
///
/// # Errors
/// Any `StoreError`.
pub fn publish(conn: &Connection, upload: &NewUpload, now: Micros) -> Result<()> {
    let same = conn.prepare_cached(SAME)?.query_row(params![upload.space_id, upload.hash], |row| row.get(0));
    let content_id: i64 = match (same.optional()?, upload.content_id) {
        (Some(there), unfinished) => {
            if let Some(unfinished) = unfinished {
                abandon(conn, unfinished)?;
            }
            there
        }
        (None, unfinished) => {
            let content_id = unfinished.map_or_else(|| begin(conn, &upload.space_id, now), Ok)?;
            conn.prepare_cached(FINISH)?.execute(params![content_id, upload.hash])?;
            content_id
        }
    };
    conn.prepare_cached(INSERT)?.execute(params![
        upload.id,
        upload.space_id,
        content_id,
        upload.filename,
        upload.content_type,
        upload.created_by,
        now
    ])?;
    Ok(())
}

/// Abandons an unfinished content: nobody can add to it any more.
///
/// # Errors
/// Any `StoreError`.
pub fn abandon(conn: &Connection, content_id: i64) -> Result<()> {
    conn.prepare_cached(ABANDON)?.execute([content_id])?;
    Ok(())
}

/// Deletes a file, and also its bytes unless another file of the space uses them.
///
/// # Errors
/// Any `StoreError`.
pub fn delete(conn: &Connection, upload: &Upload) -> Result<()> {
    conn.prepare_cached(DELETE)?.execute([&upload.id])?;
    if !conn.prepare_cached(IS_USED)?.query_row([upload.content_id], |row| row.get::<_, bool>(0))? {
        conn.prepare_cached(END)?.execute([upload.content_id])?;
    }
    Ok(())
}

/// Returns the file with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Upload>> {
    Upload::one(conn, "WHERE u.id = ?1", [id])
}

/// Lists the files of a space, newest first, until `take` wants no more.
///
/// # Errors
/// Any `StoreError`.
pub fn of_space(conn: &Connection, space_id: &str, page: &Page, take: Take<'_, Upload>) -> Result<()> {
    let after = page.after.as_ref().map(|(_, id)| id.as_str());
    let below = if after.is_some() { "AND u.id < ?2" } else { "AND ?2 IS NULL" };
    let sql = format!("{} WHERE u.space_id = ?1 {below} ORDER BY u.id DESC", Upload::SELECT);
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, params![space_id, after], Upload::read, take)
}

/// Returns the bytes of a chunk; `None` after the last one.
///
/// # Errors
/// Any `StoreError`.
pub fn chunk(conn: &Connection, content_id: i64, number: u64) -> Result<Option<Vec<u8>>> {
    Ok(conn.prepare_cached(CHUNK)?.query_row(params![content_id, number], |row| row.get(0)).optional()?)
}

/// Returns true if there is something to sweep: an unfinished upload that began before `before`, or deleted bytes.
///
/// # Errors
/// Any `StoreError`.
pub fn is_due(conn: &Connection, before: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(UNFINISHED)?.query_row([before], |row| row.get(0))?)
}

/// Deletes some chunks of the first content that is due ([`is_due`]), and the content itself after its last chunk.
/// Returns the number of deleted rows.
///
/// # Errors
/// Any `StoreError`.
pub fn sweep(conn: &Connection, before: Micros) -> Result<usize> {
    let due: Option<i64> = conn.prepare_cached(NEXT_DUE)?.query_row([before], |row| row.get(0)).optional()?;
    let Some(content_id) = due else { return Ok(0) };
    let chunks = conn.prepare_cached(SWEEP_CHUNKS)?.execute(params![content_id, CHUNKS_AT_ONCE])?;
    if chunks == CHUNKS_AT_ONCE {
        return Ok(chunks);
    }
    Ok(chunks + conn.prepare_cached(SWEEP)?.execute([content_id])?)
}
