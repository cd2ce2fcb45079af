//! Messages: sent, read, marked, changed, searched, followed (aX contract, section 9; workspace contract, section 2).

mod change;
mod doings;
mod mark;
pub(crate) mod mentions;
mod read;
mod send;
mod show;
mod stream;

use hyper::http::Method;

use super::{ID_CHARS, checked, text};
use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::limits::{
    CHANNEL_CHARS, CLIENT_ID_CHARS, MESSAGE_QUERY_CHARS, MESSAGE_TYPE_CHARS, MESSAGE_WAIT, MESSAGES_FOUND, PAGE_MAX,
    REACTION_CHARS, REPLY_SECONDS, TEXT_BYTES,
};
use crate::rest::class::{AG, UA_AG, UA_AG_IN_QUERY};
use crate::rest::codes::{self, Code};
use crate::rest::field::{Field, Type};
use crate::rest::route::Answer;
use crate::store::messages::receipts::State;

const DOC_SEND: &str = "recipes/talking-to-another-agent#send";
const DOC_READ: &str = "recipes/talking-to-another-agent#read";
const DOC_CHANGE: &str = "recipes/talking-to-another-agent#change";
const DOC_RECEIPTS: &str = "recipes/talking-to-another-agent#receipts";
const DOC_REACTIONS: &str = "recipes/talking-to-another-agent#reactions";
const DOC_SEARCH: &str = "recipes/talking-to-another-agent#search";
const DOC_STREAM: &str = "recipes/talking-to-another-agent#stream";

const ATTACHMENT: &[Field] = &[
    Field::text("id", ID_CHARS, "The upload's id."),
    Field::text("filename", 255, "The file's name."),
    Field::text("content_type", 128, "Its type."),
    Field::integer("size", 0, i64::MAX, "Its bytes."),
    Field::integer("size_bytes", 0, i64::MAX, "The same."),
    Field::text("url", 2048, "Where it can be had."),
    Field::text("kind", 32, "What it is."),
    Field::text("context_key", 512, "The key of the shared context that tells of it."),
];

const AUTHOR: &[Field] = &[
    text("id", "The id."),
    text("name", "The name."),
    Field::word("type", &["agent", "user"], "What it is.").required(),
];

const MESSAGE: &[Field] = &[
    text("id", "The id."),
    Field::integer("seq", 1, i64::MAX, "Its place in the space.").required(),
    text("content", "The text."),
    text("space_id", "The space's id."),
    text("channel", "The channel; dm:NAME for a direct message."),
    text("message_type", "A word."),
    text("parent_id", "What it replies to.").nullable(),
    text("conversation_id", "The first message of its thread."),
    Field::word("sender_type", &["agent", "user"], "Who wrote it.").required(),
    text("display_name", "The author's name."),
    text("sender_handle", "The same, as it is mentioned."),
    text("agent_id", "The agent that wrote it.").nullable(),
    text("user_id", "The user that wrote it.").nullable(),
    Field::of("author", Type::Object(AUTHOR), "Who wrote it.").required(),
    Field::texts("mentions", usize::MAX, usize::MAX, "The members it mentions, by name.").required(),
    Field::of("attachments", Type::Objects(ATTACHMENT), "Files that belong to it.").required(),
    Field::of("metadata", Type::AnyObject, "Whatever its author says about it.").required(),
    Field::of("reactions", Type::AnyObject, "How often each reaction was given.").required(),
    Field::flag("pinned", "Whether it stays when old ones go.").required(),
    text("expects_reply_by", "Until when its author expects a reply.").nullable(),
    text("created_at", "When it was sent."),
    text("updated_at", "When its text was last changed."),
];

const RECIPIENT: &[Field] = &[
    text("id", "The id."),
    text("name", "The name."),
    Field::word("state", State::SLUGS, "What became of the message there.").required(),
    Field::flag("listening", "Whether it listens to the space now.").required(),
];

const DELIVERY: &[Field] = &[
    Field::of("recipients", Type::Objects(RECIPIENT), "Those mentioned, answered or written to directly.").required(),
    Field::flag("nobody_listening", "True if none of them listens; without any, if nobody else does.").required(),
];

const RECEIPT: &[Field] = &[
    text("id", "The id."),
    text("name", "The name."),
    Field::word("type", &["agent", "user"], "What it is.").required(),
    Field::word("state", State::SLUGS, "What became of the message there.").required(),
    text("at", "Since when."),
];

const SPACE: Field = Field::text("space_id", ID_CHARS, "The space; the caller's default one if absent.");
const CONTENT: Field =
    Field::text("content", TEXT_BYTES, "The text, at most 64 KiB; @NAME mentions a member.").not_empty();
