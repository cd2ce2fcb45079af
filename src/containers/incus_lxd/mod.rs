//! The driver for Incus and LXD, which have the same REST API over a Unix socket or HTTPS and differ in the prefix of
//! some headers. The submodules make the requests; this module implements the driver's calls.

mod console;
mod files;
mod journal;
mod link;
mod make;
pub(crate) mod rest;
pub(crate) mod wire;

use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use self::console::Consoles;
use self::journal::Unended;
use self::link::RuntimeLink;
use self::make::{PROXY, proxy_device};
use self::rest::{Rest, RestError, RuntimeReply, parse};
use self::wire::{ENVIRONMENT, Instance};
use super::node::{Capacity, NodeOptions};
use super::until::half;
use super::{
    ContainerName, ContainerPath, ContainerState, CreateSpec, Detail, Driver, EnvChange, EnvKey, EnvState, Error,
    FileSpec, Info, LogLimits, Logs, Runtime, SnapshotName, Status, Until, locks::Locks, text,
};
use crate::client::identity::Identity;

/// How often a change is tried if other changes come in between.
const TRIES: usize = 5;
/// How often a failing start is tried, and the pause before each new try: see [`TIDY`].
const STARTS: usize = 3;
const START_PAUSE: Duration = Duration::from_millis(500);
/// The wait after a container went down by itself: it counts as stopped while Incus still cleans up after it. A start
/// in that moment finds the AppArmor profile loaded that is then removed.
const TIDY: Duration = Duration::from_secs(2);
/// How long the inspection of one container may take, where others wait for theirs.
const INSPECTION: Duration = Duration::from_secs(1);

/// Incus or LXD, on this box or another one.
#[derive(Debug)]
pub struct IncusLxd {
    rest: Rest,
    locks: Locks,
    consoles: Consoles,
    journals: Locks,
    unended: Unended,
}

impl IncusLxd {
    /// The runtime behind this socket. No request is made yet.
    #[must_use]
    pub fn new(runtime: Runtime, socket: &Path) -> Self {
        Self::of(Rest::new(runtime, socket))
    }

    /// The runtime of a node. No request is made yet.
    ///
    /// # Errors
    /// The fault, if the identity cannot be used.
    pub fn on_node(options: Arc<NodeOptions>, identity: &Identity) -> Result<Self, String> {
        Ok(Self::of(Rest(RuntimeLink::to_node(options, identity)?)))
    }

    fn of(rest: Rest) -> Self {
        let runtime = rest.runtime();
        Self {
            rest,
            locks: Locks::new(runtime),
            consoles: Consoles::default(),
            journals: Locks::new(runtime),
            unended: Unended::default(),
        }
    }

    /// Gets the stored facts of an instance. Its inner state would take an inspection of the container and twenty times
    /// as long.
    fn instance(&self, name: &ContainerName, deadline: Instant) -> Result<Instance, Error> {
        parse(self.rest.get(&url(name), deadline).map_err(|error| error.about(name))?.metadata)
    }

    fn status(&self, name: &ContainerName, deadline: Instant) -> Result<Status, Error> {
        self.brief(name, deadline).map(|state| state.status)
    }

    /// Gets the stored facts and the inner state of an instance. Root inside decides how long the state is.
    fn inspect(&self, name: &ContainerName, deadline: Instant) -> Result<ContainerState, Error> {
        let path = format!("{}?recursion=1", url(name));
        same(name, parse(self.rest.get(&path, deadline).map_err(|error| error.about(name))?.metadata)?)
    }

    fn list_all(&self, recursion: u8, deadline: Instant) -> Result<Vec<ContainerState>, Error> {
        let all = self.rest.get(&format!("/1.0/instances?recursion={recursion}"), deadline)?.metadata;
        let all: Vec<Instance> = parse(all)?;
        Ok(all.into_iter().filter_map(Instance::into_state).collect())
    }

    /// Lists the stored facts and inspects each container that runs by itself: one with an endless state must not take
    /// the others from the list. A container that cannot be inspected has its stored facts.
    fn list_one_by_one(&self, deadline: Instant) -> Result<Vec<ContainerState>, Error> {
        let mut all = self.list_all(1, deadline)?;
        for state in all.iter_mut().filter(|state| state.status != Status::Stopped) {
            let patience = deadline.min(Instant::now() + INSPECTION);
            match self.inspect(&state.name, patience) {
                Ok(full) => *state = full,
                Err(error) => log::debug!("container {} could not be inspected: {error}", state.name),
            }
        }
        Ok(all)
    }

