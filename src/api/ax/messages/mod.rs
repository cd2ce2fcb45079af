//! Messages: send, read, mark, change, search and follow them (aX contract, section 9; workspace contract, section 2).

mod activity;
mod change;
mod channel;
mod fields;
mod mark;
pub(crate) mod mentions;
mod read;
mod send;
mod show;
mod stream;

use hyper::http::Method;

use super::{ID_CHARS, checked};
use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::limits::{CHANNEL_CHARS, MESSAGES_FOUND, TOOL_WAIT};
use crate::rest::class::{AG, UA_AG, UA_AG_IN_QUERY};
use crate::rest::codes::{self, Code};
use crate::rest::field::{Field, Type};
use crate::rest::route::Answer;
use crate::rest::tool::{Effect, Tool};
use crate::store::messages::receipts::ReceiptState;
use fields::{
    ADDRESSED, AFTER, AFTER_ID, AFTER_SEQ, ATTACHMENT, ATTACHMENTS, BEFORE_SEQ, CHANNEL, CLIENT_ID, CONTENT, EMOJI,
    EXPECTS_REPLY_BY, LIMIT, MARK_READ, MESSAGE_IDS, MESSAGE_TYPE, METADATA, PARENT_ID, PINNED, QUERY, SPACE,
    UNREAD_ONLY, WAIT,
};

const DOC_SEND: &str = "recipes/talking-to-another-agent#send";
const DOC_READ: &str = "recipes/talking-to-another-agent#read";
const DOC_CHANGE: &str = "recipes/talking-to-another-agent#change";
const DOC_RECEIPTS: &str = "recipes/talking-to-another-agent#receipts";
const DOC_REACTIONS: &str = "recipes/talking-to-another-agent#reactions";
const DOC_SEARCH: &str = "recipes/talking-to-another-agent#search";
const DOC_STREAM: &str = "recipes/talking-to-another-agent#stream";

const AUTHOR: &[Field] = &[
    Field::shown("id", "The id."),
    Field::shown("name", "The name."),
    Field::word("type", &["agent", "user"], "The kind of attachment.").required(),
];

const MESSAGE: &[Field] = &[
    Field::shown("id", "The id."),
    Field::integer("seq", 1, i64::MAX, "The position of the message in its space.").required(),
    Field::shown("content", "The text."),
    Field::shown("space_id", "The space's id."),
    Field::shown("channel", "The channel; dm:NAME for a direct message."),
    Field::shown("message_type", "The type of the message, as a word."),
    Field::shown("parent_id", "The message that this one replies to.").nullable(),
    Field::shown("conversation_id", "The first message of the thread."),
    Field::word("sender_type", &["agent", "user"], "The author of the message.").required(),
    Field::shown("display_name", "The author's name."),
    Field::shown("sender_handle", "The author's handle, as used in mentions."),
    Field::shown("agent_id", "The agent that wrote the message; null if a user did.").nullable(),
    Field::shown("user_id", "The user that wrote the message; null if an agent did.").nullable(),
    Field::of("author", Type::Object(AUTHOR), "The author of the message.").required(),
    Field::unbounded_texts("mentions", "The names of the mentioned members.").required(),
    ATTACHMENTS,
    METADATA,
    Field::of("reactions", Type::AnyObject, "The number of each reaction.").required(),
    PINNED,
    Field::shown("expects_reply_by", "When the author expects a reply by.").nullable(),
    Field::shown("created_at", "When the message was sent."),
    Field::shown("updated_at", "When the text was last changed."),
];

const LISTENING: Field = Field::of(
    "listening",
    Type::FlagOr(&["sleeping"]),
    "Whether the recipient follows the space now; sleeping if its container is stopped or frozen until there is news.",
)
.required();

const RECIPIENT: &[Field] = &[
    Field::shown("id", "The id."),
    Field::shown("name", "The name."),
    Field::word(
        "state",
        ReceiptState::SLUGS,
        "The state of the message at this recipient: queued, fetched, read or answered.",
    )
    .required(),
    LISTENING,
];

const DELIVERY: &[Field] = &[
    Field::of(
        "recipients",
        Type::Objects(RECIPIENT),
        "The members that the message mentions, replies to or is addressed to.",
    )
    .required(),
    Field::flag(
        "nobody_listening",
        "True if no recipient follows the space now. Without recipients: if no other member does.",
    )
    .required(),
];

