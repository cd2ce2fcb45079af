//! Reading a file: chunk by chunk from the database, as fast as the client takes it.

use std::io;
use std::sync::{Arc, Mutex};

use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use hyper::http::StatusCode;

use super::name::disposition;
use crate::access::{SpaceRole, space_role_on};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::jobs::events::places::PlaceGuard;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::reply::{Body, BodySource, Pulled, Reply};
use crate::store::{Store, uploads};
use crate::time::Micros;

pub(super) fn get(app: &App, call: Call) -> Handled {
    let file = app.store.read(|conn| {
        let file = uploads::by_id(conn, call.input.param(0))?.ok_or(codes::UPLOAD_NOT_FOUND)?;
        match space_role_on(conn, &call.caller, &file.space_id, Micros::now())? {
            Some(SpaceRole::Viewer | SpaceRole::Editor | SpaceRole::Owner) => Ok::<_, ApiError>(file),
            None => Err(codes::UPLOAD_NOT_FOUND.into()),
        }
    })?;
    let place = app
        .downloads
        .take(&call.caller.principal_key())
        .ok_or_else(|| ApiError::new(codes::BUSY).detail("The maximum number of simultaneous downloads is reached."))?;
    let chunks = Chunks { store: Arc::clone(&app.store), content_id: file.content_id, next: 0, _place: place };
    let mut reply = Reply::empty(StatusCode::OK)
        .with(CONTENT_TYPE, &file.content_type)
        .with(CONTENT_DISPOSITION, &disposition(&file.filename))
        .with(CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'")
        .with(CACHE_CONTROL, "private, no-store");
    reply.body = Body::Pulled(Pulled { length: file.size, source: Arc::new(Mutex::new(chunks)) });
    Ok(reply.into())
}

/// The chunks of a file that are not sent yet.
struct Chunks {
    store: Arc<Store>,
    content_id: i64,
    next: u64,
    _place: PlaceGuard,
}

impl BodySource for Chunks {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let chunk = self.store.lookup(|conn| uploads::chunk(conn, self.content_id, self.next));
        self.next += 1;
        chunk.map(|bytes| bytes.map(Bytes::from)).map_err(io::Error::other)
    }
}