    fn act(&self, name: &ContainerName, body: &Value, until: Until<'_>) -> Result<(), Error> {
        self.rest.operate("PUT", &format!("{}/state", url(name)), body, until).map_err(|error| error.about(name))
    }

    /// Sets a state. The runtime reports a failure if the state is set already, so after a failure this checks the
    /// state.
    fn reach<'a>(
        &self,
        name: &ContainerName,
        wanted: Status,
        body: &Value,
        until: impl Into<Until<'a>>,
    ) -> Result<(), Error> {
        let until = until.into();
        let Err(error) = self.act(name, body, until) else { return Ok(()) };
        if !matches!(error, Error::Refused(_) | Error::Failed(_)) {
            return Err(error);
        }
        match self.status(name, until.deadline)? {
            status if status == wanted => Ok(()),
            Status::Stopped if wanted != Status::Stopped && body["action"] != "start" => {
                Err(Error::refused("it does not run"))
            }
            _ => Err(error),
        }
    }

    /// Stops it. If it went down by itself before, this waits for the runtime's cleanup.
    fn take_down(&self, name: &ContainerName, body: &Value, deadline: Instant) -> Result<(), Error> {
        match self.act(name, body, deadline.into()) {
            Err(Error::Refused(_) | Error::Failed(_)) if self.status(name, deadline)? == Status::Stopped => {
                sleep(TIDY.min(deadline.saturating_duration_since(Instant::now()) / 2));
                Ok(())
            }
            other => other,
        }
    }

    /// Replaces the devices with those that `edit` makes from the present ones, unless it returns that nothing changes.
    /// The entity tag makes sure that no other change in between is lost.
    fn edit_devices(
        &self,
        name: &ContainerName,
        edit: &dyn Fn(&mut Map<String, Value>) -> bool,
        deadline: Instant,
    ) -> Result<(), Error> {
        let _lock = self.locks.lock(&[name], deadline)?;
        for _ in 0..TRIES {
            let RuntimeReply { mut metadata, etag, .. } =
                self.rest.get(&url(name), deadline).map_err(|error| error.about(name))?;
            let Some(devices) = metadata["devices"].as_object_mut() else {
                return Err(Error::invalid_response("an instance without devices"));
            };
            if !edit(devices) {
                return Ok(());
            }
            let body = writable(&metadata);
            match self.rest.operate_if("PUT", &url(name), &body, etag.as_deref(), deadline.into()) {
                Err(RestError::Status(412, _)) => {}
                other => return other.map_err(|error| error.about(name)),
            }
        }
        Err(Error::failed("others keep changing the container"))
    }
}

fn url(name: &ContainerName) -> String {
    format!("/1.0/instances/{name}")
}

fn same(name: &ContainerName, instance: Instance) -> Result<ContainerState, Error> {
    let state = instance.into_state().filter(|state| state.name == *name);
    state.ok_or_else(|| Error::invalid_response("another instance than was asked for"))
}

/// The fields of an instance that `PUT` takes.
fn writable(instance: &Value) -> Value {
    let fields = ["architecture", "config", "devices", "ephemeral", "profiles", "stateful", "description"];
    let kept = fields.iter().filter_map(|field| Some(((*field).to_owned(), instance.get(field)?.clone())));
    Value::Object(kept.collect())
}

impl Driver for IncusLxd {
    fn runtime(&self) -> Runtime {
        self.rest.runtime()
    }

    fn node(&self) -> Option<&str> {
        self.rest.0.node()
    }

    fn images(&self, deadline: Instant) -> Result<Vec<String>, Error> {
        self.known_images(deadline)
    }

    fn capacity(&self, deadline: Instant) -> Result<Capacity, Error> {
        let all = self.rest.get("/1.0/resources", deadline)?.metadata;
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        Ok(Capacity {
            memory: number(&all["memory"]["total"]),
            memory_used: number(&all["memory"]["used"]),
            cores: number(&all["cpu"]["total"]),
            load: all["load"]["Average1Min"].as_f64(),
        })
    }

    fn info(&self, deadline: Instant) -> Result<Info, Error> {
        let metadata = self.rest.get("/1.0", deadline)?.metadata;
        let version = metadata["environment"]["server_version"].as_str();
        let version = version.ok_or_else(|| Error::invalid_response("a server without a version"))?;
        Ok(Info { runtime: self.rest.runtime(), version: text::one_line(version, 64) })
    }

