//! What each route adds to the stored data, and what bounds it. Every route that writes is charged to its principal's
//! allowance (`access::Allowance`). The further bounds of its rows are listed here and in `docs/security.md`, which is
//! made from this list.

use hyper::http::Method;

use crate::access::{Action, Amount};
use crate::limits;
use crate::rest::route::Route;

/// The effect of a request on the size of the stored data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// None: it reads, or works only in memory.
    Reads,
    /// It deletes or marks rows. Always allowed, so that a principal with a used-up allowance can still revoke.
    Frees,
    /// It may add rows; refused if the allowance is used up.
    Adds,
    /// It may add text whose words are indexed; the index takes as much room as the text again.
    AddsWords,
}

impl Growth {
    /// Returns the charge of a request that changed `rows` rows, had `body` bytes of body and stores `kept` bytes of
    /// its reply.
    pub fn cost(self, rows: u64, body: usize, kept: usize) -> Amount {
        match self {
            Self::Adds => Amount::of(rows, body, kept),
            Self::AddsWords => Amount::of(rows, body.saturating_mul(limits::WORDS_FACTOR), kept),
            // Deleted rows cost nothing; only the audit row remains.
            Self::Reads | Self::Frees => Amount::of(rows.min(1), 0, kept),
        }
    }
}

/// Routes that only delete or mark rows, though their method does not say so.
const FREES: &[&str] = &[
    "notifications_read",
    "notifications_read_all",
    "operations_cancel",
    "agents_freeze",
    "agents_thaw",
    "freeze_all",
    "thaw_all",
    "messages_mark_read",
    "messages_mark_all_read",
    "messages_mark_these",
    "tasks_release",
    "requests_withdraw",
    "requests_revoke",
    "requests_deny",
    "oauth_revoke",
];

/// Routes whose texts are indexed by their words.
const WORDS: &[&str] = &["knowledge_put", "messages_send", "messages_edit"];

/// Routes that write nothing to disk, though their method does not say so.
const READS: &[&str] = &[
    "ax_honeypot",
    "channels_test",
    // A check of the database writes nothing; it has its own rate limit.
    "database_check_begin",
    "database_check_stop",
    "agents_heartbeat",
    "agentex_forward_post",
    "agentex_rpc",
    "agentex_rpc_by_name",
    "agentex_rpc_by_deployment",
    "agentex_schedules_create",
    "agentex_schedules_post",
    "agentex_schedules_patch",
    "agentex_schedules_put",
    "agentex_schedules_delete",
    "agentex_webhook_trigger",
    "messages_search",
    "agents_processing",
    "tool_calls",
    "sessions_link",
    // Each call that it makes is charged separately.
    "mcp",
    "oauth_register",
    "oauth_introspect",
    "oauth_device",
    "oauth_device_form",
    "oauth_device_authorization",
];

/// Returns the effect of a route. A route that is in no list adds, unless its method is `GET`, `HEAD`, `OPTIONS` or
/// `DELETE`.
pub fn of<P, C, A>(route: &Route<P, C, A>) -> Growth {
    match route.method {
        Method::GET | Method::HEAD | Method::OPTIONS => Growth::Reads,
        _ if READS.contains(&route.id) => Growth::Reads,
        Method::DELETE => Growth::Frees,
        _ if FREES.contains(&route.id) => Growth::Frees,
        _ if WORDS.contains(&route.id) => Growth::AddsWords,
        _ => Growth::Adds,
    }
}

/// Returns the key that counts repeats of an audit fact by the same principal: the first is a row, the others of its
/// minute share one more. `None` if every fact gets a row.
pub fn repeated_by(action: Action, resource: &str) -> Option<String> {
    match action {
        // Each login has its own session id, so the resource cannot be the key.
        Action::AuthLogin => Some("session".to_owned()),
        Action::AuthExchange
        | Action::AgentsRegister
        | Action::AgentsTokenIssue
        | Action::AgentsProfile
        | Action::DeploymentsPromote => Some(resource.to_owned()),
        _ => None,
    }
}

/// The bound, beside the allowance, of the rows that some routes add.
pub struct Bound {
    /// The ids of the routes.
    pub routes: &'static [&'static str],
    /// The rows that they add.
    pub adds: &'static str,
    /// Returns how many rows there can be, and what happens beyond that.
    pub most: fn() -> String,
}

