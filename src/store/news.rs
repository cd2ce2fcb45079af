//! What there is for agents in containers to hear of: how much so far, and what waits for one that does not listen. The
//! note is part of the transaction that makes the news, so that no crash loses a wake.

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use super::agents::{AgentStatus, Wake};
use super::row::record;
use crate::time::Micros;

const NOTE: &str = "INSERT INTO agent_news (agent_id, count, waits_since)
    SELECT a.id, 1, CASE WHEN ?2 OR a.wake = 'none' THEN NULL ELSE ?3 END FROM agents a
    WHERE a.id = ?1 AND a.archived_at IS NULL AND a.container_name IS NOT NULL
    ON CONFLICT (agent_id) DO UPDATE SET count = count + 1, waits_since = coalesce(waits_since, excluded.waits_since)";
const COUNT: &str = "SELECT count FROM agent_news WHERE agent_id = ?1";
const WAITS: &str = "SELECT EXISTS (SELECT 1 FROM agent_news WHERE agent_id = ?1 AND waits_since IS NOT NULL)";
const SETTLE: &str = "UPDATE agent_news SET waits_since = NULL WHERE agent_id = ?1 AND waits_since IS NOT NULL";
const WOKEN: &str = "UPDATE agent_news SET woken = ?2, told = 0 WHERE agent_id = ?1";
const TELL: &str = "UPDATE agent_news SET told = 1 WHERE agent_id = ?1 AND told = 0";
const HOLDS: &str = "SELECT EXISTS (SELECT 1 FROM tasks WHERE holder = 'agent:' || ?1)";

record! {
    /// An agent for which something waits.
    pub struct WaitingAgent from "agent_news n JOIN agents a ON a.id = n.agent_id" {
        /// The agent's id.
        pub agent_id: String = "a.id",
        /// Its slug.
        pub slug: String = "a.slug",
        /// Its owner.
        pub owner_user_id: String = "a.owner_user_id",
        /// How news wakes it.
        pub wake: Wake = "a.wake",
        /// Where it stands.
        pub status: AgentStatus = "a.status",
        /// Whether somebody holds it.
        pub paused: bool = "(a.paused OR a.frozen_at IS NOT NULL)",
        /// Since when the daemon has it sleep.
        pub asleep_at: Option<Micros> = "a.asleep_at",
        /// Since when something waits.
        pub since: Micros = "n.waits_since",
        /// When it was woken within the last hour, as a JSON array of microseconds.
        pub woken: String = "n.woken",
        /// Whether its owner was told that it may not be woken.
        pub told: bool = "n.told",
    }
}

record! {
    /// An agent that is put to sleep when it is idle.
    pub struct Dozer from "agents a" {
        /// The agent's id.
        pub agent_id: String = "a.id",
        /// Its slug.
        pub slug: String = "a.slug",
        /// After how many minutes.
        pub minutes: i64 = "a.idle_stop_minutes",
        /// Whether it is frozen: then it stands still already.
        pub frozen: bool = "a.frozen_at IS NOT NULL",
    }
}

/// Notes that there is news for an agent; `heard`: something of it is listening. False if it has no container.
///
/// # Errors
/// The store's.
pub fn note(conn: &Connection, agent_id: &str, heard: bool, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(NOTE)?.execute(params![agent_id, heard, now])? > 0)
}

