//! Spaces (aX contract, section 7).

use hyper::http::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::fields::NAME;
use super::{checked, members};
use crate::access::{self, Action, Caller, SpaceRole};
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
use crate::rest::reply::{Decided, Reply};
use crate::rest::route::Answer;
use crate::rest::tool::{Effect, Tool};
use crate::store::messages::reading;
use crate::store::spaces::{self, Space, Visibility};
use crate::store::{self, StoreError, usage};
use crate::time::Micros;

const DOC: &str = "recipes/bootstrap#spaces";

const SPACE: &[Field] = &[
    Field::shown("id", "The id."),
    Field::shown("name", "The display name."),
    Field::shown("slug", "The unique short name."),
    Field::shown("description", "The purpose of the space."),
    Field::shown("visibility", "Who can see the space: private, invite_only or public."),
    Field::integer("member_count", 1, i64::MAX, "The number of members, users and agents together.").required(),
    Field::flag("is_default", "True for the space of requests that name none.").required(),
    Field::flag("is_personal", "True for the space that was created with its owner's account.").required(),
    Field::shown("created_at", "When the space was created."),
];

const USAGE_DOC: &str = "concepts/workspace#bounds";

/// The fields of a usage: the amount that is stored, and the maximum.
const HOLDING: &[Field] = &[
    Field::integer("held", 0, i64::MAX, "What the space holds now.").required(),
    Field::integer("most", 0, i64::MAX, "What the space may hold at most.").required(),
];

const fn holding(name: &'static str, about: &'static str) -> Field {
    Field::of(name, Type::Object(HOLDING), about).required()
}

const USAGE: &[Field] = &[
    holding("messages", "The number of messages. At the limit the oldest are deleted."),
    holding("message_bytes", "The size of all messages in bytes. At the limit the oldest are deleted."),
    holding("context_keys", "The number of context keys."),
    holding("context_bytes", "The size of all context values in bytes."),
    holding("upload_bytes", "The size of all files in bytes."),
    holding("open_tasks", "The number of tasks that are neither done nor cancelled."),
    Field::integer("uploads", 0, i64::MAX, "Files.").required(),
    Field::integer("message_days", 1, i64::MAX, "Days until retention deletes a message.").required(),
];

const DESCRIPTION: Field = Field::text("description", 1024, "The purpose of the space.");
const VISIBILITY: Field = Field::word("visibility", Visibility::SLUGS, "Who can see the space; private if absent.");
/// The spaces' rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::GET, "/api/v1/spaces", UA_AG, Action::SpacesList, list)
        .described("spaces_list", "List the caller's spaces", "Exactly one is the default.", DOC)
        .asking(&[CURSOR])
        .answering(200, Answer::Object(&[Field::of("spaces", Type::Objects(SPACE), "The spaces.").required()]))
        .failing(&[codes::INVALID_CURSOR])
        .offering(Tool::new(
            "spaces_list",
            Effect::Reads,
            "List the spaces you belong to. A space holds messages, tasks, context and files. Exactly one has \
                is_default: true, and other tools use it if you give no space_id.",
        )),
    checked(Method::GET, "/api/v1/spaces/{space}", UA_AG, Action::SpacesRead, get)
        .described("spaces_read", "Read a space", "The space must be one of the caller's.", DOC)
        .answering(200, Answer::Object(SPACE))
        .failing(&[codes::SPACE_NOT_FOUND]),
    checked(Method::GET, "/api/v1/spaces/{space}/usage", UA, Action::SpacesRead, usage)
        .described("spaces_usage", "Show how full a space is", "What the space holds, and the limits.", USAGE_DOC)
        .answering(200, Answer::Object(USAGE))
        .failing(&[codes::SPACE_NOT_FOUND]),
    checked(Method::POST, "/api/spaces/create", UA, Action::SpacesCreate, create)
        .described("spaces_create", "Create a space", "The caller owns the new space.", DOC)
        .taking(
            &[
                Field::text("name", NAME_CHARS, "The name, unique among the caller's spaces.").visible().required(),
                VISIBILITY,
                DESCRIPTION,
            ],
            r#"{"name": "Workshop", "visibility": "private"}"#,
        )
        .answering(201, Answer::Object(&[Field::of("space", Type::Object(SPACE), "The space.").required()]))
        .failing(&[codes::NAME_CONFLICT, codes::LIMIT_REACHED]),
];

