//! Registrations: the data that Agentex clients keep about an agent, and the agents as those clients see them.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Result;
use super::agents::visible::Visible;
use super::agents::{AgentStatus, AgentViewer};
use super::clauses::Clauses;
use super::grants::Grantee;
use super::page::{Numbered, Take, each};
use super::row::{Columns, record};
use crate::closed_set::closed_set;
use crate::time::Micros;

const PUT: &str = "INSERT INTO registrations (agent_id, description, acp_type, input_type, acp_url, by_user, metadata,
        registered_at, registered_by, unhealthy, had_key)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (agent_id) DO UPDATE SET description = excluded.description, acp_type = excluded.acp_type,
        input_type = excluded.input_type, acp_url = excluded.acp_url, by_user = excluded.by_user,
        metadata = excluded.metadata, registered_at = excluded.registered_at, registered_by = excluded.registered_by,
        unhealthy = excluded.unhealthy, had_key = excluded.had_key";
/// The last failed deployment of an agent into a container, as long as its operation is kept.
const FAILED: &str = "FROM operations o WHERE o.agent_id = a.id AND o.kind = 'deploy' AND o.status = 'failed'
    ORDER BY o.finished_at DESC LIMIT 1";
const COLUMNS: &str = "a.id, coalesce(a.given_name, a.slug), a.status,
    a.paused OR a.asleep_at IS NOT NULL OR a.frozen_at IS NOT NULL, a.container_name, a.created_at,
    a.updated_at, (SELECT d.id FROM deployments d WHERE d.agent_id = a.id AND d.is_production = 1)";
const SET_HEALTH: &str =
    "UPDATE registrations SET unhealthy = ?3 WHERE agent_id = ?1 AND registered_at = ?2 AND unhealthy <> ?3";
const CHECKED: &str = "WHERE a.archived_at IS NULL AND r.registered_at IS NOT NULL AND url IS NOT NULL ORDER BY a.id";

closed_set! {
    /// How an agent answers over ACP.
    pub enum AcpType {
        Sync "sync" "In the reply.";
        Async "async" "By events.";
        Agentic "agentic" "By events, as it likes.";
    }
}

closed_set! {
    /// The kind of input that an agent takes.
    pub enum InputType {
        Text "text" "Text.";
        Json "json" "JSON.";
    }
}

closed_set! {
    /// How an agent was last registered.
    pub enum RegisteredBy {
        Register "register" "It registered.";
        Promote "promote" "A deployment of it was promoted.";
    }
}

record! {
    /// The Agentex data of an agent; an agent without a row has the defaults.
    #[derive(PartialEq, Eq)]
    pub struct Registration from "registrations r" {
        /// The purpose of the agent, in words.
        pub description: String = "coalesce(r.description, '')",
        /// How it answers over ACP.
        pub acp_type: AcpType = "coalesce(r.acp_type, 'async')",
        /// The kind of input that it takes.
        pub input_type: Option<InputType> = "r.input_type",
        /// The address at which it answers.
        pub acp_url: Option<String> = "r.acp_url",
        /// Whether a user named that address.
        pub by_user: bool = "coalesce(r.by_user, 0)",
        /// The metadata that it gave about itself, as a JSON object.
        pub metadata: Option<String> = "r.metadata",
        /// When it last registered or was promoted.
        pub registered_at: Option<Micros> = "r.registered_at",
        /// Whether it registered or was promoted then.
        pub registered_by: Option<RegisteredBy> = "r.registered_by",
        /// Whether its health checks fail.
        pub unhealthy: bool = "coalesce(r.unhealthy, 0)",
        /// Whether it ever had an internal key.
        pub had_key: bool = "coalesce(r.had_key, 0)",
    }
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            description: String::new(),
            acp_type: AcpType::Async,
            input_type: None,
            acp_url: None,
            by_user: false,
            metadata: None,
            registered_at: None,
            registered_by: None,
            unhealthy: false,
            had_key: false,
        }
    }
}

/// A live agent as Agentex clients see it.
#[derive(Debug, Clone)]
pub struct RegisteredAgent {
    /// The id.
    pub id: String,
    /// The name that the clients use: its given name, else its slug.
    pub name: String,
    /// The agent's status in the registry.
    pub status: AgentStatus,
    /// Whether its container is frozen: the owner paused or froze the agent, or it sleeps.
    pub paused: bool,
    /// The name of its container, if it has one.
    pub container_name: Option<String>,
    /// When it was made.
    pub created_at: Micros,
    /// When it was last changed.
    pub updated_at: Micros,
    /// The data that the clients keep about it.
    pub registration: Registration,
    /// The id of its production deployment.
    pub production: Option<String>,
    /// When its last failed deployment into a container failed, and why, as a text for people.
    pub failure: Option<(Micros, String)>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<RegisteredAgent> {
    let mut columns = Columns::of(row);
    let registration = Registration::take(&mut columns)?;
    let failed_at: Option<Micros> = columns.next()?;
    let why: Option<String> = columns.next()?;
    Ok(RegisteredAgent {
        registration,
        failure: failed_at.map(|at| (at, why.unwrap_or_default())),
        id: columns.next()?,
        name: columns.next()?,
        status: columns.next()?,
        paused: columns.next()?,
        container_name: columns.next()?,
        created_at: columns.next()?,
        updated_at: columns.next()?,
        production: columns.next()?,
    })
}

fn select(condition: &str) -> String {
    format!(
        "SELECT {}, (SELECT o.finished_at {FAILED}), (SELECT json_extract(o.error, '$.detail') {FAILED}), {COLUMNS}
        FROM agents a LEFT JOIN registrations r ON r.agent_id = a.id WHERE a.archived_at IS NULL AND {condition}",
        Registration::COLUMNS
    )
}

/// Returns the live agent with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<RegisteredAgent>> {
    Ok(conn.prepare_cached(&select("a.id = ?1"))?.query_row([id], read).optional()?)
}

