//! Profiles: the data that aX clients keep about an agent, beside the registry's own fields.

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;

const SELECT: &str = "SELECT description, bio, specialization, agent_type, avatar_url, system_prompt, active, pinned
    FROM agent_profiles WHERE agent_id = ?1";
const PUT: &str = "INSERT INTO agent_profiles
        (agent_id, description, bio, specialization, agent_type, avatar_url, system_prompt, active, pinned)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (agent_id) DO UPDATE SET description = excluded.description, bio = excluded.bio,
        specialization = excluded.specialization, agent_type = excluded.agent_type,
        avatar_url = excluded.avatar_url, system_prompt = excluded.system_prompt, active = excluded.active,
        pinned = excluded.pinned";

/// An agent's profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentProfile {
    /// The purpose of the agent, in words.
    pub description: String,
    /// A short text about it.
    pub bio: String,
    /// The work that it is good at.
    pub specialization: String,
    /// Its kind, as a free word.
    pub agent_type: String,
    /// The URL of its picture, which may be a data URL with a small image.
    pub avatar_url: Option<String>,
    /// Its system prompt.
    pub system_prompt: String,
    /// Whether it is set to active.
    pub active: bool,
    /// Whether it is kept at the top of its space.
    pub pinned: bool,
}

impl Default for AgentProfile {
    fn default() -> Self {
        Self {
            description: String::new(),
            bio: String::new(),
            specialization: String::new(),
            agent_type: "assistant".into(),
            avatar_url: None,
            system_prompt: String::new(),
            active: true,
            pinned: false,
        }
    }
}

/// Returns an agent's profile, or the defaults if it has none yet.
///
/// # Errors
/// Any `StoreError`.
pub fn of(conn: &Connection, agent_id: &str) -> Result<AgentProfile> {
    let found = conn.prepare_cached(SELECT)?.query_row([agent_id], |row| {
        Ok(AgentProfile {
            description: row.get(0)?,
            bio: row.get(1)?,
            specialization: row.get(2)?,
            agent_type: row.get(3)?,
            avatar_url: row.get(4)?,
            system_prompt: row.get(5)?,
            active: row.get(6)?,
            pinned: row.get(7)?,
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}

/// Stores an agent's profile.
///
/// # Errors
/// Any `StoreError`.
pub fn put(conn: &Connection, agent_id: &str, profile: &AgentProfile) -> Result<()> {
    conn.prepare_cached(PUT)?.execute(params![
        agent_id,
        profile.description,
        profile.bio,
        profile.specialization,
        profile.agent_type,
        profile.avatar_url,
        profile.system_prompt,
        profile.active,
        profile.pinned,
    ])?;
    Ok(())
}
