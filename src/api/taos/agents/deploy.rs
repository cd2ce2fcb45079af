//! Deploying: one transaction stores a record and an operation. The operation does the rest.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::container_fields::{CPU_LIMIT, ENV_FIELD, IMAGE_FIELD, MEMORY_LIMIT, MOUNTS, READ_ONLY, ROOT_SIZE};
use super::fields::{
    FALLBACK_MODELS, FRAMEWORK, MEMORY_PLUGIN, MOUNT_SOURCE, MOUNT_TARGET, NAME, ON_WORKER_FAILURE, TARGET_WORKER,
};
use super::{fields, model, settings};
use crate::access::{self, AgentRole, Scopes};
use crate::api::agents::create::{self, Birth};
use crate::api::agents::{find, name};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Step, Tx, Written};
use crate::api::engine::dispatch::render;
use crate::api::engine::slow::{self, Slow};
use crate::api::taos::scope;
use crate::config::{self, MountRoot};
use crate::containers::node::Placement;
use crate::containers::{
    ContainerName, ContainerPath, ContainerPlace, EnvKey, EnvValue, ImageName, NodeName, parse_bytes,
};
use crate::jobs::operations::Jobs;
use crate::jobs::operations::deploy::{DeploySpec, Env};
use crate::jobs::operations::nodes;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Fields;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::rest::stream;
use crate::store;
use crate::store::agents::AgentStatus;
use crate::store::operations::{self, Operation, OperationKind, OperationStatus};
use crate::store::users::{Role, User};

/// The `target_worker` that lets the daemon choose the machine.
const ANY: &str = "auto";
/// The prefix of the variables that the daemon sets itself.
const OWN_PREFIX: &str = "TAOS_";

pub(crate) fn deploy(app: &App, call: Call) -> Handled {
    let body = &call.input.body;
    let display_name = name::display_name(body.required(&NAME))?;
    settings::check(body)?;
    let scopes = scope::asked(body)?.unwrap_or_else(Scopes::agent_default);
    scope::within(&call.caller, &scopes)?;
    let model = settings::model_name(body)?;
    let config = app.config.now();
    let (mut wanted, env) = wanted(&config.containers, body)?;
    let mut machine = machine(&config, body)?;
    if let Machine::Node(target) = &mut machine {
        if !wanted.mounts.is_empty() {
            return Err(ApiError::field("mounts", "are folders of this box, which a node does not have"));
        }
        wanted.group = target.group.take();
    } else if !wanted.mounts.is_empty() {
        machine = Machine::Here;
    }
    let roots = roots_above(&config.containers, &wanted);
    call.check_allowance()?;
    let slow = Slow::new(app, &call.input);
    let (fulfiller, promise) = stream::promise();
    // The runtime is asked before anything is written, so that without a runtime no record is left. It is asked on a
    // thread that may wait.
    let waits = if let Machine::Node(target) = &machine { Some(target.node.clone()) } else { None };
    let (on, is_any) = (waits.clone(), matches!(machine, Machine::Any));
    let work = move |jobs: &Arc<Jobs>| {
        let node = if is_any { nodes::roomiest(jobs) } else { waits };
        let asked = jobs.ask_runtime(node.as_ref());
        let runtime = asked.map(|driver| driver.runtime().as_str()).map_err(ApiError::from);
        let (dialect, request_id) = (call.input.dialect, call.caller.request_id().to_owned());
        let asked = DeployRequest { display_name, scopes, model, wanted, env, roots, runtime, node, slow };
        let ended = call.write_to(&jobs.store, move |tx| asked.promise(tx, &config));
        fulfiller.keep(match ended {
            Ok(Step::Later(outcome)) => outcome,
            Ok(Step::Reply(reply)) => Outcome::Done(reply),
            // A transaction never returns these steps.
            Ok(Step::Intake(_) | Step::Nested(_)) => {
                Outcome::Done(render(&codes::INTERNAL.into(), dialect, &request_id))
            }
            Err(error) => Outcome::Done(render(&error, dialect, &request_id)),
        });
    };
    if is_any {
        app.jobs.look_over_nodes(work)?
    } else {
        app.jobs.look_on(on.as_ref(), None, work)?
    }
    Ok(Step::Later(Outcome::Pending(promise)))
}

