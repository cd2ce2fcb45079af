//! Taking a file: its bytes go into the database in chunks, each in its own transaction. The last transaction publishes
//! the file. An upload that ends earlier leaves nothing.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::http::StatusCode;
use rusqlite::Connection;
use serde_json::json;

use super::{FileKind, Looker, safe_name};
use crate::access::{Action, Caller, SpaceRole, require_space, require_still_good, resolve_space};
use crate::api::ax::{ID_CHARS, allowance};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Step};
use crate::api::engine::dispatch::render;
use crate::config::Workspace;
use crate::jobs::events::places::PlaceGuard;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::intake::{Intake, IntakeStep, later};
use crate::rest::multipart::{MalformedMultipart, Multipart, MultipartEvent, PartHead};
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::rest::stream;
use crate::store::uploads::{self, CHUNK_BYTES, NAME_COUNTS, NewUpload, Quota};
use crate::store::{self, Store};
use crate::time::Micros;

/// The name of a file that was sent without a name.
const UNNAMED: &str = "file";

fn bad(field: &str, problem: impl Into<String>) -> ApiError {
    ApiError::field(field, problem).in_dialect(Dialect::Ax)
}

impl From<MalformedMultipart> for ApiError {
    fn from(why: MalformedMultipart) -> Self {
        bad("body", format!("is not multipart/form-data: {why}"))
    }
}

fn wrong_kind() -> ApiError {
    let types = FileKind::SLUGS.join(", ");
    ApiError::new(codes::UNSUPPORTED_MEDIA_TYPE)
        .detail(format!("A file is of one of these types, and its content must be what its type says: {types}."))
}

pub(super) fn begin(app: &App, call: Call) -> Handled {
    let parser = call.input.header(&CONTENT_TYPE).and_then(Multipart::new).ok_or_else(|| {
        ApiError::new(codes::UNSUPPORTED_MEDIA_TYPE).detail("The body must be multipart/form-data with a boundary.")
    })?;
    let place = app
        .uploads
        .take(&call.caller.principal_key())
        .ok_or_else(|| ApiError::new(codes::BUSY).detail("The maximum number of simultaneous uploads is reached."))?;
    let (settings, most) = app.config.read(|now| (now.workspace, now.limits.max_upload_bytes));
    Ok(Step::Intake(Box::new(UploadIntake {
        parser,
        reading: UploadProgress::default(),
        job: UploadJob { store: Arc::clone(&app.store), settings, most, call, _place: place },
    })))
}

/// A running upload.
struct UploadIntake {
    parser: Multipart,
    reading: UploadProgress,
    job: UploadJob,
}

/// The parts that all steps of an upload need.
struct UploadJob {
    store: Arc<Store>,
    settings: Workspace,
    /// The maximum bytes of one file.
    most: u64,
    call: Call,
    _place: PlaceGuard,
}

/// The state of the parsed body.
#[derive(Default)]
struct UploadProgress {
    part: UploadPart,
    space: Option<Vec<u8>>,
    file: Option<IncomingFile>,
}

/// The part that is being read.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum UploadPart {
    #[default]
    Other,
    Space,
    File,
}

/// A file that is being read.
struct IncomingFile {
    space_id: String,
    name: String,
    looker: Looker,
    hasher: blake3::Hasher,
    size: u64,
    /// The bytes that are not written yet.
    buffer: Vec<u8>,
    chunks: u64,
    content: Unfinished,
}

/// The content that is being written; dropping it unpublished deletes it.
struct Unfinished {
    store: Arc<Store>,
    id: Option<i64>,
}

impl Unfinished {
    /// Marks the content as published, so that nothing is deleted.
    fn keep(mut self) {
        self.id = None;
    }

    /// Deletes the content, and returns the outcome after that.
    fn give_back_before(mut self, outcome: Outcome) -> Outcome {
        let Some(id) = self.id.take() else { return outcome };
        let (fulfiller, promise) = stream::promise();
        abandon(&self.store, id, move || fulfiller.keep(outcome));
        Outcome::Pending(promise)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            abandon(&self.store, id, || {});
        }
    }
}

fn abandon(store: &Store, id: i64, then: impl FnOnce() + Send + 'static) {
    store.submit(
        move |conn| uploads::abandon(conn, id),
        |done: store::Result<()>| {
            if let Err(error) = done {
                log::warn!("what is left of an upload could not be removed, the sweeper will: {error}");
            }
            then();
        },
    );
}

impl UploadJob {
    fn quota(&self) -> Quota {
        Quota { space: self.settings.upload_bytes_per_space, all: self.settings.upload_bytes }
    }

    /// Refuses the upload. Its place and the room of its chunks are free before the client reads the refusal.
    fn refuse(self, mut error: ApiError, file: Option<IncomingFile>) -> Outcome {
        self.call.watch.saw(&mut error);
        let refusal = Outcome::Done(render(&error, self.call.input.dialect, self.call.caller.request_id()));
        drop(self);
        match file {
            Some(file) => file.content.give_back_before(refusal),
            None => refusal,
        }
    }

