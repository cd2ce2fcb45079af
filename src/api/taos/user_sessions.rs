//! The web sessions of a user: an admin sees and ends those of everybody, a member its own.

use hyper::http::Method;

use super::{sessions as web, users};
use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::{CURSOR, LIMIT, Listing};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::store::sessions::{self, WebSession};
use crate::time::Micros;

const DOC: &str = "concepts/authentication#web-sessions";

/// The routes for the web sessions of a user.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::GET, "/api/users/{username}/sessions", Taos, Action::SessionsList, list)
        .described(
            "users_sessions_list",
            "List a user's web sessions",
            "The valid sessions, oldest first. A member sees only its own.",
            DOC,
        )
        .asking(&[LIMIT, CURSOR])
        .answering(200, Answer::List(web::RECORD))
        .failing(&[codes::USER_NOT_FOUND, codes::INVALID_CURSOR]),
    ApiRoute::checked(Method::DELETE, "/api/users/{username}/sessions", Taos, Action::SessionsRevoke, end_all)
        .described(
            "users_sessions_end",
            "End all web sessions of a user",
            "Signs the user out of every browser. Tokens and keys stay valid. A member can end only its own.",
            DOC,
        )
        .answering(
            200,
            Answer::Object(&[Field::integer("ended", 0, i64::MAX, "How many sessions were ended.").required()]),
        )
        .failing(&[codes::USER_NOT_FOUND]),
];

fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "user_sessions")?;
    let page = list.page();
    app.store.read(|conn| {
        let user = users::find(conn, &call.caller, call.input.param(0))?;
        let mut take = |session: WebSession| {
            let shown = web::show(&session, &call, &app.gate.used_from);
            list.push((session.created_at, session.id), &shown)
        };
        Ok::<_, ApiError>(sessions::of_user(conn, &user.id, Micros::now(), &page, &mut take)?)
    })?;
    Ok(list.reply(&call.input).into())
}

fn end_all(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let user = users::find(tx.conn, tx.caller, tx.input.param(0))?;
        let ended = sessions::revoke_all(tx.conn, &user.id, tx.now)?;
        tx.audit(format!("user:{}", user.id))?;
        Ok(Reply::ok(&serde_json::json!({"ended": ended})))
    })
}
