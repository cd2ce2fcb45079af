//! What handlers share: the store, the gate, the settings, the counters.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rusqlite::Connection;

use super::api_route::ApiRoute;
use super::idempotency::InFlight;
use super::metrics::RequestMetrics;
use super::paging;
use crate::access::{BOX_KEY, BoxKey, Gate, SigningKeys};
use crate::client::forwarder::Forwarder;
use crate::config::{Config, LiveConfig};
use crate::http::access_log::AccessLog;
use crate::http::edge;
use crate::jobs::endpoints::acp_target::Rule;
use crate::jobs::events::fetched::Fetched;
use crate::jobs::events::log_tail::LogTail;
use crate::jobs::events::notifier::Notifier;
use crate::jobs::events::places::Places;
use crate::jobs::events::streams::Streams;
use crate::jobs::events::webhook::{ShowNotification, WebhookSender};
use crate::jobs::operations::Jobs;
use crate::jobs::start_up::{core_knowledge, first_start};
use crate::jobs::upkeep::backup_scheduler::BackupHealth;
use crate::jobs::upkeep::leases::{self, Leases};
use crate::jobs::upkeep::messages::Upkeep;
use crate::jobs::upkeep::sweeper;
use crate::limits;
use crate::store::{self, OpenError, Store, StoreError, StoreOptions, audit, idempotency, meta, operations};
use crate::time::{Clock, Micros};

/// The application.
pub struct App {
    /// The table of routes.
    pub routes: &'static [&'static [ApiRoute]],
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
    /// Fetches of messages that are not on disk yet.
    pub fetched: Arc<Fetched>,
    /// What becomes of messages by themselves.
    pub upkeep: Arc<Upkeep>,
    /// The clock of leases on tasks.
    pub leases: Arc<Leases>,
    /// Uploads on their way.
    pub uploads: Arc<Places>,
    /// Downloads on their way.
    pub downloads: Arc<Places>,
    /// Deliveries to the webhook, where there is one.
    pub webhook: Arc<WebhookSender>,
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
    edge: OnceLock<edge::Handle>,
}

/// Why the application cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The first records cannot be written.
    #[error("the first records could not be written: {0}")]
    Store(#[from] StoreError),
    /// A file or thread cannot be had.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
}

