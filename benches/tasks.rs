//! Measures claims a second: how fast 64 workers claim tasks from one queue.
//!
//! `TMPDIR=DIR cargo bench --bench tasks` measures the disk of DIR. The daemon replies to a claim once it is on disk.
//! SQL fills the queue to the limit of a space; then all workers ask for the next task until the round ends. Target: at
//! least 2,000 claims a second, and no task claimed twice.

mod support;

use std::time::Duration;

use support::{load, median, percentile, quiet_daemon, request};

const ROUNDS: usize = 5;
const TASKS: i64 = 10_000;
const WORKERS: usize = 64;
const ROUND: Duration = Duration::from_millis(1500);
const FILL: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    INSERT INTO tasks (id, space_id, title, status, priority, creator, creator_name, owner_user_id, created_at, updated_at)
    SELECT printf('task-%d-%d', ?2, i), s.id, 'A task', 'not_started', i % 4, 'user:' || s.owner_user_id, 'operator',
        s.owner_user_id, 1, 1
    FROM n, spaces s WHERE s.is_default = 1";

fn main() {
    let daemon = quiet_daemon();
    let next = request("POST", "/api/v1/tasks/next", &daemon.token, r#"{"lease_seconds": 3600}"#);
    let (mut rates, mut slowest) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        daemon.execute("UPDATE tasks SET holder = NULL, lease_until = NULL, status = 'cancelled', finished_at = 1", []);
        daemon.execute(FILL, (TASKS, round as i64));
        let (rate, latencies) = load(&daemon.address, &vec![next.clone(); WORKERS], ROUND);
        let claimed = daemon.number("SELECT count(*) FROM tasks WHERE holder IS NOT NULL", []);
        assert!(daemon.number("SELECT max(fence) FROM tasks", []) == 1, "a task was given twice");
        // If the queue ran empty, the replies after that are not claims.
        let share = claimed as f64 / latencies.len() as f64;
        rates.push(rate * share.min(1.0));
        slowest.push(percentile(&latencies, 0.99));
    }
    println!("{WORKERS} workers, {TASKS} tasks, {ROUNDS} rounds of {ROUND:?}, medians");
    println!("claims a second: {:.0}; p99 {:.1} ms", median(&rates), median(&slowest));
}
