//! A small blocking HTTP/1 client over a Unix socket or plain TCP: one function, [`call`]. It serves the container
//! drivers, `taosctl`, forwarding, health checks and webhooks (DESIGN D2).
//!
//! One call is one connection: nothing is pooled, no redirect is followed, no proxy or environment variable is read,
//! and one absolute deadline covers connecting, sending and receiving. Streams (SSE) do not belong here.

pub use super::error::ClientError;
use std::fmt;
use std::future::Future;
use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::client::conn::http1;
use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::body::{Limit, Outgoing, by, collect, pour};
use super::io::ClientIo;
use super::tls::Trust;

/// The limit on an answer's body where the caller names none: 4 MiB.
pub const DEFAULT_MAX_RESPONSE: usize = 4 * 1024 * 1024;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A Unix stream socket at this path.
    Unix(PathBuf),
    /// A TCP address.
    Tcp(SocketAddr),
}

impl Target {
    /// The first address of `host:port`, asking the system's resolver (which has no deadline of its own).
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] where the name has no address.
    pub fn resolve(host: &str, port: u16) -> Result<Self, ClientError> {
        let mut addresses = (host, port).to_socket_addrs().map_err(ClientError::Unreachable)?;
        let none = || ClientError::Unreachable(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        addresses.next().map(Self::Tcp).ok_or_else(none)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "http://{address}"),
        }
    }
}

/// A request: built with [`ClientRequest::new`] and the `with_` methods. `Debug` shows no header value and no body, since
/// either may be a secret.
#[derive(Clone)]
pub struct ClientRequest {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    pub(super) deadline: Instant,
    pub(super) max_response: usize,
    pub(super) progress: Option<Progress>,
    pub(super) sink: Option<(Sink, Duration)>,
    connect: Option<Duration>,
}

/// Where the body of a good answer is written as it comes.
pub type Sink = Arc<Mutex<dyn Write + Send>>;

/// Told how many bytes of a body have passed, and of how many, where that is known: of the request's on its way out, of
/// the answer's on its way in.
pub type Progress = Arc<dyn Fn(Direction, u64, Option<u64>) + Send + Sync>;

/// Which way a body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the server.
    Out,
    /// From the server.
    In,
}

impl ClientRequest {
    /// A request for `path` (with its query, already percent-encoded) that must be answered in full by `deadline`.
    pub fn new(method: &str, path: impl Into<String>, deadline: Instant) -> Self {
        let (method, path) = (method.to_owned(), path.into());
        Self {
            method,
            path,
            headers: Vec::new(),
            body: Vec::new(),
            deadline,
            max_response: DEFAULT_MAX_RESPONSE,
            progress: None,
            sink: None,
            connect: None,
        }
    }

    /// Adds a header. `Host` and `Content-Length` are set by the client unless given.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the body and its content type.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.with_header("content-type", content_type)
    }

    /// Sets the body; its content type, if any, is among the headers already.
    #[must_use]
    pub fn with_raw_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets how many bytes of body an answer may have.
    #[must_use]
    pub fn with_max_response(mut self, bytes: usize) -> Self {
        self.max_response = bytes;
        self
    }

    /// Sets another deadline.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = deadline;
        self
    }

    /// Has somebody told how far the bodies are.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Has the body of a good answer (200 to 299) written to `sink` as it comes, however long it is: the answer's own body
    /// is empty then. The deadline is that of the answer's head; from there on each piece has `pause`.
    #[must_use]
    pub fn with_sink(mut self, sink: Sink, pause: Duration) -> Self {
        self.sink = Some((sink, pause));
        self
    }

    /// Gives the connection, TLS included, so long; [`ClientError::Unreachable`] past that, as nothing was sent.
    #[must_use]
    pub fn with_connect_patience(mut self, patience: Duration) -> Self {
        self.connect = Some(patience);
        self
    }

    /// When it must have been answered.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Its path, with the query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    fn into_hyper(self, target: &Target) -> Result<hyper::Request<Outgoing>, ClientError> {
        let invalid = |what: &str| ClientError::Invalid(what.to_owned());
        let length = self.body.len();
        let mut request = hyper::Request::new(Outgoing::new(self.body, self.progress));
        *request.method_mut() = self.method.parse().map_err(|_| invalid("the method"))?;
        if !self.path.starts_with('/') {
            return Err(invalid("the path"));
        }
        *request.uri_mut() = self.path.parse().map_err(|_| invalid("the path"))?;
        let headers = request.headers_mut();
        for (name, value) in self.headers {
            let name = HeaderName::try_from(name).map_err(|_| invalid("a header's name"))?;
            let value = HeaderValue::try_from(value).map_err(|_| invalid("a header's value"))?;
            headers.append(name, value);
        }
        if !headers.contains_key(HOST) {
            headers.insert(HOST, host_of(target)?);
        }
        if length > 0 && !headers.contains_key(CONTENT_LENGTH) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        Ok(request)
    }
}

impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} bytes)", self.method, self.path, self.body.len())
    }
}

fn host_of(target: &Target) -> Result<HeaderValue, ClientError> {
    match target {
        Target::Unix(_) => Ok(HeaderValue::from_static("localhost")),
        Target::Tcp(address) => {
            HeaderValue::try_from(address.to_string()).map_err(|_| ClientError::Invalid("the host".to_owned()))
        }
    }
}

/// An answer, whatever its status: 500 is an answer too.
#[derive(Clone)]
pub struct Response {
    /// The status code, 200 to 599.
    pub status: u16,
    /// The body, complete, no longer than the request allowed.
    pub body: Vec<u8>,
    headers: HeaderMap,
}

impl Response {
    /// The first header of this name, in any case, if it is there and plain text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Every header in the order it came; those that are not plain text are left out.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.status, self.body.len())
    }
}

/// Sends one request and waits for the whole answer. Blocks the calling thread until the request's deadline at most.
///
/// # Errors
/// See [`ClientError`]; an answer with any status is `Ok`.
pub fn call(target: &Target, request: ClientRequest) -> Result<Response, ClientError> {
    run(send(target, request))
}

/// Like [`call`], over TLS: to this address, as to the server of this name.
///
/// # Errors
/// As there.
pub fn call_over_tls(
    address: SocketAddr,
    host: &str,
    trust: &Trust,
    request: ClientRequest,
) -> Result<Response, ClientError> {
    let limit = Limit::of(&request);
    let connected_by = request.connect.map_or(limit.deadline, |patience| limit.deadline.min(Instant::now() + patience));
    let request = request.into_hyper(&Target::Tcp(address))?;
    let work = async move {
        let stream = by(connected_by, async {
            let stream = TcpStream::connect(address).await.map_err(ClientError::Unreachable)?;
            stream.set_nodelay(true).map_err(ClientError::Unreachable)?;
            trust.connect(host, stream).await
        });
        let stream = stream.await.map_err(|error| match error {
            ClientError::Deadline if connected_by < limit.deadline => {
                ClientError::Unreachable(io::ErrorKind::TimedOut.into())
            }
            other => other,
        });
        exchange(stream?, request, limit).await
    };
    run(work)
}

/// The same for asynchronous code: resolves by the request's deadline. Nothing of it is left then.
pub(crate) async fn send(target: &Target, request: ClientRequest) -> Result<Response, ClientError> {
    let limit = Limit::of(&request);
    let request = request.into_hyper(target)?;
    match target {
        Target::Unix(path) => {
            let connected = async { UnixStream::connect(path).await.map_err(ClientError::Unreachable) };
            exchange(by(limit.deadline, connected).await?, request, limit).await
        }
        Target::Tcp(address) => {
            let connected = async { TcpStream::connect(address).await.map_err(ClientError::Unreachable) };
            let stream = by(limit.deadline, connected).await?;
            stream.set_nodelay(true).map_err(ClientError::Unreachable)?;
            exchange(stream, request, limit).await
        }
    }
}

/// A runtime for one call costs two file descriptors and some microseconds, which is less than a connection does.
fn run<T>(work: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
    if tokio::runtime::Handle::try_current().is_ok() {
        return Err(ClientError::Unusable(io::Error::other("a blocking call inside asynchronous code")));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ClientError::Unusable)?;
    runtime.block_on(work)
}

async fn exchange<S>(stream: S, request: hyper::Request<Outgoing>, limit: Limit) -> Result<Response, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answered = by(limit.deadline, async {
        let (mut sender, connection) =
            http1::handshake(ClientIo(stream)).await.map_err(|error| ClientError::from_hyper(&error))?;
        // The sender and the body report what goes wrong on the connection; the task ends with the call.
        let task = ConnectionTask(tokio::spawn(connection));
        let answer = sender.send_request(request).await.map_err(|error| ClientError::from_hyper(&error))?;
        Ok((task, answer))
    });
    let (task, answer) = answered.await?;
    let (head, body) = answer.into_parts();
    let body = match &limit.sink {
        Some((sink, pause)) if head.status.is_success() => pour(body, &limit, sink, *pause).await?,
        _ => by(limit.deadline, collect(body, &limit)).await?,
    };
    drop(task);
    Ok(Response { status: head.status.as_u16(), body, headers: head.headers })
}

/// The task of a connection: it goes with the call, be that answered, refused or late.
struct ConnectionTask(tokio::task::JoinHandle<hyper::Result<()>>);

impl Drop for ConnectionTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
