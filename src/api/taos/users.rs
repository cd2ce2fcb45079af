//! Users (taOS contract, section 3).

use hyper::header::LOCATION;
use hyper::http::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::access::{Action, Caller, Principal};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::api::engine::paging::{CURSOR, LIMIT, Listing};
use crate::api::requests::BY_CLIENT;
use crate::limits::USERS;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::reply::{Decided, Reply};
use crate::rest::route::Answer;
use crate::store::users::{self, Role, User};
use crate::store::{self, credentials, oauth_grants, spaces};

const DOC: &str = "recipes/users-and-tokens#users";
const USERNAME: Field =
    Field::text("username", 64, "The unique name: a-z first, then a-z, 0-9, _ or -, at most 32 characters.")
        .told(r#"{"pattern": "^[a-z][a-z0-9_-]{0,31}$"}"#)
        .required();
const DISPLAY_NAME: Field = Field::text("display_name", 64, "The display name.").visible();
const ROLE: Field = Field::word(
    "role",
    Role::SLUGS,
    "The role: an admin runs the box, a member has what it was granted; member if absent.",
);

const DISABLED: Field = Field::flag("disabled", "True if the daemon refuses the user's credentials.").required();
/// A user's record.
const RECORD: &[Field] = &[
    Field::unbounded("id", "The id.").required(),
    USERNAME,
    DISPLAY_NAME.required(),
    ROLE.required(),
    DISABLED,
    Field::unbounded("created_at", "When the user was created.").required(),
    Field::unbounded("updated_at", "When the user was last changed.").required(),
];

/// The routes for users.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::GET, "/api/users", Taos, Action::UsersList, list)
        .described("users_list", "List users", "Oldest first.", DOC)
        .asking(&[LIMIT, CURSOR])
        .answering(200, Answer::List(RECORD))
        .failing(&[codes::FORBIDDEN, codes::INVALID_CURSOR]),
    ApiRoute::checked(Method::POST, "/api/users", Taos, Action::UsersCreate, create)
        .described("users_create", "Create a user", "Also creates the user's default space.", DOC)
        .taking(&[USERNAME, DISPLAY_NAME, ROLE], r#"{"username": "ann", "display_name": "Ann"}"#)
        .repeatable()
        .answering(201, Answer::Made(RECORD))
        .failing(&[codes::FORBIDDEN, codes::USERNAME_TAKEN, codes::LIMIT_REACHED]),
    ApiRoute::checked(Method::GET, "/api/users/{username}", Taos, Action::UsersRead, get)
        .described("users_get", "Read a user", "A member may read only itself.", DOC)
        .answering(200, Answer::Object(RECORD))
        .failing(&[codes::USER_NOT_FOUND]),
    ApiRoute::checked(Method::PATCH, "/api/users/{username}", Taos, Action::UsersUpdate, update)
        .described(
            "users_update",
            "Change a user",
            "While a user is disabled, the daemon refuses its credentials and those of its agents.",
            DOC,
        )
        .taking(
            &[ROLE, DISPLAY_NAME, Field::flag("disabled", "True if the daemon refuses the user's credentials.")],
            r#"{"display_name": "Ann B.", "disabled": false}"#,
        )
        .answering(200, Answer::Object(RECORD))
        .failing(&[codes::FORBIDDEN, codes::USER_NOT_FOUND, codes::LAST_ADMIN]),
    ApiRoute::checked(Method::DELETE, "/api/users/{username}", Taos, Action::UsersDelete, delete)
        .described(
            "users_delete",
            "Delete a user",
            "Deletes the user with its tokens and grants. A user that owns agents cannot be deleted.",
            DOC,
        )
        .answering(204, Answer::Empty)
        .failing(&[codes::FORBIDDEN, codes::USER_NOT_FOUND, codes::CANNOT_DELETE_SELF, codes::USER_OWNS_AGENTS]),
];

fn show(user: &User) -> Value {
    json!({
        "id": user.id,
        "username": user.username,
        "display_name": user.display_name,
        "role": user.role,
        "disabled": user.disabled,
        "created_at": user.created_at.millis(),
        "updated_at": user.updated_at.millis(),
    })
}

/// Returns the user of this name, if the caller is an admin or that user itself.
///
/// # Errors
/// `user_not_found`, or a `StoreError`.
pub fn find(conn: &Connection, caller: &Caller, username: &str) -> Result<User, ApiError> {
    let user = users::by_username(conn, username)?;
    let own = |user: &User| matches!(caller.principal(), Principal::User(own) if own.id == user.id);
    user.filter(|user| caller.is_admin() || own(user)).ok_or_else(|| codes::USER_NOT_FOUND.into())
}

fn is_username(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && text.len() <= 32
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

fn display_name(given: Option<&str>) -> Result<Option<&str>, ApiError> {
    match given.map(str::trim) {
        Some(name) if name.is_empty() || name.contains(char::is_control) => {
            Err(ApiError::field("display_name", "must have a visible character and no control character"))
        }
        name => Ok(name),
    }
}

fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "users")?;
    let page = list.page();
    let mut take = |user: User| list.push((user.created_at, user.id.clone()), &show(&user));
    app.store.lookup(|conn| users::list(conn, &page, &mut take))?;
    Ok(list.reply(&call.input).decided(Decided::ByDatabase).into())
}

