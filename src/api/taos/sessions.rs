//! Web sessions by cookie (taOS contract, section 3). A session is opened with a user's token, has its scopes and ends
//! with it.

use std::sync::Arc;
use std::time::Instant;

use hyper::header::SET_COOKIE;
use hyper::http::Method;
use serde_json::{Value, json};

use crate::access::lookup::cookie;
use crate::access::{Action, Principal, UsedFrom};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::logins::LoginLink as Link;
use crate::api::engine::paging::{CURSOR, LIMIT, Listing};
use crate::api::engine::site;
use crate::limits::SESSIONS;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route::{Answer, Need};
use crate::secret::{Kind, LoginLink, SecretHash, SessionSecret};
use crate::store;
use crate::store::sessions::{self, WebSession};
use crate::time::Micros;

const DOC: &str = "concepts/authentication#web-sessions";
/// The longest life of a session.
const LIFETIME: i64 = 7 * Micros::DAY;
const LOGIN: Need = Need { action: Action::AuthLogin, classes: &[], dialect: Taos };

/// A session's record.
pub(super) const RECORD: &[Field] = &[
    Field::shown("id", "The session's id."),
    Field::shown("created_at", "When the session was opened."),
    Field::shown("expires_at", "When the session expires."),
    Field::shown("last_used_at", "When the session was last used, to the minute.").nullable(),
    Field::shown(
        "last_used_from",
        "The address and the client that last used the session; null if that was before the daemon started.",
    )
    .nullable(),
    Field::shown("opened_with", "The label of the token that opened the session."),
    Field::flag("current", "True for the session of this request.").required(),
];

const TOKEN: Field = Field::text("token", 128, "A user's token.");
const LINK: Field = Field::text("link", 64, "The secret of a login link, instead of a token.");

/// The routes for web sessions.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::public(Method::POST, "/api/sessions", Taos, open)
        .described(
            "sessions_open",
            "Open a web session",
            "Takes a user's token, or the secret of a login link, and sets the cookie taos_session for the daemon's \
                own web page. A user can have 32 sessions. When one more opens, the session that was idle longest \
                ends.",
            DOC,
        )
        .taking(&[TOKEN, LINK], r#"{"token": "taos_user_…"}"#)
        .secret()
        .answering(
            200,
            Answer::Object(&[
                Field::shown("username", "The user of the session."),
                Field::shown("expires_at", "When the session expires."),
                Field::unbounded("path", "The page that the link leads to."),
            ]),
        )
        .failing(&[codes::INVALID_TOKEN, codes::LINK_INVALID, codes::USER_TOKEN_REQUIRED, codes::RATE_LIMITED]),
    ApiRoute::checked(Method::GET, "/api/sessions", Taos, Action::SessionsList, list)
        .described("sessions_list", "List one's own web sessions", "The valid sessions, oldest first.", DOC)
        .asking(&[LIMIT, CURSOR])
        .answering(200, Answer::List(RECORD))
        .failing(&[codes::INVALID_CURSOR]),
    ApiRoute::checked(Method::DELETE, "/api/sessions/current", Taos, Action::AuthLogout, close)
        .described(
            "sessions_close",
            "End the web session",
            "Ends the session of the cookie. Succeeds also if there is none.",
            DOC,
        )
        .answering(204, Answer::Empty),
    ApiRoute::checked(Method::DELETE, "/api/sessions/{id}", Taos, Action::SessionsRevoke, revoke)
        .described(
            "sessions_revoke",
            "End one of one's own web sessions",
            "The daemon refuses it from the next request on.",
            DOC,
        )
        .answering(204, Answer::Empty)
        .failing(&[codes::SESSION_NOT_FOUND]),
];

fn open(app: &App, input: Input) -> Handled {
    match (input.body.text(&TOKEN), input.body.text(&LINK)) {
        (Some(token), None) => {
            let caller = app.gate.login(&input.head, &LOGIN, token)?;
            opened(app, Call::of(app, caller, input, Action::AuthLogin), None)
        }
        (None, Some(secret)) => {
            let hash = LoginLink::parse(secret).ok();
            by_link(app, input, hash)
        }
        _ => Err(ApiError::field("token", "Send exactly one of token and link.")),
    }
}

