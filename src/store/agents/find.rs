//! Queries that find agents.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::visible::{BY_GRANT, BY_NAME, Visible};
use super::{Agent, AgentStatus, names};
use crate::store::clauses::Clauses;
use crate::store::grants::Grantee;
use crate::store::page::{Page, Take, each};
use crate::store::row::{Columns, record};
use crate::store::users::User;
use crate::store::{Result, is_id};
use crate::time::Micros;

const NAME_IS_TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM agents WHERE slug = ?1 AND archived_at IS NULL)
    OR EXISTS (SELECT 1 FROM agents WHERE lower(given_name) = ?1 AND given_name IS NOT NULL AND archived_at IS NULL)";
const CONTAINER_IS_TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM agents WHERE container_name = ?1 AND id <> ?2)";
const SLEEPS: &str = "SELECT EXISTS (SELECT 1 FROM agents WHERE id = ?1 AND archived_at IS NULL AND wake <> 'none'
    AND paused = 0 AND frozen_at IS NULL AND container_name IS NOT NULL AND (status = 'stopped' OR asleep_at IS NOT NULL))";
const IS_KNOWN: &str = "SELECT EXISTS (SELECT 1 FROM agents WHERE id = ?1)";
const COUNT_OF_OWNER: &str = "SELECT count(*) FROM agents WHERE owner_user_id = ?1";
const NEWEST: &str = "SELECT id, slug FROM agents WHERE archived_at IS NULL ORDER BY created_at DESC, id DESC LIMIT ?1";
const EDITABLE: &str = "SELECT a.id, a.slug FROM grants g JOIN agents a ON a.id = g.agent_id AND a.archived_at IS NULL
    WHERE g.principal_user_id = ?2 AND g.agent_id IS NOT NULL AND (g.role = 'owner' OR g.role = 'editor')
        AND (g.expires_at IS NULL OR g.expires_at > ?3)
    LIMIT ?1";
const LIST_ARCHIVED: &str =
    "WHERE a.archived_at IS NOT NULL AND (a.archived_at, a.id) < (?1, ?2) AND (?4 IS NULL OR a.owner_user_id = ?4)
    ORDER BY a.archived_at DESC, a.id DESC LIMIT ?3";

/// Returns true if the container of this live agent is stopped or asleep and news would wake it; see [`Agent::sleeps`].
///
/// # Errors
/// Any `StoreError`.
pub fn sleeps(conn: &Connection, id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(SLEEPS)?.query_row([id], |row| row.get(0))?)
}

/// Returns the id and slug of at most `most` live agents that a user may change; with `all`, the newest of all.
///
/// # Errors
/// Any `StoreError`.
pub fn editable(conn: &Connection, all: bool, user_id: &str, most: u64, now: Micros) -> Result<Vec<(String, String)>> {
    let mut statement = conn.prepare_cached(if all { NEWEST } else { EDITABLE })?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let rows = if all {
        statement.query_map(params![most], read)?.collect::<rusqlite::Result<_>>()
    } else {
        statement.query_map(params![most, user_id, now], read)?.collect::<rusqlite::Result<_>>()
    };
    Ok(rows?)
}

/// Returns the number of agents that a user owns, including archived ones.
///
/// # Errors
/// Any `StoreError`.
pub fn count_of_owner(conn: &Connection, user_id: &str) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT_OF_OWNER)?.query_row([user_id], |row| row.get(0))?)
}

/// Returns those of `ids` that belong to no agent, live or archived.
///
/// # Errors
/// Any `StoreError`.
pub fn gone_of(conn: &Connection, ids: Vec<String>) -> Result<Vec<String>> {
    let mut is_known = conn.prepare_cached(IS_KNOWN)?;
    let mut gone = Vec::new();
    for id in ids {
        if !is_known.query_row([&id], |row| row.get::<_, bool>(0))? {
            gone.push(id);
        }
    }
    Ok(gone)
}

/// A live agent with the times of its active token.
#[derive(Debug, Clone)]
pub struct LiveAgent {
    /// The agent.
    pub agent: Agent,
    /// When its active token was issued; `None` if it has none.
    pub issued_at: Option<Micros>,
    /// When that token expires.
    pub expires_at: Option<Micros>,
    /// When that token was last used.
    pub last_used_at: Option<Micros>,
}

