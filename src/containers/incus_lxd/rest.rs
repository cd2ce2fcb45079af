//! The REST conventions that Incus and LXD share: the envelope, errors, entity tags and operations. This module knows
//! no resources.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use super::link::RuntimeLink;
use crate::client::http::{ClientRequest, Response, Target};
use crate::containers::{Away, ContainerName, Error, Runtime, Until};

/// The longest reply, in bytes: some hundred containers with all their state.
const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// The pause before a request is tried again because the runtime is busy with the container.
const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// How long the runtime may be silent about one of its operations: slow storage may hold it up, or it may be restarted.
const AWAY: Duration = Duration::from_secs(20);
/// The part of a call's time that is kept for cancelling its operation; at most a fifth of it.
const GRACE: Duration = Duration::from_secs(5);
/// How long the runtime may take to accept a change.
const BEGIN: Duration = Duration::from_secs(30);
/// The pause between two looks at a cancelled operation.
const CANCEL_PAUSE: Duration = Duration::from_millis(250);

/// The API of one runtime.
#[derive(Debug, Clone)]
pub(super) struct Rest(pub(super) RuntimeLink);

/// A reply without an error.
#[derive(Debug)]
pub(super) struct RuntimeReply {
    pub(super) metadata: Value,
    pub(super) etag: Option<String>,
    operation: Option<String>,
}

/// Why a request failed.
#[derive(Debug)]
pub(super) enum RestError {
    /// The API replied with an error envelope: its status code and message.
    Status(u16, String),
    /// Any other failure.
    Other(Error),
}

impl From<Error> for RestError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<RestError> for Error {
    fn from(error: RestError) -> Self {
        match error {
            RestError::Other(error) => error,
            RestError::Status(400..=499, message) => Self::refused(message),
            RestError::Status(_, message) => Self::failed(message),
        }
    }
}

impl RestError {
    /// Reads 404 as "no such container". Use it only if the path names nothing but the container.
    pub(super) fn about(self, name: &ContainerName) -> Error {
        match self {
            Self::Status(404, _) => Error::NotFound(name.to_string()),
            other => other.into(),
        }
    }
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_code: u16,
    #[serde(default)]
    metadata: Value,
}

/// The result of one look at an operation.
enum OperationPoll {
    /// It has ended, with success or failure.
    Ended(Result<Value, Error>),
    /// It is still running.
    GoesOn,
    /// The runtime does not know it any more.
    Gone,
    /// There was no usable reply.
    NoAnswer(RestError),
}

impl OperationPoll {
    fn at(operation: Value) -> Self {
        match operation["status_code"].as_u64() {
            Some(200) => Self::Ended(Ok(operation)),
            Some(100..=199) => Self::GoesOn,
            Some(400..=499) => Self::Ended(Err(Error::failed(operation["err"].as_str().unwrap_or_default()))),
            Some(other) => {
                Self::Ended(Err(Error::invalid_response(format!("an operation ended with status code {other}"))))
            }
            None => Self::NoAnswer(Error::invalid_response("an operation without a status code").into()),
        }
    }
}

/// Whether an operation of a list has ended.
pub(super) fn is_over(operation: &Value) -> bool {
    !matches!(OperationPoll::at(operation.clone()), OperationPoll::GoesOn)
}

/// The error for an operation that the runtime has forgotten, which must not read as a missing container.
fn gone() -> Error {
    Error::invalid_response("the operation's outcome is gone")
}

impl Rest {
    pub(super) fn new(runtime: Runtime, socket: &Path) -> Self {
        Self(RuntimeLink::Socket(runtime, Target::Unix(socket.to_owned())))
    }

    /// The kind of runtime; a guess for a node that has not replied yet.
    pub(super) fn runtime(&self) -> Runtime {
        self.0.runtime()
    }

    /// Makes sure that the kind of runtime is known, for a request that depends on it.
    pub(super) fn meet(&self, deadline: Instant) -> Result<(), Error> {
        self.0.meet(deadline)
    }

    /// The name of one of the runtime's own headers: `X-LXD-mode`, `X-Incus-mode`.
    pub(super) fn header(&self, name: &str) -> String {
        format!("X-{}-{name}", if self.runtime() == Runtime::Incus { "Incus" } else { "LXD" })
    }

