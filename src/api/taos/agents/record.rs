//! An agent's record on the wire: built field by field, the same in every route.

use serde_json::{Value, json};

use crate::rest::field::{Field, Type};
use crate::store::agents::{Agent, AgentStatus, LiveAgent};
use crate::time::Micros;

const fn text(name: &'static str, about: &'static str) -> Field {
    Field::unbounded(name, about).required()
}

/// The record's fields.
pub const FIELDS: &[Field] = &[
    text("id", "The id; never used twice."),
    text("name", "The slug, used in paths; it never changes."),
    text("display_name", "Name for people."),
    text("host", "Where it runs; free text."),
    text("qmd_index", "Which index it reads; free text."),
    text("color", "Colour for people: #rrggbb."),
    text("emoji", "Picture for people.").nullable(),
    Field::flag("can_read_user_memory", "Whether it may read its user's memory.").required(),
    text("framework", "What runs it."),
    text("model", "Model it uses.").nullable(),
    Field::texts("fallback_models", usize::MAX, usize::MAX, "Models to fall back to.").required(),
    text("target_worker", "Worker it is pinned to.").nullable(),
    text("on_worker_failure", "What to do when that fails."),
    text("soul_md", "Who it is, in Markdown."),
    text("agent_md", "What it does, in Markdown."),
    text("source_persona_id", "Where the persona came from.").nullable(),
    text("memory_plugin", "Memory plugin."),
    Field::word("status", AgentStatus::SLUGS, "Where it stands; registered means without a container.").required(),
    Field::flag("paused", "Whether its owner paused it.").required(),
    Field::of(
        "container",
        Type::Object(&[text("name", "Its name."), text("runtime", "The container runtime.")]),
        "Its container.",
    )
    .required()
    .nullable(),
    text("owner", "Its owner's username."),
    Field::texts("scope", usize::MAX, usize::MAX, "Scopes its tokens get.").required(),
    Field::flag("has_token", "Whether it has a valid token.").required(),
    text("issued_at", "When that was issued.").nullable(),
    text("expires_at", "When that expires.").nullable(),
    text("last_used_at", "When that was last used, to the minute.").nullable(),
    text("token_delivery", "What became of the last delivery.").nullable(),
    text("token_delivery_at", "When that was.").nullable(),
    text("token_delivery_error", "Why it failed.").nullable(),
    Field::integer("revision", 1, i64::MAX, "Grows by one with every change.").required(),
    text("created_at", "When it was made."),
    text("updated_at", "When it was last changed."),
];

/// A JSON array as stored; what cannot be read is empty.
pub fn list(stored: &str) -> Value {
    serde_json::from_str(stored).unwrap_or_else(|_| json!([]))
}

/// A time or null.
pub fn time(at: Option<Micros>) -> Value {
    at.map_or(Value::Null, |at| Value::from(at.millis()))
}

/// The record.
pub fn show(live: &LiveAgent) -> Value {
    let Agent { container_name, container_runtime, .. } = &live.agent;
    let a = &live.agent;
    let has_token = live.issued_at.is_some() && live.expires_at.is_none_or(|at| at > Micros::now());
    json!({
        "id": a.id,
        "name": a.slug,
        "display_name": a.display_name,
        "host": a.host,
        "qmd_index": a.qmd_index,
        "color": a.color,
        "emoji": a.emoji,
        "can_read_user_memory": a.can_read_user_memory,
        "framework": a.framework,
        "model": a.model,
        "fallback_models": list(&a.fallback_models),
        "target_worker": a.target_worker,
        "on_worker_failure": a.on_worker_failure,
        "soul_md": a.soul_md,
        "agent_md": a.agent_md,
        "source_persona_id": a.source_persona_id,
        "memory_plugin": a.memory_plugin,
        "status": a.status,
        "paused": a.paused,
        "container": container_name.as_ref().map(|name| json!({"name": name, "runtime": container_runtime})),
        "owner": a.owner,
        "scope": list(&a.scope),
        "has_token": has_token,
        "issued_at": time(live.issued_at),
        "expires_at": time(live.expires_at),
        "last_used_at": time(live.last_used_at),
        "token_delivery": a.token_delivery,
        "token_delivery_at": time(a.token_delivery_at),
        "token_delivery_error": a.token_delivery_error,
        "revision": a.revision,
        "created_at": a.created_at.millis(),
        "updated_at": a.updated_at.millis(),
    })
}
