//! Deleting a file, for the owners of its space.

use crate::access::{SpaceRole, require_space, space_role_on};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::rest::codes;
use crate::rest::reply::Reply;
use crate::store::uploads;

pub(super) fn delete(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let file = uploads::by_id(tx.conn, tx.input.param(0))?.ok_or(codes::UPLOAD_NOT_FOUND)?;
        // A caller that is not a member must not learn that the file exists.
        space_role_on(tx.conn, tx.caller, &file.space_id, tx.now)?.ok_or(codes::UPLOAD_NOT_FOUND)?;
        require_space(tx.conn, tx.caller, &file.space_id, SpaceRole::Owner)?;
        uploads::delete(tx.conn, &file)?;
        tx.audit(format!("upload:{}", file.id))?;
        Ok(Reply::no_content())
    })
}
