//! Users' tokens (taOS contract, section 3).

use hyper::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::scope::SCOPE;
use super::tokens::EXPIRES_IN_DAYS;
use super::{scope, users};
use crate::access::{Action, Scopes, UsedFrom};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::descent;
use crate::api::engine::paging::{CURSOR, LIMIT, Listing};
use crate::limits::USER_TOKENS;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::{Field, Type};
use crate::rest::reply::{Decided, Reply};
use crate::rest::route::Answer;
use crate::secret::{Kind, UserToken};
use crate::store;
use crate::store::credentials::{self, Credential, CredentialState, NewCredential};
use crate::time::Micros;

const DOC: &str = "recipes/users-and-tokens#tokens";
const DEFAULT_DAYS: i64 = 90;

const ID: Field = Field::unbounded("id", "The token's id.").required();
const LABEL: Field = Field::text("label", 64, "The label of the token.").line();
const CREATED: Field = Field::unbounded("created_at", "When the token was issued.").required();
const EXPIRES: Field = Field::unbounded("expires_at", "When the token expires.").required().nullable();

/// The routes for users' tokens.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::POST, "/api/users/{username}/tokens", Taos, Action::UsersTokenIssue, issue)
        .described(
            "users_token_issue",
            "Issue a user's token",
            "Shows the token once. Its scope never exceeds the caller's. Your own token never outlives the credential \
                that made it.",
            DOC,
        )
        .taking(
            &[
                LABEL,
                Field::of("scope", Type::Scopes, "The scopes of the token; the caller's if absent."),
                Field::integer("expires_in_days", 1, 3650, "Days until the token expires; 90 if absent."),
            ],
            r#"{"label": "laptop", "scope": ["agents.*"], "expires_in_days": 30}"#,
        )
        .secret()
        .answering(
            201,
            Answer::Object(&[
                Field::unbounded("token", "The token, shown only in this reply.").required(),
                ID,
                LABEL.required(),
                SCOPE,
                CREATED,
                EXPIRES,
            ]),
        )
        .failing(&[codes::USER_NOT_FOUND, codes::INVALID_SCOPE, codes::SCOPE_EXCEEDS_ISSUER, codes::LIMIT_REACHED]),
    ApiRoute::checked(Method::GET, "/api/users/{username}/tokens", Taos, Action::UsersTokenList, list)
        .described(
            "users_token_list",
            "List a user's tokens",
            "The tokens that are not revoked, oldest first, without their secrets.",
            DOC,
        )
        .asking(&[LIMIT, CURSOR])
        .answering(
            200,
            Answer::List(&[
                ID,
                Field::unbounded("key_id", "The public part of the token, which identifies it.").required(),
                LABEL.required(),
                SCOPE,
                Field::unbounded("issued_by", "Who issued the token.").required(),
                CREATED,
                EXPIRES,
                Field::unbounded("last_used_at", "When the token was last used, to the minute.").required().nullable(),
                Field::shown(
                    "last_used_from",
                    "The address and the client that last used the token; null if that was before the daemon started.",
                )
                .nullable(),
            ]),
        )
        .failing(&[codes::USER_NOT_FOUND, codes::INVALID_CURSOR]),
    ApiRoute::checked(Method::DELETE, "/api/users/{username}/tokens/{id}", Taos, Action::UsersTokenRevoke, revoke)
        .described(
            "users_token_revoke",
            "Revoke a user's token",
            "The daemon refuses it from the next request on, and also the tokens and keys that it made.",
            DOC,
        )
        .asking(&[descent::CASCADE])
        .answering(204, Answer::Empty)
        .failing(&[codes::USER_NOT_FOUND, codes::TOKEN_NOT_FOUND, codes::FORBIDDEN]),
];

fn issue(app: &App, call: Call) -> Handled {
    let body = &call.input.body;
    let scopes = scope::asked(body)?.unwrap_or_else(|| call.caller.scopes().clone());
    scope::within(&call.caller, &scopes)?;
    let label = body.text(&LABEL).unwrap_or("").trim().to_owned();
    let lifetime = body.integer(&EXPIRES_IN_DAYS).unwrap_or(DEFAULT_DAYS) * Micros::DAY;
    call.write(app, move |tx| {
        let user = users::find(tx.conn, tx.caller, tx.input.param(0))?;
        if credentials::count_user_tokens(tx.conn, &user.id, tx.now)? >= USER_TOKENS {
            return Err(ApiError::limit_reached("live tokens of this user", USER_TOKENS));
        }
        let (id, issued) = (store::new_id(), UserToken::generate());
        // A token for the caller itself depends on the credential that makes it. Another user's token depends on
        // nothing of the admin's.
        let own = user.id == tx.caller.user().id;
        let maker = descent::maker(tx, own)?;
        let expires_at = descent::end(tx, &maker, tx.now.plus(lifetime))?;
        let new = NewCredential {
            id: &id,
            kind: Kind::UserToken,
            issued: &issued,
            user_id: Some(&user.id),
            agent_id: None,
            scopes: &scopes.stored(),
            label: &label,
            state: CredentialState::Active,
            maker: &maker,
            issued_at: tx.now,
            expires_at: Some(expires_at),
        };
        credentials::insert(tx.conn, &new)?;
        tx.audit(format!("credential:{id}"))?;
        let shown = json!({
            "token": issued.plaintext.reveal(),
            "id": id,
            "label": label,
            "scope": scopes.texts(),
            "created_at": tx.now.millis(),
            "expires_at": expires_at.millis(),
        });
        Ok(Reply::json(StatusCode::CREATED, &shown))
    })
}

fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "user_tokens")?;
    let page = list.page();
    app.store.read(|conn| {
        let user = users::find(conn, &call.caller, call.input.param(0))?;
        let mut take =
            |token: Credential| list.push((token.issued_at, token.id.clone()), &show(&token, &app.gate.used_from));
        Ok::<_, ApiError>(credentials::user_tokens(conn, &user.id, &page, &mut take)?)
    })?;
    Ok(list.reply(&call.input).decided(Decided::ByDatabase).into())
}

fn show(token: &Credential, used_from: &UsedFrom) -> Value {
    json!({
        "id": token.id,
        "key_id": token.key_id,
        "label": token.label,
        "scope": Scopes::from_stored(&token.scopes).texts(),
        "issued_by": token.issued_by,
        "created_at": token.issued_at.millis(),
        "expires_at": token.expires_at.map(Micros::millis),
        "last_used_at": token.last_used_at.map(Micros::millis),
        "last_used_from": used_from.last(&token.id),
    })
}

fn revoke(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let user = users::find(tx.conn, tx.caller, tx.input.param(0))?;
        let id = tx.input.param(1);
        if !credentials::user_token(tx.conn, id, &user.id)? {
            return Err(codes::TOKEN_NOT_FOUND.into());
        }
        descent::end_with_all(tx, id)?;
        Ok(Reply::no_content())
    })
}
