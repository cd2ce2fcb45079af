//! Knowledge: the rows of the route table, and the records of items (taOS contract, section 5). The daemon never
//! fetches a URL.

mod fields;
mod prompt;
mod read;
mod sources;

pub(crate) use fields::SOURCE_ID;
use fields::{
    CATEGORIES, CATEGORY_FILTER, CONTENT, ITEMS, MAX_BYTES, PATH, Q, SOURCE_FILTER, SOURCE_TYPE_FIELD, TITLE_FIELD,
};
use fields::{ID, TITLE};
use hyper::http::Method;

use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::paging::{CURSOR, LIMIT};
use crate::limits::KNOWLEDGE_ITEMS;
use crate::rest::codes;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::{Field, Type};
use crate::rest::route::Answer;
use crate::rest::tool::{Effect, Tool};

const DOC_READ: &str = "recipes/reading-knowledge#read";
const DOC_SEARCH: &str = "recipes/reading-knowledge#search";
const DOC_SOURCES: &str = "recipes/reading-knowledge#sources";
const DOC_PROMPT: &str = "recipes/reading-knowledge#prompt";

const SOURCE_TYPE: Field = Field::shown("source_type", "The type of the source, such as agent-docs or guide.");
const SOURCE_URL: Field = Field::shown("source_url", "The path of the item within its source.");
const AUTHOR: Field = Field::shown("author", "Who last wrote the item: taosd, user:NAME or agent:NAME.");
const SUMMARY: Field = Field::shown("summary", "The first paragraph, at most 200 characters.");
const STATUS: Field = Field::word("status", &["ready"], "Always ready.").required();
const CREATED_AT: Field = Field::shown("created_at", "When the item was added.");
const UPDATED_AT: Field = Field::shown("updated_at", "When the item was last changed.");

/// The record of an item in a list.
const BRIEF: &[Field] =
    &[ID, SOURCE_TYPE, SOURCE_ID, SOURCE_URL, TITLE, AUTHOR, SUMMARY, CATEGORIES, STATUS, CREATED_AT, UPDATED_AT];
/// The record of an item with its text.
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
/// The record of an item that a search found.
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

/// The reply with the system prompt.
const PROMPT: &[Field] = &[
    Field::shown("prompt", "The prompt, in Markdown."),
    ITEMS,
    Field::of("omitted", Type::Objects(&[ID, TITLE]), "The documents that did not fit; the first 500 of them.")
        .required(),
    Field::integer("omitted_count", 0, i64::MAX, "The number of documents that did not fit.").required(),
    Field::flag("truncated", "True if a document did not fit.").required(),
];

/// The routes for knowledge.
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
