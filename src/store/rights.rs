//! The rights that a database gives, and the lesser of two states of them: what a restore must not bring back (DESIGN
//! D22). Credentials that have died since are the business of `restore`.

use std::collections::HashMap;

use rusqlite::{Connection, params};
use serde::Serialize;

use super::grants::GrantRole;
use super::row::record;
use super::{Result, audit_head, users};
use crate::time::Micros;

/// Every table of `schema.sql`, and how a restore treats what stands in it. A new table must be added here: a test
/// compares the two.
#[cfg(test)]
const TABLES: &[(&str, &str)] = &[
    ("meta", "facts, no rights; the signing epoch changes with every restore"),
    ("users", "lesser"),
    ("spaces", "lesser"),
    ("agents", "lesser"),
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
    ("notifications", "texts"),
    ("notification_counts", "numbers"),
    ("webhook_outbox", "texts on their way"),
    ("knowledge_items", "texts"),
    ("knowledge_words", "their index"),
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
    ("channels", "where people are told; no backup has the key of their secrets"),
    ("channel_outbox", "texts on their way"),
];

/// A right that the backup gives and the restored database does not, or gives less of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Whose, and which: `user ann: role`.
    pub right: String,
    /// What the backup says.
    pub backup: String,
    /// What holds after the restore.
    pub restored: String,
}

record! {
    struct User from "users u" {
        id: String = "u.id",
        name: String = "u.username",
        role: String = "u.role",
        disabled: bool = "u.disabled",
    }
}

record! {
    struct Space from "spaces s" {
        id: String = "s.id",
        slug: String = "s.slug",
        visibility: String = "s.visibility",
        owner: String = "s.owner_user_id",
        is_default: bool = "s.is_default",
    }
}

record! {
    struct Agent from "agents a LEFT JOIN agent_profiles p ON p.agent_id = a.id" {
        id: String = "a.id",
        slug: String = "a.slug",
        owner: String = "a.owner_user_id",
        owner_space: String = "a.owner_space_id",
        space: String = "a.space_id",
        scope: String = "a.scope",
        reads_memory: bool = "a.can_read_user_memory",
        archived_at: Option<Micros> = "a.archived_at",
        container: Option<String> = "a.container_name",
        runtime: Option<String> = "a.container_runtime",
        snapshot: Option<String> = "a.snapshot_name",
        status: String = "a.status",
        active: bool = "coalesce(p.active, 1)",
        frozen_at: Option<Micros> = "a.frozen_at",
        frozen_by: Option<String> = "a.frozen_by",
        frozen_reason: Option<String> = "a.frozen_reason",
        frozen_by_admin: bool = "a.frozen_by_admin",
    }
}

record! {
    struct Credential from "credentials c" {
        id: String = "c.id",
        kind: String = "c.kind",
        label: String = "c.label",
        state: String = "c.state",
        scopes: String = "c.scopes",
        expires_at: Option<Micros> = "c.expires_at",
        audience: Option<String> = "c.audience",
        admin: bool = "c.admin",
        only_agents: Option<String> = "c.only_agents",
        space: Option<String> = "c.space_id",
        host: Option<String> = "c.host_binding",
    }
}

record! {
    struct Grant from "grants g" {
        id: String = "g.id",
        to: String = "coalesce('user ' || g.principal_user_id, 'agent ' || g.principal_agent_id)",
        on: String = "coalesce('agent ' || g.agent_id, 'space ' || g.space_id, 'agent *')",
        role: GrantRole = "g.role",
        expires_at: Option<Micros> = "g.expires_at",
        request: Option<String> = "g.request_id",
    }
}

record! {
    struct Request from "requests r" {
        id: String = "r.id",
        agent: String = "r.agent_id",
        kind: String = "r.kind",
        state: String = "r.state",
        until: Option<Micros> = "r.until",
        granted: Option<String> = "r.granted",
    }
}

record! {
    struct Source from "knowledge_sources k" {
        id: String = "k.source_id",
        user: Option<String> = "k.owner_user_id",
        agent: Option<String> = "k.owner_agent_id",
    }
}

record! {
    struct Client from "oauth_clients o" {
        id: String = "o.id",
        name: String = "o.name",
    }
}

