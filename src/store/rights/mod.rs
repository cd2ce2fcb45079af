//! The rights that a database gives, and the lesser of two states of them: a restore must not bring back rights that
//! were taken (DESIGN D22). `restore` handles the credentials that have ended since.

use rows::{
    AgentRights, ChannelRights, ClientRights, CredentialRights, GrantRights, RequestRights, SourceRights, SpaceRights,
    UserRights,
};
pub use rows::{Rights, TakenRight};
use rusqlite::Connection;

use self::lesser::Lesser;

use super::{Result, audit_head};
use crate::time::Micros;

mod common;
mod lesser;
mod rows;

/// Every table of `schema.sql`, and how a restore treats its rows. A test compares the two: add a new table here.
#[cfg(test)]
const TABLES: &[(&str, &str)] = &[
    ("meta", "facts, no rights; the signing epoch changes with every restore"),
    ("users", "lesser"),
    ("spaces", "lesser"),
    ("agents", "lesser"),
    ("agent_names", "their index"),
    ("agent_parts", "their index"),
    ("agent_profiles", "lesser"),
    ("agent_news", "numbers"),
    ("credentials", "lesser"),
    ("grants", "lesser"),
    ("registrations", "an address, looked at by the rule at every request"),
    ("deployments", "records"),
    ("deployment_history", "records"),
    ("operations", "what is open is ended by the next start"),
    ("idempotency", "replies for those who asked"),
    ("audit", "what happened"),
    ("audit_spans", "its index"),
    ("notifications", "texts"),
    ("notification_counts", "numbers"),
    ("notification_senders", "numbers"),
    ("webhook_outbox", "texts on their way"),
    ("knowledge_items", "texts"),
    ("knowledge_words", "their index"),
    ("knowledge_categories", "their index"),
    ("knowledge_sources", "whose they are: as it is now"),
    ("workspace_usage", "numbers"),
    ("agent_allowances", "numbers of one day"),
    ("context", "values"),
    ("upload_contents", "files"),
    ("upload_chunks", "files"),
    ("uploads", "files"),
    ("tasks", "records; a lease that has ended since ends by its time"),
    ("task_dependencies", "records"),
    ("task_history", "records"),
    ("messages", "texts; who may read them is said by the spaces' memberships in grants"),
    ("message_words", "their index"),
    ("message_counts", "numbers"),
    ("message_readers", "what was read"),
    ("message_read_bits", "what was read"),
    ("message_receipts", "what was read"),
    ("message_reactions", "records"),
    ("message_client_ids", "records"),
    ("oauth_grants", "all of them end"),
    ("oauth_clients", "lesser"),
    ("requests", "lesser: what they give"),
    ("changes", "numbers"),
    ("tripwires", "decoys, which give no right"),
    ("joins", "an approved one whose key was not fetched is fetched no more"),
    ("channels", "lesser: on the same box their secrets can still be opened"),
    ("channel_outbox", "texts on their way"),
];

impl Rights {
    /// Reads all rights of a database.
    ///
    /// # Errors
    /// Any `StoreError`.
    pub fn read(conn: &Connection) -> Result<Self> {
        let live = format!(
            "{} WHERE c.state = 'active' OR c.state = 'grace' OR c.state = 'pending_enrollment'",
            CredentialRights::SELECT
        );
        let open = format!(
            "{} WHERE r.state = 'pending' OR (r.state = 'approved' AND r.kind <> 'confirm')",
            RequestRights::SELECT
        );
        Ok(Self {
            users: all(conn, UserRights::SELECT, UserRights::read)?,
            spaces: all(conn, SpaceRights::SELECT, SpaceRights::read)?,
            agents: all(conn, AgentRights::SELECT, AgentRights::read)?,
            credentials: all(conn, &live, CredentialRights::read)?,
            grants: all(conn, GrantRights::SELECT, GrantRights::read)?,
            requests: all(conn, &open, RequestRights::read)?,
            sources: all(conn, SourceRights::SELECT, SourceRights::read)?,
            clients: all(conn, ClientRights::SELECT, ClientRights::read)?,
            channels: all(conn, &format!("{} WHERE h.configured = 0", ChannelRights::SELECT), ChannelRights::read)?,
            descends: true,
        })
    }

    /// Reads the rights of a database, and whether its state can have come from that of `backup`.
    ///
    /// # Errors
    /// Any `StoreError`.
    pub fn since(conn: &Connection, backup: &Connection) -> Result<Self> {
        let descends = match audit_head::head(backup)? {
            Some(head) => audit_head::descends(conn, &head)?,
            None => true,
        };
        Ok(Self { descends, ..Self::read(conn)? })
    }

    /// True if the user, agent or space exists or was removed. One that was never here has lost nothing.
    fn knows(&self, whom: &str) -> bool {
        let id = whom.split_once(' ').map_or(whom, |(_, id)| id);
        self.descends
            || id == "*"
            || self.users.iter().any(|user| user.id == id)
            || self.agents.iter().any(|agent| agent.id == id)
            || self.spaces.iter().any(|space| space.id == id)
    }
}

fn all<T>(conn: &Connection, sql: &str, read: fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>> {
    let mut statement = conn.prepare(sql)?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Removes from `conn`, a backup, every right that `now` does not give. Returns the rights that were taken.
///
/// # Errors
/// Any `StoreError`.
pub fn take(conn: &Connection, now: &Rights, at: Micros) -> Result<Vec<TakenRight>> {
    let backup = Rights::read(conn)?;
    let mut lesser = Lesser { conn, now, backup: &backup, at, taken: Vec::new() };
    lesser.users()?;
    let enabled_again = lesser.last_admin()?;
    lesser.spaces()?;
    lesser.agents()?;
    lesser.credentials()?;
    if let Some(user_id) = enabled_again {
        lesser.credentials_of(&user_id)?;
    }
    lesser.requests()?;
    lesser.grants()?;
    lesser.sources()?;
    lesser.clients()?;
    lesser.channels()?;
    Ok(lesser.taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_looked_at() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(crate::store::migrate::SCHEMA).unwrap();
        let sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')
            AND name NOT LIKE 'sqlite_%'";
        let found = all(&conn, sql, |row| row.get::<_, String>(0)).unwrap();
        for table in &found {
            assert!(TABLES.iter().any(|(name, _)| name == table), "say in TABLES what a restore does about {table}");
        }
        assert_eq!(found.len(), TABLES.len());
    }
}