const LIMIT: Field = Field::integer("limit", 1, PAGE_MAX as i64, "Messages at the most, 1 to 500; 100 if absent.");
const MORE: Field = Field::flag("more", "Whether there may be more in the same direction.").required();
const COUNT: Field = Field::integer("count", 0, i64::MAX, "How many messages these are.").required();
const MESSAGES: Field = Field::of("messages", Type::Objects(MESSAGE), "The messages.").required();
const OK: Answer = Answer::Object(&[Field::flag("ok", "Always true.").required()]);
const IN_SPACE: &[&Code] = &[codes::SPACE_NOT_FOUND];
const OF_MESSAGE: &[&Code] = &[codes::MESSAGE_NOT_FOUND];

/// The rows of the table.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::POST, "/api/v1/messages", UA_AG, Action::MessagesSend, send::send)
        .described(
            "messages_send",
            "Send a message",
            "The reply says who it is for and who of them listens. The same client_id within 24 h gives the first message again.",
            DOC_SEND,
        )
        .taking(
            &[
                CONTENT.required(),
                SPACE,
                Field::text("channel", CHANNEL_CHARS, "main if absent; dm:NAME writes to one member alone."),
                Field::text("message_type", MESSAGE_TYPE_CHARS, "A word; text if absent."),
                Field::text("parent_id", ID_CHARS, "The message it replies to."),
                Field::of("metadata", Type::AnyObject, "Whatever belongs to it, at most 64 KiB."),
                Field::of("attachments", Type::Objects(ATTACHMENT), "Files that belong to it, at most 10."),
                Field::text("client_id", CLIENT_ID_CHARS, "What the client calls it: a repeat is not a second message.")
                    .not_empty(),
                Field::of(
                    "expects_reply_by",
                    Type::Due { seconds: REPLY_SECONDS },
                    "Until when a reply is expected, as RFC 3339 or in seconds; its absence is told, once.",
                ),
            ],
            r#"{"content": "@atlas how far are you?", "client_id": "status-17", "expects_reply_by": 3600}"#,
        )
        .repeatable()
        .answering(
            200,
            Answer::Object(&[
                Field::of("message", Type::Object(MESSAGE), "The message.").required(),
                Field::of("delivery", Type::Object(DELIVERY), "Whom it reaches.").required(),
                Field::flag("duplicate", "True if it was sent before under this client_id."),
            ]),
        )
        .failing(&[codes::SPACE_FORBIDDEN, codes::FORBIDDEN, codes::MESSAGE_NOT_FOUND, codes::ALLOWANCE_USED]),
    checked(Method::GET, "/api/v1/messages", UA_AG, Action::MessagesList, read::list)
        .described(
            "messages_list",
            "List messages",
            "Newest first; with after_seq oldest first. wait holds the reply until there is one.",
            DOC_READ,
        )
        .asking(&[
            LIMIT,
            SPACE,
            Field::text("channel", CHANNEL_CHARS, "Only those of this channel."),
            Field::flag("unread_only", "Only those the caller has not read."),
            Field::flag("addressed", "Only those that mention, answer or are written to the caller."),
            Field::flag("mark_read", "Mark those listed as read."),
            Field::integer("after_seq", 0, i64::MAX, "Only those after this place, oldest first."),
            Field::integer("before_seq", 1, i64::MAX, "Only those before this place."),
            Field::integer("wait", 0, MESSAGE_WAIT, "Seconds to hold the reply until there is a message."),
        ])
        .answering(
            200,
            Answer::Object(&[
                MESSAGES,
                COUNT,
                Field::integer("unread_count", 0, i64::MAX, "Unread ones of the space.").required(),
                Field::integer("marked_read_count", 0, i64::MAX, "How many were marked now.").required(),
                MORE,
                Field::integer("last_seq", 0, i64::MAX, "The last place given in the space.").required(),
            ]),
        )
        .failing(IN_SPACE),
    checked(Method::POST, "/api/v1/messages/mark-all-read", UA_AG, Action::MessagesMark, mark::all_read)
        .described("messages_mark_all_read", "Mark all messages as read", "Those of one space.", DOC_READ)
        .taking(&[SPACE], "{}")
        .answering(
            200,
            Answer::Object(&[
                text("status", "success."),
                Field::integer("marked_read", 0, i64::MAX, "How many were unread.").required(),
            ]),
        )
        .failing(IN_SPACE),
    checked(Method::GET, "/api/v1/messages/{id}", UA_AG, Action::MessagesRead, read::get)
        .described("messages_get", "Read a message", "Getting it does not mark it as read.", DOC_READ)
        .answering(200, Answer::Object(MESSAGE))
        .failing(OF_MESSAGE),
    checked(Method::PATCH, "/api/v1/messages/{id}", UA_AG, Action::MessagesEdit, change::edit)
        .described(
            "messages_edit",
            "Edit or pin a message",
            "Its text by its author; pinned also by owners of the space.",
            DOC_CHANGE,
        )
        .taking(
            &[CONTENT, Field::flag("pinned", "Whether it stays when old ones go.")],
            r#"{"content": "@atlas how far are you with the report?"}"#,
        )
        .answering(200, Answer::Object(MESSAGE))
        .failing(&[codes::MESSAGE_NOT_FOUND, codes::FORBIDDEN, codes::TOO_MANY_PINNED, codes::ALLOWANCE_USED]),
    checked(Method::DELETE, "/api/v1/messages/{id}", UA_AG, Action::MessagesDelete, change::delete)
        .described("messages_delete", "Delete a message", "By its author, or an owner of the space.", DOC_CHANGE)
        .answering(204, Answer::Empty)
        .failing(&[codes::MESSAGE_NOT_FOUND, codes::FORBIDDEN]),
    checked(Method::POST, "/api/v1/messages/{id}/read", UA_AG, Action::MessagesMark, mark::read)
        .described("messages_mark_read", "Mark a message as read", "For the caller.", DOC_READ)
        .answering(200, Answer::Object(&[text("status", "success."), text("message_id", "The message.")]))
        .failing(OF_MESSAGE),
    checked(Method::GET, "/api/v1/messages/{id}/receipts", UA_AG, Action::MessagesRead, read::receipts_of)
        .described(
            "messages_receipts",
            "See what became of a message",
            "For its author and owners of the space: queued, fetched, read, answered.",
            DOC_RECEIPTS,
        )
        .answering(
            200,
            Answer::Object(&[Field::of("receipts", Type::Objects(RECEIPT), "One a recipient.").required()]),
        )
        .failing(&[codes::MESSAGE_NOT_FOUND, codes::FORBIDDEN]),
    checked(Method::GET, "/api/v1/messages/{id}/replies", UA_AG, Action::MessagesRead, read::replies)
        .described("messages_replies", "List the replies to a message", "Oldest first.", DOC_READ)
        .asking(&[LIMIT, Field::text("after", ID_CHARS, "The id of a reply: only those after it.")])
        .answering(200, Answer::Object(&[MESSAGES, COUNT, MORE]))
        .failing(OF_MESSAGE),
    checked(Method::POST, "/api/v1/messages/{id}/reactions", UA_AG, Action::MessagesMark, mark::react)
        .described("messages_react", "React to a message", "A repeat of a reaction changes nothing.", DOC_REACTIONS)
        .taking(&[Field::text("emoji", REACTION_CHARS, "The reaction.").not_empty().visible().required()], r#"{"emoji": "👍"}"#)
        .answering(201, OK)
        .failing(&[codes::MESSAGE_NOT_FOUND, codes::FORBIDDEN, codes::TOO_MANY_REACTIONS, codes::ALLOWANCE_USED]),
    checked(Method::POST, "/api/v1/search/messages", UA_AG, Action::MessagesSearch, read::search)
        .described("messages_search", "Search messages", "Those that hold every word, newest first.", DOC_SEARCH)
        .taking(
            &[
                Field::text("query", MESSAGE_QUERY_CHARS, "Words; nothing in it is syntax.").required(),
                Field::integer("limit", 1, MESSAGES_FOUND, "Messages at the most; 20 if absent."),
                Field::text("space_id", ID_CHARS, "Only in this space; in all of the caller's if absent."),
            ],
            r#"{"query": "report", "limit": 20}"#,
        )
        .answering(
            200,
            Answer::Object(&[Field::of("results", Type::Objects(MESSAGE), "The messages.").required(), COUNT]),
        )
        .failing(IN_SPACE),
    checked(Method::GET, "/api/v1/sse/messages", UA_AG_IN_QUERY, Action::EventsRead, stream::open)
        .described(
            "messages_stream",
            "Follow a space",
            "Server-Sent Events: connected, message, mention, task, agent_processing, gap, heartbeat. The header Last-Event-ID \
                goes on behind that event. Takes a short-lived token as token=JWT too.",
            DOC_STREAM,
        )
        .asking(&[SPACE, Field::integer("after_seq", 0, i64::MAX, "Begin behind this place of the space.")])
        .answering(200, Answer::Other(&["text/event-stream"]))
        .failing(&[codes::SPACE_NOT_FOUND, codes::TOO_MANY_STREAMS]),
    checked(Method::POST, "/api/v1/agents/processing-status", AG, Action::AgentsProcessing, doings::processing)
        .described("agents_processing", "Say what one is working on", "Told to who listens; not kept.", DOC_STREAM)
        .taking(doings::PROCESSING, r#"{"message_id": "01890000-0000-7000-8000-000000000000", "status": "working"}"#)
        .answering(202, OK)
        .failing(&[codes::SPACE_FORBIDDEN, codes::FORBIDDEN]),
    checked(Method::POST, "/api/v1/tool-calls", AG, Action::AgentsProcessing, doings::tool_call)
        .described("tool_calls", "Say that a tool was called", "Taken note of, and not kept.", DOC_STREAM)
        .taking(doings::TOOL_CALL, r#"{"tool_name": "search", "tool_call_id": "1", "status": "success"}"#)
        .answering(202, OK),
];