/// The rights in one database.
#[derive(Debug, Default)]
pub struct Rights {
    clients: Vec<Client>,
    users: Vec<User>,
    spaces: Vec<Space>,
    agents: Vec<Agent>,
    credentials: Vec<Credential>,
    grants: Vec<Grant>,
    requests: Vec<Request>,
    sources: Vec<Source>,
    /// Whether this state came about from that of the backup: then what the backup has more was taken since. Else, as after
    /// a restore that is undone, who is unknown here was not taken away.
    descends: bool,
}

impl Rights {
    /// Reads all of them.
    ///
    /// # Errors
    /// The store's.
    pub fn read(conn: &Connection) -> Result<Self> {
        let live = format!(
            "{} WHERE c.state = 'active' OR c.state = 'grace' OR c.state = 'pending_enrollment'",
            Credential::SELECT
        );
        let open =
            format!("{} WHERE r.state = 'pending' OR (r.state = 'approved' AND r.kind <> 'confirm')", Request::SELECT);
        Ok(Self {
            users: all(conn, User::SELECT, User::read)?,
            spaces: all(conn, Space::SELECT, Space::read)?,
            agents: all(conn, Agent::SELECT, Agent::read)?,
            credentials: all(conn, &live, Credential::read)?,
            grants: all(conn, Grant::SELECT, Grant::read)?,
            requests: all(conn, &open, Request::read)?,
            sources: all(conn, Source::SELECT, Source::read)?,
            clients: all(conn, Client::SELECT, Client::read)?,
            descends: true,
        })
    }

    /// Reads those of a database that may have come about from a backup.
    ///
    /// # Errors
    /// The store's.
    pub fn since(conn: &Connection, backup: &Connection) -> Result<Self> {
        let descends = match audit_head::head(backup)? {
            Some(head) => audit_head::descends(conn, &head)?,
            None => true,
        };
        Ok(Self { descends, ..Self::read(conn)? })
    }

    /// True if there is such a user, agent or space, or it was taken away: one that was never here has lost nothing.
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

/// Takes from the database of `conn`, a backup, every right that `now` does not give.
///
/// # Errors
/// The store's.
pub fn take(conn: &Connection, now: &Rights, at: Micros) -> Result<Vec<Taken>> {
    let backup = Rights::read(conn)?;
    let mut lesser = Lesser { conn, now, backup: &backup, at, taken: Vec::new() };
    lesser.users()?;
    lesser.spaces()?;
    lesser.agents()?;
    lesser.credentials()?;
    lesser.requests()?;
    lesser.grants()?;
    lesser.sources()?;
    lesser.clients()?;
    lesser.last_admin()?;
    Ok(lesser.taken)
}

struct Lesser<'a> {
    conn: &'a Connection,
    now: &'a Rights,
    backup: &'a Rights,
    at: Micros,
    taken: Vec<Taken>,
}

