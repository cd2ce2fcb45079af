//! Health checks (Agentex contract, section 5), if `agentex.health_checks` is set: every registered agent gets a
//! request to `<acp_url>/healthz` from time to time, and only a change of its health is written.
//!
//! One thread decides and counts. The forwarder sends the requests, so many run at once without a thread each. An
//! agent's reply is untrusted: it gets little time and few bytes, no redirect is followed, and only yes or no is read
//! from it.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::forwarder::Forwarder;
use crate::client::http::{ClientError, ClientRequest, Response, Target};
use crate::config::Watched;
use crate::containers::{ContainerPlace, ContainerState, Detail, Status};
use crate::jobs::endpoints::acp_target::Rule;
use crate::jobs::endpoints::acp_url::AcpUrl;
use crate::jobs::endpoints::host_net::{HostNet, canonical, is_unicast};
use crate::jobs::operations::{Jobs, OperationError, within};
use crate::limits::{HEALTH_ANSWER_BYTES, HEALTH_CHECKS, HEALTH_MISSES, HEALTH_TIMEOUT};
use crate::store::registrations::{self, CheckedEndpoint};
use crate::threads::{Pause, Periodic};
use crate::time::Micros;

/// Seconds for the list of containers.
const CALL: u64 = 10;
/// How often the settings are read while there are no checks.
const OFF: Duration = Duration::from_secs(30);
/// How soon the end of the daemon is noticed during a round.
const LOOK: Duration = Duration::from_millis(100);

/// Starts the thread. It begins a round every `period`, or later if a round takes longer; none while there is no
/// period.
///
/// # Errors
/// A thread cannot be started.
pub fn start(
    jobs: &Arc<Jobs>,
    forwarder: Arc<Forwarder>,
    rule: Rule,
    period: Watched<Option<Duration>>,
) -> std::io::Result<Periodic> {
    let jobs = Arc::downgrade(jobs);
    Periodic::start("health", move |pause| {
        let (jobs, forwarder, rule) = (jobs.clone(), Arc::clone(&forwarder), rule.clone());
        let mut checker = Checker { jobs, forwarder, rule, pause, misses: HashMap::new() };
        let after = |begin: Instant| begin + period.now().unwrap_or(OFF);
        let mut next = after(Instant::now());
        while checker.rests_until(next) {
            next = after(Instant::now());
            if period.now().is_none() {
                continue;
            }
            if let Err(error) = checker.round() {
                log::debug!("agents' health could not be looked at: {error}");
            }
        }
    })
}

struct Checker<'a> {
    jobs: Weak<Jobs>,
    forwarder: Arc<Forwarder>,
    rule: Rule,
    pause: &'a Pause,
    misses: HashMap<String, Misses>,
}

/// Misses in a row of one registration at one address; a new registration or address starts again at 0.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Misses {
    registered_at: Micros,
    url: String,
    count: u32,
}

/// What a round does about an agent.
enum HealthPlan {
    /// Ask it at this address.
    Ask(std::net::SocketAddr, AcpUrl),
    /// It cannot be reached, which is a miss.
    Miss,
    /// Leave it alone: its container is down or on a node, or nothing may be sent to its address.
    Leave,
}

