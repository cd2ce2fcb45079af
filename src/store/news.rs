//! News for agents in containers: how much there was so far, and since when some waits for an agent that does not
//! listen. It is noted in the transaction that makes the news, so that no crash loses a wake.

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
const UNWAKE: &str = "UPDATE agent_news SET woken = json_remove(woken, '$[#-1]') WHERE agent_id = ?1";
const TELL: &str = "UPDATE agent_news SET told = 1 WHERE agent_id = ?1 AND told = 0";
const HOLDS: &str = "SELECT EXISTS (SELECT 1 FROM tasks WHERE holder = 'agent:' || ?1)";

record! {
    /// An agent for which news waits.
    pub struct WaitingAgent from "agent_news n JOIN agents a ON a.id = n.agent_id" {
        /// The agent's id.
        pub agent_id: String = "a.id",
        /// Its slug.
        pub slug: String = "a.slug",
        /// The id of its owner.
        pub owner_user_id: String = "a.owner_user_id",
        /// How news wakes it.
        pub wake: Wake = "a.wake",
        /// Its status.
        pub status: AgentStatus = "a.status",
        /// Whether it is paused or frozen.
        pub paused: bool = "(a.paused OR a.frozen_at IS NOT NULL)",
        /// When the daemon put it to sleep; `None` if it is not asleep.
        pub asleep_at: Option<Micros> = "a.asleep_at",
        /// Since when news waits.
        pub since: Micros = "n.waits_since",
        /// The times of its wakes within the last hour, as a JSON array of microseconds.
        pub woken: String = "n.woken",
        /// Whether its owner was notified that it is not woken again for now.
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
        /// The idle minutes after which it is put to sleep.
        pub minutes: i64 = "a.idle_stop_minutes",
        /// Whether it is frozen. If so, its container stands still already.
        pub frozen: bool = "a.frozen_at IS NOT NULL",
    }
}

/// Notes that there is news for an agent. The news does not wait if `heard` is true: a client of the agent is
/// listening. Returns false if no live agent with a container has this id.
///
/// # Errors
/// Any `StoreError`.
pub fn note(conn: &Connection, agent_id: &str, heard: bool, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(NOTE)?.execute(params![agent_id, heard, now])? > 0)
}

/// Returns how much news there was for an agent so far.
///
/// # Errors
/// Any `StoreError`.
pub fn count(conn: &Connection, agent_id: &str) -> Result<i64> {
    Ok(conn.prepare_cached(COUNT)?.query_row([agent_id], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// Lists up to `limit` agents for which news waits, the longest waiting first, after this time and agent id: agents
/// that may not be woken must not hide others.
///
/// # Errors
/// Any `StoreError`.
pub fn waiting(conn: &Connection, after: (Micros, &str), limit: u64) -> Result<Vec<WaitingAgent>> {
    WaitingAgent::all(
        conn,
        "WHERE n.waits_since IS NOT NULL AND (n.waits_since, n.agent_id) > (?1, ?2) AND a.archived_at IS NULL
            ORDER BY n.waits_since, n.agent_id LIMIT ?3",
        params![after.0, after.1, limit],
    )
}

/// Returns true if news waits for this agent.
///
/// # Errors
/// Any `StoreError`.
pub fn waits(conn: &Connection, agent_id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(WAITS)?.query_row([agent_id], |row| row.get(0))?)
}

/// Notes that no news waits for an agent any more: it listens, or its container runs.
///
/// # Errors
/// Any `StoreError`.
pub fn settle(conn: &Connection, agent_id: &str) -> Result<()> {
    conn.prepare_cached(SETTLE)?.execute([agent_id])?;
    Ok(())
}

/// Stores when an agent was woken, as a JSON array of microseconds, and clears the note of [`set_told`].
///
/// # Errors
/// Any `StoreError`.
pub fn set_woken(conn: &Connection, agent_id: &str, woken: &str) -> Result<()> {
    conn.prepare_cached(WOKEN)?.execute(params![agent_id, woken])?;
    Ok(())
}

/// Removes the newest time that [`set_woken`] has stored: that wake did not reach the container.
///
/// # Errors
/// Any `StoreError`.
pub fn forget_wake(conn: &Connection, agent_id: &str) -> Result<()> {
    conn.prepare_cached(UNWAKE)?.execute([agent_id])?;
    Ok(())
}

/// Notes that an agent's owner is notified. Returns false if this was noted already.
///
/// # Errors
/// Any `StoreError`.
pub fn set_told(conn: &Connection, agent_id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(TELL)?.execute([agent_id])? > 0)
}

/// Lists up to `limit` agents after this id whose containers run and that are put to sleep when they are idle.
///
/// # Errors
/// Any `StoreError`.
// The plus keeps SQLite from the index on the status: the index of dozing agents is smaller.
pub fn dozers(conn: &Connection, after: &str, limit: u64) -> Result<Vec<Dozer>> {
    Dozer::all(
        conn,
        "WHERE a.idle_stop_minutes > 0 AND a.archived_at IS NULL AND a.id > ?1 AND +a.status = 'running'
            AND a.paused = 0 AND a.asleep_at IS NULL AND a.container_name IS NOT NULL ORDER BY a.id LIMIT ?2",
        params![after, limit],
    )
}

/// Returns true if an agent holds the lease of a task.
///
/// # Errors
/// Any `StoreError`.
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

    /// Runs every statement about news once.
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
        set_woken(conn, "a", "[1,2]").unwrap();
        forget_wake(conn, "a").unwrap();
        assert_eq!(waiting(conn, from_the_first, 10).unwrap()[0].woken, "[1]");
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