    /// Opens the file that a part's headers announce.
    fn open(&self, head: &PartHead, space: Option<&[u8]>) -> Result<IncomingFile, ApiError> {
        let kind = FileKind::named(head.content_type.as_deref()).ok_or_else(wrong_kind)?;
        let named = space.map(|bytes| std::str::from_utf8(bytes).unwrap_or("")).filter(|id| !id.is_empty());
        let quota = self.quota();
        let space_id = self.store.read(|conn| {
            let caller = require_still_good(conn, &self.call.caller, self.call.action, Dialect::Ax)?;
            let space_id = resolve_space(conn, &caller, named, SpaceRole::Editor)?;
            if uploads::has_room(conn, &space_id, NAME_COUNTS, quota)? { Ok(space_id) } else { Err(full(quota)) }
        })?;
        Ok(IncomingFile {
            space_id,
            name: safe_name(head.filename.as_deref().unwrap_or(UNNAMED)),
            looker: Looker::new(kind),
            hasher: blake3::Hasher::new(),
            size: 0,
            buffer: Vec::new(),
            chunks: 0,
            content: Unfinished { store: Arc::clone(&self.store), id: None },
        })
    }
}

fn full(quota: Quota) -> ApiError {
    ApiError::new(codes::QUOTA_EXCEEDED)
        .detail(format!("A space holds at most {} bytes of files, all spaces together {}.", quota.space, quota.all))
        .with("setting", "workspace.upload_bytes_per_space, workspace.upload_bytes")
}

impl UploadProgress {
    fn take(&mut self, event: MultipartEvent<'_>, job: &UploadJob) -> Result<(), ApiError> {
        match event {
            MultipartEvent::Part(head) => self.begin_part(&head, job),
            MultipartEvent::Data(bytes) => self.go_on(bytes, job.most),
            MultipartEvent::End => {
                self.part = UploadPart::Other;
                Ok(())
            }
        }
    }

    fn begin_part(&mut self, head: &PartHead, job: &UploadJob) -> Result<(), ApiError> {
        self.part = match head.name.as_str() {
            "file" if self.file.is_some() => return Err(bad("file", "is there twice; send one file")),
            "file" => {
                self.file = Some(job.open(head, self.space.as_deref())?);
                UploadPart::File
            }
            "space_id" if self.file.is_some() => return Err(bad("space_id", "must come before the file")),
            "space_id" if self.space.is_some() => return Err(bad("space_id", "is there twice")),
            "space_id" => {
                self.space = Some(Vec::new());
                UploadPart::Space
            }
            _ => UploadPart::Other,
        };
        Ok(())
    }

