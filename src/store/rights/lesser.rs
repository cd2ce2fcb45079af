//! Removes from a backup the rights that the present state does not give, kind by kind.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::common::both;
use super::rows::{
    AgentRights, ChannelRights, ClientRights, CredentialRights, GrantRights, RequestRights, Rights, SourceRights,
    TakenRight, UserRights,
};
use crate::store::grants::GrantRole;
use crate::store::{Result, users};
use crate::time::Micros;

/// The removal of rights; it notes each right that it takes.
pub(super) struct Lesser<'a> {
    pub(super) conn: &'a Connection,
    pub(super) now: &'a Rights,
    pub(super) backup: &'a Rights,
    pub(super) at: Micros,
    pub(super) taken: Vec<TakenRight>,
}

impl Lesser<'_> {
    fn note(&mut self, right: String, backup: impl Into<String>, restored: impl Into<String>) {
        self.taken.push(TakenRight { right, backup: backup.into(), restored: restored.into() });
    }

    pub(super) fn users(&mut self) -> Result<()> {
        let present: HashMap<&str, &UserRights> = self.now.users.iter().map(|user| (user.id.as_str(), user)).collect();
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

    /// If no enabled admin is left, one of the backup's admins stays admin: the first who is only no admin any more, else
    /// the first. Returns that user's id if it has to be enabled again.
    pub(super) fn last_admin(&mut self) -> Result<Option<String>> {
        if users::operator(self.conn)?.is_some() {
            return Ok(None);
        }
        let is_enabled = |id: &str| self.now.users.iter().any(|now| now.id == id && !now.disabled);
        let mut admins = self.backup.users.iter().filter(|user| user.role == "admin" && !user.disabled);
        let first = admins.clone().next();
        let Some(user) = admins.find(|user| is_enabled(&user.id)).or(first) else { return Ok(None) };
        let again = !is_enabled(&user.id);
        let (right, role) = (format!("user {}", user.name), format!("user {}: role", user.name));
        self.taken.retain(|taken| taken.right != right && taken.right != role);
        let how = if again {
            "admin still, and enabled again: there would be none"
        } else {
            "admin still: there would be none"
        };
        self.note(right, "admin", how);
        self.conn.execute("UPDATE users SET role = 'admin', disabled = 0 WHERE id = ?1", [&user.id])?;
        Ok(again.then(|| user.id.clone()))
    }

    /// Revokes the credentials of a user who had to be enabled again, and those of the user's agents: none of them works
    /// now. The next start then makes a new token for the operator.
    pub(super) fn credentials_of(&mut self, user_id: &str) -> Result<()> {
        const OF_USER: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?2
            WHERE user_id = ?1 AND state <> 'revoked' AND state <> 'expired'";
        const OF_AGENT: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?2
            WHERE agent_id = ?1 AND state <> 'revoked' AND state <> 'expired'";
        let mut revoked = self.conn.execute(OF_USER, params![user_id, self.at])?;
        for agent in self.now.agents.iter().filter(|agent| agent.owner == user_id) {
            revoked += self.conn.execute(OF_AGENT, params![agent.id, self.at])?;
        }
        if revoked > 0 {
            let whose = self.named(&format!("user {user_id}"));
            self.note(format!("credentials of {whose} and its agents"), "live", "revoked: the user was disabled");
        }
        Ok(())
    }

    pub(super) fn spaces(&mut self) -> Result<()> {
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

    pub(super) fn agents(&mut self) -> Result<()> {
        let present: HashMap<&str, &AgentRights> =
            self.now.agents.iter().map(|agent| (agent.id.as_str(), agent)).collect();
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

    /// Freezes an agent that is frozen now, and keeps who froze it: a restore does not thaw. One that the backup has
    /// archived cannot be frozen, and none of its credentials works.
    fn freeze(&mut self, agent: &AgentRights, now: &AgentRights) -> Result<()> {
        if agent.archived_at.is_some() {
            let told = "archived and no more frozen: freeze it after you restore it from the archive";
            self.note(format!("agent {}", agent.slug), "archived", told);
            return Ok(());
        }
        if agent.frozen_at.is_none() {
            self.note(format!("agent {}: frozen", agent.slug), "no", "yes");
        }
        let sql =
            "UPDATE agents SET frozen_at = ?2, frozen_by = ?3, frozen_reason = ?4, frozen_by_admin = ?5, thawing = 0
            WHERE id = ?1";
        let by_admin = now.frozen_by_admin || agent.frozen_by_admin;
        self.conn.execute(sql, params![agent.id, now.frozen_at, now.frozen_by, now.frozen_reason, by_admin])?;
        Ok(())
    }

    /// Archives an agent that was archived or purged since. It keeps only the container that it has now.
    fn archive(&mut self, agent: &AgentRights, now: Option<&AgentRights>) -> Result<()> {
        let how = if now.is_some() { "archived" } else { "purged since: archived" };
        self.note(format!("agent {}", agent.slug), "live", how);
        let sql = "UPDATE agents SET archived_at = ?2, container_name = ?3, container_runtime = ?4, snapshot_name = ?5,
            status = ?6, token_delivery = NULL, frozen_at = NULL, frozen_by = NULL, frozen_reason = NULL,
            frozen_by_admin = 0, thawing = 0 WHERE id = ?1";
        let text = |pick: fn(&AgentRights) -> &Option<String>| now.and_then(|now| pick(now).clone());
        let status = now.map_or("stopped", |now| now.status.as_str());
        let at = now.and_then(|now| now.archived_at).unwrap_or(self.at);
        let (container, runtime) = (text(|now| &now.container), text(|now| &now.runtime));
        self.conn.execute(sql, params![agent.id, at, container, runtime, text(|now| &now.snapshot), status])?;
        Ok(())
    }

    /// Gives an agent its present owner and space, if the backup knows them.
    fn place(&mut self, agent: &AgentRights, now: &AgentRights) -> Result<()> {
        if now.owner == agent.owner && now.space == agent.space && now.owner_space == agent.owner_space {
            return Ok(());
        }
        let name = |id: &str| self.backup.users.iter().find(|user| user.id == id).map(|user| user.name.clone());
        // An owner who came after the backup is not in it. The oldest admin that is left then gets the agent and has to
        // say whose it is.
        let owner = match (name(&now.owner), users::operator(self.conn)?) {
            (Some(_), _) => now.owner.clone(),
            (None, Some(admin)) => admin.id,
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

    pub(super) fn credentials(&mut self) -> Result<()> {
        let live: HashMap<&str, &CredentialRights> =
            self.now.credentials.iter().map(|one| (one.id.as_str(), one)).collect();
        for one in &self.backup.credentials {
            // Credentials that have ended since are revoked already.
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

    pub(super) fn grants(&mut self) -> Result<()> {
        // A grant that a request brought is handled with the request.
        let lasting = |grant: &&GrantRights| grant.request.is_none();
        let present: HashMap<(&str, &str), &GrantRights> = self
            .now
            .grants
            .iter()
            .filter(lasting)
            .map(|grant| ((grant.to.as_str(), grant.on.as_str()), grant))
            .collect();
        let known = |grant: &&GrantRights| self.now.knows(&grant.to) && self.now.knows(&grant.on);
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

    /// Limits what requests give for a time: nothing that has ended, was revoked or was decided otherwise since, and
    /// never for longer. A request that was pending then and is closed now expires; it can be asked again.
    pub(super) fn requests(&mut self) -> Result<()> {
        let present: HashMap<&str, &RequestRights> =
            self.now.requests.iter().map(|one| (one.id.as_str(), one)).collect();
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

    /// Gives a source of knowledge its present owner. If the backup does not know that owner, the source has none.
    pub(super) fn sources(&mut self) -> Result<()> {
        let present: HashMap<&str, &SourceRights> = self.now.sources.iter().map(|one| (one.id.as_str(), one)).collect();
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

    /// Removes programs that were removed since, so that nobody can come back with the secret of one.
    pub(super) fn clients(&mut self) -> Result<()> {
        let gone = |one: &&ClientRights| self.now.descends && !self.now.clients.iter().any(|now| now.id == one.id);
        let gone: Vec<&ClientRights> = self.backup.clients.iter().filter(gone).collect();
        for one in gone {
            self.note(format!("program {} ({})", one.name, one.id), "registered", "removed");
            self.conn.execute("DELETE FROM oauth_clients WHERE id = ?1", [&one.id])?;
        }
        Ok(())
    }

    /// Removes channels that were removed since, and gives changed ones their present address and settings. Otherwise
    /// an old address would get messages that the owner has taken from it.
    pub(super) fn channels(&mut self) -> Result<()> {
        let present: HashMap<&str, &ChannelRights> =
            self.now.channels.iter().map(|one| (one.id.as_str(), one)).collect();
        for one in &self.backup.channels {
            let user =
                one.user.as_deref().map_or_else(|| "the admins".to_owned(), |id| self.named(&format!("user {id}")));
            let right = format!("channel {} of {user} ({})", one.kind, one.id);
            let Some(now) = present.get(one.id.as_str()) else {
                if self.now.descends {
                    self.note(right, "there", "removed");
                    self.conn.execute("DELETE FROM channels WHERE id = ?1", [&one.id])?;
                }
                continue;
            };
            let told =
                |of: &ChannelRights| (of.url.clone(), of.secret.clone(), of.events.clone(), of.min_level.clone());
            if told(one) != told(now) {
                self.note(right, "as it was", "as it is now");
                let sql = "UPDATE channels SET url = ?2, secret = ?3, events = ?4, min_level = ?5 WHERE id = ?1";
                self.conn.execute(sql, params![one.id, now.url, now.secret, now.events, now.min_level])?;
            }
        }
        Ok(())
    }

    fn owner(&self, source: &SourceRights) -> String {
        match (&source.user, &source.agent) {
            (Some(id), _) => self.named(&format!("user {id}")),
            (None, Some(id)) => self.named(&format!("agent {id}")),
            (None, None) => "nobody".to_owned(),
        }
    }

    /// Returns `user ID`, `agent ID` or `space ID` with the name in place of the id.
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
