//! The box: health, version, disk, backups, listeners, settings, credentials that expire soon, and counters.

use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::core::filters;
use super::core::frame::Frame;
use super::core::query;
use super::core::view::{PageResult, View};
use super::core::when::Span;
use super::records::{EndingView, StatusView};
use crate::access::Action;

/// The tabs of the page.
const TABS: &[(&str, &str)] = &[("", "Overview"), ("settings", "Settings")];

#[derive(Deserialize)]
struct BackupView {
    file: String,
    bytes: u64,
    blake3: Option<String>,
    created_at: String,
}

/// The latest check of the database.
#[derive(Deserialize)]
struct CheckView {
    state: String,
    step: Option<String>,
    findings: Vec<FindingView>,
    finished_at: Option<String>,
}

/// One finding of the check.
#[derive(Deserialize)]
struct FindingView {
    name: String,
    ok: bool,
    detail: String,
}

#[derive(Deserialize)]
struct SettingView {
    key: String,
    value: String,
    source: String,
    is_default: bool,
}

#[derive(Deserialize)]
struct Ready {
    checks: Map<String, Value>,
}

/// Whether the newest rows of the audit form an intact hash chain.
#[derive(Deserialize)]
pub(super) struct Verification {
    pub state: String,
    pub checked: u64,
    pub complete: bool,
    pub problem: Option<String>,
}

/// The route that verifies the newest rows of the audit, for one page.
pub(super) const CHECKED: &str = "/api/audit/verification?rows=200";

#[derive(Template)]
#[template(path = "the_box.html")]
struct TheBox<'a> {
    frame: Frame,
    tab: &'a str,
    tabs: Vec<(&'static str, &'static str)>,
    version: &'static str,
    checks: Vec<(String, String)>,
    figures: Vec<(&'static str, String)>,
    facts: Vec<(&'static str, String)>,
    bars: Vec<LatencyBar>,
    backups: Vec<BackupView>,
    automatic: Vec<BackupView>,
    check: Option<CheckView>,
    ending: Vec<EndingView>,
    settings: Vec<SettingView>,
    verification: Option<Verification>,
    may_back_up: bool,
    may_download: bool,
    admin: bool,
}

/// A bar of the chart of reply times.
struct LatencyBar {
    label: String,
    count: u64,
    /// The height in thousandths of the highest bar.
    height: u64,
    x: u64,
    y: u64,
}

pub(super) fn show(view: &View<'_>) -> PageResult {
    let status = view.find::<StatusView>("/api/status");
    let checks = match &status {
        Some(status) => status.checks.clone(),
        None => view.find::<Ready>("/readyz").map_or_else(Map::new, |ready| ready.checks),
    };
    let may_set = view.may(Action::BoxSettings);
    let mut page = TheBox {
        frame: view.frame("Box", "/ui/box"),
        tab: view.query(&query::TAB).unwrap_or(""),
        tabs: TABS.iter().copied().filter(|(tab, _)| tab.is_empty() || may_set).collect(),
        version: env!("CARGO_PKG_VERSION"),
        checks: checks.into_iter().map(|(name, state)| (name, state.as_str().unwrap_or("").to_owned())).collect(),
        figures: status.as_ref().map_or_else(Vec::new, figures),
        facts: status.as_ref().map_or_else(Vec::new, facts),
        bars: Vec::new(),
        backups: Vec::new(),
        automatic: Vec::new(),
        check: None,
        ending: Vec::new(),
        settings: Vec::new(),
        verification: None,
        may_back_up: view.may(Action::BackupsCreate),
        may_download: view.may(Action::BackupsDownload),
        admin: view.caller.is_admin(),
    };
    if page.tab == "settings" {
        page.settings = view.rows("/api/settings");
        return view.page(&page);
    }
    page.bars = bars(&view.text("/metrics").unwrap_or_default());
    page.backups = view.rows("/api/backups");
    page.automatic = view.rows("/api/backups?kind=automatic");
    page.check = if view.may(Action::BoxCheck) { view.find("/api/database/check") } else { None };
    page.ending = view.rows("/api/credentials/expiring?within_days=14&limit=50");
    page.verification = view.find(CHECKED);
    view.page(&page)
}

/// The most important figures.
fn figures(status: &StatusView) -> Vec<(&'static str, String)> {
    let size = |bytes: u64| match bytes {
        0..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    };
    let all = [
        ("up", Some(Span(status.uptime_seconds).to_string())),
        ("free on disk", status.disk_free_bytes.map(size)),
        ("database with its log", status.database_bytes.map(size)),
        ("age of the last backup", status.backup_age_seconds.map(|seconds| Span(seconds).to_string())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The facts about the running daemon.
fn facts(status: &StatusView) -> Vec<(&'static str, String)> {
    vec![
        ("State", status.status.replace('_', " ")),
        ("Version", status.version.clone()),
        ("Runtime", status.runtime.clone().unwrap_or_else(|| "not known".to_owned())),
        ("Listens on", status.listening.join(", ")),
        ("Connections", status.connections.to_string()),
        ("Streams", status.streams.to_string()),
        ("Workers", format!("{}, {} requests wait", status.workers, status.queued)),
        ("Failed backups", format!("{} since the start", status.backup_failures)),
    ]
}
/// The chart of reply times, from the metrics.
fn bars(text: &str) -> Vec<LatencyBar> {
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
        bars.push(LatencyBar { label, count: total.saturating_sub(before), height: 0, x: 0, y: 0 });
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
