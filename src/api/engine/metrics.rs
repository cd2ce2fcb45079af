//! The counters of requests, and the page for Prometheus (text exposition format 0.0.4).

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::app::App;
use crate::http::edge::Worker;
use crate::store::usage;
use crate::time::Micros;

/// Upper bounds of the duration buckets, in microseconds.
const BUCKETS: [u64; 10] = [250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000, 10_000_000];

/// The counters of finished requests: by status and by duration.
#[derive(Debug)]
pub struct RequestMetrics {
    by_status: [AtomicU64; 600],
    buckets: [AtomicU64; BUCKETS.len() + 1],
    micros: AtomicU64,
}

impl Default for RequestMetrics {
    fn default() -> Self {
        Self {
            by_status: std::array::from_fn(|_| AtomicU64::new(0)),
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            micros: AtomicU64::new(0),
        }
    }
}

impl RequestMetrics {
    /// Counts one request.
    pub fn count(&self, status: u16, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.iter().position(|bound| micros <= *bound).unwrap_or(BUCKETS.len());
        if let Some(counter) = self.by_status.get(usize::from(status)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn write_requests(&self, out: &mut String) {
        head(out, "taosd_http_requests_total", "counter", "Requests answered, by status.");
        for (status, counter) in self.by_status.iter().enumerate() {
            let count = counter.load(Ordering::Relaxed);
            if count > 0 {
                let _ = writeln!(out, "taosd_http_requests_total{{status=\"{status}\"}} {count}");
            }
        }
        head(out, "taosd_http_request_seconds", "histogram", "Time from the end of a head to its reply.");
        let mut sum = 0;
        for (bound, counter) in BUCKETS.iter().map(|b| Some(*b)).chain([None]).zip(&self.buckets) {
            sum += counter.load(Ordering::Relaxed);
            let bound = bound.map_or("+Inf".to_owned(), |micros| (micros as f64 / 1e6).to_string());
            let _ = writeln!(out, "taosd_http_request_seconds_bucket{{le=\"{bound}\"}} {sum}");
        }
        let seconds = self.micros.load(Ordering::Relaxed) as f64 / 1e6;
        let _ = writeln!(out, "taosd_http_request_seconds_sum {seconds}\ntaosd_http_request_seconds_count {sum}");
    }
}

fn head(out: &mut String, name: &str, kind: &str, about: &str) {
    let _ = writeln!(out, "# HELP {name} {about}\n# TYPE {name} {kind}");
}

fn gauge(out: &mut String, name: &str, about: &str, value: impl std::fmt::Display) {
    head(out, name, "gauge", about);
    let _ = writeln!(out, "{name} {value}");
}

/// Returns the page that Prometheus reads.
pub fn page(app: &App) -> String {
    let mut out = String::with_capacity(4096);
    head(&mut out, "taosd_build_info", "gauge", "The running version.");
    let _ = writeln!(out, "taosd_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    gauge(&mut out, "taosd_uptime_seconds", "Seconds since the start.", app.started.elapsed().as_secs());
    app.metrics.write_requests(&mut out);
    if let Some(edge) = app.edge() {
        let reading = edge.metrics();
        gauge(&mut out, "taosd_connections", "Connections open now.", reading.connections);
        gauge(&mut out, "taosd_streams", "Event streams open now.", reading.streams);
        gauge(&mut out, "taosd_queue_length", "Requests waiting for a worker.", reading.queued);
        let workers = edge.workers();
        let busy = workers.iter().filter(|worker| matches!(worker, Worker::Busy(_))).count();
        gauge(&mut out, "taosd_workers", "Worker threads.", workers.len());
        gauge(&mut out, "taosd_workers_busy", "Worker threads at work.", busy);
    }
    if let Ok(free) = app.store.free_bytes() {
        gauge(&mut out, "taosd_disk_free_bytes", "Bytes free where the data directory lies.", free);
    }
    if let Ok(bytes) = app.store.file_bytes() {
        gauge(&mut out, "taosd_database_bytes", "Bytes of the database, its write-ahead log included.", bytes);
    }
    head(
        &mut out,
        "taosd_messages_removed_total",
        "counter",
        "Messages removed because they were too old or too many.",
    );
    let _ = writeln!(out, "taosd_messages_removed_total {}", app.upkeep.removed());
    head(&mut out, "taosd_agent_wakes_total", "counter", "Agents woken because there was news for them.");
    let _ = writeln!(out, "taosd_agent_wakes_total {}", app.sleeper.wakes());
    gauge(&mut out, "taosd_task_leases", "Leases on tasks that are given now.", app.leases.count());
    gauge(&mut out, "taosd_uploads_in_flight", "Uploads on their way.", app.uploads.count());
    gauge(&mut out, "taosd_downloads_in_flight", "Downloads on their way.", app.downloads.count());
    if let Ok(held) = app.store.lookup(|conn| usage::of(conn, usage::UsageHolder::Box)) {
        gauge(&mut out, "taosd_uploads", "Files that were uploaded.", held.uploads);
        gauge(&mut out, "taosd_upload_bytes", "Bytes of files, unfinished ones included.", held.upload_bytes);
    }
    let backups = app.backups.read();
    if let Some(made) = backups.made {
        let age = (Micros::now().0 - made.0).max(0) / Micros::SECOND;
        gauge(&mut out, "taosd_backup_age_seconds", "Seconds since the last automatic backup.", age);
    }
    head(&mut out, "taosd_backup_failures_total", "counter", "Automatic backups that failed since the start.");
    let _ = writeln!(out, "taosd_backup_failures_total {}", backups.failures);
    out
}
