//! A small blocking HTTP/1 client over a Unix socket, plain TCP or TLS: [`call`] and [`call_over_tls`]. It serves the
//! container drivers, `taosctl`, forwarding, health checks and webhooks (DESIGN D2).
//!
//! One call is one connection. The client pools nothing, follows no redirect, and reads no proxy or environment
//! variable. One absolute deadline covers connecting, sending and receiving. It is not for streams (SSE).

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

/// The default limit of a reply's body: 4 MiB.
pub const DEFAULT_MAX_RESPONSE: usize = 4 * 1024 * 1024;

/// The destination of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A Unix stream socket at this path.
    Unix(PathBuf),
    /// A TCP address.
    Tcp(SocketAddr),
}

impl Target {
    /// Resolves `host:port` to its first address, by the system's resolver (which has no deadline of its own).
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if the name has no address.
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

/// A request, made by [`ClientRequest::new`] and the `with_` methods. `Debug` shows no header value and no body, since
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

/// The destination of a successful reply's body, written as it arrives.
pub type Sink = Arc<Mutex<dyn Write + Send>>;

/// Called with the number of bytes of a body that have passed, and the total if it is known: for the request's body
/// while it is sent, for the reply's body while it arrives.
pub type Progress = Arc<dyn Fn(Direction, u64, Option<u64>) + Send + Sync>;

/// The direction of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the server.
    Out,
    /// From the server.
    In,
}

impl ClientRequest {
    /// Makes a request for `path` (with its query, already percent-encoded) whose complete reply is due by `deadline`.
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

    /// Sets the body. Its content type, if it has one, is already among the headers.
    #[must_use]
    pub fn with_raw_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the limit of the reply's body, in bytes.
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

    /// Sets a function that is called with the progress of the bodies.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Writes the body of a successful reply (200 to 299) to `sink` as it arrives, however long it is. The returned
    /// body is empty then. The deadline counts only for the reply's head; each later piece of the body may take
    /// `pause`.
    #[must_use]
    pub fn with_sink(mut self, sink: Sink, pause: Duration) -> Self {
        self.sink = Some((sink, pause));
        self
    }

    /// Limits the time to connect, TLS included. After it the error is [`ClientError::Unreachable`], since nothing was
    /// sent.
    #[must_use]
    pub fn with_connect_patience(mut self, patience: Duration) -> Self {
        self.connect = Some(patience);
        self
    }

    /// The time by which the complete reply is due.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The path, with the query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The body.
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

/// A reply with any status, also 500.
#[derive(Clone)]
pub struct Response {
    /// The status code, 200 to 599.
    pub status: u16,
    /// The complete body, no longer than the request allows.
    pub body: Vec<u8>,
    headers: HeaderMap,
}

impl Response {
    /// The first header with this name, in any case, if it exists and is plain text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers in the order of the reply, without those that are not plain text.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.status, self.body.len())
    }
}

/// Sends one request and waits for the complete reply. Blocks the calling thread, at most until the request's deadline.
///
/// # Errors
/// See [`ClientError`]. A reply with any status is `Ok`.
pub fn call(target: &Target, request: ClientRequest) -> Result<Response, ClientError> {
    run(send(target, request))
}

/// Like [`call`], over TLS to this address. `host` is the name of the server.
///
/// # Errors
/// See [`ClientError`]. A reply with any status is `Ok`.
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

/// Like [`call`], for asynchronous code: it resolves by the request's deadline, and nothing runs on after that.
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

/// Runs one call on a runtime of its own. This costs two file descriptors and some microseconds, less than a
/// connection.
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
        // The sender and the body report the errors of the connection. The task ends with the call.
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

/// The task of a connection. It ends with the call, whatever the result is.
struct ConnectionTask(tokio::task::JoinHandle<hyper::Result<()>>);

impl Drop for ConnectionTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
