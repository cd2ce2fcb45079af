//! An agent's record in replies: built field by field, the same in every route.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::fields::{IDLE_STOP_SET, SLEEPING, WAKE_SET};
use crate::containers::NodeName;
use crate::jobs::operations::nodes::Nodes;
use crate::rest::field::{Field, Type};
use crate::store::agents::{AgentStatus, LiveAgent, MemoryPlugin, OnWorkerFailure, TokenDelivery, Wake};
use crate::time::Micros;

/// The states of a record: those of an agent, and [`AWAY`].
const STATES: [&str; AgentStatus::SLUGS.len() + 1] = {
    let mut states = [AWAY; AgentStatus::SLUGS.len() + 1];
    let mut at = 0;
    while at < AgentStatus::SLUGS.len() {
        states[at] = AgentStatus::SLUGS[at];
        at += 1;
    }
    states
};
/// The state of an agent whose node does not answer.
const AWAY: &str = "away";

/// The record's fields.
pub const FIELDS: &[Field] = &[
    Field::shown("id", "The id; it is never reused."),
    Field::shown("name", "The slug, used in paths."),
    Field::shown("display_name", "The display name."),
    Field::shown("host", "The host that the agent runs on, as free text."),
    Field::shown("qmd_index", "The index that the agent reads, as free text."),
    Field::shown("color", "The colour in user interfaces, #rrggbb."),
    Field::shown("emoji", "The emoji in user interfaces.").nullable(),
    Field::flag("can_read_user_memory", "Whether the agent may read its user's memory.").required(),
    Field::shown("framework", "The agent framework."),
    Field::shown("model", "The model that the agent uses.").nullable(),
    Field::unbounded_texts("fallback_models", "The models to try if the first one is not available.").required(),
    Field::shown("target_worker", "The node that the agent was deployed on, or the worker that it is pinned to.")
        .nullable(),
    Field::shown("on_worker_failure", "What to do if that worker fails."),
    Field::shown("soul_md", "The agent's character, in Markdown."),
    Field::shown("agent_md", "The agent's instructions, in Markdown."),
    Field::shown("source_persona_id", "The id of the persona that the texts come from.").nullable(),
    Field::shown("memory_plugin", "The memory plugin."),
    Field::word(
        "status",
        &STATES,
        "The state of the agent; registered means without a container, away that the node of its container does not \
            answer.",
    )
    .required(),
    Field::flag("paused", "True if the owner paused the agent.").required(),
    WAKE_SET,
    IDLE_STOP_SET,
    SLEEPING,
    Field::of(
        "container",
        Type::Object(&[
            Field::shown("name", "The name of the container."),
            Field::shown("runtime", "The container runtime."),
            Field::shown("node", "The node that it is on; null on this box.").nullable(),
        ]),
        "Its container.",
    )
    .required()
    .nullable(),
    Field::shown("owner", "The owner's username."),
    Field::unbounded_texts("scope", "The scopes of the agent's tokens.").required(),
    Field::flag("has_token", "True if the agent has a valid token.").required(),
    Field::shown("issued_at", "When the token was issued.").nullable(),
    Field::shown("expires_at", "When the token expires.").nullable(),
    Field::shown("last_used_at", "When the token was last used, to the minute.").nullable(),
    Field::shown("token_delivery", "The outcome of the last delivery of a token into the container.").nullable(),
    Field::shown("token_delivery_at", "When that delivery ended.").nullable(),
    Field::shown("token_delivery_error", "Why the delivery failed.").nullable(),
    Field::integer("revision", 1, i64::MAX, "The revision of the record. It grows by one with every change.")
        .required(),
    Field::shown("created_at", "When the agent was created."),
    Field::shown("updated_at", "When the agent was last changed."),
    Field::flag("frozen", "True if the agent is frozen: its credentials do not work, and its container is frozen.")
        .required(),
    Field::shown("frozen_at", "When the agent was frozen.").nullable(),
    Field::shown("frozen_by", "Who froze the agent.").nullable(),
    Field::shown("frozen_reason", "Why the agent was frozen.").nullable(),
];

/// Parses a stored JSON array; empty if that fails.
pub fn list(stored: &str) -> Value {
    serde_json::from_str(stored).unwrap_or_else(|_| json!([]))
}

/// A stored JSON array, written to a reply as it is; empty if it cannot be parsed.
struct StoredJson<'a>(&'a str);

