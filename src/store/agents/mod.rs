//! The registry of agents: rows, finding them, changing them.

mod change;
mod find;

use rusqlite::Row;

pub use change::{
    Delivery, archive, forget, insert, place, purge, rename, restore, set_container, set_delivery, set_snapshot,
    set_status, touch, update,
};
pub use find::{
    AgentFilter, ArchivedAgent, LiveAgent, Named, Seen, archived, by_id, by_name, count_of_owner, list, list_archived,
    name_is_taken, named, resolve, with_containers, without_containers,
};

use crate::time::Micros;

/// An agent as stored, archived or live.
#[derive(Debug, Clone)]
pub struct Agent {
    /// The id, never used twice.
    pub id: String,
    /// The name in paths; unique among live agents.
    pub slug: String,
    /// The name another dialect gave it.
    pub given_name: Option<String>,
    /// The name for people.
    pub display_name: String,
    /// Where it comes from; filled from the caller.
    pub origin: String,
    /// The user who owns it.
    pub owner_user_id: String,
    /// That user's name.
    pub owner: String,
    /// The space of its owner.
    pub owner_space_id: String,
    /// The space it lives in.
    pub space_id: String,
    /// Who made it: `user:NAME` or `agent:ID`.
    pub created_by: String,
    /// Free text for the owner.
    pub host: String,
    /// Free text for the owner.
    pub qmd_index: String,
    /// `#rrggbb`.
    pub color: String,
    /// A picture for people.
    pub emoji: Option<String>,
    /// Whether it may read its user's memory.
    pub can_read_user_memory: bool,
    /// What runs it.
    pub framework: String,
    /// Which model it uses.
    pub model: Option<String>,
    /// Other models, as a JSON array.
    pub fallback_models: String,
    /// The worker it is pinned to.
    pub target_worker: Option<String>,
    /// `pause`, `fallback` or `escalate-immediately`.
    pub on_worker_failure: String,
    /// Who it is, in Markdown.
    pub soul_md: String,
    /// What it does, in Markdown.
    pub agent_md: String,
    /// Where the persona came from.
    pub source_persona_id: Option<String>,
    /// `taosmd` or `none`.
    pub memory_plugin: String,
    /// `registered`, `deploying`, `running`, `stopped` or `failed`.
    pub status: String,
    /// Whether its owner paused it.
    pub paused: bool,
    /// The container's name, as chosen when it was made.
    pub container_name: Option<String>,
    /// The runtime that holds the container.
    pub container_runtime: Option<String>,
    /// The scopes its tokens get, as a JSON array.
    pub scope: String,
    /// What became of the last delivery.
    pub token_delivery: Option<String>,
    /// When.
    pub token_delivery_at: Option<Micros>,
    /// Why it failed.
    pub token_delivery_error: Option<String>,
    /// The run of the container whose processes still have the environment from before.
    pub token_delivery_boot: Option<String>,
    /// Grows by one with every change.
    pub revision: i64,
    /// When it was made.
    pub created_at: Micros,
    /// When it was last changed.
    pub updated_at: Micros,
    /// When it was archived.
    pub archived_at: Option<Micros>,
    /// The container's snapshot made at archiving.
    pub snapshot_name: Option<String>,
}

impl Agent {
    /// A new agent with every field at its default.
    pub fn new(id: String, slug: String, display_name: String, owner: Ownership, scope: String, now: Micros) -> Self {
        Self {
            id,
            slug,
            given_name: None,
            display_name,
            origin: owner.origin.to_owned(),
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
            on_worker_failure: "pause".into(),
            soul_md: String::new(),
            agent_md: String::new(),
            source_persona_id: None,
            memory_plugin: "none".into(),
            status: "registered".into(),
            paused: false,
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
        }
    }
}

/// To whom a new agent belongs; always filled from the caller.
#[derive(Debug, Clone)]
pub struct Ownership {
    /// The owner's id.
    pub user_id: String,
    /// The owner's name.
    pub username: String,
    /// The owner's default space.
    pub space_id: String,
    /// Which way it came.
    pub origin: &'static str,
    /// Who made it: `user:NAME` or `agent:ID`.
    pub created_by: String,
}

/// The columns that [`read`] takes, in its order; `a` is the agent, `o` its owner.
const COLUMNS: &str = "a.id, a.slug, a.given_name, a.display_name, a.origin, a.owner_user_id, o.username,
    a.owner_space_id, a.space_id, a.created_by, a.host, a.qmd_index, a.color, a.emoji, a.can_read_user_memory,
    a.framework, a.model, a.fallback_models, a.target_worker, a.on_worker_failure, a.soul_md, a.agent_md,
    a.source_persona_id, a.memory_plugin, a.status, a.paused, a.container_name, a.container_runtime, a.scope,
    a.token_delivery, a.token_delivery_at, a.token_delivery_error, a.revision, a.created_at, a.updated_at,
    a.archived_at, a.snapshot_name, a.token_delivery_boot";
/// How many columns those are: what a query adds starts here.
const WIDTH: usize = 38;

fn read(row: &Row<'_>) -> rusqlite::Result<Agent> {
    Ok(Agent {
        id: row.get(0)?,
        slug: row.get(1)?,
        given_name: row.get(2)?,
        display_name: row.get(3)?,
        origin: row.get(4)?,
        owner_user_id: row.get(5)?,
        owner: row.get(6)?,
        owner_space_id: row.get(7)?,
        space_id: row.get(8)?,
        created_by: row.get(9)?,
        host: row.get(10)?,
        qmd_index: row.get(11)?,
        color: row.get(12)?,
        emoji: row.get(13)?,
        can_read_user_memory: row.get(14)?,
        framework: row.get(15)?,
        model: row.get(16)?,
        fallback_models: row.get(17)?,
        target_worker: row.get(18)?,
        on_worker_failure: row.get(19)?,
        soul_md: row.get(20)?,
        agent_md: row.get(21)?,
        source_persona_id: row.get(22)?,
        memory_plugin: row.get(23)?,
        status: row.get(24)?,
        paused: row.get(25)?,
        container_name: row.get(26)?,
        container_runtime: row.get(27)?,
        scope: row.get(28)?,
        token_delivery: row.get(29)?,
        token_delivery_at: row.get(30)?,
        token_delivery_error: row.get(31)?,
        revision: row.get(32)?,
        created_at: row.get(33)?,
        updated_at: row.get(34)?,
        archived_at: row.get(35)?,
        snapshot_name: row.get(36)?,
        token_delivery_boot: row.get(37)?,
    })
}