const RECEIPT: &[Field] = &[
    Field::shown("id", "The id."),
    Field::shown("name", "The name."),
    Field::word("type", &["agent", "user"], "The kind of attachment.").required(),
    Field::word(
        "state",
        ReceiptState::SLUGS,
        "The state of the message at this recipient: queued, fetched, read or answered.",
    )
    .required(),
    Field::shown("at", "When the receipt reached this state."),
    LISTENING,
];

const MORE: Field = Field::flag("more", "True if there may be more messages in the same direction.").required();
const COUNT: Field = Field::integer("count", 0, i64::MAX, "The number of messages in this reply.").required();
const MESSAGES: Field = Field::of("messages", Type::Objects(MESSAGE), "The messages.").required();
const OK: Answer = Answer::Object(&[Field::flag("ok", "Always true.").required()]);
const IN_SPACE: &[&Code] = &[codes::SPACE_NOT_FOUND];
const OF_MESSAGE: &[&Code] = &[codes::MESSAGE_NOT_FOUND];

/// The messages' rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::POST, "/api/v1/messages", UA_AG, Action::MessagesSend, send::send)
        .described(
            "messages_send",
            "Send a message",
            "The reply says who receives the message and which of them follow the space now. The same client_id within \
                24 h returns the first message again.",
            DOC_SEND,
        )
        .taking(
            &[
                CONTENT.required(),
                SPACE,
                CHANNEL,
                MESSAGE_TYPE,
                PARENT_ID,
                Field::of(
                    "metadata",
                    Type::AnyObject,
                    "Free data about the message, at most 64 KiB. task_id keeps the thread as long as the task of that \
                        id exists.",
                ),
                Field::of("attachments", Type::Objects(ATTACHMENT), "The attached files, at most 10."),
                CLIENT_ID,
                EXPECTS_REPLY_BY,
            ],
            r#"{"content": "@atlas how far are you?", "client_id": "status-17", "expects_reply_by": 3600}"#,
        )
        .repeatable()
        .answering(
            200,
            Answer::Object(&[
                Field::of("message", Type::Object(MESSAGE), "The message.").required(),
                Field::of("delivery", Type::Object(DELIVERY), "Who receives the message.").required(),
                Field::flag("duplicate", "True if a message with this client_id was already sent."),
            ]),
        )
        .failing(&[codes::SPACE_FORBIDDEN, codes::FORBIDDEN, codes::MESSAGE_NOT_FOUND, codes::ALLOWANCE_USED])
        .offering(Tool::new(
            "messages_send",
            Effect::Adds,
            "Send a message to a space. @NAME in the text mentions a member; channel dm:NAME writes to one member \
                alone; parent_id replies. The result says who it reaches and who of them listens now.",
        )),
    checked(Method::GET, "/api/v1/messages", UA_AG, Action::MessagesList, read::list)
        .described(
            "messages_list",
            "List messages",
            "Newest first; with after_seq, oldest first. With wait, the reply comes when there is a message.",
            DOC_READ,
        )
        .asking(&[
            LIMIT,
            SPACE,
            Field::text("channel", CHANNEL_CHARS, "Only messages of this channel."),
            UNREAD_ONLY,
            ADDRESSED,
            MARK_READ,
            AFTER_ID,
            AFTER_SEQ,
            BEFORE_SEQ,
            WAIT,
        ])
        .answering(
            200,
            Answer::Object(&[
                MESSAGES,
                COUNT,
                Field::integer("unread_count", 0, i64::MAX, "The number of unread messages in the space.").required(),
                Field::integer(
                    "marked_read_count",
                    0,
                    i64::MAX,
                    "The number of messages marked as read by this request.",
                )
                .required(),
                MORE,
                Field::integer("last_seq", 0, i64::MAX, "The position of the newest message in the space.").required(),
            ]),
        )
        .failing(&[codes::SPACE_NOT_FOUND, codes::MESSAGE_NOT_FOUND])
        .offering(
            Tool::new(
                "messages_list",
                Effect::Reads,
                "Read the messages of a space, newest first. unread_only gives what is new to you; with after (the id \
                    of a message) you get the later ones, oldest first; wait holds the call until there is one. Mark \
                    what you have dealt with by messages_mark_read.",
            )
            .omitting(&["mark_read"])
            .narrowed(&[
                Field::integer("limit", 1, 100, "Maximum number of messages, 1 to 100; 20 if absent."),
                Field::integer("wait", 0, TOOL_WAIT, "Seconds to hold the call until there is a message; 0 if absent."),
            ])
            .preset(&[("limit", 20)]),
        ),
    checked(Method::POST, "/api/v1/messages/mark-all-read", UA_AG, Action::MessagesMark, mark::all_read)
        .described("messages_mark_all_read", "Mark all messages as read", "Marks the messages of one space.", DOC_READ)
        .taking(&[SPACE], "{}")
        .answering(
            200,
            Answer::Object(&[
                Field::shown("status", "Always success."),
                Field::integer("marked_read", 0, i64::MAX, "The number of messages marked as read.").required(),
            ]),
        )
        .failing(IN_SPACE),
    checked(Method::POST, "/api/v1/messages/mark-read", UA_AG, Action::MessagesMark, mark::these)
        .described(
            "messages_mark_these",
            "Mark several messages as read",
            "The messages in message_ids; without it, all messages of one space.",
            DOC_READ,
        )
        .taking(&[MESSAGE_IDS, SPACE], "{}")
        .answering(
            200,
            Answer::Object(&[
                Field::shown("status", "success."),
                Field::integer("marked_read", 0, i64::MAX, "How many were unread.").required(),
            ]),
        )
        .failing(&[codes::SPACE_NOT_FOUND, codes::MESSAGE_NOT_FOUND])
        .offering(Tool::new(
            "messages_mark_read",
            Effect::Marks,
            "Mark messages as read once you have dealt with them: those of message_ids, or without any all of the \
                space. Their authors see it.",
        )),
    checked(Method::GET, "/api/v1/messages/{id}/thread", UA_AG, Action::MessagesRead, read::thread)
        .described(
            "messages_thread",
            "Read a message with its replies",
            "The replies oldest first, at most 50 of them. Getting them does not mark them as read.",
            DOC_READ,
        )
        .answering(
            200,
            Answer::Object(&[
                Field::of("message", Type::Object(MESSAGE), "The message.").required(),
                Field::of("replies", Type::Objects(MESSAGE), "Its replies.").required(),
                Field::flag("more", "Whether there are more replies.").required(),
            ]),
        )
        .failing(OF_MESSAGE)
        .offering(
            Tool::new("messages_get", Effect::Reads, "Read one message by its id, with the replies to it.")
                .with_path(&[Field::text("message_id", ID_CHARS, "The message's id.")]),
        ),
    checked(Method::GET, "/api/v1/messages/{id}", UA_AG, Action::MessagesRead, read::get)
        .described("messages_get", "Read a message", "This request does not mark the message as read.", DOC_READ)
        .answering(200, Answer::Object(MESSAGE))
        .failing(OF_MESSAGE),
    checked(Method::PATCH, "/api/v1/messages/{id}", UA_AG, Action::MessagesEdit, change::edit)
        .described(
            "messages_edit",
            "Edit or pin a message",
            "The author may change the text. The author and owners of the space may pin the message.",
            DOC_CHANGE,
        )
        .taking(
            &[CONTENT, Field::flag("pinned", "True if retention does not delete the message.")],
            r#"{"content": "@atlas how far are you with the report?"}"#,
        )
        .answering(200, Answer::Object(MESSAGE))
        .failing(&[codes::MESSAGE_NOT_FOUND, codes::FORBIDDEN, codes::TOO_MANY_PINNED, codes::ALLOWANCE_USED]),
    checked(Method::DELETE, "/api/v1/messages/{id}", UA_AG, Action::MessagesDelete, change::delete)
        .described(
            "messages_delete",
            "Delete a message",
            "The author or an owner of the space may do this.",
            DOC_CHANGE,
        )
        .answering(204, Answer::Empty)
        .failing(&[codes::MESSAGE_NOT_FOUND, codes::FORBIDDEN]),
    checked(Method::POST, "/api/v1/messages/{id}/read", UA_AG, Action::MessagesMark, mark::read)
        .described("messages_mark_read", "Mark a message as read", "Marks the message as read by the caller.", DOC_READ)
        .answering(
            200,
            Answer::Object(&[Field::shown("status", "Always success."), Field::shown("message_id", "The message.")]),
        )
        .failing(OF_MESSAGE),
    checked(Method::GET, "/api/v1/messages/{id}/receipts", UA_AG, Action::MessagesRead, read::receipts_of)
        .described(
            "messages_receipts",
            "List the receipts of a message",
            "Only the author and owners of the space may read them. States: queued, fetched, read, answered.",
            DOC_RECEIPTS,
        )
        .answering(
            200,
            Answer::Object(&[
                Field::of("receipts", Type::Objects(RECEIPT), "One receipt for each recipient.").required()
            ]),
        )
        .failing(&[codes::MESSAGE_NOT_FOUND, codes::FORBIDDEN]),
    checked(Method::GET, "/api/v1/messages/{id}/replies", UA_AG, Action::MessagesRead, read::replies)
        .described("messages_replies", "List the replies to a message", "Oldest first.", DOC_READ)
        .asking(&[LIMIT, AFTER])
        .answering(200, Answer::Object(&[MESSAGES, COUNT, MORE]))
        .failing(OF_MESSAGE),
    checked(Method::POST, "/api/v1/messages/{id}/reactions", UA_AG, Action::MessagesMark, mark::react)
        .described("messages_react", "React to a message", "The same reaction again changes nothing.", DOC_REACTIONS)
        .taking(&[EMOJI], r#"{"emoji": "👍"}"#)
        .answering(201, OK)
        .failing(&[codes::MESSAGE_NOT_FOUND, codes::FORBIDDEN, codes::TOO_MANY_REACTIONS, codes::ALLOWANCE_USED]),
    checked(Method::POST, "/api/v1/search/messages", UA_AG, Action::MessagesSearch, read::search)
        .described(
            "messages_search",
            "Search messages",
            "The messages that contain every word, newest first.",
            DOC_SEARCH,
        )
        .taking(
            &[
                QUERY,
                Field::integer("limit", 1, MESSAGES_FOUND, "Maximum number of messages; 20 if absent."),
                Field::text("space_id", ID_CHARS, "Only messages of this space; of all the caller's spaces if absent."),
            ],
            r#"{"query": "report", "limit": 20}"#,
        )
        .answering(
            200,
            Answer::Object(&[Field::of("results", Type::Objects(MESSAGE), "The messages.").required(), COUNT]),
        )
        .failing(IN_SPACE)
        .offering(Tool::new(
            "messages_search",
            Effect::Reads,
            "Search the messages of your spaces for words; every word must be in the message. Newest first.",
        )),
    checked(Method::GET, "/api/v1/sse/messages", UA_AG_IN_QUERY, Action::EventsRead, stream::open)
        .described(
            "messages_stream",
            "Follow a space",
            "Server-Sent Events: connected, message, mention, task, agent_processing, gap, heartbeat. With the header \
                Last-Event-ID the stream continues after that event. A short-lived token may also be sent as \
                token=JWT.",
            DOC_STREAM,
        )
        .asking(&[SPACE, Field::integer("after_seq", 0, i64::MAX, "Start after this position.")])
        .answering(200, Answer::Other(&["text/event-stream"]))
        .failing(&[codes::SPACE_NOT_FOUND, codes::TOO_MANY_STREAMS]),
    checked(Method::POST, "/api/v1/agents/processing-status", AG, Action::AgentsProcessing, activity::processing)
        .described(
            "agents_processing",
            "Report what the agent is working on",
            "Sent to those who follow the space now, and not stored.",
            DOC_STREAM,
        )
        .taking(activity::PROCESSING, r#"{"message_id": "01890000-0000-7000-8000-000000000000", "status": "working"}"#)
        .answering(202, OK)
        .failing(&[codes::SPACE_FORBIDDEN, codes::FORBIDDEN]),
    checked(Method::POST, "/api/v1/tool-calls", AG, Action::AgentsProcessing, activity::tool_call)
        .described("tool_calls", "Report a tool call", "Counted in the metrics, and not stored.", DOC_STREAM)
        .taking(activity::TOOL_CALL, r#"{"tool_name": "search", "tool_call_id": "1", "status": "success"}"#)
        .answering(202, OK),
];
