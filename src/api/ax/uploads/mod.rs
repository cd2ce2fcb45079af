//! Files: uploaded into the database as they come in, and sent as fast as the client takes them (aX contract, section
//! 10).

mod delete;
mod download;
mod intake;
mod kind;
mod list;
mod name;

use hyper::http::Method;

use super::{ID_CHARS, checked};
use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::paging;
use crate::rest::class::UA_AG;
use crate::rest::codes;
use crate::rest::field::Field;
use crate::rest::route::Answer;
use crate::rest::tool::{Effect, Tool};

pub use kind::{FileKind, Looker};
pub use name::safe as safe_name;

const DOC: &str = "recipes/sharing-a-file#upload";
const DOC_DOWNLOAD: &str = "recipes/sharing-a-file#download";
const DOC_DELETE: &str = "recipes/sharing-a-file#delete";
const DOC_LIST: &str = "recipes/sharing-a-file#list";

/// The files' rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::POST, "/api/v1/uploads", UA_AG, Action::UploadsCreate, intake::begin)
        .described(
            "uploads_create",
            "Upload a file",
            "multipart/form-data with space_id, if any, before one file of png, jpeg, gif, webp, pdf, json, markdown, \
                plain text or csv. The same bytes are kept once in a space.",
            DOC,
        )
        .taking_multipart(
            &[
                Field::text("space_id", ID_CHARS, "The space; the caller's default one if absent. Before the file."),
                Field::unbounded("file", "The file with its name and type, at most 25 MiB.").required(),
            ],
            r##"{"file": "# Plan"}"##,
        )
        .answering(
            201,
            Answer::Object(&[
                Field::shown("attachment_id", "The file's id."),
                Field::shown("url", "The path of the file on this daemon."),
                Field::shown("content_type", "The media type of the file."),
                Field::integer("size", 0, i64::MAX, "Its bytes.").required(),
                Field::shown("original_filename", "The name of the file, without any path."),
                Field::shown("space_id", "The space's id."),
            ]),
        )
        .failing(&[
            codes::SPACE_FORBIDDEN,
            codes::FORBIDDEN,
            codes::PAYLOAD_TOO_LARGE,
            codes::QUOTA_EXCEEDED,
            codes::ALLOWANCE_USED,
            codes::BUSY,
        ]),
    checked(Method::GET, "/api/v1/uploads", UA_AG, Action::UploadsRead, list::list)
        .described("uploads_list", "List the files of a space", "The newest first.", DOC_LIST)
        .asking(&[
            Field::text("space_id", ID_CHARS, "The space; the caller's default one if absent."),
            paging::LIMIT,
            paging::CURSOR,
        ])
        .answering(200, Answer::List(list::RECORD))
        .failing(&[codes::SPACE_NOT_FOUND, codes::INVALID_CURSOR]),
    checked(Method::GET, "/api/v1/uploads/files/{file}", UA_AG, Action::UploadsRead, download::get)
        .described(
            "uploads_read",
            "Download a file",
            "The reply is the file, as an attachment with its own name.",
            DOC_DOWNLOAD,
        )
        .answering(200, Answer::Other(FileKind::SLUGS))
        .failing(&[codes::UPLOAD_NOT_FOUND, codes::BUSY])
        .offering(
            Tool::new(
                "uploads_read",
                Effect::Reads,
                "Read a file that was uploaded to a space, by its attachment_id: text as text, an image as an image. At most \
                    1 MiB.",
            )
            .with_path(&[Field::text("attachment_id", ID_CHARS, "The file's id, as a message's attachments have it.")]),
        ),
    checked(Method::DELETE, "/api/v1/uploads/files/{file}", UA_AG, Action::UploadsDelete, delete::delete)
        .described(
            "uploads_delete",
            "Delete a file",
            "For the owners of its space. The room that it took is free at once. A message that names it stays.",
            DOC_DELETE,
        )
        .answering(204, Answer::Empty)
        .failing(&[codes::UPLOAD_NOT_FOUND, codes::FORBIDDEN]),
];
