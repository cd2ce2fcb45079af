//! The fields that several routes on agents take or answer.

use crate::limits::TEXT_BYTES;
use crate::rest::field::{Field, Type};
use crate::store::agents::{MemoryPlugin, OnWorkerFailure};

pub(crate) const NAME: Field =
    Field::unbounded("name", "Name for people, 1 to 64 characters; the slug is made from it.")
        .told(r#"{"maxLength": 64, "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*[A-Za-z0-9][^\\u0000-\\u001f\\u007f-\\u009f]*$"}"#);
pub(crate) const HOST: Field = Field::text("host", 255, "Where it runs; free text.");
pub(crate) const QMD_INDEX: Field = Field::text("qmd_index", 255, "Which index it reads; free text.");
pub(crate) const COLOR: Field = Field::text("color", 7, "Colour for people: #rrggbb; #888888 if absent.")
    .told(r#"{"pattern": "^#[0-9A-Fa-f]{6}$"}"#);
pub(crate) const EMOJI: Field = Field::text("emoji", 16, "Picture for people; an empty text removes it.");
pub(crate) const MEMORY: Field =
    Field::flag("can_read_user_memory", "Whether it may read its user's memory; false if absent.");
pub(crate) const MODEL: Field =
    Field::text("model", 128, "Model it uses.").told(r#"{"pattern": "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$"}"#);
pub(crate) const FRAMEWORK: Field = Field::text("framework", 64, "What runs it; none if absent.").not_empty();
pub(crate) const SCOPE: Field = Field::of("scope", Type::Scopes, "Scopes its tokens get; the agent default if absent.");
pub(crate) const SOUL: Field = Field::text("soul_md", TEXT_BYTES, "Who it is, in Markdown; at most 64 KiB.");
pub(crate) const AGENT_MD: Field = Field::text("agent_md", TEXT_BYTES, "What it does, in Markdown; at most 64 KiB.");
pub(crate) const PERSONA: Field = Field::text("source_persona_id", 64, "Where the persona came from.");

pub(crate) const MEMORY_PLUGIN: Field = Field::unbounded("memory_plugin", "taosmd or none.").required();
pub(crate) const MOUNT_SOURCE: Field =
    Field::text("source", 1024, "Folder on the host, below one of mount_roots.").required();
pub(crate) const MOUNT_TARGET: Field = Field::text("target", 1024, "Where the container sees it.").required();

/// What an export holds and an import takes.
pub(crate) const SETTINGS: &[Field] = &[
    Field::unbounded("name", "The slug.")
        .told(r#"{"maxLength": 52, "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}"#)
        .required(),
    Field::text("display_name", 64, "Name for people.").visible(),
    HOST,
    QMD_INDEX,
    COLOR,
    EMOJI,
    MEMORY,
    FRAMEWORK,
    MODEL,
    Field::texts("fallback_models", 8, 128, "Models to fall back to."),
    Field::text("target_worker", 255, "Worker it is pinned to."),
    Field::word("on_worker_failure", OnWorkerFailure::SLUGS, "What to do when that fails."),
    SOUL,
    AGENT_MD,
    PERSONA,
    Field::word("memory_plugin", MemoryPlugin::SLUGS, "Memory plugin."),
    SCOPE,
];

pub(crate) const EMPTY_LISTS: [Field; 2] = [
    Field::of("channels", Type::EmptyList, "Kept for other versions; empty."),
    Field::of("groups", Type::EmptyList, "Kept for other versions; empty."),
];

pub(crate) const ARCHIVED: &[Field] = &[
    Field::unbounded("id", "The agent's id.").required(),
    Field::unbounded("archived_slug", "The slug it had.").required(),
    Field::unbounded("display_name", "Name for people.").required(),
    Field::unbounded("archived_at", "When it was archived.").required(),
    Field::unbounded("snapshot_name", "Its container's snapshot.").required().nullable(),
    Field::unbounded("container", "Its container's name.").required().nullable(),
    Field::unbounded("owner", "Its owner's username.").required(),
];

pub(crate) const fn id(name: &'static str, about: &'static str) -> Field {
    Field::unbounded(name, about).required()
}

pub(crate) const STATUS: Field = id("status", "What was done.");
pub(crate) const AGENT_ID: Field = id("id", "The agent's id.");
pub(crate) const SLUG: Field = id("name", "The agent's slug.");
pub(crate) const DISPLAY: Field = id("display_name", "Name for people.");
pub(crate) const REVISION: Field = Field::integer("revision", 1, i64::MAX, "The record's revision.").required();
