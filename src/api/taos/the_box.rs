//! The box itself: its state in one record, its settings, and what a deployment may choose from.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hyper::http::Method;
use serde_json::{Value, json};

use super::agents::containers;
use super::health;
use crate::access::{Action, Caller};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::config::{ContainerSettings, MountRoot, Origin, Setting};
use crate::containers::{ImageName, NodeName, Runtime};
use crate::jobs::operations::OperationError;
use crate::rest::codes;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::{Field, Type};
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::store::users::Role;
use crate::time::Micros;

/// How long the runtime may take to list its images.
const IMAGES: Duration = Duration::from_secs(3);
/// The most images that a reply names.
const MOST_IMAGES: usize = 200;
const STATUS_DOC: &str = "recipes/troubleshooting#status";

const fn number(name: &'static str, about: &'static str) -> Field {
    Field::integer(name, 0, i64::MAX, about).required()
}

const fn names(name: &'static str, about: &'static str) -> Field {
    Field::unbounded_texts(name, about).required()
}

/// The routes for the box itself.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::GET, "/api/status", Taos, Action::BoxRead, status)
        .described(
            "box_status",
            "Read the state of the box",
            "The checks of GET /readyz with disk, database, backup, container runtime and load. Always 200: status \
                says whether the daemon can work.",
            STATUS_DOC,
        )
        .answering(
            200,
            Answer::Object(&[
                Field::word("status", &["ready", "not_ready"], "Whether every check succeeds.").required(),
                Field::of("checks", Type::AnyObject, "The result of each check: ok, or what is wrong.").required(),
                Field::shown("version", "The running version."),
                number("uptime_seconds", "Seconds since the daemon started."),
                number(
                    "disk_free_bytes",
                    "Free bytes on the disk of the data directory; null if the system does not say.",
                )
                .nullable(),
                number(
                    "database_bytes",
                    "The size of the database on the disk, with its write-ahead log; null if the system does not say.",
                )
                .nullable(),
                Field::shown("backup_at", "When the automatic backup was made; null if there is none.").nullable(),
                number("backup_age_seconds", "Seconds since the automatic backup; null if there is none.").nullable(),
                number("backup_failures", "Automatic backups that failed since the start."),
                Field::shown("runtime", "The container runtime: incus, lxd, lxc or none; null if it cannot be told.")
                    .nullable(),
                names("listening", "The addresses that the daemon listens on."),
                number("connections", "Connections open now."),
                number("streams", "Event streams open now."),
                number("queued", "Requests waiting for a worker."),
                number("workers", "Worker threads."),
            ]),
        ),
    ApiRoute::checked(Method::GET, "/api/settings", Taos, Action::BoxSettings, settings)
        .described(
            "box_settings",
            "Read the settings in force",
            "Every setting with where it was set, as taosd config show prints them. Secret values are not shown. To \
                change a setting, edit taosd.toml on the box.",
            "operations/settings#commands",
        )
        .answering(
            200,
            Answer::List(&[
                Field::shown("key", "The setting's whole name."),
                Field::shown("value", "The value as TOML; a placeholder for a secret."),
                Field::shown("source", "Where it was set: default, a flag, a variable, or FILE:LINE."),
                Field::flag("is_default", "True if nothing sets it.").required(),
            ]),
        )
        .failing(&[codes::FORBIDDEN]),
    ApiRoute::checked(Method::GET, "/api/agents/deploy/choices", Taos, Action::AgentsDeploy, choices)
        .described(
            "agents_deploy_choices",
            "Read what a deployment may choose from",
            "What the settings and the container runtime of this box offer to the caller. If models is empty, any \
                model is accepted. An image may be any that the runtime can find.",
            "recipes/deploying#choices",
        )
        .answering(
            200,
            Answer::Object(&[
                Field::shown("runtime", "The container runtime: incus, lxd, lxc or none; null if it cannot be told.")
                    .nullable(),
                names("images", "The images that the settings name and that the runtime has, at most 200."),
                Field::shown(
                    "default_image",
                    "The image of a deployment that names none; null if every deployment must name one.",
                )
                .nullable(),
                names("frameworks", "The frameworks; none is always one."),
                names("models", "The models; empty if the settings list none."),
                names("workers", "The nodes, and the hosts that a model may be pinned to."),
                names("mount_roots", "The folders of the box below which the caller's agents may have mounts."),
            ]),
        ),
];

