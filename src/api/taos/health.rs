//! Whether the daemon lives, whether it can work, and its counters (DESIGN D18).

use std::time::Duration;

use hyper::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::metrics;
use crate::api::engine::site;
use crate::http::edge::Worker;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::{Agentex, Taos};
use crate::rest::field::{Field, Type};
use crate::rest::head::Peer;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::store::StoreError;

/// The time after which a busy worker counts as stuck.
const STUCK: Duration = Duration::from_secs(60);
const DOC: &str = "recipes/troubleshooting#not-ready";

/// The fields of the reply of `/healthz`.
pub const HEALTHZ: &[Field] = &[
    Field::word("status", &["ok"], "Always ok.").required(),
    Field::unbounded("version", "The running version.").required(),
    Field::unbounded("url", "The address of the console and the documentation; only on the operator's socket."),
];

/// The routes for health and counters.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::public(Method::GET, "/healthz", Taos, healthz)
        .described("healthz", "Check that the process runs", "Answers 200 whenever the process runs.", DOC)
        .answering(200, Answer::Object(HEALTHZ)),
    // The same route under the name that Agentex clients know.
    ApiRoute::public(Method::GET, "/healthcheck", Agentex, healthz)
        .described(
            "agentex_healthcheck",
            "Check that the process runs",
            "The same as GET /healthz.",
            "concepts/agentex#left-out",
        )
        .answering(200, Answer::Object(HEALTHZ)),
    ApiRoute::public(Method::GET, "/readyz", Taos, readyz)
        .described(
            "readyz",
            "Check that the daemon can work",
            "Checks the database, the disk, the queue, the workers and the automatic backups.",
            DOC,
        )
        .answering(
            200,
            Answer::Object(&[
                Field::word("status", &["ready"], "ready; otherwise the reply is a 503.").required(),
                Field::of("checks", Type::AnyObject, "The result of each check: ok, or what is wrong.").required(),
            ]),
        )
        .failing(&[codes::NOT_READY]),
    ApiRoute::checked(Method::GET, "/metrics", Taos, Action::MetricsRead, read_metrics)
        .described(
            "metrics",
            "Read the counters",
            "In the text format of Prometheus.",
            "recipes/troubleshooting#metrics",
        )
        .answering(200, Answer::Other(&["text/plain"])),
];

pub fn healthz(app: &App, input: Input) -> Handled {
    let mut health = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")});
    // A client on the socket does not know the address that a `doc_url` belongs to.
    if matches!(input.head.peer, Peer::Unix { .. }) {
        health["url"] = json!(site::of_box(app));
    }
    Ok(Reply::ok(&health).into())
}

/// Returns whether every check succeeds, and the result of each.
pub(super) fn checks(app: &App) -> (bool, Map<String, Value>) {
    let results = [
        ("database", database(app)),
        ("disk", disk(app)),
        ("queue", queue(app)),
        ("workers", workers(app)),
        ("backups", backups(app)),
    ];
    let ready = results.iter().all(|(_, result)| result.is_ok());
    let checks: Map<String, Value> = results
        .into_iter()
        .map(|(name, result)| (name.to_owned(), Value::from(result.err().unwrap_or_else(|| "ok".into()))))
        .collect();
    (ready, checks)
}

fn readyz(app: &App, _: Input) -> Handled {
    let (ready, checks) = checks(app);
    if ready {
        return Ok(Reply::ok(&json!({"status": "ready", "checks": checks})).into());
    }
    Err(ApiError::new(codes::NOT_READY).with("status", "not_ready").with("checks", checks))
}

fn database(app: &App) -> Result<(), String> {
    if !app.store.writer_is_alive() {
        return Err("the writer has ended".into());
    }
    app.store.condition().and_then(|()| app.store.probe()).map_err(|error| {
        log::warn!("readiness: {error}");
        let told = match error {
            StoreError::Damaged(_) => {
                "the database file is damaged; stop the daemon, run taosd check, restore a backup"
            }
            StoreError::Gone(_) => {
                "the database file was removed or replaced; put it back, or stop and restore a backup"
            }
            StoreError::Stalled(_) => return error.to_string(),
            _ => "the database cannot be used; the log says why",
        };
        told.into()
    })
}

fn disk(app: &App) -> Result<(), String> {
    match app.store.is_read_only() {
        Ok(false) => {}
        Ok(true) => return Err("the file system is read-only".into()),
        Err(_) => return Err("the file system does not answer".into()),
    }
    // The last write shows what the system does not say beforehand, such as a quota or a failing card.
    match app.store.trouble() {
        None => {}
        Some(StoreError::Full(_)) => return Err("the last write found no room, and none was free".into()),
        Some(StoreError::ReadOnly(_)) => return Err("the last write found the file system read-only".into()),
        Some(_) => return Err("the last write failed; the log says why".into()),
    }
    match app.store.free_bytes() {
        Ok(free) if free >= app.config.read(|now| now.limits.min_free_bytes) => Ok(()),
        Ok(free) => Err(format!("only {free} bytes are free")),
        Err(_) => Err("the file system does not answer".into()),
    }
}

fn queue(app: &App) -> Result<(), String> {
    let Some(edge) = app.edge() else { return Err("the edge is not running".into()) };
    let waiting = edge.metrics().queued;
    if waiting >= app.config.read(|now| now.limits.queue_length) {
        Err(format!("{waiting} requests are waiting"))
    } else {
        Ok(())
    }
}

fn workers(app: &App) -> Result<(), String> {
    let Some(edge) = app.edge() else { return Err("the edge is not running".into()) };
    let workers = edge.workers();
    let dead = workers.iter().filter(|worker| matches!(worker, Worker::Dead)).count();
    let stuck = workers.iter().filter(|worker| matches!(worker, Worker::Busy(since) if *since > STUCK)).count();
    if dead + stuck == 0 {
        Ok(())
    } else {
        Err(format!("{dead} dead, {stuck} stuck for more than {} s", STUCK.as_secs()))
    }
}

fn backups(app: &App) -> Result<(), String> {
    app.backups.read().trouble.map_or(Ok(()), Err)
}

fn read_metrics(app: &App, _: Call) -> Handled {
    Ok(Reply::typed(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", metrics::page(app)).into())
}