    fn list(&self, detail: Detail, deadline: Instant) -> Result<Vec<ContainerState>, Error> {
        if detail == Detail::Brief {
            return self.list_all(1, deadline);
        }
        match self.list_all(2, half(deadline)) {
            Err(Error::InvalidResponse(_) | Error::Deadline(_)) => self.list_one_by_one(deadline),
            other => other,
        }
    }

    fn get(&self, name: &ContainerName, deadline: Instant) -> Result<ContainerState, Error> {
        match self.inspect(name, half(deadline)) {
            Err(Error::InvalidResponse(_) | Error::Deadline(_)) => self.brief(name, deadline),
            other => other,
        }
    }

    fn brief(&self, name: &ContainerName, deadline: Instant) -> Result<ContainerState, Error> {
        same(name, self.instance(name, deadline)?)
    }

    fn is_at_work(&self, name: &ContainerName, deadline: Instant) -> Result<bool, Error> {
        // Grouped by status: `{"running": [operation, ...]}`.
        let all = self.rest.get("/1.0/operations?recursion=1", deadline)?.metadata;
        let Some(all) = all.as_object() else { return Err(Error::invalid_response("operations without a status")) };
        let open = all.values().filter_map(Value::as_array).flatten();
        Ok(open.filter(|operation| !rest::is_over(operation)).any(|operation| wire::is_about(operation, name)))
    }

    fn create(&self, name: &ContainerName, spec: &CreateSpec, until: Until<'_>) -> Result<(), Error> {
        self.make(name, spec, until)
    }

    fn start(&self, name: &ContainerName, until: Until<'_>) -> Result<(), Error> {
        let mut tries = 1;
        loop {
            let result = self.reach(name, Status::Running, &json!({ "action": "start" }), until);
            let Err(error @ (Error::Refused(_) | Error::Failed(_))) = result else { return result };
            let status = self.status(name, until.deadline)?;
            if status == Status::Frozen {
                return self.unfreeze(name, until.deadline);
            }
            // Right after a failed start the runtime may not know the state.
            let again = status != Status::Running && matches!(error, Error::Failed(_)) && tries < STARTS;
            if !again || Instant::now() + START_PAUSE >= until.deadline {
                return Err(error);
            }
            sleep(START_PAUSE);
            if until.is_cancelled() {
                return Err(Error::Cancelled);
            }
            log::info!("container {name} is started again: {error}");
            tries += 1;
        }
    }

    fn stop(&self, name: &ContainerName, grace: Duration, force: bool, deadline: Instant) -> Result<(), Error> {
        let status = self.status(name, deadline)?;
        if status == Status::Stopped {
            return Ok(());
        }
        if !grace.is_zero() || !force {
            if status == Status::Frozen {
                self.unfreeze(name, deadline)?;
            }
            let seconds = grace.as_secs().max(1);
            let clean = json!({ "action": "stop", "timeout": seconds, "force": false });
            match self.take_down(name, &clean, deadline) {
                Err(Error::Failed(_) | Error::Refused(_)) if force => {}
                other => return other,
            }
        }
        self.take_down(name, &json!({ "action": "stop", "force": true }), deadline)
    }