fn show(conn: &Connection, caller: &Caller, space: &Space, default: &str, now: Micros) -> store::Result<Value> {
    Ok(json!({
        "id": space.id,
        "name": space.name,
        "slug": space.slug,
        "description": space.description,
        "visibility": space.visibility.slug(),
        "member_count": members::seen(conn, caller, &space.id, now)?.len(),
        "is_default": space.id == default,
        "is_personal": space.is_default,
        "created_at": space.created_at.micros(),
    }))
}

/// Lists the caller's spaces: for a user, its own and the joined ones; for an agent, its home space and the joined
/// ones.
fn list(app: &App, call: Call) -> Handled {
    let now = Micros::now();
    let mut list = Listing::of(&call.input, "spaces")?.at_most(PAGE_MAX).under("spaces", false);
    let (page, me) = (list.page(), call.caller.grantee());
    app.store.read(|conn| {
        let default = access::default_space(conn, &call.caller)?;
        let mut failed = None;
        let mut take = |space: Space| match show(conn, &call.caller, &space, &default, now) {
            Ok(row) => list.push(spaces::place(&space, &me), &row),
            Err(error) => {
                failed = Some(error);
                false
            }
        };
        spaces::of(conn, &me, &page, now, &mut take)?;
        failed.map_or(Ok(()), |error| Err(ApiError::from(error)))
    })?;
    Ok(list.reply(&call.input).decided(Decided::ByDatabase).into())
}

fn get(app: &App, call: Call) -> Handled {
    let id = call.input.param(0);
    let shown = app.store.read(|conn| {
        access::require_space(conn, &call.caller, id, SpaceRole::Viewer)?;
        let space = spaces::by_id(conn, id)?.ok_or(codes::SPACE_NOT_FOUND)?;
        let default = access::default_space(conn, &call.caller)?;
        Ok::<_, ApiError>(show(conn, &call.caller, &space, &default, Micros::now())?)
    })?;
    Ok(Reply::ok(&shown).into())
}

fn usage(app: &App, call: Call) -> Handled {
    let (id, settings) = (call.input.param(0), app.config.read(|now| now.workspace));
    let ((messages, bytes), held) = app.store.read(|conn| {
        access::require_space(conn, &call.caller, id, SpaceRole::Viewer)?;
        Ok::<_, ApiError>((reading::held(conn, id)?, usage::of(conn, usage::UsageHolder::Space(id))?))
    })?;
    let holding = |held: u64, most: u64| json!({"held": held, "most": most});
    Ok(Reply::ok(&json!({
        "messages": holding(messages, settings.messages_per_space),
        "message_bytes": holding(bytes, settings.message_bytes_per_space),
        "context_keys": holding(held.context_keys, settings.context_keys),
        "context_bytes": holding(held.context_bytes, settings.context_bytes),
        "upload_bytes": holding(held.upload_bytes, settings.upload_bytes_per_space),
        "open_tasks": holding(held.open_tasks, settings.open_tasks),
        "uploads": held.uploads,
        "message_days": settings.message_days,
    }))
    .into())
}

fn create(app: &App, call: Call) -> Handled {
    let name = call.input.body.text(&NAME).unwrap_or("").trim().to_owned();
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
            description: body.text(&DESCRIPTION).unwrap_or("").to_owned(),
            visibility: body.text(&VISIBILITY).and_then(|word| word.parse().ok()).unwrap_or(Visibility::Private),
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
        Ok(Reply::json(StatusCode::CREATED, &json!({"space": show(tx.conn, tx.caller, &space, "", tx.now)?})))
    })
}