/// Returns where to find the agents that a viewer sees. Here an agent sees only itself, whatever its grants, and a
/// restricted credential only the agents in `only`.
fn visible(conn: &Connection, seen: &AgentViewer, only: Option<&[String]>) -> Result<Visible> {
    match (seen, only) {
        (AgentViewer::By(Grantee::Agent(id)), None) => Ok(Visible::Own(id.clone())),
        (AgentViewer::By(Grantee::Agent(id)), Some(only)) if only.contains(id) => Ok(Visible::Own(id.clone())),
        (AgentViewer::By(Grantee::Agent(_)), Some(_)) => Visible::of(conn, &AgentViewer::All, Some(&[])),
        _ => Visible::of(conn, seen, only),
    }
}

/// Lists a page of live agents, of these ids alone if `only` is given. It first finds their ids in order and then reads
/// each agent, because their own data may be long.
///
/// # Errors
/// Any `StoreError`.
pub fn list(
    conn: &Connection,
    seen: &AgentViewer,
    only: Option<&[String]>,
    page: &Numbered,
    take: Take<'_, RegisteredAgent>,
) -> Result<()> {
    let columns = [
        ("updated_at", "a.updated_at"),
        ("created_at", "a.created_at"),
        ("registered_at", "r.registered_at"),
        ("name", "coalesce(a.given_name, a.slug)"),
        ("id", "a.id"),
    ];
    let order = page.clause(&columns, &["a.created_at", "a.id"]);
    let mut clauses = Clauses::default();
    // The two parameters of a page come first.
    for number in [page.limit, page.offset] {
        clauses.bind(i64::try_from(number).unwrap_or(i64::MAX));
    }
    let from = visible(conn, seen, only)?.from(&mut clauses, Micros::now());
    clauses.and("a.archived_at IS NULL");
    let registered = if order.contains("r.") { "LEFT JOIN registrations r ON r.agent_id = a.id" } else { "" };
    let sql = format!("SELECT a.id FROM {from} {registered} {} {order}", clauses.text());
    let mut statement = conn.prepare_cached(&sql)?;
    let ids = statement.query_map(clauses.values(), |row| row.get(0))?;
    let ids = ids.collect::<rusqlite::Result<Vec<String>>>()?;
    for id in ids {
        if by_id(conn, &id)?.is_some_and(|entry| !take(entry)) {
            break;
        }
    }
    Ok(())
}

/// Lists the live agents that have an agent card: each with its id and the card's metadata, as stored.
///
/// # Errors
/// Any `StoreError`.
pub fn cards(
    conn: &Connection,
    seen: &AgentViewer,
    only: Option<&[String]>,
    take: Take<'_, (String, String)>,
) -> Result<()> {
    let mut clauses = Clauses::default();
    let from = visible(conn, seen, only)?.from(&mut clauses, Micros::now());
    clauses.and("a.archived_at IS NULL AND json_type(r.metadata, '$.agent_card.metadata') = 'object'");
    let sql = format!(
        "SELECT a.id, json_extract(r.metadata, '$.agent_card.metadata') FROM {from}
            JOIN registrations r ON r.agent_id = a.id {}",
        clauses.text()
    );
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, clauses.values(), |row| Ok((row.get(0)?, row.get(1)?)), take)
}

/// Stores the registration of an agent.
///
/// # Errors
/// Any `StoreError`.
pub fn put(conn: &Connection, agent_id: &str, r: &Registration) -> Result<()> {
    conn.prepare_cached(PUT)?.execute(params![
        agent_id,
        r.description,
        r.acp_type,
        r.input_type,
        r.acp_url,
        r.by_user,
        r.metadata,
        r.registered_at,
        r.registered_by,
        r.unhealthy,
        r.had_key
    ])?;
    Ok(())
}

record! {
    /// An agent whose health is checked.
    pub struct CheckedEndpoint from "registrations r JOIN agents a ON a.id = r.agent_id
        LEFT JOIN deployments d ON d.agent_id = r.agent_id AND d.is_production = 1" {
        /// The id.
        pub id: String = "a.id",
        /// The name of its container, if it has one.
        pub container_name: Option<String> = "a.container_name",
        /// When it last registered or was promoted.
        pub registered_at: Micros = "r.registered_at",
        /// Whether its health checks fail, as last stored.
        pub unhealthy: bool = "r.unhealthy",
        /// The address at which it answers: that of the production deployment, else the agent's own.
        pub url: String = "CASE WHEN d.id IS NULL THEN r.acp_url ELSE d.acp_url END AS url",
        /// Whether a user named that address.
        pub by_user: bool = "CASE WHEN d.id IS NULL THEN r.by_user ELSE d.by_user END",
    }
}

/// Returns every live agent that is registered and has an address, by id.
///
/// # Errors
/// Any `StoreError`.
pub fn checked(conn: &Connection) -> Result<Vec<CheckedEndpoint>> {
    let mut statement = conn.prepare_cached(&format!("{} {CHECKED}", CheckedEndpoint::SELECT))?;
    let rows = statement.query_map([], CheckedEndpoint::read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Stores whether the health checks of a registration fail. Returns false if this was stored already, or if the agent
/// has registered again since `registered_at`.
///
/// # Errors
/// Any `StoreError`.
pub fn set_health(conn: &Connection, agent_id: &str, registered_at: Micros, unhealthy: bool) -> Result<bool> {
    Ok(conn.prepare_cached(SET_HEALTH)?.execute(params![agent_id, registered_at, unhealthy])? > 0)
}
