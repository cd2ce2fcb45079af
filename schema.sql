-- The schema of taosd.db, version 3: the one readable statement of what the daemon keeps.
--
-- Times are INTEGER microseconds since 1970-01-01T00:00:00Z. Ids are lower-case UUIDs and are never used twice.
-- Lists (scopes, models) are JSON arrays of strings. Secrets are present as 32-byte blake3 hashes only.
--
-- A table whose rows can be long has a rowid, so that its keys are compared in a small index: in a table without one,
-- each comparison reads a whole row. Its long columns stand last, so that the others are read without them.

-- Facts about this installation, such as `install_id`.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- People, and the scripts that act for them.
CREATE TABLE users (
    id           TEXT PRIMARY KEY,
    username     TEXT NOT NULL UNIQUE CHECK (username GLOB '[a-z]*' AND length(username) BETWEEN 1 AND 32),
    display_name TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('admin', 'member')),
    disabled     INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Where agents live; every user has exactly one default space.
CREATE TABLE spaces (
    id            TEXT PRIMARY KEY,
    slug          TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    description   TEXT NOT NULL DEFAULT '',
    visibility    TEXT NOT NULL CHECK (visibility IN ('private', 'invite_only', 'public')),
    owner_user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    is_default    INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX spaces_name ON spaces (owner_user_id, lower(name));
CREATE UNIQUE INDEX spaces_one_default ON spaces (owner_user_id) WHERE is_default = 1;

-- The registry. An archived agent keeps its row and id; its slug is free again.
CREATE TABLE agents (
    id                   TEXT NOT NULL PRIMARY KEY,
    slug                 TEXT NOT NULL CHECK (length(slug) BETWEEN 1 AND 64),
    given_name           TEXT,
    display_name         TEXT NOT NULL,
    origin               TEXT NOT NULL CHECK (origin IN ('space_agent', 'cloud', 'external_gateway', 'agentcore', 'mcp')),
    owner_user_id        TEXT NOT NULL REFERENCES users (id),
    owner_space_id       TEXT NOT NULL REFERENCES spaces (id),
    space_id             TEXT NOT NULL REFERENCES spaces (id),
    created_by           TEXT NOT NULL,
    host                 TEXT NOT NULL DEFAULT '',
    qmd_index            TEXT NOT NULL DEFAULT '',
    color                TEXT NOT NULL DEFAULT '#888888',
    emoji                TEXT,
    can_read_user_memory INTEGER NOT NULL DEFAULT 0 CHECK (can_read_user_memory IN (0, 1)),
    framework            TEXT NOT NULL DEFAULT 'none',
    model                TEXT,
    fallback_models      TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(fallback_models)),
    target_worker        TEXT,
    on_worker_failure    TEXT NOT NULL DEFAULT 'pause'
                         CHECK (on_worker_failure IN ('pause', 'fallback', 'escalate-immediately')),
    source_persona_id    TEXT,
    memory_plugin        TEXT NOT NULL DEFAULT 'none' CHECK (memory_plugin IN ('taosmd', 'none')),
    status               TEXT NOT NULL CHECK (status IN ('registered', 'deploying', 'running', 'stopped', 'failed')),
    paused               INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    container_name       TEXT,
    container_runtime    TEXT CHECK (container_runtime IN ('incus', 'lxd', 'lxc')),
    scope                TEXT NOT NULL CHECK (json_valid(scope)),
    token_delivery       TEXT CHECK (token_delivery IN ('delivered', 'pending_restart', 'not_injected', 'failed')),
    token_delivery_at    INTEGER,
    token_delivery_error TEXT,
    token_delivery_boot  TEXT,
    revision             INTEGER NOT NULL DEFAULT 1,
    created_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL,
    archived_at          INTEGER,
    snapshot_name        TEXT,
    -- Deployments up to this `seq` ended with the agent: a thousand rows at the price of one.
    deployments_ended    INTEGER NOT NULL DEFAULT 0,
    soul_md              TEXT NOT NULL DEFAULT '',
    agent_md             TEXT NOT NULL DEFAULT '',
    CHECK ((container_name IS NULL) = (container_runtime IS NULL))
) STRICT;
CREATE UNIQUE INDEX agents_live_slug ON agents (slug) WHERE archived_at IS NULL;
CREATE UNIQUE INDEX agents_live_given_name ON agents (lower(given_name)) WHERE archived_at IS NULL AND given_name IS NOT NULL;
CREATE UNIQUE INDEX agents_container ON agents (container_name) WHERE container_name IS NOT NULL;
CREATE INDEX agents_live_by_age ON agents (created_at, id) WHERE archived_at IS NULL;
CREATE INDEX agents_archived_by_age ON agents (archived_at, id) WHERE archived_at IS NOT NULL;
CREATE INDEX agents_by_owner ON agents (owner_user_id);

