//! `POST /api/sessions/links`: a link that logs its maker in once, for a browser on any machine (OAuth contract,
//! section 4).

use std::sync::Arc;
use std::time::Instant;

use hyper::http::{Method, StatusCode};
use serde_json::json;

use crate::access::{Action, Principal};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::api::engine::logins::{LINKS, LoginLink as Link};
use crate::api::engine::site;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::secret::{Kind, LoginLink};
use crate::store::{TOKEN_FILE, credentials};
use crate::time::Micros;

/// The page that a link opens if the request names none.
const HOME: &str = "/";
const PATH: Field = Field::text("path", 512, "The page to open, a path on this box; its front page if absent.")
    .told(r#"{"pattern": "^(/([!-.0-\\[\\]-~][!-\\[\\]-~]*)?)?$"}"#);

/// The routes for login links.
pub const ROUTES: &[ApiRoute] =
    &[ApiRoute::checked(Method::POST, "/api/sessions/links", Taos, Action::SessionsLink, make)
        .described(
            "sessions_link",
            "Make a login link",
            "The link logs the caller in once, within 5 minutes. Opening it changes nothing until the person clicks, \
                so a preview does not use it up.",
            "recipes/logging-in#by-link",
        )
        .taking(&[PATH], r#"{"path": "/docs"}"#)
        .secret()
        .answering(
            201,
            Answer::Object(&[
                Field::unbounded("url", "The link, shown only in this reply.").required(),
                Field::unbounded("expires_at", "When it stops being valid.").required(),
            ]),
        )
        .failing(&[codes::USER_TOKEN_REQUIRED])];

fn make(app: &App, call: Call) -> Handled {
    let path = call.input.body.text(&PATH).filter(|path| !path.is_empty()).unwrap_or(HOME).to_owned();
    if !is_own_path(&path) {
        return Err(ApiError::field("path", "must be a path on this box that begins with one slash"));
    }
    let origin = site::origin(app, &call.input.head).unwrap_or_else(|| site::of_box(app));
    let logins = Arc::clone(&app.logins);
    call.write(app, move |tx| {
        let credential_id = parent(tx)?;
        let issued = LoginLink::generate();
        let link = Link { credential_id, username: tx.caller.user().username.clone(), path };
        logins
            .links
            .put(issued.hash, tx.caller.account(), link, Instant::now())
            .map_err(|_| ApiError::new(codes::BUSY).detail("Too many login links have not been used yet."))?;
        tx.audit_as("session.link.create", format!("user:{}", tx.caller.user().id))?;
        let life = i64::try_from(LINKS.life.as_secs()).unwrap_or(0) * Micros::SECOND;
        let body = json!({
            "url": format!("{origin}/login/{}", issued.plaintext.reveal()),
            "expires_at": tx.now.plus(life).millis(),
        });
        Ok(Reply::json(StatusCode::CREATED, &body))
    })
}

/// Returns the id of the user's token that the session will depend on: the caller's own, the one that its session was
/// opened with, or on the operator's socket the operator's.
fn parent(tx: &Tx<'_>) -> Result<String, ApiError> {
    let refused = || ApiError::from(codes::USER_TOKEN_REQUIRED);
    if !matches!(tx.caller.principal(), Principal::User(_)) || tx.caller.token_class().is_some() {
        return Err(refused());
    }
    let id = match tx.caller.maker().credential {
        Some(id) => id,
        None => {
            let own = credentials::labelled(tx.conn, &tx.caller.user().id, TOKEN_FILE)?;
            own.into_iter().next().ok_or_else(|| {
                refused().detail("The operator has no token of its own; taosd operator-token --rotate makes one.")
            })?
        }
    };
    match credentials::find_by_id(tx.conn, &id)? {
        Some(holder) if holder.kind == Kind::UserToken => Ok(id),
        _ => Err(refused()),
    }
}

/// Returns true for a path on this box. Browsers take one that begins with `//` or `/\\` for an address elsewhere.
pub(crate) fn is_own_path(path: &str) -> bool {
    let plain = path.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    path.starts_with('/') && !path.starts_with("//") && plain
}

#[cfg(test)]
mod tests {
    use super::is_own_path;

    #[test]
    fn a_link_leads_nowhere_but_to_this_box() {
        for path in ["/", "/docs", "/ui/requests/1?x=y#z", "/oauth/consent/abc"] {
            assert!(is_own_path(path), "{path}");
        }
        for path in ["", "docs", "//evil.example", "/\\evil.example", "https://evil.example", "/a b", "/a\nb", "/é"] {
            assert!(!is_own_path(path), "{path:?}");
        }
    }
}
