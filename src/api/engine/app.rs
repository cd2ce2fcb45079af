//! The application that all handlers share: the store, the gate, the settings, the counters.

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

/// Renders the page that shows a refusal to a person.
pub type RefusalPage = fn(&ApiError, &Head) -> Reply;

/// Renders a page of the documentation for a browser.
pub type DocPage = fn(&Input, &docs::DocsQuery<'_>) -> Reply;

/// The content of a page for people; the console's frame goes around it.
#[derive(Debug)]
pub struct Framed<'a> {
    /// The status of the reply.
    pub status: StatusCode,
    /// The page's title.
    pub title: &'a str,
    /// The page's content, as HTML.
    pub main: &'a str,
    /// The address that the browser opens next without a click.
    pub onward: Option<&'a str>,
}

/// Puts the console's frame around a page. `None` as the caller: nobody is logged in.
pub type FramedPage = fn(&App, &Input, Option<&Caller>, &Framed<'_>) -> Reply;

/// The application.
pub struct App {
    /// The table of routes.
    pub routes: &'static [&'static [ApiRoute]],
    /// Finds a request's row of the table.
    pub(crate) router: Router<PublicHandler, CheckedHandler, AtOnceHandler>,
    /// Renders a refusal for a browser.
    pub refusal_page: RefusalPage,
    /// Renders the documentation for a browser.
    pub doc_page: DocPage,
    /// Puts the console's frame around a page.
    pub framed_page: FramedPage,
    /// The settings in force.
    pub config: Arc<LiveConfig>,
    /// The database.
    pub store: Arc<Store>,
    /// The clock that decides when something expires or is deleted.
    pub clock: Arc<Clock>,
    /// The access check.
    pub gate: Arc<Gate>,
    /// The runner of operations.
    pub jobs: Arc<Jobs>,
    /// The idempotency keys whose requests are running.
    pub in_flight: Arc<InFlight>,
    /// The id of this run of the daemon; the owner of its idempotency reservations.
    pub instance: Arc<str>,
    /// Reads the logs that clients follow.
    pub log_tail: LogTail,
    /// The open event streams, and the topics that requests wait for.
    pub streams: Arc<Streams>,
    /// Delivers to the webhook, if one is configured.
    pub webhook: Arc<WebhookSender>,
    /// Delivers to people's channels.
    pub channels: Arc<ChannelSender>,
    /// The receipts of fetched messages that are not on disk yet.
    pub fetched: Arc<Fetched>,
    /// The message that the streams sent last, rendered once for all of them.
    pub recent: Arc<Recent>,
    /// The thread that deletes old messages and reports overdue replies.
    pub upkeep: Arc<Upkeep>,
    /// The thread that ends expired leases on tasks.
    pub leases: Arc<Leases>,
    /// The thread that puts agents to sleep and wakes them.
    pub sleeper: Arc<Sleeper>,
    /// The thread that ends expired requests and grants.
    pub endings: Arc<Endings>,
    /// The places for running uploads.
    pub uploads: Arc<Places>,
    /// The places for running downloads.
    pub downloads: Arc<Places>,
    /// The places for running downloads of backups.
    pub backup_downloads: Arc<Places>,
    /// The cache of replies.
    pub kept: ReplyCache,
    /// The counters of requests.
    pub metrics: RequestMetrics,
    /// The state of the automatic backups.
    pub backups: Arc<BackupHealth>,
    /// The access log.
    pub access_log: AccessLog,
    /// The start of this run.
    pub started: Instant,
    /// Forwards requests to agents.
    pub forwarder: Arc<Forwarder>,
    /// The key that signs the head of the audit; `None` if it is not available.
    pub box_key: Option<Arc<BoxKey>>,
    /// The addresses that the daemon listens on.
    pub listening: Arc<OnceLock<Vec<SocketAddr>>>,
    /// Pending logins: links, requests of programs, codes.
    pub logins: Arc<Logins>,
    /// Joins that wait for a decision.
    pub joins: Arc<Joins>,
    edge: OnceLock<edge::Handle>,
    /// A handle to this application, for work that continues after a handler.
    own: OnceLock<Weak<App>>,
}

/// The parts of an application; the composition root builds them.
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
    /// Creates an application from these parts; its start time is now.
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

    /// Applies these settings: stores them, and passes them to the parts that keep a copy.
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

    /// Returns a handle for work that continues after the handler.
    pub fn handle(&self) -> Weak<Self> {
        self.own.get().cloned().unwrap_or_default()
    }

    /// Stores the handle that [`App::handle`] returns.
    pub(crate) fn know(self: &Arc<Self>) {
        let _ = self.own.set(Arc::downgrade(self));
    }

    /// Sets the running edge, for `/readyz`, `/metrics` and [`App::apply`].
    pub fn set_edge(&self, handle: edge::Handle) {
        let _ = self.edge.set(handle);
    }

    /// Returns a notifier for the daemon's own notifications to people.
    pub fn notifier(&self) -> Notifier {
        let to_webhook = self.config.watch(|now| now.webhook.is_some());
        Notifier::new(Arc::clone(&self.store), Arc::clone(&self.streams), Arc::clone(&self.webhook), to_webhook)
    }

    /// Returns the rule for the addresses of requests to agents.
    pub fn target_rule(&self) -> Rule {
        Rule { listening: self.listening.get().cloned().unwrap_or_default() }
    }

    /// Returns the running edge, once it is set.
    pub fn edge(&self) -> Option<&edge::Handle> {
        self.edge.get()
    }
}