-- What the aX clients keep of an agent beside the registry's own; an agent without a row has the defaults.
CREATE TABLE agent_profiles (
    agent_id       TEXT NOT NULL PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    description    TEXT NOT NULL,
    bio            TEXT NOT NULL,
    specialization TEXT NOT NULL,
    agent_type     TEXT NOT NULL,
    avatar_url     TEXT,
    active         INTEGER NOT NULL CHECK (active IN (0, 1)),
    pinned         INTEGER NOT NULL CHECK (pinned IN (0, 1)),
    system_prompt  TEXT NOT NULL
) STRICT;

-- What the Agentex clients keep of an agent beside the registry's own; an agent without a row has the defaults.
CREATE TABLE registrations (
    agent_id      TEXT NOT NULL PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    description   TEXT NOT NULL,
    acp_type      TEXT NOT NULL CHECK (acp_type IN ('sync', 'async', 'agentic')),
    input_type    TEXT CHECK (input_type IN ('text', 'json')),
    acp_url       TEXT,
    -- Whether a user named the address: one that an agent without a container named leads nowhere.
    by_user       INTEGER NOT NULL CHECK (by_user IN (0, 1)),
    registered_at INTEGER,
    registered_by TEXT CHECK (registered_by IN ('register', 'promote')),
    unhealthy     INTEGER NOT NULL CHECK (unhealthy IN (0, 1)),
    -- Whether it ever had an internal key: only the first registration tells one.
    had_key       INTEGER NOT NULL CHECK (had_key IN (0, 1)),
    metadata      TEXT CHECK (json_valid(metadata)),
    CHECK ((registered_at IS NULL) = (registered_by IS NULL))
) STRICT;

-- Records of where an agent was deployed; a deleted one keeps its row, so that its id stays dead.
CREATE TABLE deployments (
    -- The order of recording: `agents.deployments_ended` says up to where all are deleted.
    seq               INTEGER PRIMARY KEY AUTOINCREMENT,
    agent_id          TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    id                TEXT NOT NULL CHECK (length(id) BETWEEN 1 AND 64),
    docker_image      TEXT NOT NULL,
    status            TEXT NOT NULL CHECK (status IN ('Pending', 'Ready', 'Failed')),
    is_production     INTEGER NOT NULL CHECK (is_production IN (0, 1)),
    acp_url           TEXT,
    by_user           INTEGER NOT NULL CHECK (by_user IN (0, 1)),
    sgp_deploy_id     TEXT,
    helm_release_name TEXT,
    created_at        INTEGER NOT NULL,
    promoted_at       INTEGER,
    expires_at        INTEGER,
    metadata          TEXT CHECK (json_valid(metadata)),
    UNIQUE (agent_id, id),
    CHECK (is_production = 0 OR expires_at IS NULL)
) STRICT;
CREATE UNIQUE INDEX deployments_one_production ON deployments (agent_id) WHERE is_production = 1;

