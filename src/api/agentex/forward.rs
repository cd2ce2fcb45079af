//! Forwards a request to an agent (Agentex contract, section 7): who may forward, the target address, and which headers
//! pass.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::header::{CACHE_CONTROL, CONNECTION, HeaderMap, HeaderName, HeaderValue};
use hyper::http::{Method, StatusCode};

use super::row::row;
use super::visible::{AgentRef, by_name, find};
use crate::access::{Action, AgentRole, Sender};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Step};
use crate::api::engine::dispatch::render;
use crate::client::forwarder::{ForwardSlot, Forwarder};
use crate::client::http::{ClientError, ClientRequest, Response, Target};
use crate::containers::{ContainerName, ContainerPlace, Driver};
use crate::jobs::endpoints::acp_target::Rule;
use crate::jobs::endpoints::acp_url::{AcpUrl, is_dots};
use crate::jobs::endpoints::host_net::HostNet;
use crate::jobs::operations::lifecycle;
use crate::limits::{FORWARD_BYTES, FORWARD_TIMEOUT, FORWARDS};
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::input::Input;
use crate::rest::reply::{Body, Reply};
use crate::rest::route::{Access, Answer, Need};
use crate::rest::service::Outcome;
use crate::rest::stream::{self, Fulfiller};
use crate::secret::has_own_secret;
use crate::store::registrations::RegisteredAgent;
use crate::store::{agents, deployments};

const NEED: Need = Need { action: Action::AgentsForward, classes: &[], dialect: Dialect::Agentex };
const DOC: &str = "concepts/agentex#forwarding";

const fn forwarding(method: Method, id: &'static str) -> ApiRoute {
    row(method, "/agents/forward/name/{name}/{path...}", Access::Bearer(Action::AgentsForward, forward))
        .taking_raw()
        .described(id, "Send a request on to an agent", "With an external key of the agent, or as its editor.", DOC)
        .answering(200, Answer::Foreign)
        .failing(&[
            codes::AGENT_NOT_FOUND,
            codes::FORBIDDEN,
            codes::NO_ACP_URL,
            codes::ACP_URL_NOT_ALLOWED,
            codes::FORWARD_FAILED,
            codes::FORWARD_TIMEOUT,
        ])
}

/// The forwarding rows of the route table.
pub const ROUTES: &[ApiRoute] =
    &[forwarding(Method::GET, "agentex_forward_get"), forwarding(Method::POST, "agentex_forward_post")];

fn forward(app: &App, input: Input) -> Handled {
    let named = AgentRef::Name(input.param(0).to_owned());
    let (entry, input) = match app.gate.sender(&input.head, &NEED)? {
        Sender::Key { agent_id } => {
            let entry = app.store.read(|conn| by_name(conn, named.text()))?;
            // The key of another agent is refused, whether or not an agent with this name exists.
            let own = entry.filter(|entry| entry.id == agent_id);
            (own.ok_or_else(|| app.gate.refuse_sender(&input.head, &NEED))?, input)
        }
        Sender::User(caller) => {
            let call = Call::of(app, *caller, input, Action::AgentsForward);
            let found = app.store.read(|conn| find(conn, &call.caller, &named, AgentRole::Editor));
            let found = found.map_err(|mut error| {
                call.watch.saw(&mut error);
                error
            });
            (found?, call.input)
        }
    };
    let url = address(app, &entry)?;
    if input.raw.len() > FORWARD_BYTES {
        return Err(codes::BODY_TOO_LARGE.into());
    }
    let request = request(&input, &url.0)?;
    let place = app.forwarder.place(&entry.id, FORWARDS).ok_or_else(|| {
        ApiError::new(codes::BUSY).detail("The agent has the maximum number of forwarded requests at the moment.")
    })?;
    let (fulfiller, promise) = stream::promise();
    let job = PendingForward { fulfiller, place, request_id: input.head.request_id.clone() };
    send(app, job, entry, url, request)?;
    Ok(Step::Later(Outcome::Pending(promise)))
}

