//! What the address of a page may say beyond its path.

use crate::rest::field::Field;

/// What is searched.
pub const Q: Field = Field::text("q", 200, "What is searched.");
/// Where the page of a list begins.
pub const CURSOR: Field = Field::text("cursor", 512, "Where the page of a list begins.");
/// Only of this status.
pub const STATUS: Field = Field::text("status", 64, "Only of this status.");
/// Only of this kind.
pub const KIND: Field = Field::text("kind", 64, "Only of this kind.");
/// Only of this agent.
pub const AGENT: Field = Field::text("agent", 128, "Only of this agent.");
/// Only by this actor.
pub const ACTOR: Field = Field::text("actor", 128, "Only by this actor.");
/// Only of this action.
pub const ACTION: Field = Field::text("action", 128, "Only of this action.");
/// Only about this.
pub const RESOURCE: Field = Field::text("resource", 256, "Only about this.");
/// Only of this source.
pub const SOURCE: Field = Field::text("source", 128, "Only of this source.");
/// This key.
pub const KEY: Field = Field::text("key", 512, "This key.");
/// What is older than this.
pub const BEFORE: Field = Field::text("before", 64, "What is older than this.");
/// The part of the page.
pub const TAB: Field = Field::text("tab", 32, "The part of the page.");
/// The order.
pub const SORT: Field = Field::text("sort", 32, "The order.");
/// What has just been done.
pub const DONE: Field = Field::text("done", 64, "What has just been done.");
/// Not before this time.
pub const SINCE: Field = Field::text("since", 40, "Not before this time.");
/// Not after this time.
pub const UNTIL: Field = Field::text("until", 40, "Not after this time.");
/// Where to go on.
pub const NEXT: Field = Field::text("next", 2048, "Where to go on.");

/// All of them.
pub const ALL: &[Field] = &[
    Q, CURSOR, STATUS, KIND, AGENT, ACTOR, ACTION, RESOURCE, SOURCE, KEY, BEFORE, TAB, SORT, DONE, SINCE, UNTIL, NEXT,
];
