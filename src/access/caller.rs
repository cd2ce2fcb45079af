//! The caller: who a request comes from, after the access check.

use std::sync::Arc;

use super::fingerprints::KnownFingerprints;
use super::scopes::ax_scopes;
use super::scopes::scope::Scopes;
use super::tokens::jwt::Claims;
use crate::rest::class::Class;
use crate::secret::{Kind, SecretHash};
use crate::store::audit;
use crate::store::credentials::{Holder, KeyAudience, KeyType, Maker};
use crate::store::grants::Grantee;
use crate::store::users::{Role, User};
use crate::time::Micros;

/// The principal that acts.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A user.
    User(User),
    /// An agent, and the user who owns it.
    Agent {
        /// The agent's id.
        id: String,
        /// The agent's slug.
        slug: String,
        /// The agent's name in other dialects.
        name: String,
        /// The space that the agent lives in.
        space_id: String,
        /// The owner.
        owner: User,
    },
}

impl Principal {
    /// The principal by id; no two principals share it.
    fn key(&self) -> String {
        match self {
            Self::User(user) => format!("user:{}", user.id),
            Self::Agent { id, .. } => format!("agent:{id}"),
        }
    }
}

/// The kind of credential that a request presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    /// A token, a session or the operator's socket.
    Itself,
    /// A short-lived token of this class.
    Token(Class),
    /// A key, on a route that takes keys.
    Key,
}

/// The rights that a caller was found to have: those of its credential, in this state of the database.
#[derive(Debug, Clone, Copy)]
pub struct RightsRead {
    /// The hash of the credential.
    pub presented: SecretHash,
    /// The value of [`crate::store::Store::state`] from before the rights were read.
    pub state: u64,
}

/// A principal that passed the access check of the route it called. Only this room makes one. It says what the principal
/// was at the admission: what lasts longer than that must renew it ([`super::require_still_good`], [`super::Gate::renew`]).
#[derive(Debug, Clone)]
#[must_use]
pub struct Caller {
    who: Arc<Who>,
    via: Via,
    /// For a short-lived token: the scopes and the end that it leaves of its credential's.
    narrowed: Option<Arc<(Scopes, Micros)>>,
    /// All scopes at this moment, if approved requests give the agent some; `None` if they give none.
    widened: Option<Scopes>,
    request_id: String,
    rights_read: Option<RightsRead>,
}

/// A principal with its credential: the part that many requests of a caller share.
#[derive(Debug)]
pub(crate) struct Who {
    principal: Principal,
    /// The principal by id. Rates and allowances are counted by it.
    account: String,
    scopes: Scopes,
    /// The scopes that approved requests give its agent, each until its end.
    lent: Vec<TemporaryScopes>,
    credential: Option<CallerCredential>,
}

/// Scopes that an approved request gives an agent for a time.
#[derive(Debug)]
struct TemporaryScopes {
    scopes: Scopes,
    until: Option<Micros>,
}

/// The credential a caller came with; the operator's socket needs none.
#[derive(Debug)]
struct CallerCredential {
    id: String,
    kind: Kind,
    expires_at: Option<Micros>,
    only_agents: Option<Vec<String>>,
    audience: Option<KeyAudience>,
    /// Of a session: the token it was opened with.
    parent: Option<String>,
    mark: Option<String>,
    fingerprints: String,
    is_external: bool,
}

/// The scopes a credential has now: its own, and for an agent's credential no more than the agent has at present. An
/// external key only lets requests through to its agent and acts as nobody, so only its own scopes count.
pub fn power_of(holder: &Holder) -> Scopes {
    match &holder.agent {
        Some(agent) if holder.key_type != Some(KeyType::External) => {
            Scopes::of_agents_credential(&holder.scopes).intersection(&Scopes::of_agent(&agent.scope))
        }
        _ => Scopes::from_stored(&holder.scopes),
    }
}

