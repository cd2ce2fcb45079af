//! Tripwires: decoy credentials in an agent's container. Whoever uses one has read a file that nobody should read, and
//! the owner is notified at once (contract of requests, section 5).

use std::sync::Arc;

use hyper::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::access::{Action, AgentRole};
use crate::api::agents::{find, frozen};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{After, Call, Handled, Written};
use crate::api::engine::dispatch::render;
use crate::containers::{ContainerPath, FileSpec};
use crate::jobs::operations::{Jobs, OperationError, lifecycle, within};
use crate::limits::TRIPWIRES;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::rest::service::Outcome;
use crate::rest::stream;
use crate::secret::{AgentPat, AgentToken, Issued, Kind, UserPat, UserToken};
use crate::store::agents::Agent;
use crate::store::tripwires::{self as rows, Tripwire};
use crate::store::{self, StoreError};
use crate::time::Micros;

/// The seconds for writing or removing the file.
const CALL: u64 = 20;
const KINDS: &[&str] = &["agent_token", "user_token", "agent_pat", "user_pat"];
/// The directories that may hold a decoy: programs keep their credentials there, and the system does not keep its own
/// files there.
const PLACES: &[&str] = &["/root/", "/home/", "/opt/", "/srv/"];
const DOC: &str = "recipes/freezing#tripwires";