/// Opens a session with a login link. A request that is refused for now does not use up the link.
fn by_link(app: &App, input: Input, hash: Option<SecretHash>) -> Handled {
    let found = hash.and_then(|hash| Some((hash, app.logins.links.look(&hash, Instant::now())?)));
    let credential = found.as_ref().map(|(_, link)| link.credential_id.as_str());
    let caller = app.gate.login_by_link(&input.head, &LOGIN, credential)?;
    let (hash, link) = found.ok_or(codes::LINK_INVALID)?;
    let call = Call::of(app, caller, input, Action::AuthLogin);
    // Of two requests at once, only the first gets the link.
    let taken = app.logins.links.take_out(&hash, Instant::now()).ok_or(codes::LINK_INVALID)?;
    let logins = Arc::clone(&app.logins);
    opened(app, call.giving_back(move || logins.links.put_back(taken)), Some(link))
}

fn opened(app: &App, call: Call, link: Option<Link>) -> Handled {
    let secure = site::origin(app, &call.input.head).is_some_and(|origin| origin.starts_with("https:"));
    call.write(app, move |tx| {
        let parent = tx.caller.credential_id().ok_or(codes::INVALID_TOKEN)?;
        let (id, issued) = (store::new_id(), SessionSecret::generate());
        let until = tx.now.plus(LIFETIME);
        sessions::make_room(tx.conn, &tx.caller.user().id, SESSIONS - 1, tx.now)?;
        let expires_at = sessions::insert(tx.conn, &id, &issued, parent, &tx.caller.actor(), tx.now, until)?;
        let mut body = json!({"username": tx.caller.user().username, "expires_at": expires_at.millis()});
        match link {
            None => tx.audit(format!("credential:{id}"))?,
            Some(link) => {
                tx.audit_as("session.link.use", format!("credential:{id}"))?;
                body["path"] = json!(link.path);
            }
        }
        let seconds = (expires_at.0 - tx.now.0) / Micros::SECOND;
        Ok(Reply::ok(&body).with(SET_COOKIE, &cookie::set(issued.plaintext.reveal(), seconds, secure)))
    })
}

fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "sessions")?;
    let page = list.page();
    let mut take = |session: WebSession| {
        let shown = show(&session, &call, &app.gate.used_from);
        list.push((session.created_at, session.id), &shown)
    };
    // An agent has no sessions.
    if let Principal::User(user) = call.caller.principal() {
        app.store.lookup(|conn| sessions::of_user(conn, &user.id, Micros::now(), &page, &mut take))?;
    }
    Ok(list.reply(&call.input).into())
}

/// Returns the record of a session.
pub(super) fn show(session: &WebSession, call: &Call, used_from: &UsedFrom) -> Value {
    json!({
        "id": session.id,
        "created_at": session.created_at.millis(),
        "expires_at": session.expires_at.millis(),
        "last_used_at": session.last_used_at.map(Micros::millis),
        "last_used_from": used_from.last(&session.id),
        "opened_with": session.opened_with,
        "current": call.caller.credential_id() == Some(&session.id),
    })
}

fn close(app: &App, call: Call) -> Handled {
    if call.caller.credential_kind() != Kind::Session.slug() {
        return Ok(Reply::no_content().into());
    }
    call.write(app, |tx| {
        let id = tx.caller.credential_id().unwrap_or("");
        if sessions::revoke(tx.conn, id, &tx.caller.user().id, tx.now)? {
            tx.audit(format!("credential:{id}"))?;
        }
        Ok(Reply::no_content().with(SET_COOKIE, &cookie::set("", 0, false)))
    })
}

fn revoke(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let id = tx.input.param(0);
        let own = matches!(tx.caller.principal(), Principal::User(_));
        if !own || !sessions::revoke(tx.conn, id, &tx.caller.user().id, tx.now)? {
            return Err(ApiError::new(codes::SESSION_NOT_FOUND));
        }
        tx.audit(format!("credential:{id}"))?;
        Ok(Reply::no_content())
    })
}