/// How much news there was for an agent so far.
///
/// # Errors
/// The store's.
pub fn count(conn: &Connection, agent_id: &str) -> Result<i64> {
    Ok(conn.prepare_cached(COUNT)?.query_row([agent_id], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// The agents for which something waits, the longest first, up to `limit`, behind this time and agent: those that may not
/// be woken hide nobody.
///
/// # Errors
/// The store's.
pub fn waiting(conn: &Connection, after: (Micros, &str), limit: u64) -> Result<Vec<WaitingAgent>> {
    WaitingAgent::all(
        conn,
        "WHERE n.waits_since IS NOT NULL AND (n.waits_since, n.agent_id) > (?1, ?2) AND a.archived_at IS NULL
            ORDER BY n.waits_since, n.agent_id LIMIT ?3",
        params![after.0, after.1, limit],
    )
}

/// True if something waits for this agent.
///
/// # Errors
/// The store's.
pub fn waits(conn: &Connection, agent_id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(WAITS)?.query_row([agent_id], |row| row.get(0))?)
}

/// Notes that nothing waits for an agent any more: it listens, or its container runs.
///
/// # Errors
/// The store's.
pub fn settle(conn: &Connection, agent_id: &str) -> Result<()> {
    conn.prepare_cached(SETTLE)?.execute([agent_id])?;
    Ok(())
}

/// Keeps when an agent was woken, as a JSON array.
///
/// # Errors
/// The store's.
pub fn set_woken(conn: &Connection, agent_id: &str, woken: &str) -> Result<()> {
    conn.prepare_cached(WOKEN)?.execute(params![agent_id, woken])?;
    Ok(())
}

/// Notes that an agent's owner is told; false if he was already.
///
/// # Errors
/// The store's.
pub fn set_told(conn: &Connection, agent_id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(TELL)?.execute([agent_id])? > 0)
}

/// Up to `limit` agents after this id whose containers run and that are put to sleep when they are idle.
///
/// # Errors
/// The store's.
// The plus: the index of those that doze is smaller than that of those that run.
pub fn dozers(conn: &Connection, after: &str, limit: u64) -> Result<Vec<Dozer>> {
    Dozer::all(
        conn,
        "WHERE a.idle_stop_minutes > 0 AND a.archived_at IS NULL AND a.id > ?1 AND +a.status = 'running'
            AND a.paused = 0 AND a.asleep_at IS NULL AND a.container_name IS NOT NULL ORDER BY a.id LIMIT ?2",
        params![after, limit],
    )
}

/// True if an agent holds the lease of a task.
///
/// # Errors
/// The store's.
pub fn holds_a_lease(conn: &Connection, agent_id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(HOLDS)?.query_row([agent_id], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plans;

    const AGENT: &str = "INSERT INTO agents (id, slug, display_name, origin, owner_user_id, owner_space_id, space_id,
            created_by, status, scope, created_at, updated_at, wake, container_name, container_runtime)
        VALUES ('a', 'a', 'a', 'cloud', 'u', 's', 's', 'user:ann', 'stopped', '[]', 0, 0, 'start', 'c', 'lxd')";

    /// Everything that is done with news, once.
    fn everything(conn: &Connection) {
        conn.execute_batch(AGENT).unwrap();
        assert!(!note(conn, "nobody", false, Micros(1)).unwrap());
        assert!(note(conn, "a", true, Micros(1)).unwrap() && !waits(conn, "a").unwrap());
        note(conn, "a", false, Micros(2)).unwrap();
        note(conn, "a", false, Micros(3)).unwrap();
        let from_the_first = (Micros(i64::MIN), "");
        let all = waiting(conn, from_the_first, 10).unwrap();
        assert_eq!((all.len(), all[0].since, count(conn, "a").unwrap()), (1, Micros(2), 3));
        assert!(waiting(conn, (Micros(2), "a"), 10).unwrap().is_empty(), "behind the last is none");
        assert!(!all[0].paused);
        conn.execute_batch("UPDATE agents SET frozen_at = 4, frozen_by = 'user:u', frozen_reason = '' WHERE id = 'a'")
            .unwrap();
        assert!(waiting(conn, from_the_first, 10).unwrap()[0].paused, "one that is frozen is not to be woken");
        conn.execute_batch("UPDATE agents SET frozen_at = NULL, frozen_by = NULL, frozen_reason = NULL WHERE id = 'a'")
            .unwrap();
        assert!(set_told(conn, "a").unwrap() && !set_told(conn, "a").unwrap());
        set_woken(conn, "a", "[1]").unwrap();
        settle(conn, "a").unwrap();
        assert!(waiting(conn, from_the_first, 10).unwrap().is_empty() && dozers(conn, "", 10).unwrap().is_empty());
        assert!(!holds_a_lease(conn, "a").unwrap());
    }

    #[test]
    fn news_waits_for_one_that_does_not_listen_and_no_statement_walks_through_a_table() {
        for (sql, lines) in plans::of(everything) {
            assert_eq!(plans::fault(&sql, &lines), None);
        }
    }
}
