//! Every bound of the daemon in one place (http-edge contract 2.1, DESIGN D17).
//!
//! The numbers that an operator may change are fields of [`Limits`]. Each is also a key of `taosd.toml` and
//! `TAOSD_<KEY>` in the environment. Bounds that are part of an API contract are constants below.

use std::time::Duration;

macro_rules! limits {
    ($( #[doc = $about:literal] $name:ident: $default:expr, $min:expr, $max:expr; )*) => {
        /// The bounds that an operator may change. Times are whole seconds, sizes bytes, rates per minute, unless the
        /// name of the limit says otherwise.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits {
            $( #[doc = $about] pub $name: u64, )*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $( $name: $default, )* }
            }
        }

        impl Limits {
            /// Every key with its default and bounds, in the order of the documentation.
            pub const KEYS: &'static [LimitKey] = &[ $( LimitKey {
                name: stringify!($name), about: $about, default: $default, min: $min, max: $max,
            }, )* ];

            /// Sets `key` to `value`. Returns `None` if there is no such key.
            ///
            /// # Errors
            /// A text with the bounds, if `value` is outside them.
            pub fn set(&mut self, key: &str, value: u64) -> Option<Result<(), String>> {
                match key {
                    $( stringify!($name) => Some(in_bounds(key, value, $min, $max).map(|()| self.$name = value)), )*
                    _ => None,
                }
            }

            /// Returns the value of `key`, or `None` if there is no such key.
            pub fn get(&self, key: &str) -> Option<u64> {
                match key {
                    $( stringify!($name) => Some(self.$name), )*
                    _ => None,
                }
            }
        }
    };
}

/// Checks that a value is within its bounds, which are inclusive.
///
/// # Errors
/// A text with the bounds, if the value is outside them.
pub fn in_bounds(key: &str, value: u64, min: u64, max: u64) -> Result<(), String> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(format!("{key} must be between {min} and {max}")) }
}

/// One configurable limit: its key, default and bounds.
#[derive(Debug, Clone, Copy)]
pub struct LimitKey {
    /// The key in `taosd.toml`. The environment variable is `TAOSD_` and the key in upper case.
    pub name: &'static str,
    /// The meaning of the limit, for people.
    pub about: &'static str,
    /// The value if nothing is set.
    pub default: u64,
    /// The smallest value allowed.
    pub min: u64,
    /// The largest value allowed.
    pub max: u64,
}

