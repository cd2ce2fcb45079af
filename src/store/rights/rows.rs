//! The rights that a database gives, as its rows have them.

use serde::Serialize;

use crate::store::grants::GrantRole;
use crate::store::row::record;
use crate::time::Micros;

/// A right that the backup gives and the restored database does not, or gives less of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakenRight {
    /// The holder and the right, such as `user ann: role`.
    pub right: String,
    /// The right in the backup.
    pub backup: String,
    /// The right after the restore.
    pub restored: String,
}

record! {
    pub(super) struct UserRights from "users u" {
        pub(super) id: String = "u.id",
        pub(super) name: String = "u.username",
        pub(super) role: String = "u.role",
        pub(super) disabled: bool = "u.disabled",
    }
}

record! {
    pub(super) struct SpaceRights from "spaces s" {
        pub(super) id: String = "s.id",
        pub(super) slug: String = "s.slug",
        pub(super) visibility: String = "s.visibility",
        pub(super) owner: String = "s.owner_user_id",
        pub(super) is_default: bool = "s.is_default",
    }
}

record! {
    pub(super) struct AgentRights from "agents a LEFT JOIN agent_profiles p ON p.agent_id = a.id" {
        pub(super) id: String = "a.id",
        pub(super) slug: String = "a.slug",
        pub(super) owner: String = "a.owner_user_id",
        pub(super) owner_space: String = "a.owner_space_id",
        pub(super) space: String = "a.space_id",
        pub(super) scope: String = "a.scope",
        pub(super) reads_memory: bool = "a.can_read_user_memory",
        pub(super) archived_at: Option<Micros> = "a.archived_at",
        pub(super) container: Option<String> = "a.container_name",
        pub(super) runtime: Option<String> = "a.container_runtime",
        pub(super) snapshot: Option<String> = "a.snapshot_name",
        pub(super) status: String = "a.status",
        pub(super) active: bool = "coalesce(p.active, 1)",
        pub(super) frozen_at: Option<Micros> = "a.frozen_at",
        pub(super) frozen_by: Option<String> = "a.frozen_by",
        pub(super) frozen_reason: Option<String> = "a.frozen_reason",
        pub(super) frozen_by_admin: bool = "a.frozen_by_admin",
    }
}

record! {
    pub(super) struct CredentialRights from "credentials c" {
        pub(super) id: String = "c.id",
        pub(super) kind: String = "c.kind",
        pub(super) label: String = "c.label",
        pub(super) state: String = "c.state",
        pub(super) scopes: String = "c.scopes",
        pub(super) expires_at: Option<Micros> = "c.expires_at",
        pub(super) audience: Option<String> = "c.audience",
        pub(super) admin: bool = "c.admin",
        pub(super) only_agents: Option<String> = "c.only_agents",
        pub(super) space: Option<String> = "c.space_id",
        pub(super) host: Option<String> = "c.host_binding",
    }
}

record! {
    pub(super) struct GrantRights from "grants g" {
        pub(super) id: String = "g.id",
        pub(super) to: String = "coalesce('user ' || g.principal_user_id, 'agent ' || g.principal_agent_id)",
        pub(super) on: String = "coalesce('agent ' || g.agent_id, 'space ' || g.space_id, 'agent *')",
        pub(super) role: GrantRole = "g.role",
        pub(super) expires_at: Option<Micros> = "g.expires_at",
        pub(super) request: Option<String> = "g.request_id",
    }
}

record! {
    pub(super) struct RequestRights from "requests r" {
        pub(super) id: String = "r.id",
        pub(super) agent: String = "r.agent_id",
        pub(super) kind: String = "r.kind",
        pub(super) state: String = "r.state",
        pub(super) until: Option<Micros> = "r.until",
        pub(super) granted: Option<String> = "r.granted",
    }
}

record! {
    pub(super) struct SourceRights from "knowledge_sources k" {
        pub(super) id: String = "k.source_id",
        pub(super) user: Option<String> = "k.owner_user_id",
        pub(super) agent: Option<String> = "k.owner_agent_id",
    }
}

record! {
    pub(super) struct ClientRights from "oauth_clients o" {
        pub(super) id: String = "o.id",
        pub(super) name: String = "o.name",
    }
}

record! {
    pub(super) struct ChannelRights from "channels h" {
        pub(super) id: String = "h.id",
        pub(super) user: Option<String> = "h.user_id",
        pub(super) kind: String = "h.kind",
        pub(super) url: String = "h.url",
        pub(super) secret: Option<Vec<u8>> = "h.secret",
        pub(super) events: String = "h.events",
        pub(super) min_level: String = "h.min_level",
    }
}

/// The rights in one database.
#[derive(Debug, Default)]
pub struct Rights {
    pub(super) clients: Vec<ClientRights>,
    pub(super) users: Vec<UserRights>,
    pub(super) spaces: Vec<SpaceRights>,
    pub(super) agents: Vec<AgentRights>,
    pub(super) credentials: Vec<CredentialRights>,
    pub(super) grants: Vec<GrantRights>,
    pub(super) requests: Vec<RequestRights>,
    pub(super) sources: Vec<SourceRights>,
    /// The channels without those of `taosd.toml`, which every start writes anew.
    pub(super) channels: Vec<ChannelRights>,
    /// Whether this state came from that of the backup. If so, all that only the backup has was taken since. If not, as
    /// after a restore that is undone, a principal that is unknown here was not taken away.
    pub(super) descends: bool,
}