    fn go_on(&mut self, bytes: &[u8], most: u64) -> Result<(), ApiError> {
        match (self.part, &mut self.file, &mut self.space) {
            (UploadPart::File, Some(file), _) => file.go_on(bytes, most),
            (UploadPart::Space, _, Some(space)) if space.len() + bytes.len() > ID_CHARS => {
                Err(bad("space_id", "is not the id of a space"))
            }
            (UploadPart::Space, _, Some(space)) => {
                space.extend_from_slice(bytes);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl IncomingFile {
    fn go_on(&mut self, bytes: &[u8], most: u64) -> Result<(), ApiError> {
        self.size += bytes.len() as u64;
        if self.size > most {
            return Err(ApiError::new(codes::PAYLOAD_TOO_LARGE).detail(format!("A file has at most {most} bytes.")));
        }
        if !self.looker.goes_on(bytes) {
            return Err(wrong_kind());
        }
        self.hasher.update(bytes);
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Returns the next chunk, if a whole one is buffered.
    fn chunk(&mut self) -> Option<Vec<u8>> {
        if self.buffer.len() < CHUNK_BYTES {
            return None;
        }
        let rest = self.buffer.split_off(CHUNK_BYTES);
        Some(std::mem::replace(&mut self.buffer, rest))
    }
}

/// The data that a chunk's transaction needs.
struct Adding {
    caller: Caller,
    action: Action,
    settings: Workspace,
    quota: Quota,
    space_id: String,
    content_id: Option<i64>,
    number: u64,
}

impl Adding {
    fn new(job: &UploadJob, file: &IncomingFile) -> Self {
        Self {
            caller: job.call.caller.clone(),
            action: job.call.action,
            settings: job.settings,
            quota: job.quota(),
            space_id: file.space_id.clone(),
            content_id: file.content.id,
            number: file.chunks,
        }
    }

    /// Checks that the caller may still write: its credential or its membership may have ended during the upload.
    fn check(&self, conn: &Connection) -> Result<(), ApiError> {
        let caller = require_still_good(conn, &self.caller, self.action, Dialect::Ax)?;
        require_space(conn, &caller, &self.space_id, SpaceRole::Editor)
    }

    /// Writes a chunk, and returns the id of the content.
    fn add(&self, conn: &Connection, bytes: &[u8], now: Micros) -> Result<i64, ApiError> {
        self.check(conn)?;
        if !uploads::has_room(conn, &self.space_id, bytes.len() as u64 + NAME_COUNTS, self.quota)? {
            return Err(full(self.quota));
        }
        allowance::spend_as(conn, &self.caller, &self.settings, (bytes.len() as u64, 0), now)?;
        let id = self.content_id.map_or_else(|| uploads::begin(conn, &self.space_id, now), Ok)?;
        if uploads::add(conn, id, self.number, bytes)? {
            return Ok(id);
        }
        Err(ApiError { cause: Some("an unfinished upload was swept".into()), ..codes::INTERNAL.into() })
    }
}

impl Intake for UploadIntake {
    fn piece(mut self: Box<Self>, bytes: Bytes) -> IntakeStep {
        let (reading, job) = (&mut self.reading, &self.job);
        if let Err(error) = self.parser.feed(&bytes, &mut |event| reading.take(event, job)) {
            return self.refuse(error);
        }
        self.write_out()
    }

    fn end(mut self: Box<Self>) -> Outcome {
        let complete = self.parser.finish().map_err(ApiError::from);
        match (complete, self.reading.file.take()) {
            (Ok(()), Some(file)) if file.looker.ends() => publish(self.job, file),
            (Ok(()), None) => self.job.refuse(bad("file", "is missing"), None),
            (Ok(()), file) => self.job.refuse(wrong_kind(), file),
            (Err(error), file) => self.job.refuse(error, file),
        }
    }
}

impl UploadIntake {
    fn refuse(self, error: ApiError) -> IntakeStep {
        IntakeStep::Ended(self.job.refuse(error, self.reading.file))
    }

    /// Writes all whole chunks, one after the other, and then continues with the body.
    fn write_out(mut self: Box<Self>) -> IntakeStep {
        let Some(file) = &mut self.reading.file else { return IntakeStep::More(self) };
        let adding = Adding::new(&self.job, file);
        let Some(chunk) = file.chunk() else { return IntakeStep::More(self) };
        file.chunks += 1;
        let (sayer, later) = later();
        let store = Arc::clone(&self.job.store);
        store.submit(
            move |conn| {
                let before = conn.total_changes();
                let id = adding.add(conn, &chunk, Micros::now())?;
                Ok((id, conn.total_changes() - before))
            },
            move |added| {
                sayer.say(match added {
                    Ok((id, rows)) => {
                        self.job.call.charge(rows, CHUNK_BYTES);
                        if let Some(file) = &mut self.reading.file {
                            file.content.id = Some(id);
                        }
                        UploadIntake::write_out(self)
                    }
                    Err(error) => self.refuse(error),
                });
            },
        );
        IntakeStep::Later(later)
    }
}

/// Writes the rest of a file and publishes it, in one transaction.
fn publish(job: UploadJob, mut file: IncomingFile) -> Outcome {
    let (fulfiller, promise) = stream::promise();
    let adding = Adding::new(&job, &file);
    let rest = std::mem::take(&mut file.buffer);
    let mut upload = NewUpload {
        id: store::new_id(),
        space_id: file.space_id.clone(),
        content_id: file.content.id,
        hash: *file.hasher.finalize().as_bytes(),
        filename: file.name.clone(),
        content_type: file.looker.kind().slug(),
        created_by: job.call.caller.name().to_owned(),
    };
    let size = file.size;
    let store = Arc::clone(&job.store);
    let left = rest.len();
    let work = move |conn: &Connection| -> Result<(Reply, u64), ApiError> {
        let (now, before) = (Micros::now(), conn.total_changes());
        if rest.is_empty() {
            adding.check(conn)?;
        } else {
            upload.content_id = Some(adding.add(conn, &rest, now)?);
        }
        allowance::spend_as(conn, &adding.caller, &adding.settings, (0, 1), now)?;
        uploads::publish(conn, &upload, now)?;
        let reply = Reply::json(
            StatusCode::CREATED,
            &json!({
                "attachment_id": upload.id,
                "url": format!("/api/v1/uploads/files/{}", upload.id),
                "content_type": upload.content_type,
                "size": size,
                "original_filename": upload.filename,
                "space_id": upload.space_id,
            }),
        );
        Ok((reply, conn.total_changes() - before))
    };
    store.submit(work, move |published| {
        fulfiller.keep(match published {
            Ok((reply, rows)) => {
                job.call.charge(rows, left);
                file.content.keep();
                // The place must be free before the client can ask for the next one.
                drop(job);
                Outcome::Done(reply)
            }
            Err(error) => job.refuse(error, Some(file)),
        });
    });
    Outcome::Pending(promise)
}