limits! {
    /// Connections open at once over all listeners.
    max_connections: 1024, 1, 65_536;
    /// Connections open at once from one peer.
    max_connections_per_peer: 64, 1, 65_536;
    /// Bytes of request line and headers together.
    max_head_bytes: 16 * 1024, 8 * 1024, 1024 * 1024;
    /// Header lines of one request.
    max_header_lines: 100, 8, 1000;
    /// Bytes of the request target.
    max_target_bytes: 8 * 1024, 256, 60_000;
    /// Bytes of a request body.
    max_body_bytes: 1024 * 1024, 1024, 64 * 1024 * 1024;
    /// Bytes of a request body on an upload route.
    max_upload_bytes: 25 * 1024 * 1024, 1024, 1024 * 1024 * 1024;
        /// Bytes of a request body without a valid credential in the headers.
    max_anonymous_body_bytes: 64 * 1024, 1024, 1024 * 1024;
        /// Body bytes in memory over all connections; one caller can use a quarter, or one body of the largest size.
    max_body_bytes_in_flight: 32 * 1024 * 1024, 64 * 1024, 1024 * 1024 * 1024;
        /// Seconds from the first byte of a request (on a new connection: from accept) to the end of its headers.
    head_timeout: 10, 1, 3600;
        /// Seconds from the end of the headers to the end of the body.
    body_timeout: 30, 1, 3600;
        /// Seconds that a connection may be idle after a reply.
    idle_timeout: 60, 1, 86_400;
        /// Seconds from the first byte of a reply to the last; for a stream, seconds without progress.
    write_timeout: 30, 1, 3600;
    /// Requests waiting for a worker.
    queue_length: 256, 1, 65_536;
    /// Worker threads; 0 means the larger of 4 and the number of cores.
    workers: 0, 0, 256;
        /// Milliseconds that one request may read the database.
    read_timeout_ms: 2000, 10, 600_000;
        /// Bytes of one page of a list; a longer page ends earlier and links to the next.
    max_page_bytes: 1024 * 1024, 16 * 1024, 16 * 1024 * 1024;
    /// Event streams open at once.
    max_streams: 128, 0, 65_536;
        /// Event streams of one principal, over all its credentials.
    max_streams_per_credential: 8, 0, 65_536;
        /// Requests per minute of one principal: a user, an agent, or a peer on the operator's socket; 0 switches the rate off.

    requests_per_minute: 6000, 0, 1_000_000_000;
        /// Failed credentials per minute of one peer; 0 switches the rate off.
    failed_logins_per_minute: 60, 0, 1_000_000_000;
        /// Notifications per minute of one principal; 0, or a request rate of 0, switches it off.
    notify_per_minute: 120, 0, 1_000_000_000;
        /// Rows that an agent may write per hour, and four times as many per day; eight times as many for a user; 0, or a request rate of 0, switches it off.
    write_rows_per_hour: 20_000, 0, 1_000_000_000;
        /// Bytes that an agent may write per hour, and four times as many per day; eight times as many for a user; 0, or a request rate of 0, switches it off.
    write_bytes_per_hour: 16 * 1024 * 1024, 0, 1_000_000_000_000;
        /// Seconds that a stop waits for running requests.
    stop_timeout: 10, 0, 600;
    /// Seconds between two rounds of flushing and sweeping.
    sweep_interval: 60, 1, 3600;
        /// Seconds between two automatic backups, which the daemon makes only after a change; 0 switches them off.
    backup_interval: 15 * 60, 0, 86_400;
        /// Days to keep an audit row.
    audit_retention_days: 400, 1, 36_500;
        /// Bytes of audit rows to keep, whatever their age.
    audit_max_bytes: 256 * 1024 * 1024, 64 * 1024, 1_000_000_000_000;
    /// Milliseconds from which a statement is logged as slow.
    slow_query_ms: 250, 1, 600_000;
        /// Bytes that must be free on the file system of the data directory; with less, `/readyz` answers 503.
    min_free_bytes: 16 * 1024 * 1024, 0, 1_000_000_000_000;
}

impl Limits {
    /// The number of worker threads to start.
    pub fn worker_count(&self) -> usize {
        if self.workers > 0 {
            return self.workers as usize;
        }
        std::thread::available_parallelism().map_or(4, |n| n.get().max(4))
    }

    /// Notifications per minute of one principal; 0 for any number.
    pub fn notify_rate(&self) -> u64 {
        if self.requests_per_minute == 0 { 0 } else { self.notify_per_minute }
    }

    /// Rows and bytes per hour of one share of the write allowance; 0 for any number.
    pub fn write_share(&self) -> (u64, u64) {
        if self.requests_per_minute == 0 { (0, 0) } else { (self.write_rows_per_hour, self.write_bytes_per_hour) }
    }
}

