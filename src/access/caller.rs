//! The caller: who a request comes from, after the access check.

use std::sync::Arc;

use crate::access::Scopes;
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
        /// The owner.
        owner: User,
    },
}

/// A principal that passed the access check of the route it called. Only this room makes one.
#[derive(Debug, Clone)]
pub struct Caller {
    who: Arc<Who>,
    request_id: String,
}

/// A principal with its credential: what many requests of a caller have in common.
#[derive(Debug)]
pub(super) struct Who {
    principal: Principal,
    scopes: Scopes,
    credential: Option<Credential>,
}

/// The credential a caller came with; the operator's socket needs none.
#[derive(Debug)]
struct Credential {
    id: String,
    kind: String,
    expires_at: Option<Micros>,
}

impl Who {
    /// The principal behind a live credential.
    pub(super) fn from_holder(holder: Holder) -> Self {
        let principal = match holder.agent {
            Some((id, slug)) => Principal::Agent { id, slug, owner: holder.user },
            None => Principal::User(holder.user),
        };
        Self {
            principal,
            scopes: Scopes::from_stored(&holder.scopes),
            credential: Some(Credential { id: holder.credential_id, kind: holder.kind, expires_at: holder.expires_at }),
        }
    }

    /// True if its credential has expired by `now`.
    pub(super) fn is_expired(&self, now: Micros) -> bool {
        self.credential.as_ref().and_then(|credential| credential.expires_at).is_some_and(|at| at <= now)
    }
}

impl Caller {
    /// One request of a principal.
    pub(super) fn new(who: Arc<Who>, request_id: String) -> Self {
        Self { who, request_id }
    }

    /// The operator on its Unix socket.
    pub(super) fn operator(user: User, request_id: String) -> Self {
        let who = Who { principal: Principal::User(user), scopes: Scopes::all(), credential: None };
        Self { who: Arc::new(who), request_id }
    }

    /// Who acts.
    pub fn principal(&self) -> &Principal {
        &self.who.principal
    }

    /// The user who acts, or who owns the agent that acts.
    pub fn user(&self) -> &User {
        match &self.who.principal {
            Principal::User(user) => user,
            Principal::Agent { owner, .. } => owner,
        }
    }

    /// The id of the agent that acts.
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

    /// What the credential may do.
    pub fn scopes(&self) -> &Scopes {
        &self.who.scopes
    }

    /// The credential's id; `None` on the operator's socket.
    pub fn credential_id(&self) -> Option<&str> {
        self.who.credential.as_ref().map(|credential| credential.id.as_str())
    }

    /// The credential's kind; `unix_socket` on the operator's socket.
    pub fn credential_kind(&self) -> &str {
        self.who.credential.as_ref().map_or("unix_socket", |credential| credential.kind.as_str())
    }

    /// Until when the credential is good.
    pub fn expires_at(&self) -> Option<Micros> {
        self.who.credential.as_ref().and_then(|credential| credential.expires_at)
    }

    /// The request's id.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The principal as grants name it.
    pub fn grantee(&self) -> Grantee {
        match &self.who.principal {
            Principal::User(user) => Grantee::User(user.id.clone()),
            Principal::Agent { id, .. } => Grantee::Agent(id.clone()),
        }
    }

    /// The principal by id, for what must never be shared between two.
    pub fn principal_key(&self) -> String {
        match &self.who.principal {
            Principal::User(user) => format!("user:{}", user.id),
            Principal::Agent { id, .. } => format!("agent:{id}"),
        }
    }

    /// The principal as people know it: `user:NAME` or `agent:SLUG`.
    pub fn source(&self) -> String {
        match self.principal() {
            Principal::User(user) => format!("user:{}", user.username),
            Principal::Agent { slug, .. } => format!("agent:{slug}"),
        }
    }

    /// The principal as the audit names it: `user:NAME` or `agent:ID`.
    pub fn actor(&self) -> String {
        match &self.who.principal {
            Principal::User(user) => format!("user:{}", user.username),
            Principal::Agent { id, .. } => format!("agent:{id}"),
        }
    }
}