fn get(app: &App, call: Call) -> Handled {
    let user = app.store.lookup(|conn| find(conn, &call.caller, call.input.param(0)))?;
    Ok(Reply::ok(&show(&user)).decided(Decided::ByDatabase).into())
}

fn create(app: &App, call: Call) -> Handled {
    let body = &call.input.body;
    let username = body.required(&USERNAME).to_owned();
    if !is_username(&username) {
        return Err(ApiError::field("username", "must be a-z first, then a-z, 0-9, _ or -, at most 32 characters"));
    }
    if username == BY_CLIENT {
        return Err(ApiError::field("username", "cannot be client, the name of whoever answers in an agent's client"));
    }
    let display_name = display_name(body.text(&DISPLAY_NAME))?.unwrap_or(&username).to_owned();
    let role = body.word(&ROLE)?.unwrap_or(Role::Member);
    call.write(app, move |tx| {
        if users::by_username(tx.conn, &username)?.is_some() {
            return Err(codes::USERNAME_TAKEN.into());
        }
        if users::are_at_least(tx.conn, USERS)? {
            return Err(ApiError::limit_reached("users of this box", USERS));
        }
        let user = User {
            id: store::new_id(),
            username,
            display_name,
            role,
            disabled: false,
            created_at: tx.now,
            updated_at: tx.now,
        };
        users::insert(tx.conn, &user)?;
        spaces::insert_default(tx.conn, &store::new_id(), &user.username, &user.id, tx.now)?;
        tx.audit(format!("user:{}", user.id))?;
        let location = format!("/api/users/{}", user.username);
        Ok(Reply::json(StatusCode::CREATED, &show(&user)).with(LOCATION, &location))
    })
}

fn update(app: &App, call: Call) -> Handled {
    display_name(call.input.body.text(&DISPLAY_NAME))?;
    call.write(app, |tx| {
        let mut user = find(tx.conn, tx.caller, tx.input.param(0))?;
        let body = &tx.input.body;
        if let Some(name) = display_name(body.text(&DISPLAY_NAME))? {
            name.clone_into(&mut user.display_name);
        }
        user.role = body.word(&ROLE)?.unwrap_or(user.role);
        user.disabled = body.flag(&DISABLED).unwrap_or(user.disabled);
        if user.role != Role::Admin || user.disabled {
            spare_last_admin(tx, &user)?;
        }
        user.updated_at = tx.now;
        users::update(tx.conn, &user)?;
        tx.audit(format!("user:{}", user.id))?;
        Ok(Reply::ok(&show(&user)))
    })
}

fn delete(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let user = find(tx.conn, tx.caller, tx.input.param(0))?;
        if tx.caller.user().id == user.id {
            return Err(codes::CANNOT_DELETE_SELF.into());
        }
        // The caller is an enabled admin at this moment, so the box has one afterwards.
        if users::owns_agents(tx.conn, &user.id)? {
            return Err(codes::USER_OWNS_AGENTS.into());
        }
        // A grant that acts as an agent is the agent's credential, which stays: nobody could list or end it any more.
        for grant in oauth_grants::given_by(tx.conn, &user.id)? {
            if credentials::revoke(tx.conn, &grant, tx.now)? {
                tx.audit_as("oauth.grant.revoke", format!("credential:{grant}"))?;
            }
        }
        users::delete(tx.conn, &user.id)?;
        tx.audit(format!("user:{}", user.id))?;
        Ok(Reply::no_content())
    })
}

/// Refuses a change that would leave no enabled admin, because then nobody could run the box.
fn spare_last_admin(tx: &Tx<'_>, user: &User) -> Result<(), ApiError> {
    if users::another_admin_than(tx.conn, &user.id)? { Ok(()) } else { Err(codes::LAST_ADMIN.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_short_lower_case_words() {
        for good in ["a", "ann", "a_b-c9", &"a".repeat(32)] {
            assert!(is_username(good), "{good}");
        }
        for bad in ["", "9a", "-a", "Ann", "a b", "a/b", "ü", &"a".repeat(33)] {
            assert!(!is_username(bad), "{bad}");
        }
    }
}
