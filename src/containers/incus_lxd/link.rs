//! The connection to a runtime: the socket of this box, or a node over HTTPS with a client certificate.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::http::{ClientError, ClientRequest, Response, Target, call};
use crate::client::identity::Identity;
use crate::client::tls::Trust;
use crate::containers::node::NodeOptions;
use crate::containers::{Away, Error, Runtime};
use crate::threads::lock;

/// How long a node may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a node may take to say who it is.
const GREETING: Duration = Duration::from_secs(10);
/// The longest greeting, in bytes: it lists some hundred extensions.
const MAX_GREETING: usize = 1024 * 1024;
/// The pause between two tries to redeem a trust token.
const REDEEM_PAUSE: Duration = Duration::from_secs(60);

/// The connection to a runtime.
#[derive(Debug, Clone)]
pub(super) enum RuntimeLink {
    /// A runtime on this box.
    Socket(Runtime, Target),
    /// A runtime on a node.
    Node(Arc<NodeLink>),
}

/// A node and the facts known about it.
#[derive(Debug)]
pub(super) struct NodeLink {
    options: Arc<NodeOptions>,
    trust: Trust,
    /// The kind of runtime; known once the node has replied and trusts this box.
    met: Mutex<Option<Runtime>>,
    redeemed: Mutex<Option<Instant>>,
}

impl RuntimeLink {
    /// Connects to a node. No request is made yet.
    ///
    /// # Errors
    /// The fault, if the identity cannot be used.
    pub(super) fn to_node(options: Arc<NodeOptions>, identity: &Identity) -> Result<Self, String> {
        let trust = Trust::of_server(&options.pin, identity)?;
        Ok(Self::Node(Arc::new(NodeLink { options, trust, met: Mutex::default(), redeemed: Mutex::default() })))
    }

    /// The kind of runtime; a guess for a node that has not replied yet.
    pub(super) fn runtime(&self) -> Runtime {
        match self {
            Self::Socket(runtime, _) => *runtime,
            Self::Node(node) => lock(&node.met).unwrap_or(Runtime::Incus),
        }
    }

    /// The node's name; `None` for this box.
    pub(super) fn node(&self) -> Option<&str> {
        match self {
            Self::Socket(..) => None,
            Self::Node(node) => Some(node.options.name.as_str()),
        }
    }

    /// Makes sure that the kind of runtime is known, for a request that depends on it.
    pub(super) fn meet(&self, deadline: Instant) -> Result<(), Error> {
        match self {
            Self::Socket(..) => Ok(()),
            Self::Node(node) => node.meet(deadline),
        }
    }

    /// Sends a request and returns the reply, whatever its status.
    pub(super) fn call(&self, request: ClientRequest) -> Result<Response, Error> {
        match self {
            Self::Socket(runtime, target) => call(target, request).map_err(|error| no_answer(*runtime, None, &error)),
            Self::Node(node) => {
                node.meet(request.deadline())?;
                let response = node.send(request)?;
                if response.status == 403 {
                    *lock(&node.met) = None;
                    return Err(node.stranger("it refuses this box's certificate"));
                }
                Ok(response)
            }
        }
    }
}

impl NodeLink {
    /// Asks the node who it is until it has replied that it trusts this box. If it does not yet, redeems the trust
    /// token.
    fn meet(&self, deadline: Instant) -> Result<(), Error> {
        if lock(&self.met).is_some() {
            return Ok(());
        }
        let deadline = deadline.min(Instant::now() + GREETING);
        let mut greeting = self.greeting(deadline)?;
        if greeting["auth"] != "trusted" && self.redeem(deadline)? {
            greeting = self.greeting(deadline)?;
        }
        if greeting["auth"] != "trusted" {
            return Err(self.stranger("it does not trust this box's certificate"));
        }
        let server = &greeting["environment"]["server"];
        *lock(&self.met) = Some(if server == "lxd" { Runtime::Lxd } else { Runtime::Incus });
        Ok(())
    }

    fn greeting(&self, deadline: Instant) -> Result<Value, Error> {
        let answer = self.send(ClientRequest::new("GET", "/1.0", deadline).with_max_response(MAX_GREETING))?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match &body["metadata"] {
            Value::Object(_) if answer.status == 200 => Ok(body["metadata"].clone()),
            _ => Err(self.away(Away::Refusing, "what answers there is neither Incus nor LXD")),
        }
    }

    /// Redeems the trust token, if there is one and it was not tried just now. A token works once and another try may
    /// have come first, so only what the node says afterwards decides.
    fn redeem(&self, deadline: Instant) -> Result<bool, Error> {
        let Some(token) = &self.options.token else { return Ok(false) };
        let mut redeemed = lock(&self.redeemed);
        if redeemed.is_some_and(|at| at.elapsed() < REDEEM_PAUSE) {
            return Ok(false);
        }
        *redeemed = Some(Instant::now());
        // Older servers expect it as `password`; none rejects a field that it does not know.
        let token = token.reveal();
        let body = json!({"type": "client", "name": "taosd", "trust_token": token, "password": token});
        let body = zeroize::Zeroizing::new(body.to_string());
        let request = ClientRequest::new("POST", "/1.0/certificates", deadline)
            .with_body("application/json", body.as_bytes())
            .with_max_response(MAX_GREETING);
        let answer = self.send(request)?;
        if answer.status < 300 {
            log::info!("node {} trusts this box now", self.options.name);
        } else {
            log::warn!("node {} did not take the trust token (status {})", self.options.name, answer.status);
        }
        Ok(true)
    }

    fn send(&self, request: ClientRequest) -> Result<Response, Error> {
        let endpoint = &self.options.endpoint;
        let sent = endpoint
            .resolve()
            .and_then(|address| endpoint.call(address, Some(&self.trust), request.with_connect_patience(CONNECT)));
        sent.map_err(|error| no_answer(self.runtime(), Some(self.options.name.as_str()), &error))
    }

    fn runtime(&self) -> Runtime {
        lock(&self.met).unwrap_or(Runtime::Incus)
    }

    fn stranger(&self, why: &str) -> Error {
        self.away(Away::Denied, why)
    }

    fn away(&self, away: Away, why: &str) -> Error {
        Error::unavailable(self.runtime(), away, why).on(Some(self.options.name.as_str()))
    }
}

fn no_answer(runtime: Runtime, node: Option<&str>, error: &ClientError) -> Error {
    match error {
        ClientError::Unreachable(why) | ClientError::Unusable(why) => {
            let away = if why.kind() == std::io::ErrorKind::TimedOut { Away::Hanging } else { Away::of(why.kind()) };
            Error::unavailable(runtime, away, error.to_string()).on(node)
        }
        ClientError::Tls(_) => Error::unavailable(runtime, Away::Refusing, error.to_string()).on(node),
        ClientError::Deadline => Error::Deadline(runtime),
        ClientError::Closed | ClientError::Protocol(_) | ClientError::TooLarge(_) | ClientError::Sink(_) => {
            Error::invalid_response(error.to_string())
        }
        ClientError::Invalid(_) => Error::refused(error.to_string()),
    }
}