/// The scopes that approved requests give the agent behind a credential. An external key acts as nobody and gets none.
fn lent_to(holder: &Holder) -> Vec<TemporaryScopes> {
    let Some(agent) = holder.agent.as_ref().filter(|_| holder.key_type != Some(KeyType::External)) else {
        return Vec::new();
    };
    let scopes = |texts: Vec<String>| Scopes::parse(texts.iter().map(String::as_str)).unwrap_or_default();
    let lent = agent.lent().into_iter();
    lent.map(|lent| TemporaryScopes { scopes: scopes(lent.granted.scope), until: lent.until.map(Micros) }).collect()
}

impl Who {
    /// The principal behind a live credential, with its present scopes.
    pub(super) fn from_holder(holder: Holder) -> Self {
        let scopes = power_of(&holder);
        let lent = lent_to(&holder);
        let principal = match holder.agent {
            Some(agent) => Principal::Agent {
                name: agent.given_name.unwrap_or_else(|| agent.slug.clone()),
                id: agent.id,
                slug: agent.slug,
                space_id: agent.space_id,
                owner: holder.user,
            },
            None => Principal::User(holder.user),
        };
        let credential = CallerCredential {
            id: holder.credential_id,
            kind: holder.kind,
            expires_at: holder.expires_at,
            // An unreadable list allows no agent.
            only_agents: holder.only_agents.map(|list| serde_json::from_str(&list).unwrap_or_default()),
            audience: holder.audience,
            parent: holder.parent_id,
            mark: holder.token_mark,
            fingerprints: holder.fingerprints,
            is_external: holder.key_type == Some(KeyType::External),
        };
        Self { account: principal.key(), principal, scopes, lent, credential: Some(credential) }
    }

    /// The scopes that approved requests give its agent at this time.
    fn lent_at(&self, now: Micros) -> Option<Scopes> {
        let live = self.lent.iter().filter(|lent| lent.until.is_none_or(|until| until > now));
        live.map(|lent| &lent.scopes).fold(None, |all: Option<Scopes>, one| Some(all.unwrap_or_default().union(one)))
    }
}

impl Caller {
    /// One request of a principal with its own credential.
    pub(super) fn new(who: Arc<Who>, request_id: String) -> Self {
        Self::made(who, Via::Itself, None, request_id)
    }

    /// One request of a principal, with the scopes lent to it at this moment.
    fn made(who: Arc<Who>, via: Via, narrowed: Option<Arc<(Scopes, Micros)>>, request_id: String) -> Self {
        let lent = if who.lent.is_empty() { None } else { who.lent_at(Micros::now()) };
        let widened = lent.map(|lent| narrowed.as_ref().map_or(&who.scopes, |narrowed| &narrowed.0).union(&lent));
        Self { who, via, narrowed, widened, request_id, rights_read: None }
    }

    /// The caller behind a short-lived token: it may do only what both the token's words and its credential allow.
    pub(super) fn from_token(holder: Holder, claims: &Claims, request_id: String) -> Self {
        let who = Who::from_holder(holder);
        let power = ax_scopes::power(claims.class, &claims.scope).intersection(&who.scopes);
        let end = Micros(claims.exp.saturating_mul(Micros::SECOND));
        let end = who.credential.as_ref().and_then(|credential| credential.expires_at).map_or(end, |at| at.min(end));
        Self::made(Arc::new(who), Via::Token(claims.class), Some(Arc::new((power, end))), request_id)
    }

    /// The same caller, with the credential and the database state that its rights were read from.
    pub(super) fn with_rights_of(mut self, presented: SecretHash, state: u64) -> Self {
        self.rights_read = Some(RightsRead { presented, state });
        self
    }

    /// The same caller in another request.
    pub(super) fn again(&self, request_id: String) -> Self {
        let again = Self::made(Arc::clone(&self.who), self.via, self.narrowed.clone(), request_id);
        Self { rights_read: self.rights_read, ..again }
    }

    /// The same caller in the same request, with the rights that its credential has now.
    pub(super) fn renewed(&self, holder: Holder) -> Self {
        let who = Arc::new(Who::from_holder(holder));
        let narrowed = self.narrowed.as_ref().map(|own| Arc::new((own.0.intersection(&who.scopes), own.1)));
        Self::made(who, self.via, narrowed, self.request_id.clone())
    }