impl Lesser<'_> {
    fn note(&mut self, right: String, backup: impl Into<String>, restored: impl Into<String>) {
        self.taken.push(Taken { right, backup: backup.into(), restored: restored.into() });
    }

    fn users(&mut self) -> Result<()> {
        let present: HashMap<&str, &User> = self.now.users.iter().map(|user| (user.id.as_str(), user)).collect();
        for user in self.backup.users.iter().filter(|user| self.now.knows(&user.id)) {
            let now = present.get(user.id.as_str());
            let disabled = now.is_none_or(|now| now.disabled);
            if disabled && !user.disabled {
                let why = if now.is_some() { "disabled" } else { "deleted since: disabled" };
                self.note(format!("user {}", user.name), "enabled", why);
                let sql = "UPDATE users SET disabled = 1, updated_at = ?2 WHERE id = ?1";
                self.conn.execute(sql, params![user.id, self.at])?;
            }
            if user.role == "admin" && now.is_some_and(|now| now.role != "admin") {
                self.note(format!("user {}: role", user.name), "admin", "member");
                let sql = "UPDATE users SET role = 'member', updated_at = ?2 WHERE id = ?1";
                self.conn.execute(sql, params![user.id, self.at])?;
            }
        }
        Ok(())
    }

    /// Where nobody is left who could set things right, the first admin of the backup is.
    fn last_admin(&mut self) -> Result<()> {
        if users::operator(self.conn)?.is_some() {
            return Ok(());
        }
        let Some(user) = self.backup.users.iter().find(|user| user.role == "admin" && !user.disabled) else {
            return Ok(());
        };
        self.taken.retain(|taken| !taken.right.starts_with(&format!("user {}", user.name)));
        self.note(format!("user {}", user.name), "admin", "admin still: there would be none");
        self.conn.execute("UPDATE users SET role = 'admin', disabled = 0 WHERE id = ?1", [&user.id])?;
        Ok(())
    }

    fn spaces(&mut self) -> Result<()> {
        let rank = |word: &str| ["private", "invite_only", "public"].iter().position(|one| *one == word);
        for space in &self.backup.spaces {
            let now = self.now.spaces.iter().find(|now| now.id == space.id);
            if now.is_none() && !self.now.descends {
                continue;
            }
            let seen = now.map_or("private", |now| now.visibility.as_str());
            if rank(seen) < rank(&space.visibility) {
                self.note(format!("space {}: visibility", space.slug), &space.visibility, seen);
                self.conn.execute("UPDATE spaces SET visibility = ?2 WHERE id = ?1", params![space.id, seen])?;
            }
        }
        Ok(())
    }

    fn agents(&mut self) -> Result<()> {
        let present: HashMap<&str, &Agent> = self.now.agents.iter().map(|agent| (agent.id.as_str(), agent)).collect();
        for agent in self.backup.agents.iter().filter(|agent| self.now.knows(&agent.id)) {
            let now = present.get(agent.id.as_str()).copied();
            if agent.archived_at.is_none() && now.is_none_or(|now| now.archived_at.is_some()) {
                self.archive(agent, now)?;
            }
            let Some(now) = now else { continue };
            let scope = both(&agent.scope, &now.scope);
            if scope != agent.scope {
                self.note(format!("agent {}: scope", agent.slug), &agent.scope, &scope);
                self.conn.execute("UPDATE agents SET scope = ?2 WHERE id = ?1", params![agent.id, scope])?;
            }
            if agent.reads_memory && !now.reads_memory {
                self.note(format!("agent {}: reads its user's memory", agent.slug), "yes", "no");
                self.conn.execute("UPDATE agents SET can_read_user_memory = 0 WHERE id = ?1", [&agent.id])?;
            }
            if agent.active && !now.active {
                self.note(format!("agent {}: active", agent.slug), "yes", "no");
                self.conn.execute("UPDATE agent_profiles SET active = 0 WHERE agent_id = ?1", [&agent.id])?;
            }
            if now.frozen_at.is_some() && now.archived_at.is_none() {
                self.freeze(agent, now)?;
            }
            self.place(agent, now)?;
        }
        Ok(())
    }

    /// A restore does not thaw: an agent that is frozen now stays so, and by whom.
    fn freeze(&mut self, agent: &Agent, now: &Agent) -> Result<()> {
        if agent.frozen_at.is_none() {
            self.note(format!("agent {}: frozen", agent.slug), "no", "yes");
        }
        let sql =
            "UPDATE agents SET frozen_at = ?2, frozen_by = ?3, frozen_reason = ?4, frozen_by_admin = ?5, thawing = 0
            WHERE id = ?1 AND archived_at IS NULL";
        let by_admin = now.frozen_by_admin || agent.frozen_by_admin;
        self.conn.execute(sql, params![agent.id, now.frozen_at, now.frozen_by, now.frozen_reason, by_admin])?;
        Ok(())
    }

    /// An agent that was archived or purged since: what it has of a container is what it has now.
    fn archive(&mut self, agent: &Agent, now: Option<&Agent>) -> Result<()> {
        let how = if now.is_some() { "archived" } else { "purged since: archived" };
        self.note(format!("agent {}", agent.slug), "live", how);
        let sql = "UPDATE agents SET archived_at = ?2, container_name = ?3, container_runtime = ?4, snapshot_name = ?5,
            status = ?6, token_delivery = NULL, frozen_at = NULL, frozen_by = NULL, frozen_reason = NULL,
            frozen_by_admin = 0, thawing = 0 WHERE id = ?1";
        let text = |pick: fn(&Agent) -> &Option<String>| now.and_then(|now| pick(now).clone());
        let status = now.map_or("stopped", |now| now.status.as_str());
        let at = now.and_then(|now| now.archived_at).unwrap_or(self.at);
        let (container, runtime) = (text(|now| &now.container), text(|now| &now.runtime));
        self.conn.execute(sql, params![agent.id, at, container, runtime, text(|now| &now.snapshot), status])?;
        Ok(())
    }

    /// Whose an agent is, and in which space: as it is now, where the backup knows them.
    fn place(&mut self, agent: &Agent, now: &Agent) -> Result<()> {
        if now.owner == agent.owner && now.space == agent.space && now.owner_space == agent.owner_space {
            return Ok(());
        }
        let name = |id: &str| self.backup.users.iter().find(|user| user.id == id).map(|user| user.name.clone());
        // An owner who came after the backup is not in it: an admin is to say whose the agent shall be.
        let first = self.backup.users.iter().find(|user| user.role == "admin");
        let owner = match (name(&now.owner), first) {
            (Some(_), _) => now.owner.clone(),
            (None, Some(admin)) => admin.id.clone(),
            (None, None) => return Ok(()),
        };
        let home = self.backup.spaces.iter().find(|space| space.owner == owner && space.is_default);
        let known = |id: &str| self.backup.spaces.iter().any(|space| space.id == id);
        let space = |id: &str| if known(id) { Some(id.to_owned()) } else { home.map(|home| home.id.clone()) };
        let (Some(owner_space), Some(space)) = (space(&now.owner_space), space(&now.space)) else { return Ok(()) };
        let told = |owner: &str, space: &str| {
            let slug = self.backup.spaces.iter().find(|one| one.id == space).map_or(space, |one| one.slug.as_str());
            format!("{} in {slug}", name(owner).unwrap_or_else(|| owner.to_owned()))
        };
        let (before, after) = (told(&agent.owner, &agent.space), told(&owner, &space));
        self.note(format!("agent {}: owner and space", agent.slug), before, after);
        let sql = "UPDATE agents SET owner_user_id = ?2, owner_space_id = ?3, space_id = ?4 WHERE id = ?1";
        self.conn.execute(sql, params![agent.id, owner, owner_space, space])?;
        Ok(())
    }

    fn credentials(&mut self) -> Result<()> {
        let live: HashMap<&str, &Credential> = self.now.credentials.iter().map(|one| (one.id.as_str(), one)).collect();
        for one in &self.backup.credentials {
            // Those that have died since are revoked already.
            let Some(now) = live.get(one.id.as_str()) else { continue };
            let right = format!("{} {} ({})", one.kind.replace('_', " "), one.label, one.id);
            let Some(less) = one.lesser(now) else {
                self.note(right, "live", "revoked: it is another one by now");
                let sql = "UPDATE credentials SET state = 'revoked', revoked_at = ?2 WHERE id = ?1";
                self.conn.execute(sql, params![one.id, self.at])?;
                continue;
            };
            let (before, after) = (one.reach(), less.reach());
            if before != after {
                self.note(right, before, after);
                let sql = "UPDATE credentials SET state = ?2, scopes = ?3, expires_at = ?4, audience = ?5, admin = ?6,
                    only_agents = ?7, space_id = (SELECT id FROM spaces WHERE id = ?8), host_binding = ?9 WHERE id = ?1";
                self.conn.execute(
                    sql,
                    params![
                        one.id,
                        less.state,
                        less.scopes,
                        less.expires_at,
                        less.audience,
                        less.admin,
                        less.only_agents,
                        less.space,
                        less.host
                    ],
                )?;
            }
        }
        Ok(())
    }

    fn grants(&mut self) -> Result<()> {
        // One that a request brought goes with the request.
        let lasting = |grant: &&Grant| grant.request.is_none();
        let present: HashMap<(&str, &str), &Grant> = self
            .now
            .grants
            .iter()
            .filter(lasting)
            .map(|grant| ((grant.to.as_str(), grant.on.as_str()), grant))
            .collect();
        let known = |grant: &&Grant| self.now.knows(&grant.to) && self.now.knows(&grant.on);
        for grant in self.backup.grants.iter().filter(lasting).filter(known) {
            let now = present.get(&(grant.to.as_str(), grant.on.as_str())).copied();
            let less = now.map(|now| grant.lesser(now));
            if less.as_ref().is_some_and(|(role, end)| *role == grant.role && *end == grant.expires_at) {
                continue;
            }
            let told = |role: GrantRole, end: Option<Micros>| match end {
                Some(end) => format!("{role} until {}", end.millis()),
                None => role.to_string(),
            };
            let after = less.as_ref().map_or_else(|| "none".to_owned(), |(role, end)| told(*role, *end));
            let right = format!("grant to {} on {}", self.named(&grant.to), self.named(&grant.on));
            self.note(right, told(grant.role, grant.expires_at), after);
            match less {
                None => self.conn.execute("DELETE FROM grants WHERE id = ?1", [&grant.id])?,
                Some((role, end)) => self.conn.execute(
                    "UPDATE grants SET role = ?2, expires_at = ?3 WHERE id = ?1",
                    params![grant.id, role, end],
                )?,
            };
        }
        Ok(())
    }

    /// What requests give for a time: nothing that has ended, been taken back or been decided otherwise since, and never
    /// longer. A request that was pending then and is not now can be asked again.
    fn requests(&mut self) -> Result<()> {
        let present: HashMap<&str, &Request> = self.now.requests.iter().map(|one| (one.id.as_str(), one)).collect();
        for one in self.backup.requests.iter().filter(|one| self.now.knows(&format!("agent {}", one.agent))) {
            let now = present.get(one.id.as_str()).copied();
            let right = format!("request {} of {} ({})", one.kind, self.named(&format!("agent {}", one.agent)), one.id);
            match (one.state.as_str(), now) {
                ("approved", Some(now)) if now.state == "approved" && now.granted == one.granted => {
                    let least = [one.until, now.until].into_iter().flatten().min();
                    if least != one.until {
                        let told = |until: Option<Micros>| until.map_or_else(|| "for ever".to_owned(), Micros::millis);
                        self.note(right, told(one.until), told(least));
                        self.conn.execute("UPDATE requests SET until = ?2 WHERE id = ?1", params![one.id, least])?;
                        let sql = "UPDATE grants SET expires_at = ?2 WHERE request_id = ?1";
                        self.conn.execute(sql, params![one.id, least])?;
                    }
                }
                ("approved", _) => {
                    self.note(right, "approved", "revoked");
                    let sql = "UPDATE requests SET state = 'revoked', untold = 1 WHERE id = ?1";
                    self.conn.execute(sql, [&one.id])?;
                }
                ("pending", Some(_)) => {}
                _ => {
                    self.note(right, "pending", "expired: it was decided since");
                    let sql = "UPDATE requests SET state = 'expired', untold = 1 WHERE id = ?1";
                    self.conn.execute(sql, [&one.id])?;
                }
            }
        }
        Ok(())
    }

    /// Whose a source of knowledge is: as it is now. One that came to somebody whom the backup does not know is nobody's.
    fn sources(&mut self) -> Result<()> {
        let present: HashMap<&str, &Source> = self.now.sources.iter().map(|one| (one.id.as_str(), one)).collect();
        for source in &self.backup.sources {
            let Some(now) = present.get(source.id.as_str()) else { continue };
            if now.user == source.user && now.agent == source.agent {
                continue;
            }
            let (before, after) = (self.owner(source), self.owner(now));
            self.note(format!("source {}: owner", source.id), before, after);
            let sql = "UPDATE knowledge_sources SET owner_user_id = (SELECT id FROM users WHERE id = ?2),
                owner_agent_id = (SELECT id FROM agents WHERE id = ?3) WHERE source_id = ?1";
            self.conn.execute(sql, params![source.id, now.user, now.agent])?;
        }
        Ok(())
    }

    /// Programs that were removed since: who has such a secret may not come back with it.
    fn clients(&mut self) -> Result<()> {
        let gone = |one: &&Client| self.now.descends && !self.now.clients.iter().any(|now| now.id == one.id);
        let gone: Vec<&Client> = self.backup.clients.iter().filter(gone).collect();
        for one in gone {
            self.note(format!("program {} ({})", one.name, one.id), "registered", "removed");
            self.conn.execute("DELETE FROM oauth_clients WHERE id = ?1", [&one.id])?;
        }
        Ok(())
    }

    fn owner(&self, source: &Source) -> String {
        match (&source.user, &source.agent) {
            (Some(id), _) => self.named(&format!("user {id}")),
            (None, Some(id)) => self.named(&format!("agent {id}")),
            (None, None) => "nobody".to_owned(),
        }
    }

    /// `user ID`, `agent ID` or `space ID` with the name in the place of the id.
    fn named(&self, whom: &str) -> String {
        let (what, id) = whom.split_once(' ').unwrap_or(("", whom));
        let user = || self.backup.users.iter().find(|user| user.id == id).map(|user| &user.name);
        let agent = || self.backup.agents.iter().find(|agent| agent.id == id).map(|agent| &agent.slug);
        let space = || self.backup.spaces.iter().find(|space| space.id == id).map(|space| &space.slug);
        let name = match what {
            "user" => user(),
            "space" => space(),
            _ => agent(),
        };
        format!("{what} {}", name.map_or(id, String::as_str))
    }
}