-- The commits an agent was registered with, one row a change.
CREATE TABLE deployment_history (
    id           TEXT PRIMARY KEY,
    agent_id     TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    author_name  TEXT NOT NULL,
    author_email TEXT NOT NULL,
    branch_name  TEXT NOT NULL,
    commit_hash  TEXT NOT NULL,
    built_at     INTEGER NOT NULL,
    deployed_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX deployment_history_by_agent ON deployment_history (agent_id, deployed_at, id);

-- Every secret the box has issued.
CREATE TABLE credentials (
    id           TEXT PRIMARY KEY,
    kind         TEXT NOT NULL CHECK (kind IN ('agent_token', 'user_token', 'user_pat', 'agent_pat', 'enrollment', 'agent_key', 'session')),
    key_id       TEXT NOT NULL UNIQUE CHECK (length(key_id) = 10),
    secret_hash  BLOB NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    user_id      TEXT REFERENCES users (id) ON DELETE CASCADE,
    agent_id     TEXT REFERENCES agents (id) ON DELETE CASCADE,
    scopes       TEXT NOT NULL CHECK (json_valid(scopes)),
    label        TEXT NOT NULL DEFAULT '',
    -- Personal access tokens: what they may be exchanged for, and what they are bound to.
    audience     TEXT CHECK (audience IN ('cli', 'mcp', 'both')),
    admin        INTEGER NOT NULL DEFAULT 0 CHECK (admin IN (0, 1)),
    only_agents  TEXT CHECK (only_agents IS NULL OR json_valid(only_agents)),
    space_id     TEXT REFERENCES spaces (id) ON DELETE SET NULL,
    -- Signals of where a key is used, not secrets: 16 hex digits of its SHA-256, the host, the fingerprints seen.
    token_mark   TEXT CHECK (length(token_mark) = 16),
    host_binding TEXT,
    fingerprints TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(fingerprints)),
    -- How many of the warnings before its expiry were given.
    notices      INTEGER NOT NULL DEFAULT 0,
    -- Of an agent's key: whether it is the agent, or only lets a request through to it. The label is its name.
    key_type     TEXT CHECK (key_type IN ('internal', 'external')),
    -- A session dies with the token it was opened with.
    parent_id    TEXT REFERENCES credentials (id) ON DELETE CASCADE,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'active', 'grace', 'revoked', 'expired', 'pending_enrollment')),
    issued_by    TEXT NOT NULL,
    issued_at    INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER,
    -- The issuer by id, `user:ID` or `agent:ID`: names come back, ids do not.
    issuer_id    TEXT,
    -- The credential it was made with. A user's own token or key lives no longer than that one.
    made_by      TEXT,
    CHECK (user_id IS NOT NULL OR agent_id IS NOT NULL OR kind = 'enrollment'),
    CHECK (kind <> 'agent_token' OR agent_id IS NOT NULL),
    CHECK ((kind = 'agent_key') = (key_type IS NOT NULL)),
    CHECK (kind <> 'agent_key' OR agent_id IS NOT NULL),
    CHECK ((state = 'pending_enrollment') <= (kind = 'enrollment' AND agent_id IS NULL)),
    CHECK ((kind IN ('user_pat', 'agent_pat', 'enrollment')) <= (audience IS NOT NULL AND expires_at IS NOT NULL)),
    CHECK ((kind = 'session') = (parent_id IS NOT NULL)),
    CHECK ((state = 'revoked') = (revoked_at IS NOT NULL)),
    CHECK (state <> 'grace' OR expires_at IS NOT NULL)
) STRICT, WITHOUT ROWID;
-- One active token an agent, and at most one in its grace: the database itself refuses a second.
CREATE UNIQUE INDEX credentials_one_active_agent_token ON credentials (agent_id)
    WHERE kind = 'agent_token' AND state = 'active' AND revoked_at IS NULL;
CREATE UNIQUE INDEX credentials_one_grace_agent_token ON credentials (agent_id)
    WHERE kind = 'agent_token' AND state = 'grace' AND revoked_at IS NULL;
CREATE UNIQUE INDEX credentials_one_agent_key_a_name ON credentials (agent_id, label, key_type)
    WHERE kind = 'agent_key' AND state = 'active';
CREATE INDEX credentials_by_agent ON credentials (agent_id, kind, state) WHERE agent_id IS NOT NULL;
CREATE INDEX credentials_by_user ON credentials (user_id, issued_at) WHERE user_id IS NOT NULL;
CREATE INDEX credentials_by_expiry ON credentials (expires_at)
    WHERE expires_at IS NOT NULL AND state IN ('active', 'grace', 'pending_enrollment');