    pub(super) fn get(&self, path: &str, deadline: Instant) -> Result<RuntimeReply, RestError> {
        self.send(ClientRequest::new("GET", path, deadline))
    }

    fn change(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        etag: Option<&str>,
        deadline: Instant,
    ) -> Result<RuntimeReply, RestError> {
        let mut request = ClientRequest::new(method, path, deadline).with_body("application/json", body.to_string());
        if let Some(etag) = etag {
            request = request.with_header("If-Match", etag);
        }
        self.send(request)
    }

    /// Sends a change and returns the path of the operation it starts, if it starts one.
    pub(super) fn begin(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        deadline: Instant,
    ) -> Result<Option<String>, RestError> {
        Ok(self.change(method, path, body, None, deadline)?.operation)
    }

    /// Sends a change and waits for the operation it starts, if it starts one.
    pub(super) fn operate<'a>(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        until: impl Into<Until<'a>>,
    ) -> Result<(), RestError> {
        self.operate_if(method, path, body, None, until.into())
    }

    /// Like `operate`, but only if the resource still has this entity tag.
    pub(super) fn operate_if(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        etag: Option<&str>,
        until: Until<'_>,
    ) -> Result<(), RestError> {
        loop {
            let begun_by = until.deadline.min(Instant::now() + BEGIN);
            let done = self.change(method, path, body, etag, begun_by).and_then(|reply| match reply.operation {
                Some(operation) => self.wait(&operation, until).map(|_| ()),
                None => Ok(()),
            });
            match done {
                Err(error) if is_busy(&error) && Instant::now() + BUSY_PAUSE < until.deadline => sleep(BUSY_PAUSE),
                other => return other,
            }
            if until.is_cancelled() {
                return Err(Error::Cancelled.into());
            }
        }
    }

    /// Waits until an operation has ended, and returns it if it succeeded. Only the operation's own status decides: a
    /// wait that fails or takes too long proves nothing. The last part of the time is for cancelling it. If it succeeds
    /// after all, that counts.
    pub(super) fn wait(&self, operation: &str, until: Until<'_>) -> Result<Value, RestError> {
        let left = until.deadline.saturating_duration_since(Instant::now());
        let give_up = until.deadline - GRACE.min(left / 5);
        let mut answered = Instant::now();
        loop {
            let began = Instant::now();
            match self.wait_a_slice(operation, give_up) {
                OperationPoll::Ended(ended) => return Ok(ended?),
                OperationPoll::Gone => return Err(gone().into()),
                OperationPoll::GoesOn => answered = Instant::now(),
                OperationPoll::NoAnswer(error) if answered.elapsed() >= AWAY => {
                    let why = Error::from(error).to_string();
                    return Err(Error::unavailable(self.runtime(), Away::Lost, why).on(self.0.node()).into());
                }
                OperationPoll::NoAnswer(_) => {}
            }
            if until.is_cancelled() {
                return match self.cancel(operation, until.deadline) {
                    OperationPoll::Ended(_) | OperationPoll::Gone => Err(Error::Cancelled.into()),
                    OperationPoll::GoesOn | OperationPoll::NoAnswer(_) => Err(Error::Deadline(self.runtime()).into()),
                };
            }
            if Instant::now() >= give_up {
                return match self.cancel(operation, until.deadline) {
                    OperationPoll::Ended(ended) => Ok(ended?),
                    OperationPoll::Gone => Err(gone().into()),
                    OperationPoll::GoesOn | OperationPoll::NoAnswer(_) => Err(Error::Deadline(self.runtime()).into()),
                };
            }
            sleep(BUSY_PAUSE.saturating_sub(began.elapsed()).min(give_up.saturating_duration_since(Instant::now())));
        }
    }

    /// Waits for a second at most. LXD replies with the operation, ended or not. Incus begins its reply before it knows
    /// the outcome, so an operation that failed and a wait that timed out are both errors with status 200.
    fn wait_a_slice(&self, operation: &str, give_up: Instant) -> OperationPoll {
        let path = format!("{operation}/wait?timeout={}", Until::LOOK.as_secs());
        let patience = (Instant::now() + 2 * Until::LOOK).min(give_up);
        match self.get(&path, patience) {
            Ok(reply) => OperationPoll::at(reply.metadata),
            Err(_) => self.look(operation, (Instant::now() + 2 * Until::LOOK).min(give_up)),
        }
    }

    /// Gets an operation's status. Only a 404 for the operation itself means that the runtime has forgotten it.
    fn look(&self, operation: &str, deadline: Instant) -> OperationPoll {
        match self.get(operation, deadline) {
            Ok(reply) => OperationPoll::at(reply.metadata),
            Err(RestError::Status(404, _)) => OperationPoll::Gone,
            Err(error) => OperationPoll::NoAnswer(error),
        }
    }

    /// Asks the runtime to cancel an operation, and waits until it has ended, since a rollback cannot remove what the
    /// operation still creates. The runtimes finish most kinds of operations once they have begun.
    fn cancel(&self, operation: &str, deadline: Instant) -> OperationPoll {
        let patience = deadline.min(Instant::now() + Until::LOOK);
        if let Err(error) = self.send(ClientRequest::new("DELETE", operation, patience)) {
            log::debug!("an operation of the container runtime goes on to its end: {error:?}");
        }
        loop {
            let seen = self.look(operation, deadline.min(Instant::now() + 2 * Until::LOOK));
            if matches!(seen, OperationPoll::Ended(_) | OperationPoll::Gone)
                || Instant::now() + CANCEL_PAUSE >= deadline
            {
                return seen;
            }
            sleep(CANCEL_PAUSE);
        }
    }

    /// Whether an operation has ended, with any outcome.
    pub(super) fn has_ended(&self, operation: &str, deadline: Instant) -> Result<bool, Error> {
        match self.look(operation, deadline) {
            OperationPoll::Ended(_) | OperationPoll::Gone => Ok(true),
            OperationPoll::GoesOn => Ok(false),
            OperationPoll::NoAnswer(error) => Err(error.into()),
        }
    }

    fn send(&self, request: ClientRequest) -> Result<RuntimeReply, RestError> {
        let response = self.raw(request.with_max_response(MAX_ANSWER))?;
        let etag = response.header("etag").map(str::to_owned);
        let envelope = read_envelope(&response)?;
        let operation = match envelope.kind.as_str() {
            "sync" => None,
            "async" => Some(operation_path(&envelope.operation)?),
            // Incus sends its HTTP status before it knows the outcome of a wait.
            "error" => return Err(RestError::Status(envelope.error_code, envelope.error)),
            other => return Err(Error::invalid_response(format!("an answer of type {other}")).into()),
        };
        Ok(RuntimeReply { metadata: envelope.metadata, etag, operation })
    }

    /// Sends a request whose reply need not be JSON. An error envelope is an error here too.
    pub(super) fn raw(&self, request: ClientRequest) -> Result<Response, RestError> {
        let response = self.0.call(request)?;
        if response.status < 400 {
            return Ok(response);
        }
        let envelope = read_envelope(&response)?;
        if envelope.kind != "error" {
            return Err(Error::invalid_response(format!("status {} without an error", response.status)).into());
        }
        Err(RestError::Status(response.status, envelope.error))
    }
}

/// Whether the runtime had another operation on this container under way, such as the cleanup after a stop: then the
/// request can be tried again. If a version words this otherwise, the failure is passed on unchanged.
fn is_busy(error: &RestError) -> bool {
    match error {
        RestError::Status(_, message) | RestError::Other(Error::Failed(message)) => {
            message.contains("busy running") || message.contains("non-reusable operation")
        }
        RestError::Other(_) => false,
    }
}

fn read_envelope(response: &Response) -> Result<Envelope, Error> {
    serde_json::from_slice(&response.body)
        .map_err(|error| Error::invalid_response(format!("status {}: {error}", response.status)))
}

/// Parses a part of a reply.
pub(super) fn parse<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| Error::invalid_response(error.to_string()))
}

/// Checks a path from the server and keeps only the operation's id of it.
pub(crate) fn operation_path(path: &str) -> Result<String, Error> {
    let id = path.strip_prefix("/1.0/operations/").unwrap_or_default();
    let id = id.split('?').next().unwrap_or_default();
    let fits = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if fits { Ok(format!("/1.0/operations/{id}")) } else { Err(Error::invalid_response("an operation without an id")) }
}
