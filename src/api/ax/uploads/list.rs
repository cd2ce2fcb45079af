//! The list of a space's files.

use serde_json::json;

use crate::access::{SpaceRole, resolve_space};
use crate::api::ax::context;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::Listing;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::store::uploads::{self, Upload};

/// The fields of a file in the list.
pub(super) const RECORD: &[Field] = &[
    Field::shown("attachment_id", "The file's id."),
    Field::shown("url", "The path of the file on this daemon."),
    Field::shown("content_type", "The media type of the file."),
    Field::integer("size", 0, i64::MAX, "Its bytes.").required(),
    Field::shown("original_filename", "The name of the file, without any path."),
    Field::shown("space_id", "The space's id."),
    Field::shown("created_by", "The member that uploaded it."),
    Field::shown("created_at", "When it was uploaded."),
];

pub(super) fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "uploads")?;
    let page = list.page();
    app.store.read(|conn| {
        let named = call.input.query.text(&context::SPACE);
        let space_id = resolve_space(conn, &call.caller, named, SpaceRole::Viewer)?;
        let mut take = |file: Upload| {
            let shown = json!({
                "attachment_id": file.id,
                "url": format!("/api/v1/uploads/files/{}", file.id),
                "content_type": file.content_type,
                "size": file.size,
                "original_filename": file.filename,
                "space_id": file.space_id,
                "created_by": file.created_by,
                "created_at": file.created_at.millis(),
            });
            list.push((file.created_at, file.id), &shown)
        };
        Ok::<_, ApiError>(uploads::of_space(conn, &space_id, &page, &mut take)?)
    })?;
    Ok(list.reply(&call.input).into())
}
