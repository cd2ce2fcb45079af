//! The composition root: opens the store, makes the keys, starts the threads and passes every part to its users.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rusqlite::Connection;

use super::watchdog;
use crate::access::{BOX_KEY, BoxKey, Gate, SigningKeys};
use crate::api::{self, App, AppParts};
use crate::client::forwarder::Forwarder;
use crate::config::{Config, LiveConfig};
use crate::http::access_log::AccessLog;
use crate::http::edge;
use crate::jobs::events::channel_key::ChannelKey;
use crate::jobs::events::channels::{ChannelSender, ChannelSettings, configure as configure_channels};
use crate::jobs::events::fetched::Fetched;
use crate::jobs::events::log_tail::LogTail;
use crate::jobs::events::notifier::Notifier;
use crate::jobs::events::streams::Streams;
use crate::jobs::events::tripwire::TripwireAlarm;
use crate::jobs::events::webhook::WebhookSender;
use crate::jobs::operations::{JobSettings, Jobs, backups};
use crate::jobs::start_up::{core_knowledge, first_start};
use crate::jobs::upkeep::audit_head::HeadLogger;
use crate::jobs::upkeep::endings::Endings;
use crate::jobs::upkeep::expiry::Expiry;
use crate::jobs::upkeep::leases::{self, Leases};
use crate::jobs::upkeep::messages::Upkeep;
use crate::jobs::upkeep::sleeper::{Sleeper, SleeperTools};
use crate::jobs::upkeep::{backup_scheduler, health, reconcile, sweeper};
use crate::limits::seconds;
use crate::store::{self, OpenError, Store, StoreError, StoreOptions, audit, idempotency, meta, operations};
use crate::threads::Periodic;
use crate::time::{Clock, Micros};
use crate::ui;

/// The reasons why the application cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The first records cannot be written.
    #[error("the first records could not be written: {0}")]
    Store(#[from] StoreError),
    /// A file cannot be opened or a thread cannot be started; the text names it.
    #[error("{0}: {1}")]
    Io(String, io::Error),
}

/// Adds the name of the missing file or thread to an error.
fn having<T>(what: &str, result: io::Result<T>) -> Result<T, StartError> {
    result.map_err(|error| StartError::Io(what.to_owned(), error))
}

/// Builds the application with all of its parts.
///
/// # Errors
/// Any [`StartError`].
pub(super) fn app(config: Config) -> Result<App, StartError> {
    let live = Arc::new(LiveConfig::new(config));
    let config = live.now();
    let store = open_store(&config)?;
    api::set_page_bytes(config.limits.max_page_bytes);
    let last = store.lookup(audit::last_at)?;
    let clock = Arc::new(Clock::start(&config.data_dir, &config.runtime_dir, &config.time_sync_file, last));
    prepare(&store)?;
    let keys = signing_keys(&store, &config)?;
    let box_key = box_key(&config.data_dir);
    let gate = Arc::new(Gate::new(Arc::clone(&store), &live, keys, Arc::clone(&clock)));
    let streams = streams(&store, &gate, &live)?;
    let listening = Arc::<OnceLock<_>>::default();
    let channels = channels(&store, &clock, &listening, &live)?;
    let webhook = webhook(&store, &clock, &listening, &live, &channels)?;
    let access_log = having("the access log's thread", AccessLog::start())?;
    let jobs = jobs(&store, &clock, &live)?;
    let to_webhook = || live.watch(|now| now.webhook.is_some());
    gate.on_touch(TripwireAlarm::of(&store, &streams, &webhook, &jobs, to_webhook()));
    let notifier = || Notifier::new(Arc::clone(&store), Arc::clone(&streams), Arc::clone(&webhook), to_webhook());
    let fetched = Arc::new(having("the receipts' thread", Fetched::start(Arc::clone(&store)))?);
    let upkeep =
        Upkeep::start(Arc::clone(&store), Arc::clone(&streams), notifier(), Arc::clone(&clock), Arc::clone(&live));
    let upkeep = Arc::new(having("the thread that looks after messages", upkeep)?);
    let leases = Arc::new(leases(&store, &streams, notifier())?);
    let sleeper = sleeper(&store, &jobs, &streams, &gate, notifier())?;
    let endings = endings(&store, &clock, &streams)?;
    tell_of_commits(&store, &streams, &endings);
    let log_tail = having("the thread that follows logs", LogTail::start(&jobs, Arc::clone(&streams)))?;
    let forwarder = Arc::new(having("the forwarder's thread", Forwarder::start())?);
    Ok(App::new(AppParts {
        routes: ui::routes(),
        refusal_page: ui::refusal_page,
        doc_page: ui::doc_page,
        framed_page: ui::framed_page,
        config: live,
        store,
        clock,
        gate,
        jobs,
        log_tail,
        streams,
        webhook,
        channels,
        fetched,
        upkeep,
        leases,
        sleeper,
        endings,
        access_log,
        forwarder,
        box_key,
        listening,
    }))
}

