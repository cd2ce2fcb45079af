//! Many agents or documents, written into the database at once.

use rusqlite::params;

use super::daemon::Daemon;

/// Creates `size` agents of the operator, named `made-N`, each with a token and five audit rows.
pub fn make(daemon: &Daemon, size: u32) {
    let conn = daemon.db();
    let (owner, space): (String, String) = conn
        .query_row("SELECT owner_user_id, id FROM spaces ORDER BY created_at LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("the operator's space");
    conn.execute_batch("BEGIN; PRAGMA defer_foreign_keys = 1").expect("a transaction");
    conn.execute(
        "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
            INSERT INTO agents (id, slug, display_name, origin, owner_user_id, owner_space_id, space_id, created_by,
                status, scope, created_at, updated_at)
            SELECT printf('00000000-0000-7000-8000-%012x', i), 'made-' || i, 'Made ' || i, 'cloud', ?2, ?3, ?3, 'user:operator',
                'registered', '[\"*\"]', i, i FROM n",
        params![size, owner, space],
    )
    .expect("agents");
    conn.execute_batch(
        "INSERT INTO credentials (id, kind, key_id, secret_hash, agent_id, scopes, state, issued_by, issued_at)
                SELECT 'c' || id, 'agent_token', printf('%010d', rowid), randomblob(32), id, '[]', 'active', 'user:operator', 1
                FROM agents WHERE slug GLOB 'made-*'",
    )
    .expect("credentials");
    conn.execute(
        "INSERT INTO audit (seq, at, actor, action, resource, outcome, request_id, prev_hash, hash, actor_id)
                WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1 * 5)
                SELECT (SELECT max(seq) FROM audit) + i, i, 'agent:' || (i % ?1), 'agents.read', 'agent:' || (i % ?1), 'ok', '-',
                    zeroblob(32), zeroblob(32), NULL FROM n",
        [size],
    )
    .expect("audit rows");
    conn.execute_batch("COMMIT").expect("a commit");
}

/// Creates `count` documents, 500 in a source, all with the words `some words of`.
pub fn documents(daemon: &Daemon, count: u32) {
    let mut conn = daemon.db();
    let tx = conn.transaction().expect("a transaction");
    for number in 0..count {
        let (id, source) = (format!("00000000-0000-7000-0002-{number:012x}"), format!("s{}", number / 500));
        tx.prepare_cached(
            "INSERT INTO knowledge_items (id, source_type, source_id, path, title, author, summary, content, categories,
                content_hash, created_at, updated_at)
             VALUES (?1, 'guide', ?2, ?3, 'A title', 'user:operator', 'A summary', ?4, '[]', zeroblob(32), ?5, ?5)",
        )
        .and_then(|mut insert| {
            let content = format!("some words of {number}, {}", "and what a document of common length says besides. ".repeat(20));
            insert.execute(params![id, source, format!("p{number}"), content, number])
        })
        .expect("a document");
    }
    tx.commit().expect("a commit");
}
