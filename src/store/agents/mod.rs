//! The registry of agents: their rows, and the statements that find and change them.

mod change;
mod find;
mod frozen;
mod names;
mod sets;
pub(super) mod visible;

pub use change::{
    Delivery, archive, forget, insert, place, purge, rename, restore, set_container, set_delivery, set_snapshot,
    set_status, set_wake, sleeps_since, touch, update,
};
pub use find::{
    AgentFilter, AgentName, AgentViewer, ArchivedAgent, LiveAgent, archived, by_id, by_name, container_is_taken,
    container_of, containers_on, count_of_owner, editable, gone_of, list, list_archived, name_is_taken, named,
    owner_of_resident, resolve, sleeps, slug_named, with_containers, without_containers,
};
pub use frozen::{Freezable, Freeze, freeze, is_frozen, next_freezable, settled, thaw};
pub(super) use names::index as index_names;
pub use sets::{AgentOrigin, AgentStatus, MemoryPlugin, OnWorkerFailure, TokenDelivery, Wake};

use super::row::record;
use crate::time::Micros;

record! {
    /// An agent as stored, archived or live.
    pub struct Agent from "agents a JOIN users o ON o.id = a.owner_user_id" {
        /// The id, never used twice.
        pub id: String = "a.id",
        /// The name in paths; unique among live agents.
        pub slug: String = "a.slug",
        /// The name that another dialect gave it.
        pub given_name: Option<String> = "a.given_name",
        /// The name for people.
        pub display_name: String = "a.display_name",
        /// The origin of the agent; taken from the caller.
        pub origin: AgentOrigin = "a.origin",
        /// The user who owns it.
        pub owner_user_id: String = "a.owner_user_id",
        /// The owner's username.
        pub owner: String = "o.username",
        /// The space of its owner.
        pub owner_space_id: String = "a.owner_space_id",
        /// The space it lives in.
        pub space_id: String = "a.space_id",
        /// Who made it: `user:NAME` or `agent:ID`.
        pub created_by: String = "a.created_by",
        /// The host that it runs on, as free text.
        pub host: String = "a.host",
        /// The index that it reads, as free text.
        pub qmd_index: String = "a.qmd_index",
        /// The colour in user interfaces, `#rrggbb`.
        pub color: String = "a.color",
        /// The emoji in user interfaces.
        pub emoji: Option<String> = "a.emoji",
        /// Whether it may read its user's memory.
        pub can_read_user_memory: bool = "a.can_read_user_memory",
        /// The agent framework.
        pub framework: String = "a.framework",
        /// The model that it uses.
        pub model: Option<String> = "a.model",
        /// The models to try if the first one is not available, as a JSON array.
        pub fallback_models: String = "a.fallback_models",
        /// The node that it was deployed on, or the worker that it is pinned to.
        pub target_worker: Option<String> = "a.target_worker",
        /// What to do if that worker fails.
        pub on_worker_failure: OnWorkerFailure = "a.on_worker_failure",
        /// The agent's character, in Markdown.
        pub soul_md: String = "a.soul_md",
        /// The agent's instructions, in Markdown.
        pub agent_md: String = "a.agent_md",
        /// The id of the persona that the texts come from.
        pub source_persona_id: Option<String> = "a.source_persona_id",
        /// The memory plugin.
        pub memory_plugin: MemoryPlugin = "a.memory_plugin",
        /// The status.
        pub status: AgentStatus = "a.status",
        /// Whether its owner paused it.
        pub paused: bool = "a.paused",
        /// How news wakes it.
        pub wake: Wake = "a.wake",
        /// The idle minutes after which it is put to sleep; 0 means never.
        pub idle_stop_minutes: i64 = "a.idle_stop_minutes",
        /// When the daemon put it to sleep; `None` if it did not.
        pub asleep_at: Option<Micros> = "a.asleep_at",
        /// The container's name, as chosen when it was made.
        pub container_name: Option<String> = "a.container_name",
        /// The runtime that holds the container.
        pub container_runtime: Option<String> = "a.container_runtime",
        /// The scopes its tokens get, as a JSON array.
        pub scope: String = "a.scope",
        /// The outcome of the last delivery of a token.
        pub token_delivery: Option<TokenDelivery> = "a.token_delivery",
        /// When that delivery ended.
        pub token_delivery_at: Option<Micros> = "a.token_delivery_at",
        /// Why that delivery failed.
        pub token_delivery_error: Option<String> = "a.token_delivery_error",
        /// The run of the container whose processes still have the old environment.
        pub token_delivery_boot: Option<String> = "a.token_delivery_boot",
        /// The revision, which grows by one with every change.
        pub revision: i64 = "a.revision",
        /// When it was made.
        pub created_at: Micros = "a.created_at",
        /// When it was last changed.
        pub updated_at: Micros = "a.updated_at",
        /// When it was archived.
        pub archived_at: Option<Micros> = "a.archived_at",
        /// The container's snapshot made at archiving.
        pub snapshot_name: Option<String> = "a.snapshot_name",
        /// When it was frozen; `None` if it is not.
        pub frozen_at: Option<Micros> = "a.frozen_at",
        /// Who froze it: `user:NAME`, `agent:SLUG` or `taosd`.
        pub frozen_by: Option<String> = "a.frozen_by",
        /// Why it was frozen.
        pub frozen_reason: Option<String> = "a.frozen_reason",
        /// Whether an admin froze it.
        pub frozen_by_admin: bool = "a.frozen_by_admin",
        /// Whether it was thawed but its container is not unfrozen yet.
        pub thawing: bool = "a.thawing",
    }
}

