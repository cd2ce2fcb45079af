//! Notifications: the rows of the route table, their record, and who sees them (taOS contract, section 4). A user sees
//! its own. An agent sees those that it sent, and may not change them.

mod change;
mod fields;
mod html;
mod read;
mod stream;

use fields::{AFTER, UNREAD_ONLY, WAIT};
pub use fields::{holder, show, topic};
use hyper::http::Method;

use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::paging::{CURSOR, LIMIT};
use crate::rest::codes;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::route::Answer;
use crate::store::notifications::Level;

/// The documentation page on sending notifications.
pub const DOC_NOTIFY: &str = "recipes/notifying-the-user#notify";
const DOC_READ: &str = "recipes/notifying-the-user#read";
const DOC_WATCH: &str = "recipes/notifying-the-user#watch";

/// A notification's record.
const RECORD: &[Field] = &[
    Field::shown("id", "The id."),
    Field::integer("timestamp", 0, i64::MAX, "When the notification was sent, in seconds since 1970.").required(),
    Field::shown("created_at", "When the notification was sent."),
    Field::word("level", Level::SLUGS, "The priority.").required(),
    Field::shown("title", "The title, one line."),
    Field::shown("message", "The text."),
    Field::flag("read", "True if the user has read it.").required(),
    Field::shown("source", "The sender, from its credential: agent:NAME or user:NAME; taosd for the daemon itself."),
    Field::shown("agent_id", "The id of the agent that sent it.").nullable(),
    Field::shown("app_origin", "The app that the sender named.").nullable(),
    Field::shown("action_url", "The link of the notification.").nullable(),
];

const COUNT: &[Field] = &[
    Field::integer("unread", 0, i64::MAX, "The number of unread notifications.").required(),
    Field::integer("total", 0, i64::MAX, "The number of all notifications.").required(),
];

/// The media type of the reply to a page that sends `HX-Request: true`.
const HTML: &[&str] = &["text/html"];

/// The routes for notifications.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::GET, "/api/notifications", Taos, Action::NotificationsRead, read::list)
        .described(
            "notifications_list",
            "List notifications",
            "Newest first; with after or wait the newer ones, oldest first. A user sees its own, an agent those that \
                it sent. With HX-Request: true the reply is an HTML fragment.",
            DOC_READ,
        )
        .asking(&[UNREAD_ONLY, AFTER, WAIT, LIMIT, CURSOR])
        .answering(200, Answer::Or(&Answer::List(RECORD), HTML))
        .failing(&[codes::INVALID_CURSOR]),
    ApiRoute::checked(Method::GET, "/api/notifications/count", Taos, Action::NotificationsRead, read::count)
        .described(
            "notifications_count",
            "Count notifications",
            "With HX-Request: true the reply is an HTML fragment.",
            DOC_READ,
        )
        .answering(200, Answer::Or(&Answer::Object(COUNT), HTML)),
    ApiRoute::checked(Method::GET, "/api/notifications/stream", Taos, Action::NotificationsRead, stream::open)
        .described(
            "notifications_stream",
            "Follow notifications",
            "Server-Sent Events: event notification, its id, its record as data. With after or the header \
                Last-Event-ID the stream starts with the notifications newer than that id. It ends when the credential \
                ends.",
            DOC_WATCH,
        )
        .asking(&[AFTER])
        .answering(200, Answer::Other(&["text/event-stream"]))
        .failing(&[codes::TOO_MANY_STREAMS]),
    ApiRoute::checked(Method::GET, "/api/notifications/{id}", Taos, Action::NotificationsRead, read::get)
        .described(
            "notifications_get",
            "Read a notification",
            "This request does not mark the notification as read.",
            DOC_READ,
        )
        .answering(200, Answer::Object(RECORD))
        .failing(&[codes::NOTIFICATION_NOT_FOUND]),
    ApiRoute::checked(Method::POST, "/api/notifications/read-all", Taos, Action::NotificationsUpdate, change::read_all)
        .described(
            "notifications_read_all",
            "Mark all notifications as read",
            "Marks all notifications of the calling user.",
            DOC_READ,
        )
        .answering(
            200,
            Answer::Object(&[
                Field::flag("ok", "Always true.").required(),
                Field::integer("updated", 0, i64::MAX, "The number of notifications that were unread.").required(),
            ]),
        )
        .failing(&[codes::FORBIDDEN]),
    ApiRoute::checked(Method::POST, "/api/notifications/{id}/read", Taos, Action::NotificationsUpdate, change::read)
        .described("notifications_read", "Mark a notification as read", "Only the recipient may do this.", DOC_READ)
        .answering(200, Answer::Object(&[Field::flag("ok", "Always true.").required()]))
        .failing(&[codes::NOTIFICATION_NOT_FOUND, codes::FORBIDDEN]),
    ApiRoute::checked(Method::DELETE, "/api/notifications/{id}", Taos, Action::NotificationsDelete, change::delete)
        .described("notifications_delete", "Delete a notification", "Only the recipient may do this.", DOC_READ)
        .answering(204, Answer::Empty)
        .failing(&[codes::NOTIFICATION_NOT_FOUND, codes::FORBIDDEN]),
];