/// The viewer of the registry, which determines the visible agents.
#[derive(Debug, Clone)]
pub enum AgentViewer {
    /// Sees every agent.
    All,
    /// Sees the agents that the principal holds a grant on, and itself.
    By(Grantee),
}

fn join(condition: &str) -> String {
    live("agents a", &format!("WHERE {condition}"))
}

/// Returns a statement that selects the columns of a [`LiveAgent`]. `from` must name the agents `a`.
fn live(from: &str, rest: &str) -> String {
    // CROSS JOIN makes SQLite read `from` first, whatever its planner prefers.
    format!(
        "SELECT {}, t.issued_at, t.expires_at, t.last_used_at
        FROM {from} CROSS JOIN users o ON o.id = a.owner_user_id
        LEFT JOIN credentials t ON t.agent_id = a.id AND t.kind = 'agent_token' AND t.state = 'active'
            AND t.revoked_at IS NULL
        {rest}",
        Agent::COLUMNS
    )
}

fn read_live(row: &Row<'_>) -> rusqlite::Result<LiveAgent> {
    let mut columns = Columns::of(row);
    Ok(LiveAgent {
        agent: Agent::take(&mut columns)?,
        issued_at: columns.next()?,
        expires_at: columns.next()?,
        last_used_at: columns.next()?,
    })
}

/// Returns the live agent with this slug, or with this name from another dialect. ASCII case does not matter.
///
/// # Errors
/// Any `StoreError`.
pub fn by_name(conn: &Connection, name: &str) -> Result<Option<LiveAgent>> {
    // ASCII only, like SQLite's own lower(): a character that merely folds to a letter must not match.
    let lower = name.to_ascii_lowercase();
    let by_slug = join("a.slug = ?1 AND a.archived_at IS NULL");
    let found = conn.prepare_cached(&by_slug)?.query_row([&lower], read_live).optional()?;
    if found.is_some() {
        return Ok(found);
    }
    let by_given = join("lower(a.given_name) = ?1 AND a.given_name IS NOT NULL AND a.archived_at IS NULL");
    Ok(conn.prepare_cached(&by_given)?.query_row([&lower], read_live).optional()?)
}

/// Returns the live agent with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<LiveAgent>> {
    let sql = join("a.id = ?1 AND a.archived_at IS NULL");
    Ok(conn.prepare_cached(&sql)?.query_row([id], read_live).optional()?)
}

/// Returns the owner of a live agent that lives in this space; `None` if the agent lives elsewhere or its owner is
/// disabled.
///
/// # Errors
/// Any `StoreError`.
pub fn owner_of_resident(conn: &Connection, id: &str, space_id: &str) -> Result<Option<User>> {
    let whose = "WHERE disabled = 0 AND id = (SELECT owner_user_id FROM agents
        WHERE id = ?1 AND space_id = ?2 AND archived_at IS NULL)";
    User::one(conn, whose, [id, space_id])
}

/// Returns the live agent that a text names: by id if it has the form of an id, otherwise by name.
///
/// # Errors
/// Any `StoreError`.
pub fn resolve(conn: &Connection, given: &str) -> Result<Option<LiveAgent>> {
    if is_id(given) { by_id(conn, &given.to_ascii_lowercase()) } else { by_name(conn, given) }
}

/// Returns the slug of the live agent that a text names in any dialect, or by its id. If there is none, it returns the text
/// in lower case, which may be the slug of an agent that is gone. For the filters of lists.
///
/// # Errors
/// Any `StoreError`.
pub fn slug_named(conn: &Connection, given: &str) -> Result<String> {
    Ok(resolve(conn, given)?.map_or_else(|| given.to_ascii_lowercase(), |live| live.agent.slug))
}

/// Returns the archived agent with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn archived(conn: &Connection, id: &str) -> Result<Option<Agent>> {
    let sql = join("a.id = ?1 AND a.archived_at IS NOT NULL");
    Ok(conn.prepare_cached(&sql)?.query_row([id], Agent::read).optional()?)
}

/// Returns the container of a live or archived agent as stored: its name, after `NODE:` if it is on a node.
///
/// # Errors
/// Any `StoreError`.
pub fn container_of(conn: &Connection, id: &str) -> Result<Option<String>> {
    let mut statement = conn.prepare_cached("SELECT container_name FROM agents WHERE id = ?1")?;
    Ok(statement.query_row([id], |row| row.get(0)).optional()?.flatten())
}

