//! The query parameters in the addresses of pages.

use crate::rest::field::Field;

/// The words to search for.
pub const Q: Field = Field::text("q", 200, "What is searched.");
/// The cursor of a list.
pub const CURSOR: Field = Field::text("cursor", 512, "Where the page of a list begins.");
/// Only rows with this status.
pub const STATUS: Field = Field::text("status", 64, "Only of this status.");
/// Only rows of this kind.
pub const KIND: Field = Field::text("kind", 64, "Only of this kind.");
/// Only rows about this agent.
pub const AGENT: Field = Field::text("agent", 128, "Only of this agent.");
/// Only rows by this actor.
pub const ACTOR: Field = Field::text("actor", 128, "Only by this actor.");
/// Only rows with this action.
pub const ACTION: Field = Field::text("action", 128, "Only of this action.");
/// Only rows about this resource.
pub const RESOURCE: Field = Field::text("resource", 256, "Only about this.");
/// Only rows of this source.
pub const SOURCE: Field = Field::text("source", 128, "Only of this source.");
/// The key to show.
pub const KEY: Field = Field::text("key", 512, "This key.");
/// Only rows before this one.
pub const BEFORE: Field = Field::text("before", 64, "What is older than this.");
/// The tab of the page.
pub const TAB: Field = Field::text("tab", 32, "The part of the page.");
/// The order of the rows.
pub const SORT: Field = Field::text("sort", 32, "The order.");
/// The action that was just done.
pub const DONE: Field = Field::text("done", 64, "What has just been done.");
/// Only rows from this time on.
pub const SINCE: Field = Field::text("since", 40, "Not before this time.");
/// Only rows up to this time.
pub const UNTIL: Field = Field::text("until", 40, "Not after this time.");
/// The next page.
pub const NEXT: Field = Field::text("next", 2048, "Where to go on.");

/// All query parameters of pages.
pub const ALL: &[Field] = &[
    Q, CURSOR, STATUS, KIND, AGENT, ACTOR, ACTION, RESOURCE, SOURCE, KEY, BEFORE, TAB, SORT, DONE, SINCE, UNTIL, NEXT,
];