/// Shares of the write allowance that a user has; an agent has one.
pub const USER_SHARES: u64 = 8;
/// Shares of the write allowance that all agents of one owner have together.
pub const HOUSEHOLD_SHARES: u64 = 4;
/// The write allowance of a day, in allowances of an hour.
pub const DAY_HOURS: u64 = 4;
/// Bytes charged for a changed row: the row itself, its indexes and its share of the page.
pub const WRITE_ROW_BYTES: u64 = 512;
/// The factor by which a body is charged if its words are indexed.
pub const WORDS_FACTOR: usize = 2;
/// Live web sessions of one user. A new one ends the one that was idle longest.
pub const SESSIONS: u64 = 32;
/// The longest lifetime of a token in seconds: the upper bound of `oauth.access_ttl`.
pub const TOKEN_SECONDS: i64 = 3600;
/// Live grants to programs that one user has given.
pub const OAUTH_GRANTS_OF_USER: u64 = 50;
/// Live grants to programs that act as one agent.
pub const OAUTH_GRANTS_OF_AGENT: u64 = 10;
/// Programs that admins have registered.
pub const OAUTH_CLIENTS: u64 = 200;
/// Live tokens of one user.
pub const USER_TOKENS: u64 = 100;
/// Live keys of one user.
pub const KEYS_OF_USER: u64 = 20;
/// Fingerprints kept of one credential.
pub const FINGERPRINTS: usize = 16;
/// Audit rows per day about the fingerprints of one credential.
pub const FINGERPRINT_EVENTS_A_DAY: u32 = 16;
/// Backups made on request that are kept, the newest.
pub const BACKUPS_KEPT: usize = 7;
/// Entries kept of one agent's deployment history, the newest.
pub const DEPLOYMENT_HISTORY: u64 = 1000;
/// How long an operation is kept after its end.
pub const FINISHED_OPERATION_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Dead credentials of one kind kept for one holder. Above this the oldest are deleted.
pub const DEAD_CREDENTIALS: u64 = 100;
/// Dead credentials that such a deletion leaves. Finding the oldest costs as much as making a credential, so one
/// deletion removes several.
pub const DEAD_CREDENTIALS_LEFT: u64 = 84;
/// Grants on one agent.
pub const GRANTS_OF_AGENT: u64 = 200;
/// Spaces of one user.
pub const SPACES_OF_USER: u64 = 64;
/// Agents of one owner, archived ones included.
pub const AGENTS_OF_USER: u64 = 1000;
/// Users of a box.
pub const USERS: u64 = 1000;
/// Finished operations kept of one principal. The oldest are deleted first.
pub const OPERATIONS_KEPT: u64 = 1000;
/// Backups per hour made on request.
pub const BACKUPS_PER_HOUR: u64 = 30;
/// Database checks per hour made on request.
pub const DATABASE_CHECKS_PER_HOUR: u64 = 12;
/// The longest time of a database check. While it runs, the write-ahead log cannot restart from its beginning.
pub const DATABASE_CHECK_TIME: Duration = Duration::from_secs(15 * 60);
/// Audit rows per hour that one principal's denials and repeats get for themselves. All others share one row per
/// minute.
pub const AGGREGATES_PER_HOUR: u64 = 120;

/// Returns the duration of a limit in seconds.
pub const fn seconds(value: u64) -> Duration {
    Duration::from_secs(value)
}