fn streams(store: &Arc<Store>, gate: &Arc<Gate>, live: &Arc<LiveConfig>) -> Result<Arc<Streams>, StartError> {
    let per_credential = live.watch(|now| now.limits.max_streams_per_credential);
    let streams = Streams::start(Arc::clone(store), Arc::clone(gate), per_credential);
    Ok(Arc::new(having("the event streams' thread", streams)?))
}

fn webhook(
    store: &Arc<Store>,
    clock: &Arc<Clock>,
    listening: &Arc<OnceLock<Vec<SocketAddr>>>,
    live: &Arc<LiveConfig>,
    channels: &Arc<ChannelSender>,
) -> Result<Arc<WebhookSender>, StartError> {
    let (clock, listening, channels) = (Arc::clone(clock), Arc::clone(listening), Arc::clone(channels));
    let settings = live.watch(|now| now.webhook.clone());
    let sender = WebhookSender::start(store, clock, listening, settings, api::show_notification, channels);
    Ok(Arc::new(having("the webhook's thread", sender)?))
}

fn sleeper(
    store: &Arc<Store>,
    jobs: &Arc<Jobs>,
    streams: &Streams,
    gate: &Gate,
    notifier: Notifier,
) -> Result<Arc<Sleeper>, StartError> {
    let sleeper = Sleeper::start(SleeperTools {
        store: Arc::clone(store),
        jobs: Arc::clone(jobs),
        listening: Arc::clone(&streams.listening),
        presence: Arc::clone(&gate.presence),
        notifier,
    });
    Ok(Arc::new(having("the thread that wakes agents", sleeper)?))
}

fn endings(store: &Arc<Store>, clock: &Arc<Clock>, streams: &Arc<Streams>) -> Result<Arc<Endings>, StartError> {
    let endings = Endings::start(Arc::clone(store), Arc::clone(clock), {
        let (store, streams) = (Arc::clone(store), Arc::clone(streams));
        move |id| {
            if let Err(error) = store.lookup(|conn| api::request_ended(conn, &streams, id)) {
                log::warn!("request {id}: its end could not be told: {error}");
            }
        }
    });
    Ok(Arc::new(having("the thread that ends requests", endings)?))
}

/// Calls the parts that react to commits. With a weak reference: the streams hold the store, so the store must not hold
/// the streams.
fn tell_of_commits(store: &Store, streams: &Arc<Streams>, endings: &Endings) {
    let (streams, nudge) = (Arc::downgrade(streams), endings.nudge());
    store.on_commit(move || {
        if let Some(streams) = streams.upgrade() {
            streams.committed();
        }
        nudge();
    });
}

fn open_store(config: &Config) -> Result<Arc<Store>, StartError> {
    let store = Store::open(&StoreOptions {
        dir: config.data_dir.clone(),
        readers: config.limits.worker_count(),
        slow_query_ms: config.limits.slow_query_ms,
        new_box: config.new_box(),
    })?;
    store.end_reads_after(config.limits.read_timeout_ms);
    Ok(Arc::new(store))
}

/// Writes the first records at the first start, and removes the leftovers of the last run.
fn prepare(store: &Arc<Store>) -> Result<(), StartError> {
    first_start::prepare(store)?;
    let released = store.write(|conn: &Connection| -> store::Result<usize> {
        let waiting = idempotency::reserved(conn)?;
        if waiting == 0 { Ok(0) } else { idempotency::release_all(conn) }
    });
    match released {
        Ok(0) => {}
        Ok(count) => log::info!("released {count} idempotency keys of a run that ended in the middle"),
        // On a read-only disk the daemon can still serve reads.
        Err(error) => log::error!("reservations of the last run could not be released: {error}"),
    }
    sweeper::drop_unfinished_uploads(store);
    backups::tidy(store.dir());
    if let Err(error) = core_knowledge::ingest(store) {
        log::error!("the documentation could not be added to the knowledge: {error}");
    }
    Ok(())
}

fn leases(store: &Arc<Store>, streams: &Arc<Streams>, notifier: Notifier) -> Result<Leases, StartError> {
    let streams = Arc::clone(streams);
    let started = Leases::start(store, notifier, move |ended| api::task_ended(&streams, ended));
    started.map_err(|error| match error {
        leases::LeasesError::Store(error) => StartError::Store(error),
        leases::LeasesError::Thread(error) => StartError::Io("the thread of leases".into(), error),
    })
}

