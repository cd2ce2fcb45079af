//! Agents' keys: create, list and delete them; a key is shown only once (Agentex contract, section 6).

use hyper::http::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::fields::NAME;
use super::paging::{self, CURSOR, DIRECTION, LIMIT, PAGE_NUMBER};
use super::row::{AGENT_ID, AGENT_NAME, checked, text};
use super::visible::{AgentRef, at_least, find, no_key, reach, role};
use crate::access::{Action, AgentRole, Caller, Scopes};
use crate::api::agents::frozen;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::limits::AGENT_KEYS;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Fields;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::secret::{AgentKey, Issued};
use crate::store::agent_keys::{self, AgentKeyRecord, NewAgentKey};
use crate::store::credentials::KeyType;
use crate::store::registrations::{self, Registration};
use crate::store::{StoreError, is_id, new_id};

const DOC: &str = "concepts/agentex#keys";

const TYPES: &[&str] = &["internal", "external", "github", "slack"];
const TYPE: Field = Field::word("api_key_type", TYPES, "internal or external; external if absent.");

const fn told(name: &'static str, about: &'static str) -> Field {
    Field::unbounded(name, about).required()
}

const FIELDS: &[Field] = &[ID, OF, AT, CALLED, TYPE.required()];
const ID: Field = told("id", "The key's id.");
const OF: Field = told("agent_id", "The agent's id.");
const AT: Field = told("created_at", "When the key was made.");
const CALLED: Field = told("name", "The key's name.").nullable();
const SECRET: Field = told("api_key", "The key itself, shown only in this reply.");

const ABOUT_DELETE: &str = "The daemon refuses it from the next request on.";
const GONE: &[&crate::rest::codes::Code] = &[codes::API_KEY_NOT_FOUND, codes::FORBIDDEN];
const GONE_BY_NAME: &[&crate::rest::codes::Code] =
    &[codes::AGENT_IDENTIFIER, codes::AGENT_NOT_FOUND, codes::API_KEY_NOT_FOUND, codes::FORBIDDEN];

