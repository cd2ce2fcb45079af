//! Fills tables directly, up to their bounds.

use rusqlite::{Connection, TransactionBehavior, params};
use serde_json::json;

use crate::support::Daemon;

/// Returns the longest metadata of a deployment, in the form that takes most memory as values.
pub fn long_metadata() -> String {
    json!({"list": vec![0; 32_000]}).to_string()
}

/// Returns a unique id.
pub fn id(kind: u32, number: u32) -> String {
    format!("00000000-0000-7000-{kind:04x}-{number:012x}")
}

/// Runs `work` in one transaction.
pub fn at_once(daemon: &Daemon, work: impl FnOnce(&Connection)) {
    let mut conn = daemon.db();
    // SQLite waits for the write lock only if the transaction has read nothing yet.
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).expect("a transaction");
    work(&tx);
    tx.commit().expect("a commit");
}

/// Gives an agent `count` deployments with this metadata.
pub fn deployments(daemon: &Daemon, agent_id: &str, count: u32, metadata: &str) {
    at_once(daemon, |conn| {
        let mut insert = conn
            .prepare(
                "INSERT INTO deployments (agent_id, id, docker_image, status, is_production, metadata, acp_url, by_user,
                    created_at) VALUES (?1, ?2, 'image', 'Ready', 0, ?3, 'http://localhost:1', 1, ?4)",
            )
            .expect("an insert");
        for number in 0..count {
            insert.execute(params![agent_id, id(1, number), metadata, number]).expect("a row");
        }
    });
}

/// Makes knowledge sources with items of this text each.
pub fn knowledge(daemon: &Daemon, sources: u32, items: u32, text: impl Fn(u32) -> String) {
    at_once(daemon, |conn| {
        let mut insert = conn
            .prepare(
                "INSERT INTO knowledge_items (id, source_type, source_id, path, title, author, summary, content,
                    categories, content_hash, created_at, updated_at)
                VALUES (?1, 'guide', ?2, ?3, 'A title', 'user:operator', 'A summary', ?4, '[]', zeroblob(32), ?5, ?5)",
            )
            .expect("an insert");
        for number in 0..sources * items {
            let (source, path) = (format!("s{:04}", number / items), format!("p{:04}", number % items));
            insert.execute(params![id(2, number), source, path, text(number), number]).expect("a row");
        }
    });
}