impl Grant {
    /// The lesser role and the earlier end of two states of one grant.
    fn lesser(&self, now: &Self) -> (GrantRole, Option<Micros>) {
        (self.role.min(now.role), [self.expires_at, now.expires_at].into_iter().flatten().min())
    }
}

impl Credential {
    /// The lesser of two states of one credential; `None` if they have nothing in common.
    fn lesser(&self, now: &Self) -> Option<Self> {
        let state = match (self.state.as_str(), now.state.as_str()) {
            (one, other) if one == other => one,
            ("active", "grace") => "grace",
            _ => return None,
        };
        let audience = match (self.audience.as_deref(), now.audience.as_deref()) {
            (one, other) if one == other => one,
            (Some("both") | None, other) => other,
            (one, Some("both") | None) => one,
            _ => return None,
        };
        let only_agents = match (&self.only_agents, &now.only_agents) {
            (None, other) => other.clone(),
            (one, None) => one.clone(),
            (Some(one), Some(other)) => Some(both(one, other)),
        };
        let scopes = both(&self.scopes, &now.scopes);
        // No scope may mean every scope of its kind.
        if scopes != self.scopes && (scopes == "[]" || now.scopes == "[]") {
            return None;
        }
        let least = [self.expires_at, now.expires_at].into_iter().flatten().min();
        Some(Self {
            state: state.to_owned(),
            scopes,
            expires_at: least,
            audience: audience.map(str::to_owned),
            admin: self.admin && now.admin,
            only_agents,
            space: now.space.clone().or_else(|| self.space.clone()),
            host: now.host.clone().or_else(|| self.host.clone()),
            ..self.clone()
        })
    }