/// Returns the number of agents' containers on a node, including those of archived agents.
///
/// # Errors
/// Any `StoreError`.
pub fn containers_on(conn: &Connection, node: &str) -> Result<i64> {
    // `;` follows `:` in ASCII, so this range has exactly the names that begin with `NODE:`.
    let sql = "SELECT count(*) FROM agents WHERE container_name >= ?1 || ':' AND container_name < ?1 || ';'";
    Ok(conn.prepare_cached(sql)?.query_row([node], |row| row.get(0))?)
}

/// Returns the live agents that have a container, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn with_containers(conn: &Connection) -> Result<Vec<Agent>> {
    let rest = "WHERE a.archived_at IS NULL AND a.container_name IS NOT NULL ORDER BY a.created_at, a.id";
    let sql = live("agents a INDEXED BY agents_container", rest);
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map([], Agent::read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Returns the live agent with this slug if it has no container and belongs to an admin. A container with its name may
/// be taken as its own.
///
/// # Errors
/// Any `StoreError`.
pub fn without_containers(conn: &Connection, slug: &str) -> Result<Option<Agent>> {
    let sql = join("a.archived_at IS NULL AND a.container_name IS NULL AND a.slug = ?1 AND o.role = 'admin'");
    Ok(conn.prepare_cached(&sql)?.query_row([slug], Agent::read).optional()?)
}

/// Returns true if a live agent has this lower-case name as its slug, or as its given name in any case.
///
/// # Errors
/// Any `StoreError`.
pub fn name_is_taken(conn: &Connection, lower: &str) -> Result<bool> {
    Ok(conn.prepare_cached(NAME_IS_TAKEN)?.query_row([lower], |row| row.get(0))?)
}

/// Returns true if another agent, live or archived, has the container with this stored name. It may outlive that
/// agent's slug.
///
/// # Errors
/// Any `StoreError`.
pub fn container_is_taken(conn: &Connection, stored: &str, agent_id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(CONTAINER_IS_TAKEN)?.query_row([stored, agent_id], |row| row.get(0))?)
}

/// A filter for lists of agents.
#[derive(Debug, Clone, Default)]
pub struct AgentFilter {
    /// Only agents with this status.
    pub status: Option<AgentStatus>,
    /// Only agents whose slug or display name contains this text, in any case.
    pub text: Option<String>,
    /// Only agents that live in this space.
    pub space_id: Option<String>,
    /// Only agents with these ids.
    pub only: Option<Vec<String>>,
}

/// Passes the live agents that `seen` may see to `take`, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn list(
    conn: &Connection,
    seen: &AgentViewer,
    filter: &AgentFilter,
    page: &Page,
    take: Take<'_, LiveAgent>,
) -> Result<()> {
    let mut visible = Visible::of(conn, seen, filter.only.as_deref())?;
    if let Some(text) = filter.text.as_deref().filter(|text| !text.is_empty()) {
        visible = visible.holding(text);
    }
    if let Visible::Many(Grantee::Agent(id)) = &visible {
        let own = Visible::Own(id.clone()).first(conn, filter, page)?;
        return with_own(own, take, |take| visible.each(conn, filter, page, take));
    }
    visible.each(conn, filter, page, take)
}