const API_KEY: Field =
    Field::unbounded("api_key", "Must be null: the daemon makes the keys.").told(r#"{"type": "null"}"#);
/// The keys' rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::POST, "/agent_api_keys", Action::AgentsKeysCreate, create)
        .described(
            "agentex_keys_create",
            "Make a key of an agent",
            "An internal key acts as the agent. An external key can only forward requests to it. The reply is the only one that contains the key.",
            DOC,
        )
        .taking(
            &[
                AGENT_ID,
                AGENT_NAME,
                Field::text("name", 120, "The key's name. GET /agent_api_keys/name/{key_name} finds the key by it.")
                    .required()
                    .not_empty()
                    .addressable(),
                TYPE.told(r#"{"enum": ["internal", "external"]}"#),
                API_KEY,
            ],
            r#"{"agent_name": "mailer", "name": "web hook"}"#,
        )
        .secret()
        .answering(200, Answer::Object(&[ID, OF, AT, CALLED, TYPE.required(), SECRET]))
        .failing(&[
            codes::AGENT_IDENTIFIER,
            codes::AGENT_NOT_FOUND,
            codes::FORBIDDEN,
            codes::SCOPE_EXCEEDS_ISSUER,
            codes::KEY_TYPE_NOT_SUPPORTED,
            codes::KEY_EXISTS,
            codes::AGENT_FROZEN,
            codes::TOO_MANY_KEYS,
        ]),
    checked(Method::GET, "/agent_api_keys", Action::AgentsKeysRead, list)
        .described(
            "agentex_keys_list",
            "List an agent's keys",
            "The live keys, oldest first, without their secrets.",
            DOC,
        )
        .asking(&[
            AGENT_ID,
            AGENT_NAME,
            LIMIT,
            PAGE_NUMBER,
            Field::word("order_by", &["created_at", "name", "id"], "created_at if absent."),
            DIRECTION,
            CURSOR,
        ])
        .answering(200, Answer::Array(FIELDS))
        .failing(&[codes::AGENT_IDENTIFIER, codes::AGENT_NOT_FOUND, codes::FORBIDDEN, codes::INVALID_CURSOR]),
    checked(Method::GET, "/agent_api_keys/{key}", Action::AgentsKeysRead, get)
        .described("agentex_keys_get", "Read the record of a key", "By its id.", DOC)
        .answering(200, Answer::Object(FIELDS))
        .failing(GONE),
    checked(Method::GET, "/agent_api_keys/name/{key_name}", Action::AgentsKeysRead, get_by_name)
        .described("agentex_keys_get_by_name", "Read the record of a key by name", "Of one agent and type.", DOC)
        .asking(&[AGENT_ID, AGENT_NAME, TYPE])
        .answering(200, Answer::Object(FIELDS))
        .failing(GONE_BY_NAME),
    checked(Method::DELETE, "/agent_api_keys/{key}", Action::AgentsKeysDelete, delete)
        .described("agentex_keys_delete", "Delete a key", ABOUT_DELETE, DOC)
        .answering(200, Answer::Text)
        .failing(GONE),
    checked(Method::DELETE, "/agent_api_keys/name/{key_name}", Action::AgentsKeysDelete, delete_by_name)
        .described("agentex_keys_delete_by_name", "Delete a key by name", ABOUT_DELETE, DOC)
        .asking(&[AGENT_ID, AGENT_NAME, TYPE])
        .answering(200, Answer::Text)
        .failing(GONE_BY_NAME),
];

fn show(key: &AgentKeyRecord) -> Value {
    json!({
        "id": key.id,
        "agent_id": key.agent_id,
        "created_at": key.issued_at.micros(),
        "name": key.name,
        "api_key_type": key.key_type,
    })
}

/// Returns the role that may create and delete keys of a type. An internal key acts as the agent itself, so it needs
/// the owner.
fn needed(key_type: KeyType) -> AgentRole {
    if key_type == KeyType::Internal { AgentRole::Owner } else { AgentRole::Editor }
}

/// Creates and stores a key. An internal key may do what the agent may, but never more than its maker. An external key
/// can only forward requests.
///
/// # Errors
/// `agent_frozen`, `agent_not_found`, `scope_exceeds_issuer`, `key_exists`, or a `StoreError`.
pub fn mint(tx: &Tx<'_>, agent_id: &str, name: &str, key_type: KeyType) -> Result<(AgentKeyRecord, Issued), ApiError> {
    frozen::refuse_by_id(tx.conn, agent_id)?;
    let scopes = if key_type == KeyType::Internal {
        let entry = registrations::by_id(tx.conn, agent_id)?.ok_or(codes::AGENT_NOT_FOUND)?;
        registrations::put(tx.conn, agent_id, &Registration { had_key: true, ..entry.registration })?;
        // At each use, the agent's own rights bound the key too.
        tx.caller.issuer_scopes().stored()
    } else {
        // An external key only forwards requests, and only as far as its maker may.
        let forward = Scopes::from_stored(&json!([Action::AgentsForward.slug()]).to_string());
        let scopes = forward.intersection(tx.caller.issuer_scopes());
        if scopes.is_empty() {
            return Err(ApiError::new(codes::SCOPE_EXCEEDS_ISSUER)
                .detail("An external key forwards requests, and the caller's own scopes do not cover agents.forward.")
                .with("scope", Action::AgentsForward.slug()));
        }
        scopes.stored()
    };
    let (issued, id) = (AgentKey::generate(), new_id());
    let new = NewAgentKey {
        id: &id,
        issued: &issued,
        agent_id,
        name,
        key_type,
        scopes: &scopes,
        maker: &tx.caller.maker(),
        issued_at: tx.now,
    };
    agent_keys::insert(tx.conn, &new).map_err(|error| match error {
        StoreError::Exists(_) => exists(name),
        other => other.into(),
    })?;
    tx.audit(format!("credential:{id}"))?;
    let key = AgentKeyRecord { agent_id: agent_id.into(), name: name.into(), key_type, issued_at: tx.now, id };
    Ok((key, issued))
}

fn exists(name: &str) -> ApiError {
    ApiError::new(codes::KEY_EXISTS).detail(format!("Agent api_key '{name}' already exists."))
}

/// Returns the type that a request names: external if it names none, `None` for a type that taosd does not support.
fn named_type(fields: &Fields) -> Option<KeyType> {
    fields.text(&TYPE).map_or(Some(KeyType::External), |word| word.parse().ok())
}

fn create(app: &App, call: Call) -> Handled {
    if call.input.body.text(&API_KEY).is_some() {
        return Err(ApiError::field("api_key", "must be null: keys are made by the daemon, never chosen"));
    }
    call.write(app, |tx| {
        let body = &tx.input.body;
        let named = AgentRef::in_fields(body)?;
        let (key_type, name) = (named_type(body), body.text(&NAME).unwrap_or_default());
        if is_id(name) {
            return Err(ApiError::field("name", "must not have the form of an id"));
        }
        let (entry, role) = reach(tx.conn, tx.caller, &named)?;
        at_least(role, needed(key_type.unwrap_or(KeyType::External)))?;
        let key_type = key_type.ok_or(codes::KEY_TYPE_NOT_SUPPORTED)?;
        if agent_keys::by_name(tx.conn, &entry.id, name, key_type)?.is_some() {
            return Err(exists(name));
        }
        if agent_keys::count(tx.conn, &entry.id)? >= AGENT_KEYS {
            return Err(codes::TOO_MANY_KEYS.into());
        }
        let (key, issued) = mint(tx, &entry.id, name, key_type)?;
        let mut told = show(&key);
        told["api_key"] = json!(issued.plaintext.reveal());
        Ok(Reply::ok(&told))
    })
}

fn list(app: &App, call: Call) -> Handled {
    let (page, mut list) = paging::page(&call.input, "agentex-keys", "created_at", false)?;
    let named = AgentRef::in_fields(&call.input.query)?;
    app.store.read(|conn| {
        let entry = find(conn, &call.caller, &named, AgentRole::Editor)?;
        let mut take = |row| list.push_next(page.offset, &show(&row));
        Ok::<_, ApiError>(agent_keys::list(conn, &entry.id, &page, &mut take)?)
    })?;
    Ok(list.reply(&call.input).into())
}

/// Returns the live key with this id and the caller's role on its agent, if the caller may see that agent.
fn by_id(conn: &Connection, caller: &Caller, id: &str) -> Result<(AgentKeyRecord, AgentRole), ApiError> {
    let key = agent_keys::by_id(conn, id)?.ok_or_else(|| no_key(id))?;
    let lives = registrations::by_id(conn, &key.agent_id)?.is_some();
    match role(conn, caller, &key.agent_id)? {
        Some(role) if lives => Ok((key, role)),
        _ => Err(no_key(id)),
    }
}

/// Returns the live key with this name and type of the agent that the query names, with the caller's role there.
fn by_name(
    conn: &Connection,
    call: &Caller,
    named: &AgentRef,
    name: &str,
    of: Option<KeyType>,
) -> Result<(AgentKeyRecord, AgentRole), ApiError> {
    let (entry, role) = reach(conn, call, named)?;
    // A caller that may not read keys is refused, whether or not the key exists.
    at_least(role, AgentRole::Editor)?;
    let key = match of {
        Some(of) => agent_keys::by_name(conn, &entry.id, name, of)?,
        None => None,
    };
    let key = key.ok_or_else(|| no_key(name))?;
    Ok((key, role))
}

fn get(app: &App, call: Call) -> Handled {
    let id = text(&call, 0);
    let (key, role) = app.store.read(|conn| by_id(conn, &call.caller, &id))?;
    at_least(role, AgentRole::Editor)?;
    Ok(Reply::ok(&show(&key)).into())
}

fn get_by_name(app: &App, call: Call) -> Handled {
    let query = &call.input.query;
    let (named, of) = (AgentRef::in_fields(query)?, named_type(query));
    let (key, _) = app.store.read(|conn| by_name(conn, &call.caller, &named, call.input.param(0), of))?;
    Ok(Reply::ok(&show(&key)).into())
}

fn end(tx: &Tx<'_>, key: &AgentKeyRecord, role: AgentRole) -> Result<(), ApiError> {
    at_least(role, needed(key.key_type))?;
    agent_keys::revoke(tx.conn, &key.id, tx.now)?;
    Ok(tx.audit(format!("credential:{}", key.id))?)
}

fn delete(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let (key, role) = by_id(tx.conn, tx.caller, tx.input.param(0))?;
        end(tx, &key, role)?;
        Ok(Reply::ok(&format!("Agent API key with ID {} deleted", key.id)))
    })
}

fn delete_by_name(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let query = &tx.input.query;
        let (named, of) = (AgentRef::in_fields(query)?, named_type(query));
        let (key, role) = by_name(tx.conn, tx.caller, &named, tx.input.param(0), of)?;
        end(tx, &key, role)?;
        Ok(Reply::ok(&format!("Agent api_key '{}' deleted", key.name)))
    })
}
