-- Operations may be backups: a CHECK can only be changed by making the table anew.
CREATE TABLE operations_next (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL CHECK (kind IN ('start', 'stop', 'restart', 'pause', 'resume', 'bulk', 'deploy', 'archive', 'restore', 'purge', 'migrate', 'backup')),
    status      TEXT NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    agent_id    TEXT REFERENCES agents (id) ON DELETE SET NULL,
    agent_name  TEXT,
    parent_id   TEXT REFERENCES operations (id) ON DELETE CASCADE,
    step        TEXT NOT NULL DEFAULT '',
    progress    INTEGER NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    cancelling  INTEGER NOT NULL DEFAULT 0 CHECK (cancelling IN (0, 1)),
    payload     TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(payload)),
    result      TEXT CHECK (result IS NULL OR json_valid(result)),
    error       TEXT CHECK (error IS NULL OR json_valid(error)),
    actor       TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER,
    CHECK ((finished_at IS NULL) = (status IN ('queued', 'running')))
) STRICT, WITHOUT ROWID;
INSERT INTO operations_next SELECT * FROM operations;
DROP TABLE operations;
ALTER TABLE operations_next RENAME TO operations;
CREATE UNIQUE INDEX operations_one_open_an_agent ON operations (agent_id)
    WHERE status IN ('queued', 'running') AND agent_id IS NOT NULL;
CREATE INDEX operations_open ON operations (created_at) WHERE status IN ('queued', 'running');
CREATE INDEX operations_by_age ON operations (created_at, id);
CREATE INDEX operations_by_agent ON operations (agent_id, created_at) WHERE agent_id IS NOT NULL;
CREATE INDEX operations_by_parent ON operations (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX operations_finished ON operations (finished_at) WHERE finished_at IS NOT NULL;
