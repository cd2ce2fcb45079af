//! The model's state: who may see and do what at a moment. Nothing here asks the daemon.

use std::collections::{BTreeMap, BTreeSet};

/// An agent's default scope (DESIGN D8).
pub const AGENT_DEFAULT: &[&str] = &[
    "agents.read",
    "agents.list",
    "agents.register",
    "deployments.read",
    "ui.notify",
    "notifications.read",
    "knowledge.read",
    "spaces.list",
    "spaces.read",
    "messages.*",
    "tasks.*",
    "context.*",
    "uploads.*",
    "events.read",
    "requests.create",
    "requests.read",
];
/// The actions that a short-lived token of a user covers, with every word of its class (contract ax, section 5).
const USER_ACCESS: &[&str] = &[
    "messages.*",
    "tasks.*",
    "context.*",
    "uploads.*",
    "agents.list",
    "agents.read",
    "agents.presence",
    "agents.create",
    "agents.update",
    "agents.delete",
    "agents.place",
    "spaces.*",
    "events.read",
    "keys.*",
];
/// The actions that a short-lived token of an agent covers.
const AGENT_ACCESS: &[&str] = &[
    "messages.*",
    "tasks.*",
    "context.*",
    "uploads.*",
    "agents.list",
    "agents.read",
    "agents.presence",
    "agents.heartbeat",
    "agents.processing",
    "spaces.list",
    "spaces.read",
    "events.read",
    "requests.create",
    "requests.read",
];
/// The further actions that a short-lived token for tools covers.
const TOOLS: &[&str] = &["knowledge.read", "ui.notify"];
/// The seconds around an end in which the model does not check.
const NEAR: f64 = 2.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Viewer,
    Editor,
    Owner,
}

impl Role {
    pub fn word(self) -> &'static str {
        ["viewer", "editor", "owner"][self as usize]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    User(usize),
    /// The index of an agent. An agent that replaces another takes over its index.
    Agent(usize),
}

/// A role, with its end by the daemon's clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    pub role: Role,
    pub until: Option<f64>,
    /// The id of the grant or the request that gave it.
    pub id: String,
}

/// The roles that a principal holds on a space or an agent: its own, which a grant gave, and those from requests.
#[derive(Debug, Clone, Default)]
pub struct Held {
    pub own: Option<Given>,
    pub asked: Vec<Given>,
}

impl Held {
    fn all(&self) -> impl Iterator<Item = &Given> {
        self.own.iter().chain(&self.asked)
    }
}

#[derive(Debug, Clone)]
pub struct Person {
    pub id: String,
    pub name: &'static str,
}

#[derive(Debug, Clone)]
pub struct Agent {
    pub id: String,
    pub name: String,
    pub generation: usize,
    pub owner: usize,
    pub home: usize,
    pub is_frozen: bool,
    pub scope: Vec<&'static str>,
    /// Temporary scopes, and the requests that gave them.
    pub extra: Vec<(&'static str, Given)>,
}

#[derive(Debug, Clone)]
pub struct Space {
    pub id: String,
    pub owner: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    UserToken,
    UserKey,
    AgentToken,
    AgentKey,
    InternalKey,
}

#[derive(Debug, Clone)]
pub struct Credential {
    pub who: Who,
    pub kind: Kind,
    pub id: String,
    pub secret: String,
    pub scopes: Vec<&'static str>,
    pub is_live: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Message,
    Task,
    Context,
    Upload,
}

#[derive(Debug, Clone)]
pub enum Lease {
    Free,
    Held {
        by: Who,
        fence: i64,
        until: f64,
    },
    /// The model does not know who holds it.
    Unknown,
}

/// Something in a space.
#[derive(Debug, Clone)]
pub struct Thing {
    pub space: usize,
    pub sort: Sort,
    /// The id, or the key of a context value.
    pub id: String,
    pub lease: Lease,
}

#[derive(Debug, Clone, Default)]
pub struct State {
    pub people: Vec<Person>,
    pub agents: Vec<Agent>,
    pub spaces: Vec<Space>,
    pub credentials: Vec<Credential>,
    pub things: Vec<Thing>,
    pub in_spaces: BTreeMap<(Who, usize), Held>,
    pub on_agents: BTreeMap<(Who, usize), Held>,
    /// Users, each with a space of which a grant made them owner, now or before. They have seen why agents ask for it.
    pub have_owned: BTreeSet<(usize, usize)>,
    /// Ids of agents that are gone for good.
    pub gone: Vec<String>,
}

/// The model's answer. `InDoubt` if an end is near.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Answer {
    Yes,
    No,
    InDoubt,
}

