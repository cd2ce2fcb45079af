//! What handlers share: the store, the gate, the settings, the counters.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use hyper::http::StatusCode;

use super::api_route::{ApiRoute, AtOnceHandler, CheckedHandler, PublicHandler};
use super::idempotency::InFlight;
use super::joins::Joins;
use super::logins::Logins;
use super::metrics::RequestMetrics;
use super::paging;
use super::reply_cache::ReplyCache;
use crate::access::{BoxKey, Caller, Gate};
use crate::client::forwarder::Forwarder;
use crate::config::{Config, LiveConfig};
use crate::docs;
use crate::http::access_log::AccessLog;
use crate::http::edge;
use crate::jobs::endpoints::acp_target::Rule;
use crate::jobs::events::channels::ChannelSender;
use crate::jobs::events::fetched::Fetched;
use crate::jobs::events::log_tail::LogTail;
use crate::jobs::events::notifier::Notifier;
use crate::jobs::events::places::Places;
use crate::jobs::events::recent::Recent;
use crate::jobs::events::streams::Streams;
use crate::jobs::events::webhook::WebhookSender;
use crate::jobs::operations::Jobs;
use crate::jobs::upkeep::backup_scheduler::BackupHealth;
use crate::jobs::upkeep::endings::Endings;
use crate::jobs::upkeep::leases::Leases;
use crate::jobs::upkeep::messages::Upkeep;
use crate::jobs::upkeep::sleeper::Sleeper;
use crate::limits;
use crate::rest::error::ApiError;
use crate::rest::head::Head;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::router::Router;
use crate::store::{self, Store};
use crate::time::Clock;

/// The page that tells a person of a refusal.
pub type RefusalPage = fn(&ApiError, &Head) -> Reply;

/// The page of the documentation that a browser gets.
pub type DocPage = fn(&Input, &docs::DocsQuery<'_>) -> Reply;

/// A page for people that the console's frame goes around.
#[derive(Debug)]
pub struct Framed<'a> {
    /// The status of the reply.
    pub status: StatusCode,
    /// What it is called.
    pub title: &'a str,
    /// What it shows, as HTML.
    pub main: &'a str,
    /// The address that the browser opens next by itself.
    pub onward: Option<&'a str>,
}

/// What puts the frame around a page, for who is logged in or for a stranger.
pub type FramedPage = fn(&App, &Input, Option<&Caller>, &Framed<'_>) -> Reply;

/// The application.
pub struct App {
    /// The table of routes.
    pub routes: &'static [&'static [ApiRoute]],
    /// From a request to its row of the table.
    pub(crate) router: Router<PublicHandler, CheckedHandler, AtOnceHandler>,
    /// What a browser is shown of a refusal.
    pub refusal_page: RefusalPage,
    /// What a browser is shown of the documentation.
    pub doc_page: DocPage,
    /// What puts the console's frame around a page.
    pub framed_page: FramedPage,
    /// The settings in force.
    pub config: Arc<LiveConfig>,
    /// The database.
    pub store: Arc<Store>,
    /// The clock that ends and removals go by.
    pub clock: Arc<Clock>,
    /// The access check.
    pub gate: Arc<Gate>,
    /// Slow work.
    pub jobs: Arc<Jobs>,
    /// Keys being worked on.
    pub in_flight: Arc<InFlight>,
    /// This run of the daemon; owns its reservations.
    pub instance: Arc<str>,
    /// Logs that are followed.
    pub log_tail: LogTail,
    /// Event streams and waits.
    pub streams: Arc<Streams>,
    /// Deliveries to the webhook, where there is one.
    pub webhook: Arc<WebhookSender>,
    /// Deliveries to people's channels.
    pub channels: Arc<ChannelSender>,
    /// Fetches of messages that are not on disk yet.
    pub fetched: Arc<Fetched>,
    /// The message that streams told last.
    pub recent: Arc<Recent>,
    /// What becomes of messages by themselves.
    pub upkeep: Arc<Upkeep>,
    /// The clock of leases on tasks.
    pub leases: Arc<Leases>,
    /// Sleep and wake of agents.
    pub sleeper: Arc<Sleeper>,
    /// Ends requests and grants by their time.
    pub endings: Arc<Endings>,
    /// Uploads on their way.
    pub uploads: Arc<Places>,
    /// Downloads on their way.
    pub downloads: Arc<Places>,
    /// Downloads of backups on their way.
    pub backup_downloads: Arc<Places>,
    /// Replies that may be given again.
    pub kept: ReplyCache,
    /// Counters.
    pub metrics: RequestMetrics,
    /// How the automatic backups are doing.
    pub backups: Arc<BackupHealth>,
    /// Where lines of the access log go.
    pub access_log: AccessLog,
    /// When this run began.
    pub started: Instant,
    /// Carries requests on to agents.
    pub forwarder: Arc<Forwarder>,
    /// What signs the head of the audit; `None` if it cannot be had.
    pub box_key: Option<Arc<BoxKey>>,
    /// Where the daemon itself listens on the network.
    pub listening: Arc<OnceLock<Vec<SocketAddr>>>,
    /// Logins on their way: links, requests of programs, codes.
    pub logins: Arc<Logins>,
    /// Joins that wait for a decision.
    pub joins: Arc<Joins>,
    edge: OnceLock<edge::Handle>,
    /// Itself, for work that goes on after a handler.
    own: OnceLock<Weak<App>>,
}