    /// What it reaches, for people.
    fn reach(&self) -> String {
        let mut parts = vec![self.state.clone(), format!("scopes {}", self.scopes)];
        parts.extend(self.expires_at.map(|at| format!("until {}", at.millis())));
        parts.extend(self.audience.as_ref().map(|audience| format!("for {audience}")));
        parts.extend(self.admin.then(|| "admin".to_owned()));
        parts.extend(self.only_agents.as_ref().map(|only| format!("agents {only}")));
        parts.extend(self.space.as_ref().map(|space| format!("space {space}")));
        parts.extend(self.host.as_ref().map(|host| format!("host {host}")));
        parts.join(", ")
    }
}

/// What two lists of scopes or ids have in common, as JSON. Of two scopes of which one covers the other, the smaller.
fn both(one: &str, other: &str) -> String {
    let list = |text: &str| serde_json::from_str::<Vec<String>>(text).unwrap_or_default();
    let (first, second) = (list(one), list(other));
    if first == second {
        return one.to_owned();
    }
    let covers = |wide: &str, narrow: &str| {
        let prefix = wide.strip_suffix('*').filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
        wide == narrow || prefix.is_some_and(|prefix| narrow.len() > prefix.len() && narrow.starts_with(prefix))
    };
    let mut common: Vec<&str> = Vec::new();
    let pairs = first.iter().flat_map(|one| second.iter().map(move |other| (one.as_str(), other.as_str())));
    for (one, other) in pairs {
        let smaller = if covers(one, other) {
            other
        } else if covers(other, one) {
            one
        } else {
            continue;
        };
        if !common.contains(&smaller) {
            common.push(smaller);
        }
    }
    // The order is no right.
    if common.len() == first.len() && first.iter().all(|one| common.contains(&one.as_str())) {
        return one.to_owned();
    }
    serde_json::json!(common).to_string()
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

    #[test]
    fn two_lists_have_the_smaller_of_each_in_common() {
        for (one, other, common) in [
            (r#"["*"]"#, r#"["agents.read"]"#, r#"["agents.read"]"#),
            (r#"["agents.*","ui.notify"]"#, r#"["agents.read","agents.list"]"#, r#"["agents.read","agents.list"]"#),
            (r#"["agents.read"]"#, r#"["*"]"#, r#"["agents.read"]"#),
            (r#"["a.x"]"#, r#"["b.x"]"#, "[]"),
            (r#"["a","b"]"#, r#"["b","a"]"#, r#"["a","b"]"#),
            ("[]", r#"["*"]"#, "[]"),
        ] {
            assert_eq!(both(one, other), common, "{one} and {other}");
        }
    }
}
