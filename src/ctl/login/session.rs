//! Requests to the chosen server, with token, exchange, idempotency key and retries.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::connection::Connection;
use super::context::Context;
use super::exchange::{self, Bearer};
use crate::access::Class;
use crate::api::ApiRoute;
use crate::client::http::{self, ClientError, ClientRequest, Response, Target};
use crate::ctl::core::failure::Failure;
use crate::ctl::core::path;
use crate::ctl::core::server::Server;
use crate::rest::route::Repeat;
use crate::say::complain;
use crate::secret::Plaintext;

/// The pause before each retry; their number is the number of retries.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];
/// The longest pause in seconds that a server can ask for with `Retry-After`.
const RETRY_AFTER_MAX: u64 = 5;
/// The most bytes of one reply.
pub const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// The route that makes short-lived tokens.
const EXCHANGE: &str = "auth_exchange";
const MAYBE_DONE: &str = "note: a try was cut off before its answer came; the daemon may have carried it out\n";

/// A connection to a server with all that a request needs.
#[derive(Debug)]
pub struct Session<'a> {
    /// The global flags.
    pub context: &'a Context,
    /// The server and the token.
    pub connection: Connection,
    /// The short-lived tokens of this process, by class.
    exchanged: RefCell<Vec<(Class, Plaintext)>>,
}

impl<'a> Session<'a> {
    /// Makes a session; sends nothing yet.
    pub fn new(context: &'a Context, connection: Connection) -> Self {
        Self { context, connection, exchanged: RefCell::default() }
    }

    /// Sends a request and returns its successful reply. If the server is unreachable or replies 503, the request is
    /// sent twice more under the same idempotency key; also if the server closes the connection, unless it may then do
    /// the work twice. A key is exchanged first, and once more if the server refuses the short-lived token.
    ///
    /// # Errors
    /// There is no reply, or the server refuses the request.
    pub fn send(&self, route: &ApiRoute, target: &str, body: Option<&Value>) -> Result<Response, Failure> {
        self.send_dressed(route, target, &|request| match body {
            Some(body) => request.with_body("application/json", body.to_string()),
            None => request,
        })
    }

    /// Like [`Session::send`]. `dress` adds to the request what it needs besides its credential.
    ///
    /// # Errors
    /// The same as for [`Session::send`].
    pub fn send_dressed(
        &self,
        route: &ApiRoute,
        target: &str,
        dress: &dyn Fn(ClientRequest) -> ClientRequest,
    ) -> Result<Response, Failure> {
        let token = self.connection.token.as_ref();
        match exchange::bearer(route, token.map(Plaintext::reveal)) {
            Bearer::None => self.send_as(None, route, target, dress),
            Bearer::AsItIs => self.send_as(token.map(Plaintext::reveal), route, target, dress),
            Bearer::Token(class) => {
                let jwt = self.jwt(class, false)?;
                match self.send_as(Some(jwt.reveal()), route, target, dress) {
                    Err(Failure::Refused(refusal)) if refusal.status == 401 => {
                        let fresh = self.jwt(class, true)?;
                        self.send_as(Some(fresh.reveal()), route, target, dress)
                    }
                    result => result,
                }
            }
        }
    }

    /// A token of this class for the session's key: from this process, from the cache, or fresh.
    fn jwt(&self, class: Class, fresh: bool) -> Result<Plaintext, Failure> {
        let held = |tokens: &[(Class, Plaintext)]| {
            tokens.iter().find(|(of, _)| *of == class).map(|(_, jwt)| Plaintext::new(jwt.reveal().to_owned()))
        };
        if !fresh && let Some(jwt) = held(&self.exchanged.borrow()) {
            return Ok(jwt);
        }
        let jwt = exchange::token(self, class, fresh)?;
        let copy = Plaintext::new(jwt.reveal().to_owned());
        let mut tokens = self.exchanged.borrow_mut();
        tokens.retain(|(of, _)| *of != class);
        tokens.push((class, copy));
        Ok(jwt)
    }

    fn send_as(
        &self,
        bearer: Option<&str>,
        route: &ApiRoute,
        target: &str,
        dress: &dyn Fn(ClientRequest) -> ClientRequest,
    ) -> Result<Response, Failure> {
        let targets = self.connection.server.targets()?;
        let changes = route.method != "GET" && route.id != EXCHANGE;
        let mut pauses = PAUSES.iter();
        let mut cut_off = false;
        loop {
            let result = self.try_each(&targets, || dress(self.request(bearer, route, target)));
            let pause = match &result {
                Ok(reply) if reply.status == 503 => pauses.next().map(|pause| longer(*pause, reply)),
                Err(ClientError::Unreachable(_)) => pauses.next().copied(),
                Err(ClientError::Closed) => {
                    cut_off |= changes;
                    pauses.next().copied().filter(|_| may_be_done_twice(route))
                }
                _ => None,
            };
            match (result, pause) {
                (_, Some(pause)) => sleep(pause),
                (Ok(reply), None) if (200..300).contains(&reply.status) => return Ok(reply),
                (Ok(reply), None) => {
                    complain(if cut_off { MAYBE_DONE } else { "" });
                    let refused = Failure::refused(reply.status, &reply.body, reply.header("x-request-id"));
                    let refused = self.at_its_address(refused);
                    return Err(refused.with_login(self.connection.origin(), self.connection.log_in()));
                }
                (Err(error), None) => {
                    complain(if cut_off { MAYBE_DONE } else { "" });
                    return Err(self.failure(&error));
                }
            }
        }
    }

