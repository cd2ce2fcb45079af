//! Every bound of the daemon in one place (http-edge contract 2.1, DESIGN D17).
//!
//! The numbers that an operator may change are fields of [`Limits`]; each is also a key of `taosd.toml` and
//! `TAOSD_<KEY>` in the environment. What is part of the wire contract is a constant below.

use std::time::Duration;

macro_rules! limits {
    ($( #[doc = $about:literal] $name:ident: $default:expr, $min:expr, $max:expr; )*) => {
        /// The bounds an operator may change. Times are whole seconds, sizes bytes, rates a minute.
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

            /// Sets `key` to `value`; `None` if there is no such key.
            ///
            /// # Errors
            /// The bounds, where `value` is outside them.
            pub fn set(&mut self, key: &str, value: u64) -> Option<Result<(), String>> {
                match key {
                    $( stringify!($name) => Some(in_bounds(key, value, $min, $max).map(|()| self.$name = value)), )*
                    _ => None,
                }
            }

            /// The value of `key`; `None` if there is no such key.
            pub fn get(&self, key: &str) -> Option<u64> {
                match key {
                    $( stringify!($name) => Some(self.$name), )*
                    _ => None,
                }
            }
        }
    };
}

/// Lets a value within its bounds pass.
///
/// # Errors
/// The bounds, in words.
pub fn in_bounds(key: &str, value: u64, min: u64, max: u64) -> Result<(), String> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(format!("{key} must be between {min} and {max}")) }
}

/// One configurable limit: its key, default and bounds.
#[derive(Debug, Clone, Copy)]
pub struct LimitKey {
    /// The key in `taosd.toml`; upper-cased with `TAOSD_` before it in the environment.
    pub name: &'static str,
    /// What it bounds, for people.
    pub about: &'static str,
    /// The value where nothing is set.
    pub default: u64,
    /// Smallest value allowed.
    pub min: u64,
    /// Largest value allowed.
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

    /// Notifications a minute of one principal, 0 for any number.
    pub fn notify_rate(&self) -> u64 {
        if self.requests_per_minute == 0 { 0 } else { self.notify_per_minute }
    }

    /// Rows and bytes that one share of the write allowance has an hour, 0 for any number.
    pub fn write_share(&self) -> (u64, u64) {
        if self.requests_per_minute == 0 { (0, 0) } else { (self.write_rows_per_hour, self.write_bytes_per_hour) }
    }
}

/// Shares of the write allowance that a user has; an agent has one.
pub const USER_SHARES: u64 = 8;
/// Shares of the write allowance that the agents of one owner have between them.
pub const HOUSEHOLD_SHARES: u64 = 4;
/// Hours' worth of the write allowance that make a day's.
pub const DAY_HOURS: u64 = 4;
/// Bytes that a changed row is charged for: itself, its indexes and its page's share.
pub const WRITE_ROW_BYTES: u64 = 512;
/// Times that a body is charged for whose words are indexed.
pub const WORDS_FACTOR: usize = 2;
/// Live web sessions of one user; the one idle for longest makes room.
pub const SESSIONS: u64 = 32;
/// Seconds that the longest-lived token can be set to live (`oauth.access_ttl`).
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
/// Events about one credential's fingerprints that the audit takes a day.
pub const FINGERPRINT_EVENTS_A_DAY: u32 = 16;
/// Backups that were asked for and are kept, the newest.
pub const BACKUPS_KEPT: usize = 7;
/// Items kept of one agent's deployment history, the newest.
pub const DEPLOYMENT_HISTORY: u64 = 1000;
/// How long an operation stays after its end.
pub const FINISHED_OPERATION_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Dead credentials of one kind kept for one holder; then the oldest go.
pub const DEAD_CREDENTIALS: u64 = 100;
/// How many of them stay then: to look for the oldest costs as much as to make a credential, so it is done for some at once.
pub const DEAD_CREDENTIALS_LEFT: u64 = 84;
/// Grants on one agent.
pub const GRANTS_OF_AGENT: u64 = 200;
/// Spaces of one user.
pub const SPACES_OF_USER: u64 = 64;
/// Agents of one owner, archived ones included.
pub const AGENTS_OF_USER: u64 = 1000;
/// Users of a box.
pub const USERS: u64 = 1000;
/// Finished operations kept of one principal; the oldest go.
pub const OPERATIONS_KEPT: u64 = 1000;
/// Backups an hour that are asked for.
pub const BACKUPS_PER_HOUR: u64 = 30;
/// Checks of the database an hour that are asked for.
pub const DATABASE_CHECKS_PER_HOUR: u64 = 12;
/// How long one may take: meanwhile the write-ahead log cannot begin anew.
pub const DATABASE_CHECK_TIME: Duration = Duration::from_secs(15 * 60);
/// Rows an hour that one principal's denials and repeats make of their own; the rest share one line a minute.
pub const AGGREGATES_PER_HOUR: u64 = 120;