/// Returns the address that the agent registered, and whether a user registered it.
fn address(app: &App, entry: &RegisteredAgent) -> Result<(AcpUrl, bool), ApiError> {
    let production = app.store.lookup(|conn| deployments::production(conn, &entry.id))?;
    let own = (entry.registration.acp_url.clone(), entry.registration.by_user);
    let (text, by_user) = production.map_or(own, |deployment| (deployment.acp_url, deployment.by_user));
    let text = text.ok_or(codes::NO_ACP_URL)?;
    let url = AcpUrl::parse(&text).ok_or(codes::ACP_URL_NOT_ALLOWED)?;
    Ok((url, by_user))
}

/// A running forwarded request, and the client that waits for it.
struct PendingForward {
    fulfiller: Fulfiller,
    place: ForwardSlot,
    request_id: String,
}

impl PendingForward {
    fn end(self, reply: Result<Reply, ApiError>) {
        drop(self.place);
        let reply = reply.unwrap_or_else(|error| render(&error, Dialect::Agentex, &self.request_id));
        self.fulfiller.keep(Outcome::Done(reply));
    }

    fn go(self, forwarder: &Forwarder, to: SocketAddr, request: ClientRequest) {
        forwarder.send(Target::Tcp(to), request, move |answer| self.end(answer.map_err(failed).map(reply)));
    }
}

/// Finds the address by the rule and sends the request there. A container's address is read on a thread that may wait
/// for the runtime.
fn send(
    app: &App,
    job: PendingForward,
    entry: RegisteredAgent,
    url: (AcpUrl, bool),
    request: ClientRequest,
) -> Result<(), ApiError> {
    app.store
        .lookup(|conn| agents::is_frozen(conn, &entry.id))
        .map_err(ApiError::from)
        .and_then(|frozen| if frozen { Err(codes::AGENT_FROZEN.into()) } else { Ok(()) })?;
    let (forwarder, rule) = (Arc::clone(&app.forwarder), app.target_rule());
    let Some(container) = entry.container_name else {
        let to = rule.on_this_machine(&url.0, url.1).ok_or(codes::ACP_URL_NOT_ALLOWED)?;
        job.go(&forwarder, to, request);
        return Ok(());
    };
    app.jobs
        .look(None, move |jobs| {
            match jobs
                .driver()
                .map_err(ApiError::from)
                .and_then(|driver| inside(driver.as_ref(), &entry.id, &container, &url.0, &rule))
            {
                Ok(to) => job.go(&forwarder, to, request),
                Err(error) => job.end(Err(error)),
            }
        })
        .map_err(ApiError::from)
}

/// Returns the address in the agent's own container, as its runtime reports it now.
fn inside(
    driver: &dyn Driver,
    agent_id: &str,
    container: &str,
    url: &AcpUrl,
    rule: &Rule,
) -> Result<SocketAddr, ApiError> {
    let unreachable = |why: String| ApiError { cause: Some(why), ..codes::FORWARD_FAILED.into() };
    if ContainerPlace::node_in(container).is_some() {
        return Err(unreachable("the container is on a node, whose containers' networks are not this box's".into()));
    }
    let name = ContainerName::parse(container).map_err(|why| unreachable(why.to_string()))?;
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(5);
    let state = lifecycle::own(driver.get(&name, patience), agent_id).map_err(|why| unreachable(why.to_string()))?;
    if state.ip.is_none() {
        return Err(unreachable("the container has no address".into()));
    }
    rule.in_container(url, &state, &HostNet::read()).ok_or_else(|| codes::ACP_URL_NOT_ALLOWED.into())
}