    /// Adds the server's address to the page of a refusal. On a socket, the daemon is asked for the address that people
    /// use. If it has none, the refusal names the command that shows the page.
    pub fn at_its_address(&self, refused: Failure) -> Failure {
        let server = &self.connection.server;
        if let Server::Tcp(..) = server {
            return refused.at(&server.to_string());
        }
        let route = path::route("healthz");
        let asked = |target: &Target| http::call(target, self.request(None, route, route.path)).ok();
        let health = server.targets().ok().and_then(|targets| targets.iter().find_map(asked));
        let health = health.and_then(|reply| json(&reply).ok()).unwrap_or_default();
        match health["url"].as_str().filter(|url| url.starts_with("http")) {
            Some(url) => refused.at(url),
            None => refused,
        }
    }

    /// Like [`Session::send`], for a reply in JSON. 204 becomes null.
    ///
    /// # Errors
    /// The same as for [`Session::send`], and [`Failure::Unexpected`] if the reply is not JSON.
    pub fn send_for_json(&self, route: &ApiRoute, target: &str, body: Option<&Value>) -> Result<Value, Failure> {
        json(&self.send(route, target, body)?)
    }

    /// Tries the addresses of a name one after the other until one accepts the connection.
    fn try_each(&self, targets: &[Target], request: impl Fn() -> ClientRequest) -> Result<Response, ClientError> {
        let mut result = Err(ClientError::Unreachable(std::io::ErrorKind::NotFound.into()));
        for target in targets {
            result = http::call(target, request());
            if !matches!(result, Err(ClientError::Unreachable(_))) {
                break;
            }
        }
        result
    }

    fn request(&self, bearer: Option<&str>, route: &ApiRoute, path: &str) -> ClientRequest {
        let mut request = ClientRequest::new(route.method.as_str(), path, Instant::now() + self.context.timeout)
            .with_header("host", self.connection.server.host())
            .with_header("user-agent", concat!("taosctl/", env!("CARGO_PKG_VERSION")))
            .with_max_response(ANSWER_BYTES);
        if let Some(token) = bearer {
            request = request.with_header("authorization", format!("Bearer {token}"));
        }
        if route.method != "GET" {
            request = request.with_header("idempotency-key", self.context.key.clone());
        }
        request
    }

    fn failure(&self, error: &ClientError) -> Failure {
        let server = &self.connection.server;
        match error {
            ClientError::Unreachable(cause) if cause.kind() == ErrorKind::PermissionDenied => {
                Failure::NotAllowed(format!("You may not use {server}."))
            }
            ClientError::Unreachable(cause) => Failure::Unreachable(format!("Nobody answers at {server}: {cause}.")),
            ClientError::Deadline => {
                let seconds = self.context.timeout.as_secs();
                Failure::Unreachable(format!("{server} did not answer within {seconds} s."))
            }
            ClientError::Closed | ClientError::Unusable(_) | ClientError::Tls(_) => {
                Failure::Unreachable(format!("{server}: {error}."))
            }
            ClientError::Protocol(_) => Failure::Unexpected(format!("{server} does not speak HTTP.")),
            ClientError::TooLarge(bytes) => Failure::Unexpected(format!(
                "The answer of {server} is longer than {bytes} bytes; --limit makes a list shorter."
            )),
            ClientError::Sink(cause) => Failure::Output(std::io::Error::new(cause.kind(), cause.to_string())),
            ClientError::Invalid(what) => Failure::usage(format!("The request cannot be sent: {what}."), "Correct it."),
        }
    }
}

/// The JSON of a reply; null if it has no body.
///
/// # Errors
/// [`Failure::Unexpected`] if the body is not JSON.
pub fn json(reply: &Response) -> Result<Value, Failure> {
    if reply.body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&reply.body).map_err(|_| Failure::Unexpected("The answer is not JSON.".to_owned()))
}

/// The routes of other methods whose work has the same result once and twice. A second short-lived token harms nobody,
/// since nobody has the first.
const SAME_TWICE: &[&str] = &[
    EXCHANGE,
    "agents_freeze",
    "agents_pause",
    "agents_resume",
    "agents_thaw",
    "freeze_all",
    "messages_search",
    "thaw_all",
];

/// True if a request that the daemon has perhaps carried out may be sent again.
fn may_be_done_twice(route: &ApiRoute) -> bool {
    matches!(route.method.as_str(), "GET" | "PUT" | "DELETE" | "PATCH")
        || route.repeat == Repeat::Key
        || SAME_TWICE.contains(&route.id)
}

fn longer(pause: Duration, reply: &Response) -> Duration {
    let asked = reply.header("retry-after").and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    pause.max(Duration::from_secs(asked.min(RETRY_AFTER_MAX)))
}