/// A requested deployment, and the runtime that it is for.
struct DeployRequest {
    display_name: String,
    scopes: Scopes,
    model: Option<String>,
    wanted: DeploySpec,
    env: Env,
    roots: Vec<Vec<MountRoot>>,
    runtime: Result<&'static str, ApiError>,
    node: Option<NodeName>,
    slow: Slow,
}

impl DeployRequest {
    fn promise(self, tx: &Tx<'_>, config: &config::Config) -> Result<Written, ApiError> {
        access::may_create(tx.conn, tx.caller)?;
        let body = &tx.input.body;
        if let Some(model) = &self.model {
            let pinned = body.text(&TARGET_WORKER).filter(|target| *target != ANY);
            model::locate(&config.models, model, pinned.map(model::worker))?;
        }
        let runtime = self.runtime?;
        let slug = name::free_slug_with_container(tx.conn, &name::slug_of(&self.display_name), "", self.node.as_ref())?;
        may_mount(&self.roots, tx.caller.user(), &slug)?;
        let mut agent = create::fresh(tx, Birth::named(slug, self.display_name, &self.scopes))?;
        settings::apply(&mut agent, body);
        let text = |field: &Field| body.text(field).map(str::to_owned);
        agent.framework = text(&fields::FRAMEWORK).unwrap_or(agent.framework);
        agent.model = self.model;
        agent.fallback_models =
            body.texts(&FALLBACK_MODELS).map_or(agent.fallback_models, |m| Value::from(m).to_string());
        agent.target_worker = match text(&fields::TARGET_WORKER) {
            Some(any) if any == ANY && !config.nodes.is_empty() => self.node.as_ref().map(ToString::to_string),
            told => told,
        };
        agent.on_worker_failure = body.word(&ON_WORKER_FAILURE)?.unwrap_or(agent.on_worker_failure);
        agent.soul_md = text(&fields::SOUL).unwrap_or_default();
        agent.agent_md = text(&fields::AGENT_MD).unwrap_or_default();
        agent.source_persona_id = text(&fields::PERSONA);
        agent.memory_plugin = body.word(&MEMORY_PLUGIN)?.unwrap_or(agent.memory_plugin);
        agent.status = AgentStatus::Deploying;
        let container = ContainerName::for_agent(&agent.slug)
            .map_err(|why| ApiError { cause: Some(why.to_string()), ..codes::INTERNAL.into() })?;
        agent.container_name = Some(ContainerPlace { node: self.node, container }.to_string());
        agent.container_runtime = Some(runtime.to_owned());
        create::add(tx, &agent)?;
        let mut op =
            Operation::new(store::new_id(), OperationKind::Deploy, tx.caller.maker(), tx.caller.request_id(), tx.now);
        op.agent_id = Some(agent.id.clone());
        op.agent_name = Some(agent.slug.clone());
        op.payload = serde_json::to_string(&self.wanted)
            .map_err(|why| ApiError { cause: Some(why.to_string()), ..codes::INTERNAL.into() })?;
        operations::insert(tx.conn, &op)?;
        tx.charge(slow::ROWS);
        Ok(self.slow.keeping(self.env).follow(op, Vec::new(), promised))
    }
}

/// The machine that a container is to run on.
enum Machine {
    Here,
    Node(Placement),
    /// The machine with the most free memory.
    Any,
}

/// Returns the machine that is asked for. A host of `[models]` says nothing about the container, so it means this box.
/// So does every name on a box without nodes.
fn machine(config: &config::Config, body: &Fields) -> Result<Machine, ApiError> {
    let Some(text) = body.text(&TARGET_WORKER).filter(|_| !config.nodes.is_empty()) else { return Ok(Machine::Here) };
    let needs_url = || config.public_url.as_ref().map(|_| ()).ok_or(codes::NODE_NEEDS_PUBLIC_URL);
    if text == ANY {
        needs_url()?;
        return Ok(Machine::Any);
    }
    let is_node = |target: &Placement| config.nodes.iter().any(|node| node.options.name == target.node);
    if let Some(target) = Placement::parse(text).ok().filter(is_node) {
        needs_url()?;
        return Ok(Machine::Node(target));
    }
    let is_host = |hosts: &Vec<String>| hosts.iter().any(|host| host == text);
    if text == "controller" || config.models.iter().flatten().any(|(_, hosts)| is_host(hosts)) {
        return Ok(Machine::Here);
    }
    let known: Vec<&str> = config.nodes.iter().map(|node| node.options.name.as_str()).collect();
    Err(ApiError::new(codes::NODE_NOT_FOUND).with("known", known))
}

