//! The box: health, version, disk, backups, and its counters.

use std::collections::BTreeMap;

use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::core::filters;
use super::core::frame::Frame;
use super::core::view::{Shown, View};
use super::core::when::Span;
use crate::access::Action;

#[derive(Deserialize)]
struct Backup {
    file: String,
    bytes: u64,
    blake3: String,
    created_at: String,
}

#[derive(Deserialize)]
struct Ready {
    checks: Map<String, Value>,
}

#[derive(Template)]
#[template(path = "the_box.html")]
struct TheBox {
    frame: Frame,
    version: &'static str,
    checks: Vec<(String, String)>,
    figures: Vec<(&'static str, String)>,
    bars: Vec<Bar>,
    backups: Vec<Backup>,
    may_back_up: bool,
    admin: bool,
}

/// A bar of the chart of answer times.
struct Bar {
    label: String,
    count: u64,
    /// Thousandths of the highest.
    height: u64,
    x: u64,
    y: u64,
}

pub(super) fn show(view: &View<'_>) -> Shown {
    let checks = match view.get::<Ready>("/readyz") {
        Ok(ready) => ready.checks,
        Err(error) => error.extra.get("checks").and_then(Value::as_object).cloned().unwrap_or_default(),
    };
    let text = view.text("/metrics").unwrap_or_default();
    let metrics = counters(&text);
    view.page(&TheBox {
        frame: view.frame("Box", "/ui/box"),
        version: env!("CARGO_PKG_VERSION"),
        checks: checks.into_iter().map(|(name, state)| (name, state.as_str().unwrap_or("").to_owned())).collect(),
        figures: figures(&metrics),
        bars: bars(&text),
        backups: view.rows("/api/backups"),
        may_back_up: view.may(Action::BackupsCreate),
        admin: view.caller.is_admin(),
    })
}

/// The counters without labels.
fn counters(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
        .collect()
}

fn figures(metrics: &BTreeMap<&str, f64>) -> Vec<(&'static str, String)> {
    let of = |name: &str| metrics.get(name).map(|value| value.max(0.0) as u64);
    let size = |bytes: u64| format!("{:.1} MiB", bytes as f64 / 1_048_576.0);
    let all = [
        ("Up for", of("taosd_uptime_seconds").map(|seconds| Span(seconds).to_string())),
        ("Free on disk", of("taosd_disk_free_bytes").map(|bytes| format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0))),
        ("Database", of("taosd_database_bytes").map(size)),
        ("Last backup", of("taosd_backup_age_seconds").map(|seconds| format!("{} ago", Span(seconds)))),
        ("Connections", of("taosd_connections").map(|count| count.to_string())),
        ("Streams", of("taosd_streams").map(|count| count.to_string())),
        ("Uploads kept", of("taosd_upload_bytes").map(size)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The chart of how long replies took.
fn bars(text: &str) -> Vec<Bar> {
    let mut before = 0;
    let mut bars = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("taosd_http_request_seconds_bucket{le=\"") else { continue };
        let Some((bound, count)) = rest.split_once("\"} ") else { continue };
        let (Ok(seconds), Ok(total)) = (bound.parse::<f64>(), count.parse::<u64>()) else { continue };
        if !seconds.is_finite() {
            continue;
        }
        let label = if seconds < 1.0 { format!("{} ms", seconds * 1000.0) } else { format!("{seconds} s") };
        bars.push(Bar { label, count: total.saturating_sub(before), height: 0, x: 0, y: 0 });
        before = total;
    }
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or(0).max(1);
    for (at, bar) in (0u64..).zip(&mut bars) {
        bar.height = bar.count * 56 / most;
        bar.x = at * 30 + 2;
        bar.y = 60 - bar.height;
    }
    bars
}
