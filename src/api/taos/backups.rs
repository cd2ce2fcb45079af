//! Backups that are asked for: made as an operation, listed from where they lie.

use std::time::Instant;

use hyper::http::Method;

use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::slow::{self, Slow, WAIT};
use crate::jobs::operations::backups;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::rest::route::{Access, Answer, BodyKind, Repeat, Route};
use crate::store;
use crate::store::operations::{self, Operation, OperationKind};

const DOC: &str = "recipes/backup#make-a-backup";

/// A backup's record.
const RECORD: &[Field] = &[
    Field::unbounded("file", "The name of the file in the directory `backup` of the data directory.").required(),
    Field::integer("bytes", 0, i64::MAX, "The size in bytes.").required(),
    Field::unbounded("blake3", "The BLAKE3 hash of its bytes, hexadecimal.").required(),
    Field::unbounded("created_at", "When the backup was made.").required(),
];

/// The rows of the table.
pub const ROUTES: &[ApiRoute] = &[
    Route {
        method: Method::POST,
        path: "/api/backups",
        dialect: Taos,
        access: Access::Action(Action::BackupsCreate, create),
        id: "backups_create",
        title: "Make a backup",
        about: "Writes a checked copy of the database into its directory `backup`. The daemon keeps the newest 7.",
        repeat: Repeat::Key,
        query: &[WAIT],
        body: BodyKind::Json(&[]),
        example: "{}",
        answer: (200, Answer::Object(RECORD)),
        errors: &[codes::FORBIDDEN],
        doc: DOC,
        tool: None,
    },
    Route {
        method: Method::GET,
        path: "/api/backups",
        dialect: Taos,
        access: Access::Action(Action::BackupsList, list),
        id: "backups_list",
        title: "List backups",
        about: "The requested backups, newest first.",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::None,
        example: "",
        answer: (200, Answer::List(RECORD)),
        errors: &[codes::FORBIDDEN],
        doc: DOC,
        tool: None,
    },
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

fn list(app: &App, _: Call) -> Handled {
    Ok(Reply::ok(&backups::list(app.store.dir())?).into())
}
