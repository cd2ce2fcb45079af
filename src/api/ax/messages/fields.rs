//! The fields of the requests about messages, each declared once.

use super::super::ID_CHARS;
use crate::limits::{
    CHANNEL_CHARS, CLIENT_ID_CHARS, MARKED_MESSAGES, MESSAGE_QUERY_CHARS, MESSAGE_TYPE_CHARS, MESSAGE_WAIT, PAGE_MAX,
    REACTION_CHARS, REPLY_SECONDS, TEXT_BYTES,
};
use crate::rest::error::{ApiError, Dialect};
use crate::rest::field::{Field, Type};

/// Returns the refusal of a field.
pub(super) fn bad(field: &str, problem: impl Into<String>) -> ApiError {
    ApiError::field(field, problem).in_dialect(Dialect::Ax)
}

pub(super) const PINNED: Field = Field::flag("pinned", "True if retention does not delete the message.").required();
pub(super) const METADATA: Field = Field::of("metadata", Type::AnyObject, "Free data from the author.").required();
pub(super) const ATTACHMENT: &[Field] = &[
    Field::text("id", ID_CHARS, "The upload's id."),
    Field::text("filename", 255, "The file's name."),
    Field::text("content_type", 128, "The media type of the file."),
    Field::integer("size", 0, i64::MAX, "The size of the file in bytes."),
    Field::integer("size_bytes", 0, i64::MAX, "The same as size."),
    Field::text("url", 2048, "The address of the file."),
    Field::text("kind", 32, "The kind of attachment."),
    Field::text("context_key", 512, "The key of a context value about the file."),
];
pub(super) const ATTACHMENTS: Field =
    Field::of("attachments", Type::Objects(ATTACHMENT), "The attached files.").required();
pub(super) const SPACE: Field = Field::text("space_id", ID_CHARS, "The space; the caller's default one if absent.");
pub(super) const CONTENT: Field =
    Field::text("content", TEXT_BYTES, "The text, at most 64 KiB; @NAME mentions a member.").not_empty();
pub(super) const LIMIT: Field =
    Field::integer("limit", 1, PAGE_MAX as i64, "Maximum number of messages, 1 to 500; 100 if absent.");
pub(super) const EMOJI: Field = Field::text("emoji", REACTION_CHARS, "The reaction.").not_empty().visible().required();
pub(super) const AFTER: Field = Field::text("after", ID_CHARS, "The id of a reply: only later replies.");
pub(super) const QUERY: Field =
    Field::text("query", MESSAGE_QUERY_CHARS, "The words to find. There is no query syntax.").required();
pub(super) const WAIT: Field =
    Field::integer("wait", 0, MESSAGE_WAIT, "Seconds to wait for a message before an empty reply.");
pub(super) const AFTER_ID: Field =
    Field::text("after", ID_CHARS, "The id of a message: only later messages, oldest first.");
pub(super) const MESSAGE_IDS: Field =
    Field::texts("message_ids", MARKED_MESSAGES, ID_CHARS, "The messages, at most 100; all if absent.");
pub(super) const AFTER_SEQ: Field =
    Field::integer("after_seq", 0, i64::MAX, "Only messages after this position, oldest first.");
pub(super) const BEFORE_SEQ: Field = Field::integer("before_seq", 1, i64::MAX, "Only messages before this position.");
pub(super) const UNREAD_ONLY: Field = Field::flag("unread_only", "Only messages that the caller has not read.");
pub(super) const CHANNEL: Field =
    Field::text("channel", CHANNEL_CHARS, "The channel; main if absent. dm:NAME sends to one member only.");
pub(super) const ADDRESSED: Field =
    Field::flag("addressed", "Only messages that mention the caller, reply to it or are addressed to it.");
pub(super) const MESSAGE_TYPE: Field =
    Field::text("message_type", MESSAGE_TYPE_CHARS, "The type of the message, as a word; text if absent.")
        .told(r#"{"pattern": "^[A-Za-z0-9._-]*$"}"#);
pub(super) const PARENT_ID: Field = Field::text("parent_id", ID_CHARS, "The message it replies to.");
pub(super) const CLIENT_ID: Field = Field::text(
    "client_id",
    CLIENT_ID_CHARS,
    "The client's own id of the message. Sending the same id again does not create a second message.",
)
.not_empty();
pub(super) const EXPECTS_REPLY_BY: Field = Field::of(
    "expects_reply_by",
    Type::Due { seconds: REPLY_SECONDS },
    "When a reply is expected by, as RFC 3339 or in seconds from now. If none has come by then, the sender gets one \
        event.",
);
pub(super) const MARK_READ: Field = Field::flag("mark_read", "Mark the listed messages as read.");
