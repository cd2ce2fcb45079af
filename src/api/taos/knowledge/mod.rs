//! Knowledge: the rows of the table, and what an item looks like (taOS contract, section 5). No URL is ever fetched.

mod prompt;
mod read;
mod sources;

use hyper::http::Method;
use serde_json::{Value, json};

use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::paging::{CURSOR, LIMIT};
use crate::limits::{KNOWLEDGE_ITEMS, TEXT_BYTES};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::{Field, Type};
use crate::rest::route::Answer;
use crate::rest::tool::{Effect, Tool};
use crate::store::knowledge::KnowledgeItem;

const DOC_READ: &str = "recipes/reading-knowledge#read";
const DOC_SEARCH: &str = "recipes/reading-knowledge#search";
const DOC_SOURCES: &str = "recipes/reading-knowledge#sources";
const DOC_PROMPT: &str = "recipes/reading-knowledge#prompt";

const ID: Field = Field::shown("id", "The id. It stays the same as long as the source has this path.");
const SOURCE_TYPE: Field = Field::shown("source_type", "The type of the source, such as agent-docs or guide.");
pub(crate) const SOURCE_ID: Field = Field::shown("source_id", "The source, such as taos-core or app:NAME.");
const SOURCE_URL: Field = Field::shown("source_url", "The path of the item within its source.");
const TITLE: Field = Field::shown("title", "The title.");
const AUTHOR: Field = Field::shown("author", "Who last wrote the item: taosd, user:NAME or agent:NAME.");
const SUMMARY: Field = Field::shown("summary", "The first paragraph, at most 200 characters.");
pub(super) const CATEGORIES: Field = Field::unbounded_texts("categories", "The topics of the item.").required();
const STATUS: Field = Field::word("status", &["ready"], "Always ready.").required();
const CREATED_AT: Field = Field::shown("created_at", "When the item was added.");
const UPDATED_AT: Field = Field::shown("updated_at", "When the item was last changed.");

/// An item as listed.
const BRIEF: &[Field] =
    &[ID, SOURCE_TYPE, SOURCE_ID, SOURCE_URL, TITLE, AUTHOR, SUMMARY, CATEGORIES, STATUS, CREATED_AT, UPDATED_AT];
/// An item with its text.
const WHOLE: &[Field] = &[
    ID,
    SOURCE_TYPE,
    SOURCE_ID,
    SOURCE_URL,
    TITLE,
    AUTHOR,
    SUMMARY,
    Field::shown("content", "The text, in Markdown."),
    CATEGORIES,
    STATUS,
    CREATED_AT,
    UPDATED_AT,
];
/// An item as found.
const HIT: &[Field] = &[
    ID,
    SOURCE_TYPE,
    SOURCE_ID,
    SOURCE_URL,
    TITLE,
    AUTHOR,
    SUMMARY,
    CATEGORIES,
    STATUS,
    CREATED_AT,
    UPDATED_AT,
    Field::shown("snippet", "The text around the match."),
    Field::of("score", Type::Number, "The rank of the match; larger is better.").required(),
];

pub(super) const ITEMS: Field =
    Field::of("items", Type::Objects(&[ID, TITLE]), "The documents in it, in order.").required();
/// The system prompt.
const PROMPT: &[Field] = &[
    Field::shown("prompt", "The prompt, in Markdown."),
    ITEMS,
    Field::of("omitted", Type::Objects(&[ID, TITLE]), "The documents that did not fit; the first 500 of them.")
        .required(),
    Field::integer("omitted_count", 0, i64::MAX, "The number of documents that did not fit.").required(),
    Field::flag("truncated", "True if a document did not fit.").required(),
];

pub(super) const CATEGORY_FILTER: Field = Field::text("category", 64, "Only items with this category.");
pub(super) const SOURCE_FILTER: Field = Field::text("source_id", 64, "Only items of this source.");

/// An item without its text.
fn show(item: &KnowledgeItem) -> Value {
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

/// True for the name of a source or of a kind of source.
fn is_name(name: &str, colon: bool) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= 64
        && name.bytes().next().is_some_and(word)
        && name.bytes().all(|b| word(b) || matches!(b, b'.' | b'_' | b'-') || (colon && b == b':'))
}