impl Serialize for StoredJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(self.0) {
            Ok(stored) => stored.serialize(serializer),
            Err(_) => serializer.collect_seq(std::iter::empty::<()>()),
        }
    }
}

/// The container in an agent's record.
#[derive(Serialize)]
struct ContainerRecord<'a> {
    name: &'a str,
    runtime: Option<&'a str>,
    node: Option<&'a str>,
}

/// An agent's record for a reply. It borrows the texts of the row and does not copy them.
#[derive(Serialize)]
pub struct AgentRecord<'a> {
    id: &'a str,
    name: &'a str,
    display_name: &'a str,
    host: &'a str,
    qmd_index: &'a str,
    color: &'a str,
    emoji: Option<&'a str>,
    can_read_user_memory: bool,
    framework: &'a str,
    model: Option<&'a str>,
    fallback_models: StoredJson<'a>,
    target_worker: Option<&'a str>,
    on_worker_failure: OnWorkerFailure,
    soul_md: &'a str,
    agent_md: &'a str,
    source_persona_id: Option<&'a str>,
    memory_plugin: MemoryPlugin,
    status: &'static str,
    paused: bool,
    wake: Wake,
    idle_stop_minutes: i64,
    sleeping: bool,
    container: Option<ContainerRecord<'a>>,
    owner: &'a str,
    scope: StoredJson<'a>,
    has_token: bool,
    issued_at: Option<String>,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    token_delivery: Option<TokenDelivery>,
    token_delivery_at: Option<String>,
    token_delivery_error: Option<&'a str>,
    revision: i64,
    created_at: String,
    updated_at: String,
    frozen: bool,
    frozen_at: Option<String>,
    frozen_by: Option<&'a str>,
    frozen_reason: Option<&'a str>,
}

impl AgentRecord<'_> {
    /// Returns the record with the state `away` if the agent's container is on a node that did not answer when it was
    /// last asked.
    #[must_use]
    pub fn seen_over(self, nodes: &Nodes) -> Self {
        let on =
            self.container.as_ref().and_then(|container| container.node).and_then(|node| NodeName::parse(node).ok());
        let status = if on.is_some_and(|node| nodes.is_away(&node)) { AWAY } else { self.status };
        Self { status, ..self }
    }

    /// Returns true if [`Self::seen_over`] found the node away.
    pub fn is_away(&self) -> bool {
        self.status == AWAY
    }
}

/// Returns the record of a live agent.
pub fn show(live: &LiveAgent) -> AgentRecord<'_> {
    let a = &live.agent;
    let container = a.container_name.as_deref().map(|stored| {
        let (node, name) = stored.split_once(':').map_or((None, stored), |(node, name)| (Some(node), name));
        ContainerRecord { name, runtime: a.container_runtime.as_deref(), node }
    });
    AgentRecord {
        id: &a.id,
        name: &a.slug,
        display_name: &a.display_name,
        host: &a.host,
        qmd_index: &a.qmd_index,
        color: &a.color,
        emoji: a.emoji.as_deref(),
        can_read_user_memory: a.can_read_user_memory,
        framework: &a.framework,
        model: a.model.as_deref(),
        fallback_models: StoredJson(&a.fallback_models),
        target_worker: a.target_worker.as_deref(),
        on_worker_failure: a.on_worker_failure,
        soul_md: &a.soul_md,
        agent_md: &a.agent_md,
        source_persona_id: a.source_persona_id.as_deref(),
        memory_plugin: a.memory_plugin,
        status: a.status.slug(),
        paused: a.paused,
        wake: a.wake,
        idle_stop_minutes: a.idle_stop_minutes,
        sleeping: a.sleeps(),
        container,
        owner: &a.owner,
        scope: StoredJson(&a.scope),
        has_token: live.issued_at.is_some() && live.expires_at.is_none_or(|at| at > Micros::now()),
        issued_at: live.issued_at.map(Micros::millis),
        expires_at: live.expires_at.map(Micros::millis),
        last_used_at: live.last_used_at.map(Micros::millis),
        token_delivery: a.token_delivery,
        token_delivery_at: a.token_delivery_at.map(Micros::millis),
        token_delivery_error: a.token_delivery_error.as_deref(),
        revision: a.revision,
        created_at: a.created_at.millis(),
        updated_at: a.updated_at.millis(),
        frozen: a.is_frozen(),
        frozen_at: a.frozen_at.map(Micros::millis),
        frozen_by: a.frozen_by.as_deref(),
        frozen_reason: a.frozen_reason.as_deref(),
    }
}
