//! The fields that several routes on agents take or reply with.

use crate::limits::{IDLE_STOP_MINUTES, TEXT_BYTES};
use crate::rest::field::{Field, Type};
use crate::store::agents::{MemoryPlugin, OnWorkerFailure, Wake};

pub(crate) const NAME: Field =
    Field::unbounded("name", "The display name, 1 to 64 characters. The daemon makes the slug from it.")
        .told(r#"{"maxLength": 64, "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*[A-Za-z0-9][^\\u0000-\\u001f\\u007f-\\u009f]*$"}"#);
pub(crate) const HOST: Field = Field::text("host", 255, "The host that the agent runs on, as free text.");
pub(crate) const QMD_INDEX: Field = Field::text("qmd_index", 255, "The index that the agent reads, as free text.");
pub(crate) const COLOR: Field = Field::text("color", 7, "The colour in user interfaces, #rrggbb; #888888 if absent.")
    .told(r#"{"pattern": "^#[0-9A-Fa-f]{6}$"}"#);
pub(crate) const EMOJI: Field = Field::text("emoji", 16, "The emoji in user interfaces. An empty text removes it.");
pub(crate) const MEMORY: Field =
    Field::flag("can_read_user_memory", "Whether the agent may read its user's memory; false if absent.");
pub(crate) const MODEL: Field = Field::text("model", 128, "The model that the agent uses.")
    .told(r#"{"pattern": "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$"}"#);
pub(crate) const FRAMEWORK: Field = Field::text("framework", 64, "The agent framework; none if absent.").not_empty();
pub(crate) const SCOPE: Field =
    Field::of("scope", Type::Scopes, "The scopes of the agent's tokens; the default for agents if absent.");
pub(crate) const SOUL: Field =
    Field::text("soul_md", TEXT_BYTES, "The agent's character, in Markdown; at most 64 KiB.");
pub(crate) const AGENT_MD: Field =
    Field::text("agent_md", TEXT_BYTES, "The agent's instructions, in Markdown; at most 64 KiB.");
pub(crate) const PERSONA: Field =
    Field::text("source_persona_id", 64, "The id of the persona that the texts come from.");

pub(crate) const IDLE_STOP: Field = Field::integer(
    "idle_stop_minutes",
    0,
    IDLE_STOP_MINUTES,
    "The idle minutes after which the agent sleeps; 0 means never.",
);
/// [`IDLE_STOP`] as records have it.
pub(crate) const IDLE_STOP_SET: Field = IDLE_STOP.required();
pub(crate) const WAKE_SET: Field =
    Field::word("wake", Wake::SLUGS, "What news does to the sleeping agent's container.").required();
pub(crate) const SLEEPING: Field =
    Field::flag("sleeping", "True if the container is stopped or frozen until there is news.").required();

pub(crate) const MEMORY_PLUGIN: Field =
    Field::unbounded("memory_plugin", "The memory plugin: taosmd or none.").required();
pub(crate) const MOUNT_SOURCE: Field =
    Field::text("source", 1024, "The folder on the host, below one of mount_roots.").required();
pub(crate) const MOUNT_TARGET: Field = Field::text("target", 1024, "The path in the container.").required();

pub(super) const TARGET_WORKER: Field = Field::text("target_worker", 255, "The worker that the agent is pinned to.");
pub(super) const FALLBACK_MODELS: Field =
    Field::texts("fallback_models", 8, 128, "The models to try if the first one is not available.");
pub(super) const ON_WORKER_FAILURE: Field =
    Field::word("on_worker_failure", OnWorkerFailure::SLUGS, "What to do if that worker fails.");
pub(super) const DISPLAY_NAME: Field = Field::text("display_name", 64, "The display name.").visible();
/// The settings that an export has and an import takes.
pub(crate) const SETTINGS: &[Field] = &[
    Field::unbounded("name", "The slug.")
        .told(r#"{"maxLength": 52, "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}"#)
        .required(),
    DISPLAY_NAME,
    HOST,
    QMD_INDEX,
    COLOR,
    EMOJI,
    MEMORY,
    FRAMEWORK,
    MODEL,
    FALLBACK_MODELS,
    TARGET_WORKER,
    ON_WORKER_FAILURE,
    SOUL,
    AGENT_MD,
    PERSONA,
    Field::word("memory_plugin", MemoryPlugin::SLUGS, "The memory plugin."),
    SCOPE,
];

pub(crate) const EMPTY_LISTS: [Field; 2] = [
    Field::of("channels", Type::EmptyList, "Reserved for other versions; empty."),
    Field::of("groups", Type::EmptyList, "Reserved for other versions; empty."),
];

pub(crate) const ARCHIVED: &[Field] = &[
    Field::unbounded("id", "The agent's id.").required(),
    Field::unbounded("archived_slug", "The slug before it was archived.").required(),
    Field::unbounded("display_name", "The display name.").required(),
    Field::unbounded("archived_at", "When the agent was archived.").required(),
    Field::unbounded("snapshot_name", "The snapshot of the agent's container.").required().nullable(),
    Field::unbounded("container", "The name of the agent's container.").required().nullable(),
    Field::unbounded("owner", "The owner's username.").required(),
];

pub(crate) const fn id(name: &'static str, about: &'static str) -> Field {
    Field::unbounded(name, about).required()
}

pub(crate) const STATUS: Field = id("status", "The action that was done.");
pub(crate) const AGENT_ID: Field = id("id", "The agent's id.");
pub(crate) const SLUG: Field = id("name", "The agent's slug.");
pub(crate) const DISPLAY: Field = id("display_name", "The display name.");
pub(crate) const REVISION: Field = Field::integer("revision", 1, i64::MAX, "The record's revision.").required();

pub(super) const Q: Field = Field::text("q", 64, "Only agents whose name contains this, in any case.");
pub(super) const VERSION: Field =
    Field::integer("version", i64::MIN, i64::MAX, "The export's version: 1.").told(r#"{"const": 1}"#).required();

pub(super) const AGENT: Field = Field::of("agent", Type::Object(SETTINGS), "The settings.").required();