impl From<bool> for Answer {
    fn from(is_so: bool) -> Self {
        if is_so { Self::Yes } else { Self::No }
    }
}

/// What a try needs besides a scope that covers the action.
#[derive(Debug, Clone, Copy)]
pub enum Need {
    Nothing,
    Space(usize, Role),
    Agent(usize, Role),
    /// The lasting role of an owner. A temporary owner cannot give roles.
    ToGiveASpace(usize),
    ToGiveAnAgent(usize),
    /// Nobody may, or the thing does not exist.
    Never,
}

fn covers(scopes: &[&str], action: &str) -> bool {
    scopes.iter().any(|scope| match scope.strip_suffix('*') {
        Some(prefix) => action.starts_with(prefix),
        None => *scope == action,
    })
}

fn is_near(given: &Given, now: f64) -> bool {
    given.until.is_some_and(|until| (until - now).abs() < NEAR)
}

impl State {
    /// The role that a principal has in a space.
    pub fn space_role(&self, who: Who, space: usize, now: f64) -> Option<Role> {
        self.natural_space_role(who, space, now).max(role_of(self.in_spaces.get(&(who, space)), now))
    }

    /// As [`Self::space_role`], without roles that have an end.
    fn lasting_space_role(&self, who: Who, space: usize, now: f64) -> Option<Role> {
        self.natural_space_role(who, space, now).max(lasting(self.in_spaces.get(&(who, space))))
    }

    fn natural_space_role(&self, who: Who, space: usize, now: f64) -> Option<Role> {
        match who {
            Who::User(user) => (self.spaces[space].owner == user).then_some(Role::Owner),
            // The agent is an editor in its home space, but never has more than its owner.
            Who::Agent(agent) if self.agents[agent].home == space => {
                self.space_role(Who::User(self.agents[agent].owner), space, now).map(|role| role.min(Role::Editor))
            }
            Who::Agent(_) => None,
        }
    }

    /// The role that a principal has on an agent.
    pub fn agent_role(&self, who: Who, agent: usize, now: f64) -> Option<Role> {
        self.natural_agent_role(who, agent).max(role_of(self.on_agents.get(&(who, agent)), now))
    }

    /// As [`Self::agent_role`], without roles that have an end.
    fn lasting_agent_role(&self, who: Who, agent: usize) -> Option<Role> {
        self.natural_agent_role(who, agent).max(lasting(self.on_agents.get(&(who, agent))))
    }

    fn natural_agent_role(&self, who: Who, agent: usize) -> Option<Role> {
        match who {
            Who::User(user) => (self.agents[agent].owner == user).then_some(Role::Owner),
            Who::Agent(own) => (own == agent).then_some(Role::Editor),
        }
    }

    /// True if somebody has what is needed.
    pub fn has(&self, who: Who, need: Need, now: f64) -> bool {
        match need {
            Need::Nothing => true,
            Need::Never => false,
            Need::Space(space, role) => self.space_role(who, space, now) >= Some(role),
            Need::ToGiveASpace(space) => self.lasting_space_role(who, space, now) == Some(Role::Owner),
            Need::Agent(agent, role) => self.agent_role(who, agent, now) >= Some(role),
            Need::ToGiveAnAgent(agent) => self.lasting_agent_role(who, agent) == Some(Role::Owner),
        }
    }

    /// True if a role or a scope of this principal is about to end, or has just ended.
    pub fn is_in_doubt(&self, who: Who, now: f64) -> bool {
        let held = self.in_spaces.iter().chain(&self.on_agents).filter(|((holder, _), _)| *holder == who);
        let extra = match who {
            Who::Agent(agent) => &self.agents[agent].extra[..],
            Who::User(_) => &[],
        };
        held.flat_map(|(_, held)| held.all())
            .chain(extra.iter().map(|(_, given)| given))
            .any(|given| is_near(given, now))
    }

    /// The credential's principal, unless the credential has ended or the agent is frozen.
    pub fn alive(&self, credential: &Credential) -> Option<Who> {
        let frozen = matches!(credential.who, Who::Agent(agent) if self.agents[agent].is_frozen);
        (credential.is_live && !frozen).then_some(credential.who)
    }

