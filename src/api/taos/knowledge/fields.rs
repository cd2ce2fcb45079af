//! The fields of knowledge items and sources, each declared once; the record of an item; the names of sources.

use serde_json::{Value, json};

use crate::limits::TEXT_BYTES;
use crate::rest::error::ApiError;
use crate::rest::field::{Field, Type};
use crate::store::knowledge::KnowledgeItem;

pub(crate) const SOURCE_ID: Field = Field::shown("source_id", "The source, such as taos-core or app:NAME.");
pub(super) const CATEGORIES: Field = Field::unbounded_texts("categories", "The topics of the item.").required();
pub(super) const ITEMS: Field =
    Field::of("items", Type::Objects(&[ID, TITLE]), "The documents in it, in order.").required();
pub(super) const CATEGORY_FILTER: Field = Field::text("category", 64, "Only items with this category.");
pub(super) const SOURCE_FILTER: Field = Field::text("source_id", 64, "Only items of this source.");
pub(super) const MAX_BYTES: Field =
    Field::integer("max_bytes", 1024, 262_144, "Maximum size of the prompt in bytes; 32768 if absent.");
pub(super) const Q: Field = Field::text("q", 200, "The words, 1 to 200 characters.").not_empty().required();
pub(super) const SOURCE_TYPE_FIELD: Field = Field::text("source_type", 64, "Only items of sources of this type.");
pub(super) const PATH: Field =
    Field::text("path", 255, "The path of the item, unique within the source.").not_empty().line().required();
pub(super) const CONTENT: Field =
    Field::text("content", TEXT_BYTES, "The text in Markdown, at most 65536 bytes.").required();
pub(super) const TITLE_FIELD: Field =
    Field::text("title", 200, "The title; the first heading of the text if absent.").not_empty();

/// Returns the record of an item, without its text.
pub(super) fn show(item: &KnowledgeItem) -> Value {
    json!({
        "id": item.id,
        "source_type": item.source_type,
        "source_id": item.source_id,
        "source_url": item.path,
        "title": item.title,
        "author": item.author,
        "summary": item.summary,
        "categories": serde_json::from_str::<Value>(&item.categories).unwrap_or_else(|_| json!([])),
        "status": "ready",
        "created_at": item.created_at.millis(),
        "updated_at": item.updated_at.millis(),
    })
}

/// Returns true for the name of a source (with `colon`) or of a type of source.
pub(super) fn is_name(name: &str, colon: bool) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= 64
        && name.bytes().next().is_some_and(word)
        && name.bytes().all(|b| word(b) || matches!(b, b'.' | b'_' | b'-') || (colon && b == b':'))
}

/// Checks the name of a source.
///
/// # Errors
/// `validation_error` (422).
pub(super) fn check_source_id(source_id: &str) -> Result<(), ApiError> {
    if is_name(source_id, true) {
        return Ok(());
    }
    Err(ApiError::field("source_id", "must be a-z or 0-9, then a-z, 0-9, :, ., _ or -, at most 64 characters"))
}

pub(super) const ID: Field = Field::shown("id", "The id. It stays the same as long as the source has this path.");
pub(super) const TITLE: Field = Field::shown("title", "The title.");