impl Agent {
    /// Returns true while the agent is frozen: none of its credentials works.
    pub fn is_frozen(&self) -> bool {
        self.frozen_at.is_some()
    }

    /// Returns true if nothing that decides about its status has changed since `other` was read. A freeze that was taken
    /// back leaves only its revisions; `asleep_at` and `thawing` change without one.
    pub fn is_in_state_of(&self, other: &Self) -> bool {
        let state = |of: &Self| (of.revision, of.asleep_at, of.thawing);
        state(self) == state(other)
    }

    /// Returns true if its container is stopped or asleep and news would wake it. A paused agent does not sleep:
    /// somebody holds it.
    pub fn sleeps(&self) -> bool {
        let rests = self.status == AgentStatus::Stopped || self.asleep_at.is_some();
        rests
            && !self.paused
            && !self.is_frozen()
            && self.wake != Wake::None
            && self.container_name.is_some()
            && self.archived_at.is_none()
    }

    /// Returns a new agent with all other fields at their defaults.
    pub fn new(id: String, slug: String, display_name: String, owner: Ownership, scope: String, now: Micros) -> Self {
        Self {
            id,
            slug,
            given_name: None,
            display_name,
            origin: owner.origin,
            owner_user_id: owner.user_id,
            owner: owner.username,
            owner_space_id: owner.space_id.clone(),
            space_id: owner.space_id,
            created_by: owner.created_by,
            host: String::new(),
            qmd_index: String::new(),
            color: "#888888".into(),
            emoji: None,
            can_read_user_memory: false,
            framework: "none".into(),
            model: None,
            fallback_models: "[]".into(),
            target_worker: None,
            on_worker_failure: OnWorkerFailure::Pause,
            soul_md: String::new(),
            agent_md: String::new(),
            source_persona_id: None,
            memory_plugin: MemoryPlugin::None,
            status: AgentStatus::Registered,
            paused: false,
            wake: Wake::None,
            idle_stop_minutes: 0,
            asleep_at: None,
            container_name: None,
            container_runtime: None,
            scope,
            token_delivery: None,
            token_delivery_at: None,
            token_delivery_error: None,
            token_delivery_boot: None,
            revision: 1,
            created_at: now,
            updated_at: now,
            archived_at: None,
            snapshot_name: None,
            frozen_at: None,
            frozen_by: None,
            frozen_reason: None,
            frozen_by_admin: false,
            thawing: false,
        }
    }
}

/// The owner and origin of a new agent; always taken from the caller.
#[derive(Debug, Clone)]
pub struct Ownership {
    /// The owner's id.
    pub user_id: String,
    /// The owner's name.
    pub username: String,
    /// The owner's default space.
    pub space_id: String,
    /// The origin of the agent.
    pub origin: AgentOrigin,
    /// Who made it: `user:NAME` or `agent:ID`.
    pub created_by: String,
}