impl Checker<'_> {
    /// Waits until `end`; false once the daemon stops.
    fn rests_until(&self, end: Instant) -> bool {
        self.pause.lasts(end.saturating_duration_since(Instant::now()))
    }

    fn round(&mut self) -> Result<(), OperationError> {
        let Some(jobs) = self.jobs.upgrade() else { return Ok(()) };
        let agents = jobs.store.lookup(registrations::checked)?;
        let containers = match agents
            .iter()
            .any(|agent| agent.container_name.as_deref().is_some_and(|name| ContainerPlace::node_in(name).is_none()))
        {
            true => jobs.any_driver()?.list(Detail::Full, within(CALL))?,
            false => Vec::new(),
        };
        drop(jobs);
        let net = if containers.is_empty() { HostNet::default() } else { HostNet::read() };
        let mut counted = HashMap::new();
        let (tell, told) = channel::<(CheckedEndpoint, bool)>();
        let mut asked = 0;
        for agent in agents {
            while asked >= HEALTH_CHECKS {
                if !self.take(&told, &mut counted) {
                    return Ok(());
                }
                asked -= 1;
            }
            match self.plan(&agent, &containers, &net) {
                HealthPlan::Ask(to, url) => {
                    self.ask(agent, to, &url, tell.clone());
                    asked += 1;
                }
                HealthPlan::Miss => self.settle(agent, false, &mut counted),
                HealthPlan::Leave => {}
            }
        }
        for _ in 0..asked {
            if !self.take(&told, &mut counted) {
                return Ok(());
            }
        }
        // An agent that was not checked in this round starts again at 0.
        self.misses = counted;
        Ok(())
    }

    fn plan(&self, agent: &CheckedEndpoint, containers: &[ContainerState], net: &HostNet) -> HealthPlan {
        let Some(url) = AcpUrl::parse(&agent.url) else { return HealthPlan::Leave };
        let Some(name) = agent.container_name.as_deref() else {
            return self
                .rule
                .on_this_machine(&url, agent.by_user)
                .map_or(HealthPlan::Leave, |to| HealthPlan::Ask(to, url));
        };
        let state = containers.iter().find(|state| state.name.as_str() == name);
        let Some(state) = state.filter(|state| state.status == Status::Running) else { return HealthPlan::Leave };
        if state.addresses.iter().all(|address| !is_unicast(canonical(*address))) {
            return HealthPlan::Miss;
        }
        self.rule.in_container(&url, state, net).map_or(HealthPlan::Leave, |to| HealthPlan::Ask(to, url))
    }

    fn ask(
        &self,
        agent: CheckedEndpoint,
        to: std::net::SocketAddr,
        url: &AcpUrl,
        tell: Sender<(CheckedEndpoint, bool)>,
    ) {
        let request = ClientRequest::new("GET", url.target("/healthz", ""), Instant::now() + HEALTH_TIMEOUT)
            .with_header("user-agent", concat!("taosd/", env!("CARGO_PKG_VERSION")))
            .with_header("accept", "application/json")
            .with_max_response(HEALTH_ANSWER_BYTES);
        self.forwarder.send(Target::Tcp(to), request, move |answer| {
            let hit = is_healthy(&agent.id, answer);
            // The receiver is gone once the daemon stops.
            let _ = tell.send((agent, hit));
        });
    }

    /// Takes one reply; every request gets one by its own deadline. False once the daemon stops.
    fn take(&mut self, told: &Receiver<(CheckedEndpoint, bool)>, counted: &mut HashMap<String, Misses>) -> bool {
        loop {
            match told.recv_timeout(LOOK) {
                Ok((agent, hit)) => {
                    self.settle(agent, hit, counted);
                    return true;
                }
                Err(RecvTimeoutError::Timeout) if !self.pause.is_over() => {}
                Err(_) => return false,
            }
        }
    }

    fn settle(&self, agent: CheckedEndpoint, hit: bool, counted: &mut HashMap<String, Misses>) {
        let before = self.misses.get(&agent.id);
        let before = before.filter(|m| m.registered_at == agent.registered_at && m.url == agent.url);
        let count = if hit { 0 } else { before.map_or(0, |misses| misses.count).saturating_add(1) };
        let change = match (hit, agent.unhealthy) {
            (true, true) => Some(false),
            (false, false) if count >= HEALTH_MISSES => Some(true),
            _ => None,
        };
        if let (Some(unhealthy), Some(jobs)) = (change, self.jobs.upgrade()) {
            note(&jobs, &agent, unhealthy);
        }
        let CheckedEndpoint { id, registered_at, url, .. } = agent;
        counted.insert(id, Misses { registered_at, url, count });
    }
}

fn note(jobs: &Jobs, agent: &CheckedEndpoint, unhealthy: bool) {
    let (id, at) = (agent.id.clone(), agent.registered_at);
    match jobs.store.write(move |conn| registrations::set_health(conn, &id, at, unhealthy)) {
        Ok(true) if unhealthy => log::info!("agent {} is unhealthy: {HEALTH_MISSES} checks in a row failed", agent.id),
        Ok(true) => log::info!("agent {} is healthy again", agent.id),
        Ok(false) => {}
        Err(error) => log::warn!("the health of agent {} could not be noted: {error}", agent.id),
    }
}

/// True for 200 and a JSON object whose `status` is `healthy` and whose `agent_id`, if it has one, is this agent's.
fn is_healthy(id: &str, answer: Result<Response, ClientError>) -> bool {
    let Ok(answer) = answer else { return false };
    let Ok(Value::Object(body)) = serde_json::from_slice(&answer.body) else { return false };
    let own = body.get("agent_id").is_none_or(|told| told.is_null() || told == id);
    answer.status == 200 && own && body.get("status").is_some_and(|status| status == "healthy")
}