fn days(life: std::time::Duration) -> u64 {
    life.as_secs() / 86_400
}

fn kibibytes(bytes: usize) -> String {
    format!("{} KiB", bytes / 1024)
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes / 1024 / 1024)
}

const AGENTS: &[&str] = &[
    "agents_create",
    "agents_import",
    "ax_agents_create",
    "ax_agents_manage_create",
    "ax_manage_create",
    "agentex_agents_register_build",
];
const AGENTS_CHANGED: &[&str] = &[
    "agents_update",
    "agents_permissions",
    "agents_persona",
    "agents_memory",
    "agents_wake",
    "agents_model",
    "ax_agents_manage_update",
    "ax_agents_update",
    "ax_manage_update",
    "ax_place",
];
const OPERATIONS: &[&str] = &[
    "agents_restore",
    "agents_bulk_start",
    "agents_bulk_stop",
    "agents_bulk_restart",
    "agents_start",
    "agents_stop",
    "agents_restart",
    "agents_pause",
    "agents_resume",
    "agents_deploy",
];

/// The bounds of every route that adds; a test fails for a route that has none.
pub const BOUNDS: &[Bound] = &[
    Bound {
        routes: AGENTS,
        adds: "An agent and its owner's grant",
        most: || {
            format!("{} agents per owner, archived ones included; then 409 `limit_reached`", limits::AGENTS_OF_USER)
        },
    },
    Bound {
        routes: AGENTS_CHANGED,
        adds: "Nothing: one row changes",
        most: || "Each text has a maximum length".to_owned(),
    },
    Bound {
        routes: OPERATIONS,
        adds: "An operation",
        most: || {
            format!(
                "One running per agent; {} finished ones per principal, then its oldest are deleted; {} days",
                limits::OPERATIONS_KEPT,
                days(limits::FINISHED_OPERATION_LIFE)
            )
        },
    },
    Bound {
        routes: &["joins_create"],
        adds: "A notification for each person who may decide; the join itself is held in memory",
        most: || {
            format!(
                "{} waiting on the box, {} per peer, {} a minute per peer, then 429 `rate_limited`; people are notified of {} an hour",
                limits::JOINS_PENDING.0,
                limits::JOINS_PENDING.1,
                limits::JOINS_PER_MINUTE,
                limits::JOINS_TOLD_PER_HOUR
            )
        },
    },
    Bound {
        routes: &["joins_fetch"],
        adds: "A key, once for each join that a person has approved",
        most: || "`ax.max_agent_pats` live ones per agent: a join is not approved beyond that".to_owned(),
    },
    Bound {
        routes: &["requests_create", "ui_ask"],
        adds: "A request, a notification for each decider, of a question a message",
        most: || {
            format!(
                "{} pending and {} open questions per agent, then 409 `too_many_requests_pending` or \
                    `too_many_questions`; {} an hour, then 429 `rate_limited`; the newest {} closed ones are kept",
                limits::REQUESTS_PENDING.0,
                limits::REQUESTS_PENDING.1,
                limits::REQUESTS_PER_HOUR,
                limits::REQUESTS_KEPT
            )
        },
    },
    Bound {
        routes: &["tripwires_plant"],
        adds: "A tripwire",
        most: || format!("{} per agent, then 409 `limit_reached`", limits::TRIPWIRES),
    },
    Bound {
        routes: &["channels_create"],
        adds: "A channel",
        most: || format!("{} per user, then 409 `limit_reached`", limits::CHANNELS),
    },
    Bound {
        routes: &["channels_update"],
        adds: "Nothing: one row changes",
        most: || "Each text has a maximum length".to_owned(),
    },
    Bound {
        routes: &["requests_approve", "requests_decide"],
        adds: "A grant, of a request for a role",
        most: || format!("As many as were asked for; {} grants per agent", limits::GRANTS_OF_AGENT),
    },
    Bound {
        routes: &["backups_create"],
        adds: "An operation and a copy of the database",
        most: || {
            format!(
                "{} per hour, then 429 `rate_limited`; the daemon keeps the newest {} files",
                limits::BACKUPS_PER_HOUR,
                limits::BACKUPS_KEPT
            )
        },
    },
    Bound {
        routes: &["agents_token_issue"],
        adds: "A credential",
        most: || {
            format!(
                "1 active and 1 in its grace; {} dead ones per agent, then the oldest are deleted",
                limits::DEAD_CREDENTIALS
            )
        },
    },
    Bound {
        routes: &["users_token_issue"],
        adds: "A credential",
        most: || {
            format!(
                "{} live ones per user, then 409 `limit_reached`; {} dead ones, then the oldest are deleted",
                limits::USER_TOKENS,
                limits::DEAD_CREDENTIALS
            )
        },
    },
    Bound {
        routes: &["sessions_open", "login_link_form"],
        adds: "A session",
        most: || format!("{} per user; then the one that was idle longest ends", limits::SESSIONS),
    },
    Bound {
        routes: &["oauth_consent", "oauth_consent_form"],
        adds: "An agent and its owner's grant, if the person chooses a new agent",
        most: || {
            format!("{} agents per owner, archived ones included; then 409 `limit_reached`", limits::AGENTS_OF_USER)
        },
    },
    Bound {
        routes: &["oauth_clients_create"],
        adds: "A program that was registered by hand; admins only",
        most: || format!("{} per box, then 409 `limit_reached`", limits::OAUTH_CLIENTS),
    },
    Bound {
        routes: &["oauth_token"],
        adds: "A program's grant, once; a refresh changes it in place",
        most: || {
            format!(
                "{} live ones per user, {} per agent, then 409 `limit_reached`; {} dead ones, then the oldest are deleted",
                limits::OAUTH_GRANTS_OF_USER,
                limits::OAUTH_GRANTS_OF_AGENT,
                limits::DEAD_CREDENTIALS
            )
        },
    },
    Bound {
        routes: &["auth_exchange"],
        adds: "Nothing: the daemon signs a token but does not store it; the first exchange of an enrollment creates its agent",
        most: || "The audit counts repeats".to_owned(),
    },
    Bound {
        routes: &["credentials_agent_pat", "credentials_enrollment", "keys_create", "keys_rotate"],
        adds: "A key",
        most: || {
            format!(
                "`ax.max_agent_pats` live ones per agent, {} per user, then 409 `cleanup_required`; {} dead ones, then the oldest are deleted",
                limits::KEYS_OF_USER,
                limits::DEAD_CREDENTIALS
            )
        },
    },
    Bound {
        routes: &["credentials_fingerprint"],
        adds: "Nothing: the row of the key changes",
        most: || {
            format!(
                "{} fingerprints and {} audit rows per day and key",
                limits::FINGERPRINTS,
                limits::FINGERPRINT_EVENTS_A_DAY
            )
        },
    },
    Bound {
        routes: &["agentex_keys_create"],
        adds: "A key",
        most: || {
            format!(
                "{} live ones per agent, then 409 `too_many_keys`; {} dead ones, then the oldest are deleted",
                limits::AGENT_KEYS,
                limits::DEAD_CREDENTIALS
            )
        },
    },
    Bound {
        routes: &["agentex_agents_register"],
        adds: "An item in the history of the agent; a deployment if the request names one; an agent if the name is new",
        most: || {
            format!(
                "{} items per agent, then its oldest are deleted; {} deployments, {} of them by the agent itself, then \
                 409 `too_many_deployments`",
                limits::DEPLOYMENT_HISTORY,
                limits::DEPLOYMENTS,
                limits::DEPLOYMENTS_BY_AGENT
            )
        },
    },
    Bound {
        routes: &["agentex_deployments_create", "agentex_deployments_promote"],
        adds: "A deployment",
        most: || {
            format!(
                "{} of metadata; {} per agent, deleted ones included; then 409 `too_many_deployments`",
                kibibytes(limits::METADATA_BYTES),
                limits::DEPLOYMENTS
            )
        },
    },
    Bound {
        routes: &["users_create"],
        adds: "A user and its space",
        most: || format!("{}, then 409 `limit_reached`; only for admins", limits::USERS),
    },
    Bound { routes: &["users_update"], adds: "Nothing: one row changes", most: || "Only for admins".to_owned() },
    Bound {
        routes: &["grants_create"],
        adds: "A grant",
        most: || {
            format!("One per principal on an agent; {} on an agent, then 409 `limit_reached`", limits::GRANTS_OF_AGENT)
        },
    },
    Bound {
        routes: &["spaces_create"],
        adds: "A space",
        most: || format!("{} per user, then 409 `limit_reached`", limits::SPACES_OF_USER),
    },
    Bound {
        routes: &["spaces_members_add"],
        adds: "A membership, which is a grant",
        most: || format!("{} of a space, 409 `too_many_members`", limits::SPACE_MEMBERS),
    },
    Bound {
        routes: &["messages_send"],
        adds: "A message, its index, its mentions' receipts",
        most: || {
            format!(
                "`workspace.messages_per_space` and `workspace.message_bytes_per_space` of a space, the oldest make room \
                 and {} of tasks' threads stay; `workspace.message_days`; an agent's day, 429 `allowance_used`",
                limits::THREAD_MESSAGES
            )
        },
    },
    Bound {
        routes: &["messages_edit"],
        adds: "Bytes of a message; 409 `too_many_pinned`",
        most: || {
            format!(
                "Those of its space, the oldest make room; {} pinned ones of a space; an agent's day, 429 \
                 `allowance_used`",
                limits::PINNED_MESSAGES
            )
        },
    },
    Bound {
        routes: &["messages_react"],
        adds: "A reaction",
        most: || {
            format!(
                "{} of a principal to one message, {} different ones; 409 `too_many_reactions`",
                limits::REACTIONS,
                limits::REACTION_KINDS
            )
        },
    },
    Bound {
        routes: &["tasks_create", "tasks_create_here"],
        adds: "A task",
        most: || {
            format!(
                "`workspace.open_tasks` of a space, 409 `too_many_tasks`; finished ones go after {} days; an agent's day, \
                 429 `allowance_used`",
                days(limits::FINISHED_TASK_LIFE)
            )
        },
    },
    Bound {
        routes: &["tasks_update", "tasks_next", "tasks_claim", "tasks_renew"],
        adds: "A change in the task's history; the task is changed in place",
        most: || format!("{} changes of one task, its oldest go", limits::TASK_HISTORY),
    },
    Bound {
        routes: &["context_set", "context_promote"],
        adds: "A value",
        most: || {
            "`workspace.context_keys` and `workspace.context_bytes` of a space, 413 `quota_exceeded`; an agent's day, \
             429 `allowance_used`"
                .to_owned()
        },
    },
    Bound {
        routes: &["uploads_create"],
        adds: "A file in chunks",
        most: || {
            format!(
                "`limits.max_upload_bytes` of one; `workspace.upload_bytes_per_space`, `workspace.upload_bytes` of all \
                 spaces, 413 `quota_exceeded`; an agent's day, 429 `allowance_used`; {} at once, {} of a principal; a \
                 file that has begun within the hour's share comes in whole",
                limits::UPLOADS.0,
                limits::UPLOADS.1
            )
        },
    },
    Bound {
        routes: &["ui_notify"],
        adds: "A notification",
        most: || {
            format!(
                "{} of text; `notify_per_minute`; {} from one agent, {} for one user, then those of who has most in that inbox \
                 are deleted; {} days",
                kibibytes(limits::TEXT_BYTES),
                limits::NOTIFICATION_ROWS_OF_AGENT,
                limits::NOTIFICATION_ROWS,
                days(limits::NOTIFICATION_LIFE)
            )
        },
    },
    Bound {
        routes: &["knowledge_put"],
        adds: "A source's items",
        most: || {
            format!(
                "{} sources; {} with {} of text per agent, {} with {} per member; then 409 `too_many_sources`",
                limits::KNOWLEDGE_SOURCES,
                limits::KNOWLEDGE_SOURCES_OF_AGENT,
                mebibytes(limits::KNOWLEDGE_BYTES_OF_AGENT),
                limits::KNOWLEDGE_SOURCES_OF_USER,
                mebibytes(limits::KNOWLEDGE_BYTES_OF_USER)
            )
        },
    },
];

/// Returns the bound of the route with this id.
pub fn bound(id: &str) -> Option<&'static Bound> {
    BOUNDS.iter().find(|bound| bound.routes.contains(&id))
}
