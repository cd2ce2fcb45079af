//! The REST conventions that Incus and LXD share: the envelope, errors, entity tags and operations. No nouns here.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use crate::containers::{ContainerName, Error, Runtime};
use crate::http::client::{ClientError, Request, Response, Target, call};

/// The longest answer: some hundred containers with all their state.
const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// Between two tries at a container that the runtime is busy with.
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// A runtime's API behind its socket.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    pub(super) runtime: Runtime,
    target: Target,
}

/// A good answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) metadata: Value,
    pub(super) etag: Option<String>,
    operation: Option<String>,
}

/// The API said no, or there is no answer to go by.
#[derive(Debug)]
pub(super) enum RestError {
    /// An error envelope of the API's own.
    Status(u16, String),
    /// Anything else.
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
    /// Reads 404 as "no such container": right only where the container is all that the path names.
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
    metadata: Value,
}

#[derive(Deserialize)]
struct Operation {
    status_code: u16,
    #[serde(default)]
    err: String,
}

impl Rest {
    pub(super) fn new(runtime: Runtime, socket: &Path) -> Self {
        Self { runtime, target: Target::Unix(socket.to_owned()) }
    }

    /// The name of one of the runtime's own headers: `X-LXD-mode`, `X-Incus-mode`.
    pub(super) fn header(&self, name: &str) -> String {
        format!("X-{}-{name}", if self.runtime == Runtime::Incus { "Incus" } else { "LXD" })
    }

    pub(super) fn get(&self, path: &str, deadline: Instant) -> Result<Reply, RestError> {
        self.send(Request::new("GET", path, deadline))
    }

    fn change(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        etag: Option<&str>,
        deadline: Instant,
    ) -> Result<Reply, RestError> {
        let mut request = Request::new(method, path, deadline).with_body("application/json", body.to_string());
        if let Some(etag) = etag {
            request = request.with_header("If-Match", etag);
        }
        self.send(request)
    }

    /// Sends a change and waits for the operation it starts, if it starts one.
    pub(super) fn operate(&self, method: &str, path: &str, body: &Value, deadline: Instant) -> Result<(), RestError> {
        self.operate_if(method, path, body, None, deadline)
    }

    /// The same, only if the resource still has this entity tag.
    pub(super) fn operate_if(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        etag: Option<&str>,
        deadline: Instant,
    ) -> Result<(), RestError> {
        loop {
            let done = self.change(method, path, body, etag, deadline).and_then(|reply| self.wait(reply, deadline));
            match done {
                Err(error) if is_busy(&error) && Instant::now() + BUSY_PAUSE < deadline => sleep(BUSY_PAUSE),
                other => return other,
            }
        }
    }

    fn wait(&self, reply: Reply, deadline: Instant) -> Result<(), RestError> {
        let Some(operation) = reply.operation else { return Ok(()) };
        // The wait has no timeout of its own: our deadline ends it. A 404 means that the operation is forgotten, and
        // must not read as a missing container.
        let waited = self.get(&format!("{operation}/wait"), deadline).map_err(|error| match error {
            RestError::Status(404, _) => Error::garbage("the operation's outcome is gone").into(),
            other => other,
        })?;
        let Operation { status_code, err } = parse(waited.metadata)?;
        match status_code {
            200 => Ok(()),
            400..=499 => Err(Error::failed(err).into()),
            other => Err(Error::garbage(format!("an operation ended with status code {other}")).into()),
        }
    }

    fn send(&self, request: Request) -> Result<Reply, RestError> {
        let response = self.raw(request.with_max_response(MAX_ANSWER))?;
        let etag = response.header("etag").map(str::to_owned);
        let envelope = read_envelope(&response)?;
        let operation = match envelope.kind.as_str() {
            "sync" => None,
            "async" => Some(operation_path(&envelope.operation)?),
            other => return Err(Error::garbage(format!("an answer of type {other}")).into()),
        };
        Ok(Reply { metadata: envelope.metadata, etag, operation })
    }

    /// Sends a request whose answer need not be JSON. An error envelope is an error here as well.
    pub(super) fn raw(&self, request: Request) -> Result<Response, RestError> {
        let response = call(&self.target, request).map_err(|error| self.no_answer(error))?;
        if response.status < 400 {
            return Ok(response);
        }
        let envelope = read_envelope(&response)?;
        if envelope.kind != "error" {
            return Err(Error::garbage(format!("status {} without an error", response.status)).into());
        }
        Err(RestError::Status(response.status, envelope.error))
    }

    fn no_answer(&self, error: ClientError) -> Error {
        match error {
            ClientError::Unreachable(_) | ClientError::Unusable(_) => {
                Error::unavailable(self.runtime, error.to_string())
            }
            ClientError::Deadline => Error::Deadline(self.runtime),
            ClientError::Closed | ClientError::Protocol(_) | ClientError::TooLarge(_) => {
                Error::garbage(error.to_string())
            }
            ClientError::Invalid(_) => Error::refused(error.to_string()),
        }
    }
}

/// The runtime has an operation on this container under way, such as tidying up after a stop, or had one when asked:
/// trying again is right. Where a version words it otherwise, the failure is passed on as what it is.
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
        .map_err(|error| Error::garbage(format!("status {}: {error}", response.status)))
}

/// Reads a part of an answer.
pub(super) fn parse<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| Error::garbage(error.to_string()))
}

/// Takes nothing but an operation's id from what the server sent as a path.
pub(crate) fn operation_path(path: &str) -> Result<String, Error> {
    let id = path.strip_prefix("/1.0/operations/").unwrap_or_default();
    let id = id.split('?').next().unwrap_or_default();
    let fits = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if fits { Ok(format!("/1.0/operations/{id}")) } else { Err(Error::garbage("an operation without an id")) }
}