impl App {
    /// Opens the store and makes what the first start needs. `show` is how the webhook shows a notification, `task_ended`
    /// how a space hears of a lease that has run out.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(
        config: Config,
        routes: &'static [&'static [ApiRoute]],
        show: ShowNotification,
        task_ended: fn(&Streams, &leases::Ended),
    ) -> Result<Self, StartError> {
        let live = Arc::new(LiveConfig::new(config));
        let config = live.now();
        let store = Arc::new(Store::open(&StoreOptions {
            dir: config.data_dir.clone(),
            readers: config.limits.worker_count(),
            slow_query_ms: config.limits.slow_query_ms,
            new_box: config.new_box(),
        })?);
        store.end_reads_after(config.limits.read_timeout_ms);
        paging::set_page_bytes(config.limits.max_page_bytes);
        let last = store.lookup(audit::last_at)?;
        let clock = Arc::new(Clock::start(&config.data_dir, &config.runtime_dir, &config.time_sync_file, last));
        first_start::prepare(&store)?;
        let released = store.write(|conn: &Connection| -> store::Result<usize> {
            let waiting = idempotency::reserved(conn)?;
            if waiting == 0 { Ok(0) } else { idempotency::release_all(conn) }
        });
        match released {
            Ok(0) => {}
            Ok(count) => log::info!("released {count} idempotency keys of an interrupted run"),
            // A read-only disk is no reason not to serve reads.
            Err(error) => log::error!("reservations of the last run could not be released: {error}"),
        }
        sweeper::drop_unfinished_uploads(&store);
        if let Err(error) = core_knowledge::ingest(&store) {
            log::error!("the documentation could not be stored as knowledge: {error}");
        }
        let epoch = store.lookup(|conn| meta::get(conn, meta::SIGNING_EPOCH))?.unwrap_or_default();
        let keys = SigningKeys::open(&config.runtime_dir, &epoch, Micros::now().0 / Micros::SECOND)
            .map_err(|error| StartError::Io(config.runtime_dir.display().to_string(), error))?;
        let box_key = match BoxKey::open(&config.data_dir) {
            Ok(key) => Some(Arc::new(key)),
            // On a read-only disk the rest is still worth serving.
            Err(error) => {
                log::error!(
                    "{}: {error}; the head of the audit is not signed",
                    config.data_dir.join(BOX_KEY).display()
                );
                None
            }
        };
        let gate = Arc::new(Gate::new(Arc::clone(&store), &live, keys, Arc::clone(&clock)));
        let per_principal = live.watch(|now| now.limits.max_streams_per_credential);
        let streams = Streams::start(Arc::clone(&store), Arc::clone(&gate), per_principal)
            .map_err(|error| StartError::Io("the event streams' thread".into(), error))?;
        let listening = Arc::<OnceLock<_>>::default();
        let webhook = WebhookSender::start(
            &store,
            Arc::clone(&clock),
            Arc::clone(&listening),
            live.watch(|now| now.webhook.clone()),
            show,
        )
        .map_err(|error| StartError::Io("the webhook's thread".into(), error))?;
        let access_log = AccessLog::start().map_err(|error| StartError::Io("the access log's thread".into(), error))?;
        let sockets = config.socket.parent().unwrap_or(&config.data_dir).join("agents");
        let roots =
            live.watch(|now| now.containers.mount_roots.iter().map(|root| root.path.clone()).collect::<Vec<_>>());
        // No request has been served yet: what is open was left by the last run.
        let cut = store.lookup(operations::open)?;
        let runtime = config.containers.runtime.clone();
        let jobs = Jobs::start(Arc::clone(&store), Arc::clone(&clock), cut, runtime, roots, sockets)
            .map_err(|error| StartError::Io("the runner's threads".into(), error))?;
        let (jobs, streams, webhook) = (Arc::new(jobs), Arc::new(streams), Arc::new(webhook));
        let notifier = || {
            let to_webhook = live.watch(|now| now.webhook.is_some());
            Notifier::new(Arc::clone(&store), Arc::clone(&streams), Arc::clone(&webhook), to_webhook)
        };
        let fetched =
            Fetched::start(Arc::clone(&store)).map_err(|error| StartError::Io("the receipts' thread".into(), error))?;
        let upkeep =
            Upkeep::start(Arc::clone(&store), Arc::clone(&streams), notifier(), Arc::clone(&clock), Arc::clone(&live))
                .map_err(|error| StartError::Io("the thread that looks after messages".into(), error))?;
        let telling = Arc::clone(&streams);
        let leases =
            Leases::start(&store, notifier(), move |ended| task_ended(&telling, ended)).map_err(
                |error| match error {
                    leases::StartError::Store(error) => StartError::Store(error),
                    leases::StartError::Thread(error) => StartError::Io("the thread of leases".into(), error),
                },
            )?;
        let log_tail = LogTail::start(&jobs, Arc::clone(&streams))
            .map_err(|error| StartError::Io("the thread that follows logs".into(), error))?;
        let forwarder = Forwarder::start().map_err(|error| StartError::Io("the forwarder's thread".into(), error))?;
        Ok(Self {
            routes,
            clock,
            jobs,
            gate,
            streams,
            log_tail,
            webhook,
            fetched: Arc::new(fetched),
            upkeep: Arc::new(upkeep),
            leases: Arc::new(leases),
            uploads: Places::new(limits::UPLOADS),
            downloads: Places::new(limits::DOWNLOADS),
            in_flight: Arc::default(),
            instance: store::new_id().into(),
            metrics: RequestMetrics::default(),
            backups: Arc::default(),
            access_log,
            started: Instant::now(),
            forwarder: Arc::new(forwarder),
            listening,
            box_key,
            edge: OnceLock::new(),
            config: live,
            store,
        })
    }

    /// Puts these settings in force, as far as they are not read where they are used.
    pub fn apply(&self, config: Config) {
        self.store.log_slower_than(config.limits.slow_query_ms);
        self.store.end_reads_after(config.limits.read_timeout_ms);
        paging::set_page_bytes(config.limits.max_page_bytes);
        if let Some(edge) = self.edge() {
            edge.set(config.limits.clone(), config.allowed_hosts.clone());
        }
        self.config.put(config);
        self.webhook.nudge();
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