/// Lets the name of a source pass.
///
/// # Errors
/// 422.
fn check_source_id(source_id: &str) -> Result<(), ApiError> {
    if is_name(source_id, true) {
        return Ok(());
    }
    Err(ApiError::field("source_id", "must be a-z or 0-9, then a-z, 0-9, :, ., _ or -, at most 64 characters"))
}

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
/// The rows of the table.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::GET, "/api/knowledge/items", Taos, Action::KnowledgeRead, read::list)
        .described("knowledge_list", "List items of knowledge", "Oldest first, without their text.", DOC_READ)
        .asking(&[SOURCE_TYPE_FIELD, SOURCE_FILTER, CATEGORY_FILTER, LIMIT, CURSOR])
        .answering(200, Answer::List(BRIEF))
        .failing(&[codes::INVALID_CURSOR]),
    ApiRoute::checked(Method::GET, "/api/knowledge/items/{id}", Taos, Action::KnowledgeRead, read::get)
        .described("knowledge_get", "Read an item of knowledge", "The item with its text.", DOC_READ)
        .answering(200, Answer::Object(WHOLE))
        .failing(&[codes::KNOWLEDGE_ITEM_NOT_FOUND])
        .offering(
            Tool::new(
                "knowledge_get",
                Effect::Reads,
                "Read one item of knowledge whole, by the id that knowledge_search gave.",
            )
            .with_path(&[Field::text("id", 64, "The item's id.")]),
        ),
    ApiRoute::checked(Method::GET, "/api/knowledge/search", Taos, Action::KnowledgeRead, read::search)
        .described(
            "knowledge_search",
            "Search the knowledge",
            "The items that contain every word of q, best match first. There is no query syntax. Only the first 8 \
                different words count.",
            DOC_SEARCH,
        )
        .asking(&[Q, CATEGORY_FILTER, SOURCE_FILTER, LIMIT, CURSOR])
        .answering(200, Answer::List(HIT))
        .failing(&[codes::INVALID_CURSOR])
        .offering(
            Tool::new(
                "knowledge_search",
                Effect::Reads,
                "Search what the box and its apps document: manuals, guides, conventions. Gives titles, summaries and \
                    snippets, best match first; read one whole with knowledge_get.",
            )
            .narrowed(&[Field::integer("limit", 1, 100, "Maximum number of items; 20 if absent.")])
            .preset(&[("limit", 20)]),
        ),
    ApiRoute::checked(Method::GET, "/api/knowledge/sources", Taos, Action::KnowledgeRead, sources::list)
        .described("knowledge_sources", "List sources of knowledge", "The sources, ordered by id.", DOC_SOURCES)
        .asking(&[LIMIT, CURSOR])
        .answering(
            200,
            Answer::List(&[
                SOURCE_ID,
                SOURCE_TYPE,
                Field::integer("items", 1, i64::MAX, "The number of items.").required(),
                UPDATED_AT,
            ]),
        )
        .failing(&[codes::INVALID_CURSOR]),
    ApiRoute::checked(Method::PUT, "/api/knowledge/sources/{source_id}", Taos, Action::KnowledgeWrite, sources::put)
        .described(
            "knowledge_put",
            "Write a source of knowledge",
            "If the request succeeds, the source holds exactly these items. If it fails, nothing changes. Unchanged \
                items are not written again, and a path keeps its id.",
            DOC_SOURCES,
        )
        .taking(
            &[
                Field::text(
                    "source_type",
                    64,
                    "The type of the source: a-z, 0-9, then also . _ and -; guide if absent.",
                )
                .told(r#"{"pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"}"#),
                Field::of(
                    "items",
                    Type::Objects(&[
                        PATH,
                        TITLE_FIELD,
                        CONTENT,
                        Field::texts("categories", 8, 64, "The topics of the item."),
                    ]),
                    "All items of the source; at most 500.",
                )
                .required(),
            ],
            r##"{"items": [{"path": "guide.md", "title": "Guide", "content": "# Guide\n\nPress start.", "categories": ["app"]}]}"##,
        )
        .answering(
            200,
            Answer::Object(&[
                SOURCE_ID,
                Field::integer("added", 0, KNOWLEDGE_ITEMS as i64, "The number of new items.").required(),
                Field::integer("updated", 0, KNOWLEDGE_ITEMS as i64, "The number of items with new content.")
                    .required(),
                Field::integer("unchanged", 0, KNOWLEDGE_ITEMS as i64, "The number of unchanged items.").required(),
                Field::integer("removed", 0, KNOWLEDGE_ITEMS as i64, "The number of removed items.").required(),
            ]),
        )
        .failing(&[codes::SOURCE_RESERVED, codes::SOURCE_FORBIDDEN, codes::TOO_MANY_SOURCES]),
    ApiRoute::checked(
        Method::DELETE,
        "/api/knowledge/sources/{source_id}",
        Taos,
        Action::KnowledgeWrite,
        sources::delete,
    )
    .described(
        "knowledge_delete",
        "Delete a source of knowledge",
        "Deletes the source with all its items.",
        DOC_SOURCES,
    )
    .answering(204, Answer::Empty)
    .failing(&[codes::SOURCE_RESERVED, codes::SOURCE_FORBIDDEN, codes::SOURCE_NOT_FOUND]),
    ApiRoute::checked(Method::GET, "/api/knowledge/system-prompt", Taos, Action::KnowledgeRead, prompt::get)
        .described(
            "knowledge_prompt",
            "Read the system prompt",
            "Whole documents: first those of the daemon by path, then those of the apps. With Accept: text/markdown \
                the reply is the text of the prompt.",
            DOC_PROMPT,
        )
        .asking(&[MAX_BYTES, SOURCE_FILTER])
        .answering(200, Answer::Or(&Answer::Object(PROMPT), &["text/markdown"])),
];
