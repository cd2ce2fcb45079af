//! Reads an instance's journal: a command inside writes the end of it to a file there, and the driver fetches the file.
//! The runtimes can record a command's output too, but on the host's disk and without a limit.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Value, json};

use super::rest::{RestError, parse};
use super::{IncusLxd, url};
use crate::containers::{ContainerName, Error, LogLimits, Logs, Status, Until, journal, text};
use crate::threads::lock;

/// Where the command writes, in the container's memory. The file of the last reading stays.
const PLACE: &str = "/run/taosd-journal";

/// Readings that nobody saw end. A command cannot be cancelled, so no other one starts before it has ended: a container
/// whose programs hang costs the host only one of them.
#[derive(Debug, Default)]
pub(super) struct Unended(Mutex<HashMap<ContainerName, String>>);

impl Unended {
    pub(super) fn take(&self, name: &ContainerName) -> Option<String> {
        lock(&self.0).remove(name)
    }

    fn put(&self, name: &ContainerName, operation: String) {
        lock(&self.0).insert(name.clone(), operation);
    }
}

impl IncusLxd {
    pub(super) fn read_journal(
        &self,
        name: &ContainerName,
        limits: LogLimits,
        deadline: Instant,
    ) -> Result<Option<Logs>, Error> {
        let _lock = self.journals.lock(&[name], deadline)?;
        if self.status(name, deadline)? != Status::Running || !self.is_booted(name, deadline)? {
            return Ok(None);
        }
        if let Some(operation) = self.unended.take(name)
            && !self.rest.has_ended(&operation, deadline)?
        {
            self.unended.put(name, operation);
            return Err(Error::JournalHangs);
        }
        let ended = self.run_inside(name, &journal::command(limits, Some(PLACE)), deadline)?;
        match ended["metadata"]["return"].as_i64() {
            Some(0) => {}
            Some(journal::NO_PROGRAM) => return Ok(None),
            other => return Err(Error::failed(format!("reading its journal ended with {other:?}"))),
        }
        let raw = self.open_file(name, PLACE, Some(limits.bytes + 1), deadline)?.body;
        let more = raw.len() > limits.bytes;
        Ok(Some(text::tail(&raw, more, limits)))
    }

    fn is_booted(&self, name: &ContainerName, deadline: Instant) -> Result<bool, Error> {
        match self.open_file(name, journal::BOOTED, None, deadline) {
            Ok(answer) => Ok(answer.header(&self.rest.header("type")) == Some("directory")),
            Err(RestError::Status(404, _)) => Ok(false),
            Err(other) => Err(other.into()),
        }
    }

    /// Runs a command without input, drops its output, and returns the ended operation.
    fn run_inside(&self, name: &ContainerName, command: &[String], deadline: Instant) -> Result<Value, Error> {
        let body = json!({
            "command": command,
            "environment": {},
            "cwd": "/",
            "interactive": false,
            "wait-for-websocket": false,
            "record-output": false,
        });
        let begun = self.rest.begin("POST", &format!("{}/exec", url(name)), &body, deadline);
        let operation = begun.map_err(|error| error.about(name))?;
        let operation = operation.ok_or_else(|| Error::invalid_response("a command without an operation"))?;
        match self.rest.wait(&operation, Until::from(deadline)) {
            Err(RestError::Other(
                error @ (Error::Deadline(_) | Error::InvalidResponse(_) | Error::RuntimeUnavailable { .. }),
            )) => {
                self.unended.put(name, operation);
                Err(error)
            }
            other => Ok(parse(other?)?),
        }
    }
}