    fn freeze(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error> {
        self.reach(name, Status::Frozen, &json!({ "action": "freeze" }), deadline)
    }

    fn unfreeze(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error> {
        self.reach(name, Status::Running, &json!({ "action": "unfreeze" }), deadline)
    }

    fn delete(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error> {
        let _lock = self.locks.lock(&[name], deadline)?;
        let result = self.rest.operate("DELETE", &url(name), &json!({}), deadline);
        self.forget(name);
        result.map_err(|error| error.about(name)).or_else(|error| self.unless_stopped(name, error, deadline))
    }

    fn rename(&self, name: &ContainerName, to: &ContainerName, deadline: Instant) -> Result<(), Error> {
        let _lock = self.locks.lock(&[name, to], deadline)?;
        let result = self.rest.operate("POST", &url(name), &json!({ "name": to.as_str() }), deadline);
        self.forget(name);
        self.forget(to);
        let Err(error) = result.map_err(|error| error.about(name)) else { return Ok(()) };
        if matches!(error, Error::Refused(_) | Error::Failed(_)) && self.instance(to, deadline).is_ok() {
            // Incus may fail after it has renamed, so the name that exists decides.
            if matches!(self.instance(name, deadline), Err(Error::NotFound(_))) {
                log::warn!("the runtime renamed {name} to {to}, and said that it could not: {error}");
                return Ok(());
            }
            return Err(Error::AlreadyExists(to.to_string()));
        }
        self.unless_stopped(name, error, deadline)
    }

    fn snapshot(&self, name: &ContainerName, snapshot: &SnapshotName, deadline: Instant) -> Result<(), Error> {
        let path = format!("{}/snapshots", url(name));
        let body = json!({ "name": snapshot.as_str(), "stateful": false });
        let result = self.rest.operate("POST", &path, &body, deadline);
        let Err(error) = result.map_err(|error| error.about(name)) else { return Ok(()) };
        let answered = matches!(error, Error::Refused(_) | Error::Failed(_));
        if answered && self.rest.get(&format!("{path}/{}", snapshot.as_str()), deadline).is_ok() {
            return Err(Error::AlreadyExists(snapshot.as_str().to_owned()));
        }
        Err(error)
    }

    fn set_env(&self, name: &ContainerName, changes: &[EnvChange], deadline: Instant) -> Result<(), Error> {
        let _lock = self.locks.lock(&[name], deadline)?;
        // A patch merges with the existing configuration, and an empty value removes the key.
        let values = changes.iter().map(|change| change.value.as_ref().map_or("", |value| value.reveal()));
        let keys = changes.iter().map(|change| format!("{ENVIRONMENT}{}", change.key.as_str()));
        let config: Map<String, Value> = keys.zip(values.clone().map(Value::from)).collect();
        let result = self.rest.operate("PATCH", &url(name), &json!({ "config": config }), deadline);
        result.map_err(|error| error.about(name).without(&values.collect::<Vec<_>>()))
    }

    fn check_env(
        &self,
        name: &ContainerName,
        key: &EnvKey,
        test: &dyn Fn(&str) -> bool,
        deadline: Instant,
    ) -> Result<EnvState, Error> {
        let instance = self.instance(name, deadline)?;
        Ok(match instance.config.get(&format!("{ENVIRONMENT}{}", key.as_str())) {
            None => EnvState::Absent,
            Some(value) if test(value) => EnvState::Matches,
            Some(_) => EnvState::Differs,
        })
    }

    fn write_file(&self, name: &ContainerName, file: &FileSpec, deadline: Instant) -> Result<(), Error> {
        self.put_file(name, file, deadline)
    }

    fn read_file(
        &self,
        name: &ContainerName,
        path: &ContainerPath,
        deadline: Instant,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.fetch_file(name, path, deadline)
    }

    fn remove_file(&self, name: &ContainerName, path: &ContainerPath, deadline: Instant) -> Result<(), Error> {
        self.drop_file(name, path, deadline)
    }

    fn logs(&self, name: &ContainerName, limits: LogLimits, deadline: Instant) -> Result<Logs, Error> {
        self.console(name, limits, deadline)
    }

    fn journal(&self, name: &ContainerName, limits: LogLimits, deadline: Instant) -> Result<Option<Logs>, Error> {
        self.read_journal(name, limits, deadline)
    }

    fn ensure_proxy(&self, name: &ContainerName, socket: &Path, deadline: Instant) -> Result<(), Error> {
        let device = proxy_device(socket)?;
        let put =
            |devices: &mut Map<String, Value>| devices.insert(PROXY.to_owned(), device.clone()) != Some(device.clone());
        self.edit_devices(name, &put, deadline)
    }

    fn remove_proxy(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error> {
        self.edit_devices(name, &|devices| devices.remove(PROXY).is_some(), deadline)
    }
}

impl IncusLxd {
    /// Forgets what was read of the container with this name: from now on the name may be another one's. The caller
    /// holds its lock, so no read that began before keeps anything afterwards. It forgets after a failure too, because
    /// the runtime may have done it all the same.
    fn forget(&self, name: &ContainerName) {
        self.consoles.forget(name);
        self.unended.take(name);
    }

    /// Turns a failure into a refusal if its cause is that the container runs.
    fn unless_stopped(&self, name: &ContainerName, error: Error, deadline: Instant) -> Result<(), Error> {
        if !matches!(error, Error::Failed(_)) || self.status(name, deadline)? == Status::Stopped {
            return Err(error);
        }
        Err(Error::refused("it is not stopped"))
    }
}