/// Passes on the rows of `list`, and inserts an agent's own row in the order of the ids.
fn with_own(
    mut own: Option<LiveAgent>,
    take: Take<'_, LiveAgent>,
    list: impl FnOnce(Take<'_, LiveAgent>) -> Result<()>,
) -> Result<()> {
    let mut wants_more = true;
    list(&mut |live: LiveAgent| {
        if let Some(before) = own.take_if(|own| own.agent.id < live.agent.id) {
            wants_more = take(before);
        }
        // If the agent holds a grant on itself, `list` has its row too: pass it once only.
        wants_more = wants_more && (own.as_ref().is_some_and(|own| own.agent.id == live.agent.id) || take(live));
        wants_more
    })?;
    if let Some(last) = own.filter(|_| wants_more) {
        take(last);
    }
    Ok(())
}

impl Visible {
    fn each(&self, conn: &Connection, filter: &AgentFilter, page: &Page, take: Take<'_, LiveAgent>) -> Result<()> {
        let mut clauses = Clauses::default();
        let from = self.from(&mut clauses, Micros::now());
        filter.narrow(&mut clauses);
        let order = self.order();
        match &page.after {
            Some((_, id)) if order == BY_NAME && names::place(conn, id)?.is_some() => {
                clauses.and_if("p.rowid > ?", names::place(conn, id)?);
            }
            Some((_, id)) if order == BY_GRANT => clauses.and_if(&format!("{BY_GRANT} > ?"), Some(id.clone())),
            Some((at, id)) => {
                let (at, id) = (clauses.bind(at.0), clauses.bind(id.clone()));
                clauses.and(&format!("(a.created_at, a.id) > ({at}, {id})"));
            }
            None => {}
        }
        let limit = clauses.bind(i64::try_from(page.fetch()).unwrap_or(i64::MAX));
        let sql = live(&from, &format!("{} ORDER BY {order} LIMIT {limit}", clauses.text()));
        let mut statement = conn.prepare_cached(&sql)?;
        each(&mut statement, clauses.values(), read_live, take)
    }

    fn first(&self, conn: &Connection, filter: &AgentFilter, page: &Page) -> Result<Option<LiveAgent>> {
        let mut found = None;
        self.each(conn, filter, page, &mut |live| {
            found = Some(live).filter(|live| page.after.as_ref().is_none_or(|(_, id)| live.agent.id > *id));
            false
        })?;
        Ok(found)
    }
}

impl AgentFilter {
    fn narrow(&self, clauses: &mut Clauses) {
        clauses.and("a.archived_at IS NULL");
        clauses.and_if("a.status = ?", self.status.map(|status| status.slug().to_owned()));
        clauses.and_if("a.space_id = ?", self.space_id.clone());
        let text = self.text.as_ref().map(|text| text.to_ascii_lowercase());
        clauses.and_if("(instr(a.slug, ?) OR instr(lower(a.display_name), ?))", text);
    }
}

record! {
    /// The names of a live agent and its container, read without the agent's texts.
    pub struct AgentName from "agents a" {
        /// The id.
        pub id: String = "a.id",
        /// The slug.
        pub slug: String = "a.slug",
        /// The container's name.
        pub container: Option<String> = "a.container_name",
    }
}

/// Returns the names of the first `limit` live agents that `seen` may see, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn named(conn: &Connection, seen: &AgentViewer, limit: u64) -> Result<Vec<AgentName>> {
    let visible = Visible::of(conn, seen, None)?;
    let mut clauses = Clauses::default();
    let from = visible.from(&mut clauses, Micros::now());
    clauses.and("a.archived_at IS NULL");
    let limit = clauses.bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let (columns, rest, order) = (AgentName::COLUMNS, clauses.text(), visible.order());
    let mut statement =
        conn.prepare_cached(&format!("SELECT {columns} FROM {from} {rest} ORDER BY {order} LIMIT {limit}"))?;
    let rows = statement.query_map(clauses.values(), AgentName::read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

record! {
    /// An archived agent as listed.
    pub struct ArchivedAgent from "agents a JOIN users o ON o.id = a.owner_user_id" {
        /// The id.
        pub id: String = "a.id",
        /// The slug it had.
        pub slug: String = "a.slug",
        /// The name for people.
        pub display_name: String = "a.display_name",
        /// When it was archived.
        pub archived_at: Micros = "a.archived_at",
        /// The container's snapshot.
        pub snapshot_name: Option<String> = "a.snapshot_name",
        /// The container's name.
        pub container: Option<String> = "a.container_name",
        /// The owner's name.
        pub owner: String = "o.username",
    }
}

/// Passes archived agents to `take`, the last archived first. With `owner`, only the agents of that user.
///
/// # Errors
/// Any `StoreError`.
pub fn list_archived(conn: &Connection, owner: Option<&str>, page: &Page, take: Take<'_, ArchivedAgent>) -> Result<()> {
    let (at, id) = page.newest_first();
    let mut statement = conn.prepare_cached(&format!("{} {LIST_ARCHIVED}", ArchivedAgent::SELECT))?;
    each(&mut statement, params![at, id, page.fetch(), owner], ArchivedAgent::read, take)
}