CREATE INDEX credentials_by_parent ON credentials (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX credentials_by_maker ON credentials (made_by) WHERE made_by IS NOT NULL;
CREATE INDEX credentials_dead ON credentials (coalesce(revoked_at, expires_at)) WHERE state IN ('revoked', 'expired');

-- Who may do what to which agent. agent_id NULL stands for all agents and takes the role creator alone.
CREATE TABLE grants (
    id                 TEXT PRIMARY KEY,
    principal_user_id  TEXT REFERENCES users (id) ON DELETE CASCADE,
    principal_agent_id TEXT REFERENCES agents (id) ON DELETE CASCADE,
    agent_id           TEXT REFERENCES agents (id) ON DELETE CASCADE,
    role               TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer', 'creator')),
    granted_by         TEXT NOT NULL,
    granted_at         INTEGER NOT NULL,
    CHECK ((principal_user_id IS NULL) <> (principal_agent_id IS NULL)),
    CHECK ((agent_id IS NULL) = (role = 'creator'))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX grants_of_user ON grants (principal_user_id, coalesce(agent_id, '*')) WHERE principal_user_id IS NOT NULL;
CREATE UNIQUE INDEX grants_of_agent ON grants (principal_agent_id, coalesce(agent_id, '*')) WHERE principal_agent_id IS NOT NULL;
CREATE INDEX grants_on_agent ON grants (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX grants_by_age ON grants (granted_at, id);

-- Slow work: what is asked of containers. At most one that is not finished an agent.
CREATE TABLE operations (
    id          TEXT NOT NULL PRIMARY KEY,
    kind        TEXT NOT NULL CHECK (kind IN ('start', 'stop', 'restart', 'pause', 'resume', 'bulk', 'deploy', 'archive', 'restore', 'purge', 'migrate', 'backup')),
    status      TEXT NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    agent_id    TEXT REFERENCES agents (id) ON DELETE SET NULL,
    agent_name  TEXT,
    parent_id   TEXT REFERENCES operations (id) ON DELETE CASCADE,
    step        TEXT NOT NULL DEFAULT '',
    progress    INTEGER NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    cancelling  INTEGER NOT NULL DEFAULT 0 CHECK (cancelling IN (0, 1)),
    actor       TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER,
    -- The actor by id, `user:ID` or `agent:ID`: whose operation it is.
    actor_id    TEXT,
    payload     TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(payload)),
    result      TEXT CHECK (result IS NULL OR json_valid(result)),
    error       TEXT CHECK (error IS NULL OR json_valid(error)),
    CHECK ((finished_at IS NULL) = (status IN ('queued', 'running')))
) STRICT;
CREATE UNIQUE INDEX operations_one_open_an_agent ON operations (agent_id)
    WHERE status IN ('queued', 'running') AND agent_id IS NOT NULL;
CREATE INDEX operations_open ON operations (created_at) WHERE status IN ('queued', 'running');
CREATE INDEX operations_by_age ON operations (created_at, id);
CREATE INDEX operations_by_actor ON operations (actor_id, created_at, id) WHERE finished_at IS NOT NULL;
CREATE INDEX operations_by_agent ON operations (agent_id, created_at) WHERE agent_id IS NOT NULL;
CREATE INDEX operations_by_parent ON operations (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX operations_finished ON operations (finished_at) WHERE finished_at IS NOT NULL;

-- Replies kept for repeats of the same request. A row without a status is a reservation: its owner is at work.
CREATE TABLE idempotency (
    principal  TEXT NOT NULL,
    route      TEXT NOT NULL,
    key        TEXT NOT NULL,
    body_hash  BLOB NOT NULL CHECK (length(body_hash) = 32),
    owner      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    status     INTEGER CHECK (status BETWEEN 200 AND 599),
    headers    TEXT CHECK (headers IS NULL OR json_valid(headers)),
    body       BLOB,
    PRIMARY KEY (principal, route, key)
) STRICT;
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- What happened: each row carries a hash over the previous row's hash and itself.
CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    resource   TEXT NOT NULL,
    outcome    TEXT NOT NULL CHECK (outcome IN ('ok', 'denied', 'failed', 'checkpoint')),
    count      INTEGER NOT NULL DEFAULT 1 CHECK (count > 0),
    request_id TEXT NOT NULL,
    prev_hash  BLOB NOT NULL CHECK (length(prev_hash) = 32),
    hash       BLOB NOT NULL CHECK (length(hash) = 32),
    -- The actor by id, `user:ID` or `agent:ID`; a row without one is hashed without it.
    actor_id   TEXT
) STRICT;
CREATE INDEX audit_by_resource ON audit (resource, seq);
CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
BEGIN
    SELECT raise(ABORT, 'audit rows are never changed');
END;

-- What agents and users have told people. `seq` is the order of commit, which no clock can turn round.
CREATE TABLE notifications (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    agent_id   TEXT,
    source     TEXT NOT NULL,
    app_origin TEXT,
    level      TEXT NOT NULL CHECK (level IN ('low', 'normal', 'high')),
    title      TEXT NOT NULL,
    message    TEXT NOT NULL,
    action_url TEXT,
    read       INTEGER NOT NULL DEFAULT 0 CHECK (read IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX notifications_of_user ON notifications (user_id, seq);
CREATE INDEX notifications_unread_of_user ON notifications (user_id, seq) WHERE read = 0;
CREATE INDEX notifications_of_agent ON notifications (agent_id, seq) WHERE agent_id IS NOT NULL;
CREATE INDEX notifications_unread_of_agent ON notifications (agent_id, seq) WHERE agent_id IS NOT NULL AND read = 0;
CREATE INDEX notifications_by_age ON notifications (created_at);

-- How many there are, for each user and each agent that sent some, so that nobody ever counts rows.
CREATE TABLE notification_counts (
    holder TEXT PRIMARY KEY CHECK (holder GLOB 'user:*' OR holder GLOB 'agent:*'),
    total  INTEGER NOT NULL CHECK (total >= 0),
    unread INTEGER NOT NULL CHECK (unread BETWEEN 0 AND total)
) STRICT, WITHOUT ROWID;
CREATE INDEX notification_counts_by_total ON notification_counts (total);
CREATE TRIGGER notifications_count_up AFTER INSERT ON notifications
BEGIN
    INSERT INTO notification_counts (holder, total, unread) VALUES ('user:' || new.user_id, 1, 1 - new.read)
        ON CONFLICT (holder) DO UPDATE SET total = total + 1, unread = unread + excluded.unread;
    INSERT INTO notification_counts (holder, total, unread)
        SELECT 'agent:' || new.agent_id, 1, 1 - new.read WHERE new.agent_id IS NOT NULL
        ON CONFLICT (holder) DO UPDATE SET total = total + 1, unread = unread + excluded.unread;
END;
CREATE TRIGGER notifications_count_read AFTER UPDATE OF read ON notifications WHEN new.read <> old.read
BEGIN
    UPDATE notification_counts SET unread = unread + old.read - new.read
        WHERE holder IN ('user:' || new.user_id, 'agent:' || new.agent_id);
END;
CREATE TRIGGER notifications_count_down AFTER DELETE ON notifications
BEGIN
    UPDATE notification_counts SET total = total - 1, unread = unread - (1 - old.read)
        WHERE holder IN ('user:' || old.user_id, 'agent:' || old.agent_id);
    DELETE FROM notification_counts WHERE holder IN ('user:' || old.user_id, 'agent:' || old.agent_id) AND total = 0;
END;

-- Notifications on their way to the webhook, first in, first out (ids grow with time). A row goes when it was taken,
-- given up, or its notification is gone.
CREATE TABLE webhook_outbox (
    notification_id TEXT PRIMARY KEY REFERENCES notifications (id) ON DELETE CASCADE,
    attempts        INTEGER NOT NULL DEFAULT 0,
    queued_at       INTEGER NOT NULL,
    next_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What agents can look up: documents by source and path. `content_hash` tells whether one has changed.
CREATE TABLE knowledge_items (
    seq          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    source_type  TEXT NOT NULL,
    source_id    TEXT NOT NULL,
    path         TEXT NOT NULL,
    title        TEXT NOT NULL,
    author       TEXT NOT NULL,
    summary      TEXT NOT NULL,
    content      TEXT NOT NULL,
    categories   TEXT NOT NULL CHECK (json_valid(categories)),
    content_hash BLOB NOT NULL CHECK (length(content_hash) = 32),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    UNIQUE (source_id, path)
) STRICT;
CREATE INDEX knowledge_items_by_age ON knowledge_items (created_at, id);
-- Whose each source of knowledge is, and how much text it has. One without an owner is the admins'.
CREATE TABLE knowledge_sources (
    source_id      TEXT PRIMARY KEY,
    owner_user_id  TEXT REFERENCES users (id) ON DELETE SET NULL,
    owner_agent_id TEXT REFERENCES agents (id) ON DELETE SET NULL,
    bytes          INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    CHECK (owner_user_id IS NULL OR owner_agent_id IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX knowledge_sources_of_user ON knowledge_sources (owner_user_id) WHERE owner_user_id IS NOT NULL;
CREATE INDEX knowledge_sources_of_agent ON knowledge_sources (owner_agent_id) WHERE owner_agent_id IS NOT NULL;
CREATE VIRTUAL TABLE knowledge_words USING fts5 (
    title, content, content = 'knowledge_items', content_rowid = 'seq', tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TRIGGER knowledge_items_in AFTER INSERT ON knowledge_items
BEGIN
    INSERT INTO knowledge_words (rowid, title, content) VALUES (new.seq, new.title, new.content);
END;
CREATE TRIGGER knowledge_items_out AFTER DELETE ON knowledge_items
BEGIN
    INSERT INTO knowledge_words (knowledge_words, rowid, title, content)
        VALUES ('delete', old.seq, old.title, old.content);
END;
CREATE TRIGGER knowledge_items_changed AFTER UPDATE OF title, content ON knowledge_items
BEGIN
    INSERT INTO knowledge_words (knowledge_words, rowid, title, content)
        VALUES ('delete', old.seq, old.title, old.content);
    INSERT INTO knowledge_words (rowid, title, content) VALUES (new.seq, new.title, new.content);
END;