/// Levels of nesting in a JSON body.
pub const JSON_DEPTH: usize = 32;
/// Bytes of a tool's structured result (MCP contract, section 4).
pub const TOOL_RESULT_BYTES: usize = 256 * 1024;
/// Bytes of a list in a tool's result. The page ends here, so that the result need not be cut.
pub const TOOL_PAGE_BYTES: usize = 192 * 1024;
/// Lists of tools in the cache, one for each set of tools that a caller may use.
pub const TOOL_LISTS: usize = 8;
/// Bytes of a file in a tool's result.
pub const TOOL_FILE_BYTES: u64 = 1024 * 1024;
/// Seconds that a tool call waits for its result.
pub const TOOL_WAIT: i64 = 25;
/// Messages that one request marks as read by their ids.
pub const MARKED_MESSAGES: usize = 100;
/// Problems listed in the reply to one request. A body may have a hundred thousand unknown fields; the reply must stay
/// short.
pub const PROBLEMS: usize = 32;
/// Entries of a list page if the caller names no number.
pub const PAGE_DEFAULT: u64 = 100;
/// The most entries of a list page.
pub const PAGE_MAX: u64 = 500;
/// Characters of a display name.
pub const NAME_CHARS: usize = 64;
/// Bytes of an agent's slug; with the prefix `taos-agent-` a container name stays within 63.
pub const SLUG_BYTES: usize = 52;
/// Characters of a notification's title.
pub const TITLE_CHARS: usize = 120;
/// Characters of the reason for freezing agents.
pub const FREEZE_REASON_CHARS: usize = 500;
/// Channels of one user.
pub const CHANNELS: usize = 8;
/// Characters of a channel's address.
pub const CHANNEL_URL_CHARS: usize = 1024;
/// Characters of a channel's secret.
pub const CHANNEL_SECRET_CHARS: usize = 512;
/// Tripwires of one agent.
pub const TRIPWIRES: usize = 20;
/// Characters of a notification's `action_url`.
pub const ACTION_URL_CHARS: usize = 2048;
/// How long a notification is kept.
pub const NOTIFICATION_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Notifications kept for one user. Above this, those of the sender with the most are deleted.
pub const NOTIFICATION_ROWS: u64 = 10_000;
/// Notifications kept of one agent. Above this its own are deleted: read ones first, unread ones of high level last.
pub const NOTIFICATION_ROWS_OF_AGENT: u64 = 2000;
/// Rows that the sweep deletes in one transaction. Between two transactions other writers get their turn.
pub const SWEEP_BATCH: u64 = 200;
/// The same bound for long rows.
pub const PURGE_BATCH: u64 = 100;
/// How long the daemon tries to deliver a webhook event.
pub const WEBHOOK_LIFE: Duration = Duration::from_secs(24 * 3600);
/// The time between two heartbeats on an event stream.
pub const STREAM_HEARTBEAT: Duration = Duration::from_secs(15);
/// Items of one source of knowledge.
pub const KNOWLEDGE_ITEMS: usize = 500;
/// Sources of knowledge.
pub const KNOWLEDGE_SOURCES: u64 = 256;
/// Sources of knowledge that one agent owns.
pub const KNOWLEDGE_SOURCES_OF_AGENT: u64 = 16;
/// Sources of knowledge that one user owns.
pub const KNOWLEDGE_SOURCES_OF_USER: u64 = 64;
/// Bytes of text in the sources that one agent owns.
pub const KNOWLEDGE_BYTES_OF_AGENT: u64 = 16 * 1024 * 1024;
/// Bytes of text in the sources that one user owns.
pub const KNOWLEDGE_BYTES_OF_USER: u64 = 64 * 1024 * 1024;
/// Entries kept of one task's history, the newest.
pub const TASK_HISTORY: i64 = 200;
/// Characters of a value in a task's history.
pub const TASK_HISTORY_CHARS: usize = 200;
/// Characters of a task's title.
pub const TASK_TITLE_CHARS: usize = 200;
/// Characters of a task's status.
pub const TASK_STATUS_CHARS: usize = 32;
/// Bytes of a task's requirements, as JSON.
pub const TASK_REQUIREMENTS_BYTES: usize = 16 * 1024;
/// Tasks that one task may wait for.
pub const TASK_DEPENDENCIES: usize = 32;
/// Seconds of a lease: least, most, default.
pub const LEASE_SECONDS: (i64, i64, i64) = (10, 86_400, 300);
/// The longest time without work, in minutes, after which an agent is put to sleep.
pub const IDLE_STOP_MINUTES: i64 = 7 * 24 * 60;
/// How often a sleeping agent is woken per hour.
pub const WAKES_AN_HOUR: usize = 6;
/// The most seconds that a request for the next task waits.
pub const TASK_WAIT: i64 = 60;
/// How long a finished task is kept.
pub const FINISHED_TASK_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);
/// Characters of a context key.
pub const CONTEXT_KEY_CHARS: usize = 512;
/// Bytes of a context value.
pub const CONTEXT_VALUE_BYTES: usize = 384 * 1024;
/// Seconds until a context value expires: most, default.
pub const CONTEXT_TTL: (i64, i64) = (30 * 86_400, 86_400);
/// Uploads in progress at once: in all, of one principal.
pub const UPLOADS: (usize, usize) = (8, 4);
/// Downloads in progress at once: in all, of one principal.
pub const DOWNLOADS: (usize, usize) = (32, 8);
/// Downloads of backups in progress at once: in all, of one principal.
pub const BACKUP_DOWNLOADS: (usize, usize) = (2, 1);
/// Bytes of an upload's body besides its file.
pub const UPLOAD_OVERHEAD: u64 = 64 * 1024;
/// Characters of a file's name.
pub const FILE_NAME_CHARS: usize = 255;
/// The longest time of an upload. What an older one has left is swept.
pub const UNFINISHED_UPLOAD_LIFE: Duration = Duration::from_secs(2 * 3600);
/// Characters of a time in a request.
pub const TIME_CHARS: usize = 40;
/// Characters of a message's channel, `dm:` and a name included.
pub const CHANNEL_CHARS: usize = 72;
/// Characters of a message's type.
pub const MESSAGE_TYPE_CHARS: usize = 32;
/// Bytes of a message's metadata, as JSON.
pub const MESSAGE_METADATA_BYTES: usize = 64 * 1024;
/// Attachments of one message.
pub const ATTACHMENTS: usize = 10;
/// Names after `@` that are looked up in one message.
pub const MENTION_NAMES: usize = 256;
/// Members that one message may mention.
pub const MENTIONS: usize = 64;
/// Characters of a client's own id of a message.
pub const CLIENT_ID_CHARS: usize = 64;
/// How long a client's own id of a message is remembered.
pub const CLIENT_ID_LIFE: Duration = Duration::from_secs(24 * 3600);
/// The longest time, in seconds, within which a message may ask for a reply.
pub const REPLY_SECONDS: i64 = 30 * 86_400;
/// The most seconds that a request for messages waits.
pub const MESSAGE_WAIT: i64 = 60;
/// Characters of a search in messages.
pub const MESSAGE_QUERY_CHARS: usize = 256;
/// Messages that a search finds.
pub const MESSAGES_FOUND: i64 = 100;
/// Messages of a space that are pinned.
pub const PINNED_MESSAGES: u64 = 1000;
/// Messages of a space that are kept because they belong to the thread of a task.
pub const THREAD_MESSAGES: u64 = 2000;
/// Reactions of one principal to one message.
pub const REACTIONS: u64 = 10;
/// Different reactions to one message.
pub const REACTION_KINDS: usize = 50;
/// Characters of a reaction.
pub const REACTION_CHARS: usize = 32;
/// Messages that a stream sends again to a client that reconnects.
pub const REPLAYED_MESSAGES: u64 = 500;
/// Bytes of an agent's report about its work, as JSON.
pub const PROCESSING_BYTES: usize = 8 * 1024;
/// Members of one space besides its owner and the agents that live there.
pub const SPACE_MEMBERS: u64 = 500;
/// The longest lifetime of a grant that expires, in seconds.
pub const GRANT_SECONDS: i64 = 365 * 86_400;
/// Characters of a request's reason, and of a decider's note.
pub const REASON_CHARS: usize = 500;
/// Characters of a question in a request, and in `/api/ui/ask`.
pub const QUESTION_CHARS: (usize, usize) = (2000, 4096);
/// Fewest options of a question, most options, and characters of each: in a request, and in `/api/ui/ask`.
pub const QUESTION_OPTIONS: [(usize, usize, usize); 2] = [(2, 6, 64), (1, 8, 120)];
/// Characters of an answer in free text.
pub const ANSWER_CHARS: usize = 4096;
/// Scopes that one request asks for.
pub const REQUEST_SCOPES: usize = 8;
/// Seconds in which a request can be decided: least, most, default.
pub const REQUEST_LIFE: (i64, i64, i64) = (60, 604_800, 86_400);
/// Seconds for which a request may ask for a scope or role: least, most.
pub const REQUEST_DURATION: (i64, i64) = (60, 2_592_000);
/// Pending requests of one agent: for scopes and roles, and questions.
pub const REQUESTS_PENDING: (u64, u64) = (5, 20);
/// Requests of one agent per hour.
pub const REQUESTS_PER_HOUR: u64 = 60;
/// After a denial, how long the same request is refused.
pub const DENIED_FOR: Duration = Duration::from_secs(600);
/// Closed requests kept of one agent.
pub const REQUESTS_KEPT: u64 = 500;
/// People who are notified of one request.
pub const REQUEST_DECIDERS: u64 = 16;
/// How long a join waits for a decision. Its caller has the same time to fetch the key.
pub const JOIN_LIFE: Duration = Duration::from_secs(600);
/// Pending joins: on the box, and of one peer.
pub const JOINS_PENDING: (usize, usize) = (20, 5);
/// Joins of one peer per minute.
pub const JOINS_PER_MINUTE: u64 = 5;
/// Joins per hour that people are notified of.
pub const JOINS_TOLD_PER_HOUR: u64 = 30;
/// Seconds between two polls of a join's caller.
pub const JOIN_INTERVAL: u64 = 5;
/// Decided joins kept of one decider.
pub const JOINS_KEPT: u64 = 500;
/// Requests that one call decides.
pub const DECIDED_AT_ONCE: usize = 50;
/// Scopes in one list.
pub const SCOPES: usize = 32;
/// Characters of one scope.
pub const SCOPE_CHARS: usize = 64;
/// Characters of an agent's address.
pub const ACP_URL_CHARS: usize = 2048;
/// Bytes of an agent's metadata, as JSON.
pub const METADATA_BYTES: usize = 64 * 1024;
/// Bytes of a filter over the agents' metadata.
pub const CARD_FILTER_BYTES: usize = 4 * 1024;
/// Live keys of one agent.
pub const AGENT_KEYS: u64 = 50;
/// Deployments of one agent, deleted ones included.
pub const DEPLOYMENTS: u64 = 1000;
/// Deployments that an agent registers by itself: the others are for its owner.
pub const DEPLOYMENTS_BY_AGENT: u64 = DEPLOYMENTS / 2;
/// Requests forwarded to one agent at once.
pub const FORWARDS: usize = 4;
/// How long an agent has to reply to a forwarded request.
pub const FORWARD_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a forwarded request, and of its reply.
pub const FORWARD_BYTES: usize = 1024 * 1024;
/// Health checks in progress at once.
pub const HEALTH_CHECKS: usize = 32;
/// How long an agent has to reply to a health check.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of the reply to a health check.
pub const HEALTH_ANSWER_BYTES: usize = 4 * 1024;
/// Failed checks in a row after which an agent counts as unhealthy.
pub const HEALTH_MISSES: u32 = 5;
/// Bytes of a persona text.
pub const TEXT_BYTES: usize = 64 * 1024;
/// Characters of an `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_CHARS: usize = 255;
/// How long a stored reply can be replayed.
pub const IDEMPOTENCY_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long a repeated request waits for the first request with the same `Idempotency-Key`.
pub const IDEMPOTENCY_WAIT: Duration = Duration::from_secs(10);
/// Stored replies of one principal. The oldest are deleted first.
pub const IDEMPOTENCY_ROWS: u64 = 10_000;
/// Peers or credentials that a throttle remembers at once.
pub const THROTTLE_ENTRIES: usize = 16_384;
/// Credentials remembered from one request to the next.
pub const KNOWN_CREDENTIALS: usize = 4096;
/// Verified short-lived tokens remembered until they expire.
pub const KNOWN_TOKENS: usize = 1024;
/// Bytes of all replies in the reply cache.
pub const KEPT_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of the cached replies of one credential.
pub const KEPT_BYTES_EACH: usize = 512 * 1024;
/// Cached replies of one credential.
pub const KEPT_REPLIES_EACH: usize = 16;
/// A write that takes at least this long is logged, because other writers wait for it.
pub const SLOW_WRITE: Duration = Duration::from_millis(10);
/// Requests that may be joined in one commit.
pub const WRITER_BATCH: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_lie_within_their_own_bounds() {
        for key in Limits::KEYS {
            assert!((key.min..=key.max).contains(&key.default), "{}", key.name);
        }
    }

    #[test]
    fn a_value_outside_the_bounds_is_refused_and_an_unknown_key_is_none() {
        let mut limits = Limits::default();
        assert_eq!(limits.set("head_timeout", 5), Some(Ok(())));
        assert_eq!(limits.head_timeout, 5);
        assert!(matches!(limits.set("head_timeout", 0), Some(Err(_))));
        assert_eq!(limits.set("no_such_key", 1), None);
    }
}
