//! Backups: made on request as an operation, listed, and downloaded from their directory.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use hyper::http::{Method, StatusCode};
use serde_json::json;

use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::slow::{self, Slow, WAIT};
use crate::jobs::events::places::PlaceGuard;
use crate::jobs::operations::backups;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::reply::{Body, BodySource, Pulled, Reply};
use crate::rest::route::Answer;
use crate::store;
use crate::store::operations::{self, Operation, OperationKind};
use crate::time::Micros;

const DOC: &str = "recipes/backup#make-a-backup";

const FILE: Field =
    Field::unbounded("file", "The name of the file in the directory `backup` of the data directory.").required();
const BYTES: Field = Field::integer("bytes", 0, i64::MAX, "The size in bytes.").required();
const BLAKE3: Field = Field::unbounded("blake3", "The BLAKE3 hash of its bytes, hexadecimal.").required();
const CREATED: Field = Field::unbounded("created_at", "When the backup was made.").required();
/// A backup's record.
const RECORD: &[Field] = &[FILE, BYTES, BLAKE3, CREATED];
/// The same in a list: an automatic backup has no `blake3`.
const LISTED: &[Field] = &[FILE, BYTES, BLAKE3.nullable(), CREATED];
const KIND: Field = Field::word("kind", &["requested", "automatic"], "Which backups to list; requested if absent.");
/// The bytes that one read takes.
const PIECE: usize = 256 * 1024;

/// The routes for backups.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::POST, "/api/backups", Taos, Action::BackupsCreate, create)
        .described(
            "backups_create",
            "Make a backup",
            "Writes a checked copy of the database into its directory `backup`. The daemon keeps the newest 7.",
            DOC,
        )
        .asking(&[WAIT])
        .taking(&[], "{}")
        .repeatable()
        .answering(200, Answer::Object(RECORD))
        .failing(&[codes::FORBIDDEN]),
    ApiRoute::checked(Method::GET, "/api/backups", Taos, Action::BackupsList, list)
        .described(
            "backups_list",
            "List backups",
            "The requested backups, newest first; with kind=automatic the copies that the daemon makes by itself.",
            DOC,
        )
        .asking(&[KIND])
        .answering(200, Answer::List(LISTED))
        .failing(&[codes::FORBIDDEN]),
    ApiRoute::checked(Method::GET, "/api/backups/{file}", Taos, Action::BackupsDownload, download)
        .described(
            "backups_download",
            "Download a backup",
            "The file, as application/vnd.sqlite3. It contains all data of the box, but no secret in clear. Each \
                download is in the audit.",
            "recipes/backup#download-one",
        )
        .answering(200, Answer::Other(&["application/vnd.sqlite3"]))
        .failing(&[codes::FORBIDDEN, codes::BACKUP_NOT_FOUND]),
];

fn create(app: &App, call: Call) -> Handled {
    app.gate
        .backups
        .take(if call.caller.credential_id().is_some() { "tokens" } else { "socket" }, Instant::now())
        .map_err(|seconds| {
            ApiError::new(codes::RATE_LIMITED)
                .detail("The maximum number of backups per hour is reached.")
                .retry_after(seconds)
        })?;
    let slow = Slow::new(app, &call.input);
    call.write(app, move |tx| {
        let op =
            Operation::new(store::new_id(), OperationKind::Backup, tx.caller.maker(), tx.caller.request_id(), tx.now);
        operations::insert(tx.conn, &op)?;
        Ok(slow.follow(op, Vec::new(), slow::pending))
    })
}

fn list(app: &App, call: Call) -> Handled {
    if call.input.query.text(&KIND) == Some("automatic") {
        let copies = backups::automatic(app.store.dir())?;
        let show = |(file, bytes, made): &(String, u64, Micros)| json!({"file": file, "bytes": bytes, "blake3": null, "created_at": made.millis()});
        return Ok(Reply::ok(&copies.iter().map(show).collect::<Vec<_>>()).into());
    }
    Ok(Reply::ok(&backups::list(app.store.dir())?).into())
}

fn download(app: &App, call: Call) -> Handled {
    let name = call.input.param(0).to_owned();
    let (file, length) = backups::open(app.store.dir(), &name)?.ok_or(codes::BACKUP_NOT_FOUND)?;
    let place = app.backup_downloads.take(&call.caller.principal_key()).ok_or_else(|| {
        ApiError::new(codes::BUSY).detail("The maximum number of simultaneous backup downloads is reached.")
    })?;
    let pieces = Pieces { file, left: length, _place: place };
    call.write(app, move |tx| {
        tx.audit(format!("backup:{name}"))?;
        let mut reply = Reply::empty(StatusCode::OK)
            .with(CONTENT_TYPE, "application/vnd.sqlite3")
            .with(CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\"; filename*=UTF-8''{name}"))
            .with(CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'")
            .with(CACHE_CONTROL, "no-store");
        reply.body = Body::Pulled(Pulled { length, source: Arc::new(Mutex::new(pieces)) });
        Ok(reply)
    })
}

/// A file that is read in pieces. The daemon may replace it with a newer copy meanwhile; the open file stays whole.
struct Pieces {
    file: File,
    left: u64,
    _place: PlaceGuard,
}

impl BodySource for Pieces {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let wanted = usize::try_from(self.left).unwrap_or(PIECE).min(PIECE);
        if wanted == 0 {
            return Ok(None);
        }
        let mut piece = vec![0; wanted];
        self.file.read_exact(&mut piece)?;
        self.left -= wanted as u64;
        Ok(Some(Bytes::from(piece)))
    }
}