const PATH: Field = Field::text(
    "path",
    255,
    "The path in the container: absolute, below /root, /home, /opt or /srv. An existing file is replaced.",
)
.told(r#"{"pattern": "^/(root|home|opt|srv)(/[.]?[A-Za-z0-9][A-Za-z0-9_-]*)+$"}"#);
const KIND: Field = Field::word("kind", KINDS, "The kind of credential that it looks like; agent_pat if absent.");
const FREEZE: Field = Field::flag("freeze", "Whether its use freezes the agent; false if absent.");

const RECORD: &[Field] = &[
    Field::unbounded("id", "The id of the tripwire.").required(),
    Field::unbounded("path", "The path in the container.").required(),
    KIND.required(),
    FREEZE.required(),
    Field::flag("planted", "True if the file is in the container.").required(),
    Field::unbounded("created_by", "Who planted the tripwire.").required(),
    Field::unbounded("created_at", "When the tripwire was planted.").required(),
    Field::integer("touches", 0, i64::MAX, "How often the decoy was used.").required(),
    Field::unbounded("touched_at", "When the decoy was last used.").required().nullable(),
    Field::unbounded("touched_by", "Where the last use came from.").required().nullable(),
];

/// The routes for tripwires.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::POST, "/api/agents/{name}/tripwires", Taos, Action::AgentsTripwires, plant)
        .described(
            "tripwires_plant",
            "Plant a tripwire",
            "Writes a decoy credential into the agent's container. It looks real but gives no access. A request that \
                uses it is refused like one with an unknown credential, and the agent's owner is notified.",
            DOC,
        )
        .taking(&[PATH.required(), KIND, FREEZE], r#"{"path": "/root/.config/backup/credentials", "freeze": true}"#)
        .secret()
        .answering(201, Answer::Object(RECORD))
        .failing(&[
            codes::AGENT_NOT_FOUND,
            codes::FORBIDDEN,
            codes::AGENT_HAS_NO_CONTAINER,
            codes::AGENT_FROZEN,
            codes::TRIPWIRE_EXISTS,
            codes::LIMIT_REACHED,
            codes::CONTAINER_FAILED,
            codes::CONTAINER_RUNTIME_UNAVAILABLE,
        ]),
    ApiRoute::checked(Method::GET, "/api/agents/{name}/tripwires", Taos, Action::AgentsTripwires, list)
        .described(
            "tripwires_list",
            "List an agent's tripwires",
            "By path, without their secrets. The agent itself never sees them.",
            DOC,
        )
        .answering(200, Answer::Array(RECORD))
        .failing(&[codes::AGENT_NOT_FOUND, codes::FORBIDDEN]),
    ApiRoute::checked(Method::DELETE, "/api/agents/{name}/tripwires/{id}", Taos, Action::AgentsTripwires, remove)
        .described(
            "tripwires_remove",
            "Remove a tripwire",
            "Ends the decoy and removes its file from the container.",
            DOC,
        )
        .answering(204, Answer::Empty)
        .failing(&[codes::AGENT_NOT_FOUND, codes::FORBIDDEN, codes::TRIPWIRE_NOT_FOUND]),
];

fn show(wire: &Tripwire) -> Value {
    json!({
        "id": wire.id,
        "path": wire.path,
        "kind": wire.kind,
        "freeze": wire.freeze,
        "planted": wire.planted,
        "created_by": wire.created_by,
        "created_at": wire.created_at.millis(),
        "touches": wire.touches,
        "touched_at": wire.touched_at.map(Micros::millis),
        "touched_by": wire.touched_by,
    })
}

fn generate(kind: Kind) -> Issued {
    match kind {
        Kind::AgentToken => AgentToken::generate(),
        Kind::UserToken => UserToken::generate(),
        Kind::UserPat => UserPat::generate(),
        _ => AgentPat::generate(),
    }
}

fn place(text: &str) -> Result<ContainerPath, ApiError> {
    let below = PLACES.iter().any(|place| text.starts_with(place));
    let path = ContainerPath::parse(text).ok().filter(|_| below);
    path.ok_or_else(|| ApiError::field("path", "must be an absolute path below /root, /home, /opt or /srv"))
}

fn plant(app: &App, call: Call) -> Handled {
    let body = &call.input.body;
    let path = place(body.required(&PATH))?;
    let kind: Kind = body.word(&KIND)?.unwrap_or(Kind::AgentPat);
    let freeze = body.flag(&FREEZE).unwrap_or(false);
    let runtimes = app.jobs.runtimes();
    let jobs = Arc::clone(&app.jobs);
    call.write(app, move |tx| {
        let agent = find(tx.conn, tx.caller, tx.input.param(0), AgentRole::Owner)?.agent;
        frozen::refuse(&agent)?;
        if agent.container_name.is_none() {
            return Err(codes::AGENT_HAS_NO_CONTAINER.into());
        }
        runtimes.of(&agent)?;
        // One that still runs finds that its row is gone, and this one is written after it.
        rows::delete_interrupted(tx.conn, &agent.id, path.as_str())?;
        if rows::of_agent(tx.conn, &agent.id)?.len() >= TRIPWIRES {
            return Err(ApiError::limit_reached("tripwires of this agent", TRIPWIRES as u64));
        }
        let issued = generate(kind);
        let wire = Tripwire {
            id: store::new_id(),
            agent_id: agent.id.clone(),
            kind,
            path: path.as_str().to_owned(),
            freeze,
            planted: false,
            created_by: tx.caller.source(),
            created_at: tx.now,
            touches: 0,
            touched_at: None,
            touched_by: None,
        };
        rows::insert(tx.conn, &wire, &issued.hash).map_err(|error| match error {
            StoreError::Exists(_) => codes::TRIPWIRE_EXISTS.into(),
            other => ApiError::from(other),
        })?;
        tx.audit(format!("tripwire:{}", wire.id))?;
        tx.charge(2);
        Ok(write_file(jobs, agent, wire, path, issued, tx.caller.request_id().to_owned()))
    })
}

/// Writes the file after the hash is on disk, so that every decoy in a container is known.
fn write_file(
    jobs: Arc<Jobs>,
    agent: Agent,
    wire: Tripwire,
    path: ContainerPath,
    issued: Issued,
    request_id: String,
) -> Written {
    let after: After = Box::new(move |_, _| {
        let (fulfiller, promise) = stream::promise();
        let (id, wire_id, store) = (request_id.clone(), wire.id.clone(), Arc::clone(&jobs.store));
        let queued = jobs.run(Some(&agent.id.clone()), move |jobs| {
            let reply = put(jobs, &agent, wire, path, &issued)
                .map(|wire| Reply::json(StatusCode::CREATED, &show(&wire)))
                .unwrap_or_else(|error| render(&error.into(), Taos, &id));
            fulfiller.keep(Outcome::Done(reply));
        });
        match queued {
            Ok(()) => Outcome::Pending(promise),
            Err(error) => {
                // Nothing was written into the container.
                store.submit(move |conn| rows::delete(conn, &wire_id), log_failure);
                Outcome::Done(render(&error.into(), Taos, &request_id))
            }
        }
    });
    Written::Then(Reply::no_content(), after)
}

fn log_failure(written: store::Result<()>) {
    if let Err(error) = written {
        log::warn!("a tripwire that was not planted could not be deleted: {error}");
    }
}

fn put(
    jobs: &Arc<Jobs>,
    agent: &Agent,
    wire: Tripwire,
    path: ContainerPath,
    issued: &Issued,
) -> Result<Tripwire, OperationError> {
    let line = zeroize::Zeroizing::new(format!("{}\n", issued.plaintext.reveal()));
    let spec = FileSpec { mode: 0o600, ..FileSpec::secret(path, line.as_bytes()) };
    let written = lifecycle::own_container(jobs, agent)
        .and_then(|(name, driver)| Ok(driver.write_file(&name, &spec, within(CALL))?));
    let id = wire.id.clone();
    match written {
        Ok(()) => arrived(jobs, agent, wire),
        // The file may be there. The row stays, so that a use is noticed and the owner can remove it.
        Err(error) if error.has_unknown_effect() => Err(error),
        Err(error) => {
            jobs.store.write(move |conn| rows::delete(conn, &id))?;
            Err(error)
        }
    }
}

/// Notes that the file is there. If the tripwire was removed meanwhile, the file goes too, as nobody would notice its use.
fn arrived(jobs: &Arc<Jobs>, agent: &Agent, wire: Tripwire) -> Result<Tripwire, OperationError> {
    let id = wire.id.clone();
    if jobs.store.write(move |conn| rows::planted(conn, &id))? {
        return Ok(Tripwire { planted: true, ..wire });
    }
    take_out(jobs, agent, &wire);
    Err(OperationError::Cancelled)
}

fn list(app: &App, call: Call) -> Handled {
    let wires = app.store.read(|conn| {
        let agent = find(conn, &call.caller, call.input.param(0), AgentRole::Owner)?.agent;
        Ok::<_, ApiError>(rows::of_agent(conn, &agent.id)?)
    })?;
    Ok(Reply::ok(&Value::Array(wires.iter().map(show).collect())).into())
}

fn remove(app: &App, call: Call) -> Handled {
    let jobs = Arc::clone(&app.jobs);
    call.write(app, move |tx| {
        let agent = find(tx.conn, tx.caller, tx.input.param(0), AgentRole::Owner)?.agent;
        let wire = rows::get(tx.conn, &agent.id, tx.input.param(1))?.ok_or(codes::TRIPWIRE_NOT_FOUND)?;
        rows::delete(tx.conn, &wire.id)?;
        tx.audit(format!("tripwire:{}", wire.id))?;
        // Also for one that is not planted: its file may have arrived before the daemon was stopped.
        if agent.container_name.is_none() {
            return Ok(Written::Reply(Reply::no_content()));
        }
        let after: After = Box::new(move |reply, _| {
            let id = agent.id.clone();
            if jobs.run(Some(&id), move |jobs| take_out(jobs, &agent, &wire)).is_err() {
                log::warn!("a removed tripwire stays in the container of agent {id}: too much is queued");
            }
            Outcome::Done(reply)
        });
        Ok(Written::Then(Reply::no_content(), after))
    })
}

/// Removes a tripwire's file from the container. Nobody waits for this; a failure is only logged.
fn take_out(jobs: &Arc<Jobs>, agent: &Agent, wire: &Tripwire) {
    let removed = lifecycle::own_container(jobs, agent).and_then(|(name, driver)| {
        let path = ContainerPath::parse(&wire.path).map_err(|why| OperationError::Internal(why.to_string()))?;
        Ok(driver.remove_file(&name, &path, within(CALL))?)
    });
    if let Err(error) = removed {
        log::warn!("the removed tripwire {} stays in the container of agent {}: {error}", wire.path, agent.slug);
    }
}
