//! Spaces (aX contract, section 7).

use hyper::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{checked, default_space, own_space, text};
use crate::access::{Action, Principal};
use crate::api::agents::name;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::{CURSOR, Listing};
use crate::limits::{NAME_CHARS, PAGE_MAX, SPACES_OF_USER};
use crate::rest::class::{UA, UA_AG};
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::field::{Field, Type};
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::store::spaces::{self, Space, Visibility};
use crate::store::{self, StoreError};

const DOC: &str = "recipes/bootstrap#spaces";

const SPACE: &[Field] = &[
    text("id", "The id."),
    text("name", "Name for people."),
    text("slug", "The unique short name."),
    text("description", "What it is for."),
    text("visibility", "private, invite_only or public."),
    Field::integer("member_count", 1, i64::MAX, "How many users belong to it.").required(),
    Field::flag("is_default", "Whether the caller works there if nothing is said.").required(),
    Field::flag("is_personal", "Whether it is its owner's own, made with the user.").required(),
    text("created_at", "When it was made."),
];

/// The rows of the table.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::GET, "/api/v1/spaces", UA_AG, Action::SpacesList, list)
        .described("spaces_list", "List the caller's spaces", "Exactly one is the default.", DOC)
        .asking(&[CURSOR])
        .answering(200, Answer::Object(&[Field::of("spaces", Type::Objects(SPACE), "The spaces.").required()]))
        .failing(&[codes::INVALID_CURSOR]),
    checked(Method::GET, "/api/v1/spaces/{space}", UA_AG, Action::SpacesRead, get)
        .described("spaces_read", "Read a space", "One of the caller's.", DOC)
        .answering(200, Answer::Object(SPACE))
        .failing(&[codes::SPACE_NOT_FOUND]),
    checked(Method::GET, "/api/v1/spaces/{space}/members", UA_AG, Action::SpacesRead, members)
        .described("spaces_members", "List a space's members", "The users who belong to it.", DOC)
        .answering(
            200,
            Answer::Object(&[Field::of(
                "members",
                Type::Objects(&[text("id", "The id."), text("username", "The name."), text("role", "owner.")]),
                "The members.",
            )
            .required()]),
        )
        .failing(&[codes::SPACE_NOT_FOUND]),
    checked(Method::POST, "/api/spaces/create", UA, Action::SpacesCreate, create)
        .described("spaces_create", "Create a space", "It belongs to the caller.", DOC)
        .taking(
            &[
                Field::text("name", NAME_CHARS, "The name, unique among the caller's.").visible().required(),
                Field::word("visibility", Visibility::SLUGS, "private if absent."),
                Field::text("description", 1024, "What it is for."),
            ],
            r#"{"name": "Workshop", "visibility": "private"}"#,
        )
        .answering(201, Answer::Object(&[Field::of("space", Type::Object(SPACE), "The space.").required()]))
        .failing(&[codes::NAME_CONFLICT, codes::LIMIT_REACHED]),
];

fn show(space: &Space, default: &str) -> Value {
    json!({
        "id": space.id,
        "name": space.name,
        "slug": space.slug,
        "description": space.description,
        "visibility": space.visibility.slug(),
        "member_count": 1,
        "is_default": space.id == default,
        "is_personal": space.is_default,
        "created_at": space.created_at.micros(),
    })
}

/// A user's own, an agent's one.
fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "spaces")?.at_most(PAGE_MAX).under("spaces", false);
    let page = list.page();
    app.store.read(|conn| {
        let default = default_space(conn, &call.caller)?;
        let mut take = |space: Space| list.push((space.created_at, space.id.clone()), &show(&space, &default));
        match call.caller.principal() {
            Principal::User(user) => spaces::of_user(conn, &user.id, &page, &mut take)?,
            Principal::Agent { space_id, .. } => {
                spaces::by_id(conn, space_id)?.map(take);
            }
        }
        Ok::<_, ApiError>(())
    })?;
    Ok(list.reply(&call.input).into())
}

fn get(app: &App, call: Call) -> Handled {
    let shown = app.store.read(|conn| {
        let space = own_space(conn, &call.caller, call.input.param(0))?;
        Ok::<_, ApiError>(show(&space, &default_space(conn, &call.caller)?))
    })?;
    Ok(Reply::ok(&shown).into())
}

fn members(app: &App, call: Call) -> Handled {
    let space = app.store.read(|conn| own_space(conn, &call.caller, call.input.param(0)))?;
    let owner = json!({"id": space.owner_user_id, "username": space.owner, "role": "owner"});
    Ok(Reply::ok(&json!({"members": [owner]})).into())
}

fn create(app: &App, call: Call) -> Handled {
    let name = call.input.body.text("name").unwrap_or("").trim().to_owned();
    if name.is_empty() || name.contains(char::is_control) {
        let problem = "must have a visible character and no control character";
        return Err(ApiError::field("name", problem).in_dialect(Dialect::Ax));
    }
    if store::is_id(&name::slug_of(&name)) {
        return Err(ApiError::field("name", "must not have the form of an id").in_dialect(Dialect::Ax));
    }
    call.write(app, move |tx| {
        if spaces::count_of_user(tx.conn, &tx.caller.user().id)? >= SPACES_OF_USER {
            return Err(ApiError::limit_reached("spaces of this user", SPACES_OF_USER));
        }
        let body = &tx.input.body;
        let base = match name::slug_of(&name) {
            slug if slug.is_empty() => "space".to_owned(),
            slug => slug,
        };
        let space = Space {
            id: store::new_id(),
            slug: spaces::free_slug(tx.conn, &base)?,
            name,
            description: body.text("description").unwrap_or("").to_owned(),
            visibility: body.text("visibility").and_then(|word| word.parse().ok()).unwrap_or(Visibility::Private),
            owner_user_id: tx.caller.user().id.clone(),
            owner: tx.caller.user().username.clone(),
            is_default: false,
            created_at: tx.now,
        };
        match spaces::insert(tx.conn, &space) {
            Err(StoreError::Exists(_)) => return Err(codes::NAME_CONFLICT.into()),
            inserted => inserted?,
        }
        tx.audit(format!("space:{}", space.id))?;
        Ok(Reply::json(StatusCode::CREATED, &json!({"space": show(&space, "")})))
    })
}