    /// The rights it was found to have; `None` if they were read for this request alone.
    pub fn rights_read(&self) -> Option<RightsRead> {
        self.rights_read
    }

    /// True if the presented credential has expired.
    pub(super) fn is_expired(&self) -> bool {
        self.expires_at().is_some_and(|at| at <= Micros::now())
    }

    /// The caller behind a key, for the routes that take one.
    pub(super) fn from_key(holder: Holder, request_id: String) -> Self {
        Self::made(Arc::new(Who::from_holder(holder)), Via::Key, None, request_id)
    }

    /// The operator on its Unix socket.
    pub(super) fn operator(user: User, request_id: String) -> Self {
        let principal = Principal::User(user);
        let who =
            Who { account: principal.key(), principal, scopes: Scopes::all(), lent: Vec::new(), credential: None };
        Self::new(Arc::new(who), request_id)
    }

    /// The known fingerprints of its credential.
    pub(super) fn fingerprints(&self) -> Option<KnownFingerprints<'_>> {
        let credential = self.who.credential.as_ref()?;
        let mark = credential.mark.as_deref();
        Some(KnownFingerprints { credential_id: &credential.id, mark, stored: &credential.fingerprints })
    }

    /// The first of these classes that the caller has; a user's own token has both `Class::User` and `Class::Admin`.
    pub(super) fn class_among(&self, classes: &[Class]) -> Option<Class> {
        let is = |class: &Class| match self.via {
            Via::Token(own) => own == *class,
            Via::Key => *class == Class::Key,
            Via::Itself => match self.who.principal {
                Principal::User(_) => matches!(class, Class::User | Class::Admin),
                Principal::Agent { .. } => *class == Class::Agent,
            },
        };
        classes.iter().copied().find(is)
    }

    /// The caller's own class, for when it has none of the classes that a route takes.
    pub(crate) fn class(&self) -> Class {
        self.class_among(&[Class::User, Class::Admin, Class::Agent, Class::Key]).unwrap_or(Class::Key)
    }

    /// The class of the short-lived token it came with; `None` if it came with another credential.
    pub fn token_class(&self) -> Option<Class> {
        match self.via {
            Via::Token(class) => Some(class),
            Via::Itself | Via::Key => None,
        }
    }

    /// True if it presented a key itself.
    pub fn presents_key(&self) -> bool {
        self.via == Via::Key
    }

    /// The most that a credential made by this request may do. A manager's token stands for its key: the token's words
    /// say what it may manage, not what it may give away.
    pub fn issuer_scopes(&self) -> &Scopes {
        if self.via == Via::Token(Class::Admin) { &self.who.scopes } else { self.lasting_scopes() }
    }

    /// The credential's scopes, whatever the words of a short-lived token say. They are the most that an agent made by
    /// this request may do.
    pub fn credential_scopes(&self) -> &Scopes {
        &self.who.scopes
    }

    /// What its key may be exchanged for: `cli`, `mcp` or `both`. A credential that is no key may speak to all.
    pub fn audience(&self) -> KeyAudience {
        self.who.credential.as_ref().and_then(|credential| credential.audience).unwrap_or(KeyAudience::Both)
    }

    /// The maker of what this request makes. A session stands for the token it was opened with.
    pub fn maker(&self) -> Maker {
        let credential = self.who.credential.as_ref();
        Maker {
            actor: self.actor(),
            id: Some(self.principal_key()),
            credential: credential.map(|own| own.parent.clone().unwrap_or_else(|| own.id.clone())),
        }
    }

    /// True if it may make a key that can be exchanged for a manager's token.
    pub fn may_make_managers(&self) -> bool {
        self.via == Via::Itself && ax_scopes::is_admin(self.scopes())
    }

    /// The ids of the agents that its credential is restricted to; `None` if it is not restricted.
    pub fn only_agents(&self) -> Option<&[String]> {
        self.who.credential.as_ref().and_then(|credential| credential.only_agents.as_deref())
    }

    /// True if its credential is not restricted to other agents.
    pub fn may_touch(&self, agent_id: &str) -> bool {
        self.only_agents().is_none_or(|only| only.iter().any(|id| id == agent_id))
    }

    /// The principal that acts.
    pub fn principal(&self) -> &Principal {
        &self.who.principal
    }

    /// The user who acts, or who owns the acting agent.
    pub fn user(&self) -> &User {
        match &self.who.principal {
            Principal::User(user) => user,
            Principal::Agent { owner, .. } => owner,
        }
    }

    /// True for an external key. Its holder sends requests to the agent and is not the agent.
    pub(super) fn is_external(&self) -> bool {
        self.who.credential.as_ref().is_some_and(|credential| credential.is_external)
    }

    /// The id of the acting agent; `None` for a user.
    pub fn agent_id(&self) -> Option<&str> {
        match &self.who.principal {
            Principal::Agent { id, .. } => Some(id),
            Principal::User(_) => None,
        }
    }

    /// True for a user with the role admin; an agent never has its owner's role.
    pub fn is_admin(&self) -> bool {
        matches!(&self.who.principal, Principal::User(user) if user.role == Role::Admin)
    }

    /// The present scopes: the credential's, and those that approved requests give its agent for a time.
    pub fn scopes(&self) -> &Scopes {
        self.widened.as_ref().unwrap_or_else(|| self.lasting_scopes())
    }

    /// The scopes without those given for a time. Those cannot be passed on, or they would outlast their end.
    pub fn lasting_scopes(&self) -> &Scopes {
        self.narrowed.as_ref().map_or(&self.who.scopes, |narrowed| &narrowed.0)
    }

    /// The credential's id; `None` on the operator's socket.
    pub fn credential_id(&self) -> Option<&str> {
        self.who.credential.as_ref().map(|credential| credential.id.as_str())
    }

    /// The credential's kind; `unix_socket` on the operator's socket.
    pub fn credential_kind(&self) -> &'static str {
        self.who.credential.as_ref().map_or("unix_socket", |credential| credential.kind.slug())
    }

    /// When the credential or short-lived token ends; `None` if never.
    pub fn expires_at(&self) -> Option<Micros> {
        let own = || self.who.credential.as_ref().and_then(|credential| credential.expires_at);
        self.narrowed.as_ref().map(|narrowed| narrowed.1).or_else(own)
    }

    /// The request's id.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The principal in the form that grants use.
    pub fn grantee(&self) -> Grantee {
        match &self.who.principal {
            Principal::User(user) => Grantee::User(user.id.clone()),
            Principal::Agent { id, .. } => Grantee::Agent(id.clone()),
        }
    }

    /// The principal by id, for data that two principals must never share.
    pub fn principal_key(&self) -> String {
        self.who.account.clone()
    }

    /// The principal by id, borrowed. Rates and allowances are counted by it, whatever credentials the principal uses.
    pub fn account(&self) -> &str {
        &self.who.account
    }

    /// The name the principal signs with: an agent's name, a user's username.
    pub fn name(&self) -> &str {
        match self.principal() {
            Principal::User(user) => &user.username,
            Principal::Agent { name, .. } => name,
        }
    }

    /// The principal as people know it: `user:NAME` or `agent:SLUG`.
    pub fn source(&self) -> String {
        match self.principal() {
            Principal::User(user) => format!("user:{}", user.username),
            Principal::Agent { slug, .. } => format!("agent:{slug}"),
        }
    }

    /// The principal as the audit records it.
    pub fn audited(&self) -> audit::Actor {
        audit::Actor { name: self.actor(), id: Some(self.principal_key()) }
    }

    /// The principal as the audit names it: `user:NAME` or `agent:ID`.
    pub fn actor(&self) -> String {
        match &self.who.principal {
            Principal::User(user) => format!("user:{}", user.username),
            Principal::Agent { id, .. } => format!("agent:{id}"),
        }
    }
}