    /// True if a credential covers an action. A key does so by its short-lived token for routes or for tools.
    pub fn covers(&self, credential: &Credential, action: &str, as_tool: bool, now: f64) -> bool {
        if action == "auth.whoami" {
            return true;
        }
        let for_tools = as_tool && covers(TOOLS, action);
        let by_class = match credential.kind {
            Kind::UserToken => return covers(&credential.scopes, action),
            Kind::UserKey => {
                return (covers(USER_ACCESS, action) || for_tools) && covers(&credential.scopes, action);
            }
            Kind::AgentKey => covers(AGENT_ACCESS, action) || for_tools,
            Kind::AgentToken | Kind::InternalKey => true,
        };
        // An agent that may see which agents there are may also see which are online.
        let by_scope = if action == "agents.presence" { "agents.list" } else { action };
        let Who::Agent(agent) = credential.who else { return false };
        let agent = &self.agents[agent];
        let extra = agent.extra.iter().any(|(scope, given)| *scope == action && in_force(given, now));
        (by_class && covers(&credential.scopes, action) && covers(&agent.scope, by_scope)) || extra
    }

    /// True if this credential covers all these scopes, so that its holder may give them.
    pub fn holds(credential: &Credential, scopes: &[&'static str]) -> bool {
        let covered = |scope: &&str| covers(&credential.scopes, scope) || credential.scopes.contains(scope);
        credential.kind == Kind::UserToken && scopes.iter().all(covered)
    }

    /// The first marker in a reply that its reader may not see. A reader of `None` may see no marker.
    pub fn leak(&self, reader: Option<Who>, body: &[u8], now: f64) -> Option<String> {
        let text = String::from_utf8_lossy(body);
        text.match_indices("zz").find_map(|(at, _)| {
            let marker = text[at..].split("end").next()?;
            let may = |is_so: &dyn Fn(Who) -> bool| reader.is_some_and(is_so);
            let numbers: Vec<usize> =
                marker.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
            let is_seen = match (&marker[2..marker.len().min(7)], &numbers[..]) {
                ("space", [space]) => may(&|who| self.space_role(who, *space, now).is_some()),
                ("agent", [agent, generation]) => {
                    self.agents[*agent].generation == *generation
                        && may(&|who| self.agent_role(who, *agent, now).is_some())
                }
                // A notification of an agent to its owner.
                ("notes", [agent]) => {
                    may(&|who| [Who::Agent(*agent), Who::User(self.agents[*agent].owner)].contains(&who))
                }
                // The reason of a request for a space. The agent's owner and the owners of the space see it.
                ("wants", [agent, space]) => may(&|who| match who {
                    Who::Agent(own) => own == *agent,
                    Who::User(user) => {
                        let owners = [self.agents[*agent].owner, self.spaces[*space].owner];
                        owners.contains(&user) || self.have_owned.contains(&(user, *space))
                    }
                }),
                _ => return None,
            };
            (!is_seen).then(|| marker.to_owned())
        })
    }

    /// The state after a restore of `then` on a box that is in the state `now`: what is in force in both.
    pub fn lesser(then: &Self, now: &Self) -> Self {
        let mut left = then.clone();
        left.have_owned.extend(&now.have_owned);
        for (key, held) in &mut left.in_spaces {
            lessen(held, now.in_spaces.get(key));
        }
        for (key, held) in &mut left.on_agents {
            lessen(held, now.on_agents.get(key));
        }
        for (credential, now) in left.credentials.iter_mut().zip(&now.credentials) {
            credential.is_live &= now.is_live;
            credential.scopes.retain(|scope| now.scopes.contains(scope));
        }
        let since = now.credentials.iter().skip(left.credentials.len());
        left.credentials.extend(since.map(|one| Credential { is_live: false, ..one.clone() }));
        for (agent, now) in left.agents.iter_mut().zip(&now.agents) {
            agent.is_frozen |= now.is_frozen;
            agent.scope.retain(|scope| now.scope.contains(scope));
            agent.extra.retain(|(_, given)| now.extra.iter().any(|(_, other)| other.id == given.id));
        }
        left.forget_leases();
        left
    }

    /// Makes the holder of every task unknown.
    pub fn forget_leases(&mut self) {
        for thing in &mut self.things {
            thing.lease = Lease::Unknown;
        }
    }
}

fn in_force(given: &Given, now: f64) -> bool {
    given.until.is_none_or(|until| until > now)
}

fn role_of(held: Option<&Held>, now: f64) -> Option<Role> {
    held?.all().filter(|given| in_force(given, now)).map(|given| given.role).max()
}

fn lasting(held: Option<&Held>) -> Option<Role> {
    held?.own.as_ref().filter(|given| given.until.is_none()).map(|given| given.role)
}

fn lessen(held: &mut Held, now: Option<&Held>) {
    let none = Held::default();
    let now = now.unwrap_or(&none);
    held.own = held.own.take().and_then(|then| {
        let now = now.own.as_ref()?;
        let until = [then.until, now.until].into_iter().flatten().min_by(f64::total_cmp);
        Some(Given { role: then.role.min(now.role), until, id: then.id })
    });
    held.asked.retain(|given| now.asked.iter().any(|other| other.id == given.id));
}
