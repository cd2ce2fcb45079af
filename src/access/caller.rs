//! The caller: who a request comes from, after the access check.

use super::class::Class;
use super::jwt::Claims;
use super::scope::Scopes;
use super::words;
use crate::store::credentials::Holder;
use crate::store::grants::Grantee;
use crate::store::users::{Role, User};
use crate::time::Micros;

/// Who acts.
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
        /// The name other dialects know it by.
        name: String,
        /// The space it lives in.
        space_id: String,
        /// The owner.
        owner: User,
    },
}

/// What a request presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    /// A token, a session or the operator's socket.
    Itself,
    /// A short-lived token of this class.
    Token(Class),
    /// A key, on a route that takes keys.
    Key,
}

/// A principal that passed the access check of the route it called. Only this room makes one.
#[derive(Debug, Clone)]
pub struct Caller {
    principal: Principal,
    scopes: Scopes,
    credential: Option<Credential>,
    request_id: String,
    via: Via,
}

/// The credential a caller came with; the operator's socket needs none.
#[derive(Debug, Clone)]
struct Credential {
    id: String,
    kind: String,
    expires_at: Option<Micros>,
    /// What the credential itself may do; of a short-lived token, the one it was exchanged for.
    scopes: Scopes,
    only_agents: Option<Vec<String>>,
}

impl Caller {
    /// The caller behind a live credential.
    pub(super) fn from_holder(holder: Holder, request_id: String) -> Self {
        let scopes = Scopes::from_stored(&holder.scopes);
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
        let credential = Credential {
            id: holder.credential_id,
            kind: holder.kind,
            expires_at: holder.expires_at,
            scopes: scopes.clone(),
            // What cannot be read restricts to nothing.
            only_agents: holder.only_agents.map(|list| serde_json::from_str(&list).unwrap_or_default()),
        };
        Self { principal, scopes, credential: Some(credential), request_id, via: Via::Itself }
    }

    /// The caller behind a short-lived token: never more than its words say and its credential may do.
    pub(super) fn from_token(holder: Holder, claims: &Claims, request_id: String) -> Self {
        let mut caller = Self::from_holder(holder, request_id);
        caller.scopes = words::power(claims.class, &claims.scope).intersection(&caller.scopes);
        caller.via = Via::Token(claims.class);
        if let Some(credential) = &mut caller.credential {
            let end = Micros(claims.exp.saturating_mul(Micros::SECOND));
            credential.expires_at = Some(credential.expires_at.map_or(end, |at| at.min(end)));
        }
        caller
    }

    /// The caller behind a key, for the routes that take one.
    pub(super) fn from_key(holder: Holder, request_id: String) -> Self {
        let mut caller = Self::from_holder(holder, request_id);
        caller.via = Via::Key;
        caller
    }

    /// The operator on its Unix socket.
    pub(super) fn operator(user: User, request_id: String) -> Self {
        let principal = Principal::User(user);
        Self { principal, scopes: Scopes::all(), credential: None, request_id, via: Via::Itself }
    }

    /// As which of these classes the caller acts; a user's own token is a worker's and a manager's in one.
    pub(super) fn class_among(&self, classes: &[Class]) -> Option<Class> {
        let is = |class: &Class| match self.via {
            Via::Token(own) => own == *class,
            Via::Key => *class == Class::Key,
            Via::Itself => match self.principal {
                Principal::User(_) => matches!(class, Class::User | Class::Admin),
                Principal::Agent { .. } => *class == Class::Agent,
            },
        };
        classes.iter().copied().find(is)
    }

    /// The class the caller has where none fits.
    pub(super) fn class(&self) -> Class {
        self.class_among(&[Class::User, Class::Admin, Class::Agent, Class::Key]).unwrap_or(Class::Key)
    }

    /// The class of the short-lived token it came with.
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

    /// What a credential made by this request may do at the most. A manager's token stands for its key: its own words
    /// say what it may manage, not what it may give away.
    pub fn issuer_scopes(&self) -> &Scopes {
        match (&self.credential, self.via) {
            (Some(credential), Via::Token(Class::Admin)) => &credential.scopes,
            _ => &self.scopes,
        }
    }

    /// True if it may make a key that can be exchanged for a manager's token.
    pub fn may_make_managers(&self) -> bool {
        self.via == Via::Itself && words::is_admin(&self.scopes)
    }

    /// The agents its credential is restricted to; `None`: not restricted.
    pub fn only_agents(&self) -> Option<&[String]> {
        self.credential.as_ref().and_then(|credential| credential.only_agents.as_deref())
    }

    /// True if its credential says nothing against this agent.
    pub fn may_touch(&self, agent_id: &str) -> bool {
        self.only_agents().is_none_or(|only| only.iter().any(|id| id == agent_id))
    }

    /// Who acts.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The user who acts, or who owns the agent that acts.
    pub fn user(&self) -> &User {
        match &self.principal {
            Principal::User(user) => user,
            Principal::Agent { owner, .. } => owner,
        }
    }

    /// The id of the agent that acts.
    pub fn agent_id(&self) -> Option<&str> {
        match &self.principal {
            Principal::Agent { id, .. } => Some(id),
            Principal::User(_) => None,
        }
    }

    /// True for a user with the role admin; an agent never has its owner's role.
    pub fn is_admin(&self) -> bool {
        matches!(&self.principal, Principal::User(user) if user.role == Role::Admin)
    }

    /// What the credential may do.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// The credential's id; `None` on the operator's socket.
    pub fn credential_id(&self) -> Option<&str> {
        self.credential.as_ref().map(|credential| credential.id.as_str())
    }

    /// The credential's kind; `unix_socket` on the operator's socket.
    pub fn credential_kind(&self) -> &str {
        self.credential.as_ref().map_or("unix_socket", |credential| credential.kind.as_str())
    }

    /// Until when the credential is good.
    pub fn expires_at(&self) -> Option<Micros> {
        self.credential.as_ref().and_then(|credential| credential.expires_at)
    }

    /// The request's id.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The principal as grants name it.
    pub fn grantee(&self) -> Grantee {
        match &self.principal {
            Principal::User(user) => Grantee::User(user.id.clone()),
            Principal::Agent { id, .. } => Grantee::Agent(id.clone()),
        }
    }

    /// The principal by id, for what must never be shared between two.
    pub fn principal_key(&self) -> String {
        match &self.principal {
            Principal::User(user) => format!("user:{}", user.id),
            Principal::Agent { id, .. } => format!("agent:{id}"),
        }
    }

    /// The principal as the audit names it: `user:NAME` or `agent:ID`.
    pub fn actor(&self) -> String {
        match &self.principal {
            Principal::User(user) => format!("user:{}", user.username),
            Principal::Agent { id, .. } => format!("agent:{id}"),
        }
    }
}