fn runtime(app: &App) -> Option<&'static str> {
    match app.jobs.driver() {
        Ok(driver) => Some(driver.runtime().as_str()),
        Err(OperationError::NoRuntime) => Some(Runtime::None.as_str()),
        Err(_) => None,
    }
}

fn status(app: &App, _: Call) -> Handled {
    let (ready, checks) = health::checks(app);
    let edge = app.edge().map(|edge| (edge.metrics(), edge.workers().len()));
    let backups = app.backups.read();
    let age = |made: Micros| (Micros::now().0 - made.0).max(0) / Micros::SECOND;
    let listening = app.listening.get().map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>());
    let body = json!({
        "status": if ready { "ready" } else { "not_ready" },
        "checks": checks,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": app.started.elapsed().as_secs(),
        "disk_free_bytes": app.store.free_bytes().ok(),
        "database_bytes": app.store.file_bytes().ok(),
        "backup_at": backups.made.map(Micros::millis),
        "backup_age_seconds": backups.made.map(age),
        "backup_failures": backups.failures,
        "runtime": runtime(app),
        "listening": listening.unwrap_or_default(),
        "connections": edge.as_ref().map_or(0, |(metrics, _)| metrics.connections),
        "streams": edge.as_ref().map_or(0, |(metrics, _)| metrics.streams),
        "queued": edge.as_ref().map_or(0, |(metrics, _)| metrics.queued),
        "workers": edge.as_ref().map_or(0, |(_, workers)| *workers),
    });
    Ok(Reply::ok(&body).into())
}

fn settings(app: &App, _: Call) -> Handled {
    let rows: Vec<Value> = app.config.read(|now| {
        let row = |one: &Setting| {
            json!({
                "key": one.key,
                "value": one.value,
                "source": now.place(&one.origin),
                "is_default": matches!(one.origin, Origin::Default),
            })
        };
        now.settings().iter().map(row).collect()
    });
    Ok(Reply::ok(&rows).into())
}

fn choices(app: &App, call: Call) -> Handled {
    let (settings, models) = app.config.read(|now| (now.containers.clone(), now.models.clone()));
    let nodes = app.jobs.nodes.names();
    let (roots, runtime) = (roots(&settings.mount_roots, &call.caller), runtime(app));
    containers::ask(app, call, None, move |jobs| {
        // If the runtime does not answer, only the images of the settings are named.
        let driver = jobs.driver().ok();
        let there = driver.and_then(|driver| driver.images(Instant::now() + IMAGES).ok()).unwrap_or_default();
        let models: BTreeMap<String, Vec<String>> = models.unwrap_or_default();
        let hosts = models.values().flatten().map(String::as_str);
        let mut workers: Vec<&str> = hosts.chain(nodes.iter().map(NodeName::as_str)).collect();
        workers.sort();
        workers.dedup();
        let frameworks = std::iter::once("none").chain(settings.frameworks.keys().map(String::as_str));
        Ok(Reply::ok(&json!({
            "runtime": runtime,
            "images": images(&settings, &there),
            "default_image": settings.image.as_ref().map(ImageName::as_str),
            "frameworks": frameworks.collect::<Vec<_>>(),
            "models": models.keys().collect::<Vec<_>>(),
            "workers": workers,
            "mount_roots": roots,
        })))
    })
}

/// Returns the images that the settings name and those that the runtime has, each once.
fn images<'a>(settings: &'a ContainerSettings, there: &'a [String]) -> Vec<&'a str> {
    let of_frameworks = settings.frameworks.values().filter_map(|framework| framework.image.as_ref());
    let named = settings.image.iter().chain(of_frameworks).map(ImageName::as_str);
    let mut images: Vec<&str> = named.chain(there.iter().map(String::as_str)).collect();
    images.sort_unstable();
    images.dedup();
    images.truncate(MOST_IMAGES);
    images
}

/// Returns the mount roots that are open to all or some of the caller's agents.
fn roots(all: &[MountRoot], caller: &Caller) -> Vec<String> {
    let user = caller.user();
    let open = |root: &&MountRoot| {
        let agent = root.agents.first().map_or("", String::as_str);
        root.is_open_to(&user.username, user.role == Role::Admin, agent)
    };
    all.iter().filter(open).map(|root| root.path.display().to_string()).collect()
}