/// What an application is made of; the composition root builds it.
pub struct AppParts {
    /// See [`App::routes`].
    pub routes: &'static [&'static [ApiRoute]],
    /// See [`App::refusal_page`].
    pub refusal_page: RefusalPage,
    /// See [`App::doc_page`].
    pub doc_page: DocPage,
    /// See [`App::framed_page`].
    pub framed_page: FramedPage,
    /// See [`App::config`].
    pub config: Arc<LiveConfig>,
    /// See [`App::store`].
    pub store: Arc<Store>,
    /// See [`App::clock`].
    pub clock: Arc<Clock>,
    /// See [`App::gate`].
    pub gate: Arc<Gate>,
    /// See [`App::jobs`].
    pub jobs: Arc<Jobs>,
    /// See [`App::log_tail`].
    pub log_tail: LogTail,
    /// See [`App::streams`].
    pub streams: Arc<Streams>,
    /// See [`App::webhook`].
    pub webhook: Arc<WebhookSender>,
    /// See [`App::channels`].
    pub channels: Arc<ChannelSender>,
    /// See [`App::fetched`].
    pub fetched: Arc<Fetched>,
    /// See [`App::upkeep`].
    pub upkeep: Arc<Upkeep>,
    /// See [`App::leases`].
    pub leases: Arc<Leases>,
    /// See [`App::sleeper`].
    pub sleeper: Arc<Sleeper>,
    /// See [`App::endings`].
    pub endings: Arc<Endings>,
    /// See [`App::access_log`].
    pub access_log: AccessLog,
    /// See [`App::forwarder`].
    pub forwarder: Arc<Forwarder>,
    /// See [`App::box_key`].
    pub box_key: Option<Arc<BoxKey>>,
    /// See [`App::listening`].
    pub listening: Arc<OnceLock<Vec<SocketAddr>>>,
}

impl App {
    /// An application of these parts, which begins now.
    pub fn new(parts: AppParts) -> Self {
        let registrations = parts.config.watch(|now| now.oauth.registrations_per_minute);
        let logins = Logins::new(parts.box_key.as_deref(), registrations);
        Self {
            router: Router::new(parts.routes),
            routes: parts.routes,
            refusal_page: parts.refusal_page,
            doc_page: parts.doc_page,
            framed_page: parts.framed_page,
            config: parts.config,
            store: parts.store,
            clock: parts.clock,
            gate: parts.gate,
            jobs: parts.jobs,
            in_flight: Arc::default(),
            instance: store::new_id().into(),
            log_tail: parts.log_tail,
            streams: parts.streams,
            webhook: parts.webhook,
            channels: parts.channels,
            fetched: parts.fetched,
            recent: Arc::default(),
            upkeep: parts.upkeep,
            leases: parts.leases,
            sleeper: parts.sleeper,
            endings: parts.endings,
            uploads: Places::new(limits::UPLOADS),
            downloads: Places::new(limits::DOWNLOADS),
            backup_downloads: Places::new(limits::BACKUP_DOWNLOADS),
            kept: ReplyCache::default(),
            metrics: RequestMetrics::default(),
            backups: Arc::default(),
            access_log: parts.access_log,
            started: Instant::now(),
            forwarder: parts.forwarder,
            box_key: parts.box_key,
            listening: parts.listening,
            logins: Arc::new(logins),
            joins: Arc::default(),
            edge: OnceLock::new(),
            own: OnceLock::new(),
        }
    }

    /// Puts these settings in force, as far as they are not read where they are used.
    pub fn apply(&self, config: Config) {
        self.store.log_slower_than(config.limits.slow_query_ms);
        self.store.end_reads_after(config.limits.read_timeout_ms);
        paging::set_page_bytes(config.limits.max_page_bytes);
        if let Some(edge) = self.edge() {
            edge.set(config.limits.clone(), config.host_names());
        }
        self.config.put(config);
        self.webhook.nudge();
    }

    /// A handle for what a handler leaves to be done later.
    pub fn handle(&self) -> Weak<Self> {
        self.own.get().cloned().unwrap_or_default()
    }

    /// Makes the application known to itself.
    pub(crate) fn know(self: &Arc<Self>) {
        let _ = self.own.set(Arc::downgrade(self));
    }

    /// Makes the running edge known, for `/readyz` and `/metrics`.
    pub fn set_edge(&self, handle: edge::Handle) {
        let _ = self.edge.set(handle);
    }

    /// One who tells people what the daemon itself has to say.
    pub fn notifier(&self) -> Notifier {
        let to_webhook = self.config.watch(|now| now.webhook.is_some());
        Notifier::new(Arc::clone(&self.store), Arc::clone(&self.streams), Arc::clone(&self.webhook), to_webhook)
    }

    /// Where requests to agents may go.
    pub fn target_rule(&self) -> Rule {
        Rule { listening: self.listening.get().cloned().unwrap_or_default() }
    }

    /// The running edge.
    pub fn edge(&self) -> Option<&edge::Handle> {
        self.edge.get()
    }
}