fn promised(op: &Operation) -> Reply {
    slow::promise(op, &json!({"status": "deploying", "name": op.agent_name, "id": op.agent_id, "operation_id": op.id}))
}

/// Reads what the container is to be, checked as far as possible without the runtime.
fn wanted(settings: &config::ContainerSettings, body: &Fields) -> Result<(DeploySpec, Env), ApiError> {
    let framework = match body.text(&FRAMEWORK) {
        None | Some("none") => None,
        Some(name) => Some(settings.frameworks.get(name).ok_or_else(|| {
            let known: Vec<&str> = settings.frameworks.keys().map(String::as_str).chain(["none"]).collect();
            ApiError::new(codes::UNKNOWN_FRAMEWORK).with("known", known)
        })?),
    };
    let image = match body.text(&IMAGE_FIELD) {
        Some(text) => ImageName::parse(text).map_err(|why| ApiError::field("image", why.to_string()))?,
        None => framework
            .and_then(|framework| framework.image.clone())
            .or_else(|| settings.image.clone())
            .ok_or_else(|| ApiError::field("image", "is required: neither the framework nor taosd.toml names one"))?,
    };
    let mut env: Env = framework.map_or_else(Vec::new, |framework| {
        let pair = |(key, value): &(EnvKey, EnvValue)| (key.as_str().to_owned(), value.reveal().to_owned().into());
        framework.env.iter().map(pair).collect()
    });
    for line in body.texts(&ENV_FIELD).unwrap_or_default() {
        env.push(variable(line)?);
    }
    let mounts = body.objects(&MOUNTS).iter().map(|mount| self::mount(settings, mount)).collect::<Result<_, _>>()?;
    let wanted = DeploySpec {
        image: image.as_str().to_owned(),
        memory_bytes: size(body, &MEMORY_LIMIT)?,
        cpus: body.integer(&CPU_LIMIT).and_then(|n| u32::try_from(n).ok()),
        root_bytes: size(body, &ROOT_SIZE)?,
        mounts,
        group: None,
    };
    Ok((wanted, env))
}

/// Reads a size of the form `^\d+[MG]B?$`, in bytes.
fn size(body: &Fields, field: &Field) -> Result<Option<u64>, ApiError> {
    let Some(text) = body.text(field) else { return Ok(None) };
    let number = text.strip_suffix('B').unwrap_or(text);
    let digits = number.strip_suffix(['M', 'G']).unwrap_or("");
    let well_formed = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    // `512M` and `512MB` mean the same here: binary units, as the runtimes count memory.
    let bytes = parse_bytes(number).filter(|bytes| well_formed && *bytes > 0);
    bytes.map(Some).ok_or_else(|| ApiError::field(field.name, "must be a number with M, MB, G or GB behind it"))
}

/// Parses a line `NAME=value`.
fn variable(line: &str) -> Result<(String, Zeroizing<String>), ApiError> {
    let bad = |why: &str| ApiError::field("env", why);
    let (name, value) = line.split_once('=').ok_or_else(|| bad("every entry must be NAME=value"))?;
    EnvKey::parse(name).map_err(|_| bad("has a name that is not one"))?;
    EnvValue::parse(value).map_err(|_| bad("has a value that cannot be one"))?;
    if name.starts_with(OWN_PREFIX) {
        return Err(bad("must not set TAOS_ variables: they are the daemon's"));
    }
    Ok((name.to_owned(), value.to_owned().into()))
}