/// Returns the request in the form that the agent gets.
fn request(input: &Input, url: &AcpUrl) -> Result<ClientRequest, ApiError> {
    let head = &input.head;
    // The fifth segment and the following ones, unchanged.
    let path = head.raw_path.split('/').skip(5).collect::<Vec<_>>().join("/");
    if path.split('/').any(is_dots) {
        return Err(ApiError::new(codes::INVALID_PATH).detail("The path has a dot segment, possibly percent-encoded."));
    }
    let method = if head.method == Method::POST { "POST" } else { "GET" };
    let deadline = head.arrived + FORWARD_TIMEOUT;
    let mut request = ClientRequest::new(method, url.target(&format!("/{path}"), &head.query), deadline);
    let listed = connection_words(&head.headers);
    for (name, value) in &head.headers {
        if let Ok(value) = value.to_str()
            && !is_dropped(name.as_str(), &listed)
            && !has_own_secret(value)
        {
            request = request.with_header(name.as_str(), value);
        }
    }
    if method == "POST" {
        request = request.with_raw_body(input.raw.to_vec());
    }
    Ok(request.with_max_response(FORWARD_BYTES))
}

/// Headers that apply to one connection (RFC 9110, section 7.6.1), beside those that `Connection` names.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that the agent does not get: credentials, and those with which the sender could pose as somebody else.
const NOT_SENT: &[&str] = &[
    "host",
    "cookie",
    "cookie2",
    "authorization",
    "x-agent-api-key",
    "x-api-key",
    "x-agent-identity",
    "forwarded",
    "x-real-ip",
    "via",
    "expect",
    "content-length",
];

/// Headers of the agent's reply that would affect the daemon's own origin, or that the daemon sets itself.
const NOT_RETURNED: &[&str] = &[
    "set-cookie",
    "set-cookie2",
    "clear-site-data",
    "service-worker-allowed",
    "content-security-policy",
    "content-security-policy-report-only",
    "strict-transport-security",
    "public-key-pins",
    "alt-svc",
    "nel",
    "report-to",
    "reporting-endpoints",
    "www-authenticate",
    "refresh",
    "content-length",
    "date",
    "server",
    "x-request-id",
    "x-content-type-options",
    "referrer-policy",
];

fn connection_words(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|word| word.trim().to_ascii_lowercase()).collect()
}

/// True for a header that is not forwarded. Many servers read `_` in a name as `-`, so `_` and `.` count as `-` here.
fn is_dropped(name: &str, listed: &[String]) -> bool {
    let name = &*name.replace(['_', '.'], "-");
    HOP_BY_HOP.contains(&name)
        || NOT_SENT.contains(&name)
        || name.starts_with("x-forwarded")
        || name.starts_with("proxy-")
        || listed.iter().any(|word| word.replace(['_', '.'], "-") == name)
}

/// Returns the agent's reply in the form that the sender gets. It shares the origin of the daemon's own pages, so a
/// policy stops it from doing anything there.
fn reply(answer: Response) -> Reply {
    let Some(status) = StatusCode::from_u16(answer.status).ok().filter(|status| status.as_u16() >= 200) else {
        return ApiError::new(codes::FORWARD_FAILED).reply(Dialect::Agentex);
    };
    let mut headers = HeaderMap::new();
    let pairs = || {
        answer
            .headers()
            .filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?)))
    };
    let all: HeaderMap = pairs().collect();
    let listed = connection_words(&all);
    for (name, value) in pairs() {
        let text = name.as_str();
        let goes = HOP_BY_HOP.contains(&text)
            || NOT_RETURNED.contains(&text)
            || text.starts_with("access-control-")
            || text.starts_with("proxy-")
            || listed.iter().any(|word| word == text);
        if !goes {
            headers.append(name, value);
        }
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let policy = HeaderName::from_static("content-security-policy");
    headers.insert(policy, HeaderValue::from_static("sandbox; default-src 'none'"));
    Reply { status, headers, body: Body::Bytes(answer.body.into()), close: false, decided: None }
}

/// Returns the refusal for a request without a reply; its text is fixed.
fn failed(error: ClientError) -> ApiError {
    let code = if matches!(error, ClientError::Deadline) { codes::FORWARD_TIMEOUT } else { codes::FORWARD_FAILED };
    log::info!("a request could not be forwarded: {error}");
    code.into()
}