/// Seconds of a key as a duration.
pub const fn seconds(value: u64) -> Duration {
    Duration::from_secs(value)
}

/// Levels of nesting in a JSON body.
pub const JSON_DEPTH: usize = 32;
/// Bytes of a tool's structured result (MCP contract, section 4).
pub const TOOL_RESULT_BYTES: usize = 256 * 1024;
/// Bytes of a list that a tool gives, so that its page ends before the result has to be cut.
pub const TOOL_PAGE_BYTES: usize = 192 * 1024;
/// Lists of tools that are kept ready, one for each set of tools that somebody may call.
pub const TOOL_LISTS: usize = 8;
/// Bytes of a file that a tool gives.
pub const TOOL_FILE_BYTES: u64 = 1024 * 1024;
/// Seconds that a tool holds its result.
pub const TOOL_WAIT: i64 = 25;
/// Messages that one request marks as read by their ids.
pub const MARKED_MESSAGES: usize = 100;
/// Problems told of one request: a body may hold a hundred thousand unknown fields, the reply to it must not.
pub const PROBLEMS: usize = 32;
/// Items of a list page where the caller names none.
pub const PAGE_DEFAULT: u64 = 100;
/// Items of a list page at the most.
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
/// Characters of a channel's address, and of its secret.
pub const CHANNEL_URL_CHARS: usize = 1024;
/// See there.
pub const CHANNEL_SECRET_CHARS: usize = 512;
/// Tripwires of one agent.
pub const TRIPWIRES: usize = 20;
/// Characters of a notification's `action_url`.
pub const ACTION_URL_CHARS: usize = 2048;
/// How long a notification is kept.
pub const NOTIFICATION_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Notifications kept for one user; whoever sent most makes room.
pub const NOTIFICATION_ROWS: u64 = 10_000;
/// Notifications kept of one agent; its own make room: read ones first, unread high ones last.
pub const NOTIFICATION_ROWS_OF_AGENT: u64 = 2000;
/// Rows that one transaction of the sweeper removes of what may be many: others' writes go in between.
pub const SWEEP_BATCH: u64 = 200;
/// Long rows that one transaction removes.
pub const PURGE_BATCH: u64 = 100;
/// How long a webhook's receiver is tried.
pub const WEBHOOK_LIFE: Duration = Duration::from_secs(24 * 3600);
/// The time between two signs of life on an event stream.
pub const STREAM_HEARTBEAT: Duration = Duration::from_secs(15);
/// Items of one source of knowledge.
pub const KNOWLEDGE_ITEMS: usize = 500;
/// Sources of knowledge.
pub const KNOWLEDGE_SOURCES: u64 = 256;
/// Sources of knowledge that one agent owns.
pub const KNOWLEDGE_SOURCES_OF_AGENT: u64 = 16;
/// Sources of knowledge that one member owns.
pub const KNOWLEDGE_SOURCES_OF_USER: u64 = 64;
/// Bytes of text in the sources that one agent owns.
pub const KNOWLEDGE_BYTES_OF_AGENT: u64 = 16 * 1024 * 1024;
/// Bytes of text in the sources that one member owns.
pub const KNOWLEDGE_BYTES_OF_USER: u64 = 64 * 1024 * 1024;
/// Changes kept of one task, the newest.
pub const TASK_HISTORY: i64 = 200;
/// Characters of a value in a task's history.
pub const TASK_HISTORY_CHARS: usize = 200;
/// Characters of a task's title.
pub const TASK_TITLE_CHARS: usize = 200;
/// Characters of a task's status.
pub const TASK_STATUS_CHARS: usize = 32;
/// Bytes of what a task asks for, as JSON.
pub const TASK_REQUIREMENTS_BYTES: usize = 16 * 1024;
/// Tasks that one task may wait for.
pub const TASK_DEPENDENCIES: usize = 32;
/// Seconds of a lease, at the least, at the most and where nothing is said.
pub const LEASE_SECONDS: (i64, i64, i64) = (10, 86_400, 300);
/// Minutes without work after which an agent is put to sleep, at the most.
pub const IDLE_STOP_MINUTES: i64 = 7 * 24 * 60;
/// How often an agent that sleeps is woken in an hour.
pub const WAKES_AN_HOUR: usize = 6;
/// Seconds that a request for the next task waits.
pub const TASK_WAIT: i64 = 60;
/// How long a finished task is kept.
pub const FINISHED_TASK_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);
/// Characters of a key of the context.
pub const CONTEXT_KEY_CHARS: usize = 512;
/// Bytes of a value of the context.
pub const CONTEXT_VALUE_BYTES: usize = 384 * 1024;
/// Seconds until a value of the context ends, at the most and where nothing is said.
pub const CONTEXT_TTL: (i64, i64) = (30 * 86_400, 86_400);
/// Uploads on their way at once, and those of one principal.
pub const UPLOADS: (usize, usize) = (8, 4);
/// Downloads on their way at once, and those of one principal.
pub const DOWNLOADS: (usize, usize) = (32, 8);
/// Downloads of backups on their way at once, and those of one principal.
pub const BACKUP_DOWNLOADS: (usize, usize) = (2, 1);
/// Bytes of an upload's body beside its file.
pub const UPLOAD_OVERHEAD: u64 = 64 * 1024;
/// Characters of a file's name.
pub const FILE_NAME_CHARS: usize = 255;
/// How long an upload may take before what came of it is swept.
pub const UNFINISHED_UPLOAD_LIFE: Duration = Duration::from_secs(2 * 3600);
/// Characters of a time.
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
/// Characters of what a client calls its message.
pub const CLIENT_ID_CHARS: usize = 64;
/// How long what a client calls its message is remembered.
pub const CLIENT_ID_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Seconds in which a reply may be expected.
pub const REPLY_SECONDS: i64 = 30 * 86_400;
/// Seconds a list of messages may be waited for.
pub const MESSAGE_WAIT: i64 = 60;
/// Characters of a search in messages, and messages that it finds.
pub const MESSAGE_QUERY_CHARS: usize = 256;
/// Messages that a search finds.
pub const MESSAGES_FOUND: i64 = 100;
/// Messages of a space that are pinned.
pub const PINNED_MESSAGES: u64 = 1000;
/// Messages of a space that stay for the tasks that their threads are about.
pub const THREAD_MESSAGES: u64 = 2000;
/// Reactions of one principal to one message.
pub const REACTIONS: u64 = 10;
/// Different reactions to one message.
pub const REACTION_KINDS: usize = 50;
/// Characters of a reaction.
pub const REACTION_CHARS: usize = 32;
/// Messages that a stream gives to a client that comes back.
pub const REPLAYED_MESSAGES: u64 = 500;
/// Bytes of what an agent says about its work, as JSON.
pub const PROCESSING_BYTES: usize = 8 * 1024;
/// Members of one space beside its owner and the agents that live there.
pub const SPACE_MEMBERS: u64 = 500;
/// Seconds after which a grant ends at the latest, where it has an end.
pub const GRANT_SECONDS: i64 = 365 * 86_400;
/// Requests: characters of a reason, and of a decider's note.
pub const REASON_CHARS: usize = 500;
/// Characters of a question, and of one that is put by `/api/ui/ask`.
pub const QUESTION_CHARS: (usize, usize) = (2000, 4096);
/// Fewest and most options of a question and characters of each, and the same by `/api/ui/ask`.
pub const QUESTION_OPTIONS: [(usize, usize, usize); 2] = [(2, 6, 64), (1, 8, 120)];
/// Characters of an answer in words.
pub const ANSWER_CHARS: usize = 4096;
/// Scopes that one request asks for.
pub const REQUEST_SCOPES: usize = 8;
/// Seconds in which a request can be decided: least, most, where nothing is said.
pub const REQUEST_LIFE: (i64, i64, i64) = (60, 604_800, 86_400);
/// Seconds for which a request may ask: least and most.
pub const REQUEST_DURATION: (i64, i64) = (60, 2_592_000);
/// Pending requests of an agent: for scopes and roles, and questions.
pub const REQUESTS_PENDING: (u64, u64) = (5, 20);
/// Requests of an agent in an hour.
pub const REQUESTS_PER_HOUR: u64 = 60;
/// How long the same thing is not asked again after it was denied.
pub const DENIED_FOR: Duration = Duration::from_secs(600);
/// Closed requests of an agent that are kept.
pub const REQUESTS_KEPT: u64 = 500;
/// People who are told of one request.
pub const REQUEST_DECIDERS: u64 = 16;
/// How long a join waits for a decision, and its caller for the key.
pub const JOIN_LIFE: Duration = Duration::from_secs(600);
/// Joins that wait: on the box, and of one peer.
pub const JOINS_PENDING: (usize, usize) = (20, 5);
/// Joins of one peer in a minute.
pub const JOINS_PER_MINUTE: u64 = 5;
/// Joins in an hour that people are notified of.
pub const JOINS_TOLD_PER_HOUR: u64 = 30;
/// Seconds between two questions of a join's caller whether it was decided.
pub const JOIN_INTERVAL: u64 = 5;
/// Decided joins of a decider that are kept.
pub const JOINS_KEPT: u64 = 500;
/// Requests that are decided at once.
pub const DECIDED_AT_ONCE: usize = 50;
/// Scopes in one list.
pub const SCOPES: usize = 32;
/// Characters of one scope.
pub const SCOPE_CHARS: usize = 64;
/// Characters of an agent's address.
pub const ACP_URL_CHARS: usize = 2048;
/// Bytes of what an agent says of itself, as JSON.
pub const METADATA_BYTES: usize = 64 * 1024;
/// Bytes of a filter over what agents say of themselves.
pub const CARD_FILTER_BYTES: usize = 4 * 1024;
/// Live keys of one agent.
pub const AGENT_KEYS: u64 = 50;
/// Deployments of one agent, deleted ones included.
pub const DEPLOYMENTS: u64 = 1000;
/// Requests sent on to one agent at once.
pub const FORWARDS: usize = 4;
/// How long an agent has to answer a request sent on to it.
pub const FORWARD_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of the answer to a request sent on, and of that request.
pub const FORWARD_BYTES: usize = 1024 * 1024;
/// Health checks under way at once.
pub const HEALTH_CHECKS: usize = 32;
/// How long an agent has to say that it is healthy.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of what it says.
pub const HEALTH_ANSWER_BYTES: usize = 4 * 1024;
/// Checks in a row that fail before an agent counts as unhealthy.
pub const HEALTH_MISSES: u32 = 5;
/// Bytes of a persona text.
pub const TEXT_BYTES: usize = 64 * 1024;
/// Characters of an `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_CHARS: usize = 255;
/// How long a stored reply is replayed.
pub const IDEMPOTENCY_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long a repeat waits for the request that holds its key.
pub const IDEMPOTENCY_WAIT: Duration = Duration::from_secs(10);
/// Stored replies of one principal; the oldest make room.
pub const IDEMPOTENCY_ROWS: u64 = 10_000;
/// Peers or credentials a throttle remembers at once.
pub const THROTTLE_ENTRIES: usize = 16_384;
/// Credentials remembered from one request to the next.
pub const KNOWN_CREDENTIALS: usize = 4096;
/// Verified short-lived tokens remembered until they end.
pub const KNOWN_TOKENS: usize = 1024;
/// Bytes of replies that are kept to be given again, all together.
pub const KEPT_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of them for one credential.
pub const KEPT_BYTES_EACH: usize = 512 * 1024;
/// Replies kept for one credential.
pub const KEPT_REPLIES_EACH: usize = 16;
/// From how long on a write is told in the log: others wait for it.
pub const SLOW_WRITE: Duration = Duration::from_millis(10);
/// Requests that may be joined in one commit.
pub const WRITER_BATCH: usize = 256;
/// Bytes of a reply kept for replay.
pub const IDEMPOTENCY_REPLY_BYTES: usize = 256 * 1024;

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