fn is_below(root: &MountRoot, folder: &Path) -> bool {
    root.path.canonicalize().is_ok_and(|root| folder.starts_with(root))
}

/// Returns the mount roots above each folder that is to be mounted.
fn roots_above(settings: &config::ContainerSettings, wanted: &DeploySpec) -> Vec<Vec<MountRoot>> {
    let above = |folder: &Path| settings.mount_roots.iter().filter(|root| is_below(root, folder)).cloned().collect();
    wanted.mounts.iter().map(|(source, _, _)| above(Path::new(source))).collect()
}

/// Refuses a folder whose roots are all closed to this agent of this owner.
fn may_mount(roots: &[Vec<MountRoot>], owner: &User, slug: &str) -> Result<(), ApiError> {
    let open = |root: &MountRoot| root.is_open_to(&owner.username, owner.role == Role::Admin, slug);
    if roots.iter().all(|above| above.iter().any(open)) {
        return Ok(());
    }
    Err(ApiError::field("mounts", "has a source below a root of mount_roots that is not open to this agent's owner"))
}

/// Reads a mount of a folder of the host, which must be below a configured root, wherever its links lead. The roots
/// that are open to the caller are checked when the agent has its name, the path again before each start.
fn mount(settings: &config::ContainerSettings, mount: &Fields) -> Result<(String, String, bool), ApiError> {
    let bad = |why: &str| ApiError::field("mounts", why);
    let refused = || bad("has a source that is not a folder below one of mount_roots");
    let source = Path::new(mount.required(&MOUNT_SOURCE));
    if !source.is_absolute() {
        return Err(refused());
    }
    let real = source.canonicalize().map_err(|_| refused())?;
    if !real.is_dir() || !settings.mount_roots.iter().any(|root| is_below(root, &real)) {
        return Err(refused());
    }
    let target = mount.required(&MOUNT_TARGET);
    ContainerPath::parse(target).map_err(|_| bad("has a target that is not an absolute path"))?;
    let real = real.to_str().ok_or_else(refused)?.to_owned();
    Ok((real, target.to_owned(), mount.flag(&READ_ONLY).unwrap_or(true)))
}

pub(crate) fn status(app: &App, call: Call) -> Handled {
    let (slug, op) = app.store.read(|conn| {
        let agent = find(conn, &call.caller, call.input.param(0), AgentRole::Viewer)?.agent;
        let op = operations::newest_of_agent(conn, &agent.id, OperationKind::Deploy)?;
        Ok::<_, ApiError>((agent.slug, op.ok_or(codes::DEPLOY_TASK_NOT_FOUND)?))
    })?;
    let status = match op.status {
        OperationStatus::Queued | OperationStatus::Running => "deploying",
        OperationStatus::Succeeded => "success",
        OperationStatus::Failed | OperationStatus::Cancelled => "failed",
    };
    let error: Option<Value> = op.error.as_deref().and_then(|error| serde_json::from_str(error).ok());
    Ok(Reply::ok(&json!({
        "name": slug,
        "status": status,
        "operation_id": op.id,
        "step": op.step,
        "error": error,
    }))
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(value: Value) -> Fields {
        Fields::new(value.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn sizes_are_a_number_and_a_unit() {
        for (text, bytes) in [("512M", 512 << 20), ("512MB", 512 << 20), ("2G", 2 << 30), ("1GB", 1 << 30)] {
            assert_eq!(size(&fields(json!({"memory_limit": text})), &MEMORY_LIMIT).unwrap(), Some(bytes), "{text}");
        }
        for bad in ["", "M", "512", "512K", "-1M", "0M", "1.5G", "512MiB", " 512M", "99999999999999999999G"] {
            assert!(size(&fields(json!({"memory_limit": bad})), &MEMORY_LIMIT).is_err(), "{bad}");
        }
    }

    #[test]
    fn variables_of_the_daemon_cannot_be_set() {
        assert_eq!(variable("A=b=c").unwrap(), ("A".to_owned(), "b=c".to_owned().into()));
        for bad in ["A", "=b", "TAOS_TOKEN=x", "A B=c", "A=b\nc"] {
            assert!(variable(bad).is_err(), "{bad:?}");
        }
    }
}