fn channels(
    store: &Arc<Store>,
    clock: &Arc<Clock>,
    listening: &Arc<OnceLock<Vec<SocketAddr>>>,
    live: &Arc<LiveConfig>,
) -> Result<Arc<ChannelSender>, StartError> {
    let data_dir = live.now().data_dir.clone();
    let key = ChannelKey::open(&data_dir)
        .map_err(|error| {
            log::error!("{}: {error}; channels' secrets cannot be used", data_dir.join("channels.key").display())
        })
        .ok();
    let settings = live.watch(|now| ChannelSettings {
        hosts: now.channel_hosts.clone(),
        public_url: now.public_url.as_ref().map(ToString::to_string),
        configured: Arc::clone(&now.channels),
    });
    let configured = Arc::clone(&live.now().channels);
    store.write(move |conn| configure_channels(conn, &configured))?;
    let (clock, listening) = (Arc::clone(clock), Arc::clone(listening));
    let sender = ChannelSender::start(store, clock, key, listening, settings, api::show_notification);
    Ok(Arc::new(having("the channels' thread", sender)?))
}

fn signing_keys(store: &Store, config: &Config) -> Result<SigningKeys, StartError> {
    let (runtime_dir, now) = (&config.runtime_dir, Micros::now().0 / Micros::SECOND);
    let epoch = store.lookup(|conn| meta::get(conn, meta::SIGNING_EPOCH))?.unwrap_or_default();
    let keys = SigningKeys::open(runtime_dir, &epoch, now)
        .and_then(|keys| if config.oauth.needs_es256() { keys.need_es256(now).map(|()| keys) } else { Ok(keys) });
    having(&runtime_dir.display().to_string(), keys)
}

/// The key that signs the audit head. On a read-only disk there is none, but the daemon can still serve the rest.
fn box_key(data_dir: &Path) -> Option<Arc<BoxKey>> {
    match BoxKey::open(data_dir) {
        Ok(key) => Some(Arc::new(key)),
        Err(error) => {
            log::error!("{}: {error}; the head of the audit is not signed", data_dir.join(BOX_KEY).display());
            None
        }
    }
}

fn jobs(store: &Arc<Store>, clock: &Arc<Clock>, live: &Arc<LiveConfig>) -> Result<Arc<Jobs>, StartError> {
    let config = live.now();
    let sockets = config.socket.parent().unwrap_or(&config.data_dir).join("agents");
    let roots = live.watch(|now| now.containers.mount_roots.iter().map(|root| root.path.clone()).collect::<Vec<_>>());
    // No request has been served yet, so every open operation is from the last run.
    let cut = store.lookup(operations::open)?;
    let settings = JobSettings {
        runtime: config.containers.runtime.clone(),
        mount_roots: roots,
        nodes: live.watch(|now| Arc::clone(&now.nodes)),
        nodes_folder: config.data_dir.join("nodes"),
        public_url: live
            .watch(|now| now.public_url.as_ref().map(|url| url.to_string().trim_end_matches('/').to_owned())),
    };
    let jobs = Jobs::start(Arc::clone(store), Arc::clone(clock), cut, settings, sockets);
    Ok(Arc::new(having("the runner's threads", jobs)?))
}

/// The threads that keep the data in order. They run before the first request is served and end after the last.
pub(super) struct DataUpkeep {
    _sweeper: Periodic,
    _scheduler: Periodic,
}

impl DataUpkeep {
    /// Starts the threads. `backup_is_fresh`: whether the last backup had all changes of the database before the store
    /// was opened.
    pub(super) fn start(app: &App, backup_is_fresh: bool) -> Result<Self, StartError> {
        let expiry = Expiry(app.notifier());
        let (store, gate) = (Arc::clone(&app.store), Arc::clone(&app.gate));
        let sweeper = sweeper::start(store, gate, Arc::clone(&app.clock), expiry, Arc::clone(&app.config));
        let sweeper = having("the sweeper's thread", sweeper)?;
        let scheduler = backup_scheduler::start(
            Arc::clone(&app.store),
            Arc::clone(&app.backups),
            app.notifier(),
            app.config.watch(|now| seconds(now.limits.backup_interval)),
            backup_is_fresh,
            app.box_key.clone().map(|key| HeadLogger::new(Arc::clone(&app.store), key)),
        );
        Ok(Self { _sweeper: sweeper, _scheduler: having("the scheduler's thread", scheduler)? })
    }
}

/// The threads that watch containers, agents and the edge. They run while requests are served. The watchdog ends first,
/// because fields are dropped in order.
pub(super) struct ServingUpkeep {
    _watchdog: Periodic,
    _reconciler: Periodic,
    _health: Periodic,
}

impl ServingUpkeep {
    /// Starts the threads.
    pub(super) fn start(app: &Arc<App>, edge: edge::Handle) -> Result<Self, StartError> {
        let reconciler = having("the reconciler's thread", reconcile::start(&app.jobs))?;
        let period = app.config.watch(|now| {
            let seconds = seconds(now.agentex.health_interval);
            now.agentex.health_checks.then_some(seconds)
        });
        let health = health::start(&app.jobs, Arc::clone(&app.forwarder), app.target_rule(), period);
        let health = having("the health checks' thread", health)?;
        let watchdog = having("the watchdog's thread", watchdog::start(app, edge))?;
        Ok(Self { _watchdog: watchdog, _reconciler: reconciler, _health: health })
    }
}
