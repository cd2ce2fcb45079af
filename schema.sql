-- The schema of taosd.db, version 3: the one readable statement of what the daemon keeps.
--
-- A CHECK on one of three words or more is a chain of OR: for IN, SQLite makes a table of its own at every statement.
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
CREATE INDEX users_by_age ON users (created_at, id);

-- Where agents live; every user has exactly one default space.
CREATE TABLE spaces (
    id            TEXT PRIMARY KEY,
    slug          TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    description   TEXT NOT NULL DEFAULT '',
    visibility    TEXT NOT NULL CHECK (visibility = 'private' OR visibility = 'invite_only' OR visibility = 'public'),
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
    origin               TEXT NOT NULL CHECK (origin = 'space_agent' OR origin = 'cloud'
                         OR origin = 'external_gateway' OR origin = 'agentcore' OR origin = 'mcp'),
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
                         CHECK (on_worker_failure = 'pause' OR on_worker_failure = 'fallback'
                         OR on_worker_failure = 'escalate-immediately'),
    source_persona_id    TEXT,
    memory_plugin        TEXT NOT NULL DEFAULT 'none' CHECK (memory_plugin IN ('taosmd', 'none')),
    status               TEXT NOT NULL CHECK (status = 'registered' OR status = 'deploying'
                         OR status = 'running' OR status = 'stopped' OR status = 'failed'),
    paused               INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    -- How news wakes it, after how many idle minutes it is put to sleep (0: never), and since when it sleeps.
    wake                 TEXT NOT NULL DEFAULT 'none' CHECK (wake = 'none' OR wake = 'start' OR wake = 'resume'),
    idle_stop_minutes    INTEGER NOT NULL DEFAULT 0 CHECK (idle_stop_minutes BETWEEN 0 AND 10080),
    asleep_at            INTEGER,
    container_name       TEXT,
    container_runtime    TEXT CHECK (container_runtime = 'incus' OR container_runtime = 'lxd'
                         OR container_runtime = 'lxc'),
    scope                TEXT NOT NULL CHECK (json_valid(scope)),
    token_delivery       TEXT CHECK (token_delivery = 'delivered' OR token_delivery = 'pending_restart'
                         OR token_delivery = 'not_injected' OR token_delivery = 'failed'),
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
    -- While an agent is frozen, none of its credentials works, whatever their own states say.
    frozen_at            INTEGER,
    frozen_by            TEXT,
    frozen_reason        TEXT,
    -- What an admin froze, only an admin thaws.
    frozen_by_admin      INTEGER NOT NULL DEFAULT 0 CHECK (frozen_by_admin = 0 OR frozen_by_admin = 1),
    -- Thawed, and its container has not been unfrozen yet.
    thawing              INTEGER NOT NULL DEFAULT 0 CHECK (thawing = 0 OR thawing = 1),
    soul_md              TEXT NOT NULL DEFAULT '',
    agent_md             TEXT NOT NULL DEFAULT '',
    CHECK ((container_name IS NULL) = (container_runtime IS NULL)),
    CHECK ((frozen_at IS NULL) = (frozen_by IS NULL) AND (frozen_at IS NULL) = (frozen_reason IS NULL)),
    CHECK (frozen_at IS NULL OR (archived_at IS NULL AND thawing = 0))
) STRICT;
CREATE UNIQUE INDEX agents_live_slug ON agents (slug) WHERE archived_at IS NULL;
CREATE UNIQUE INDEX agents_live_given_name ON agents (lower(given_name)) WHERE archived_at IS NULL AND given_name IS NOT NULL;
CREATE UNIQUE INDEX agents_container ON agents (container_name) WHERE container_name IS NOT NULL;
CREATE INDEX agents_live_by_age ON agents (created_at, id) WHERE archived_at IS NULL;
CREATE INDEX agents_live_by_status ON agents (status, created_at, id) WHERE archived_at IS NULL;
CREATE INDEX agents_live_by_change ON agents (updated_at, created_at, id) WHERE archived_at IS NULL;
CREATE INDEX agents_live_by_name ON agents (coalesce(given_name, slug), created_at, id) WHERE archived_at IS NULL;
CREATE INDEX agents_archived_by_age ON agents (archived_at, id) WHERE archived_at IS NOT NULL;
CREATE INDEX agents_by_owner ON agents (owner_user_id);
CREATE INDEX agents_by_space ON agents (space_id, created_at, id);
CREATE INDEX agents_by_owner_space ON agents (owner_space_id);
CREATE INDEX agents_that_doze ON agents (id) WHERE idle_stop_minutes > 0 AND archived_at IS NULL;

-- The names of live agents in parts of one to three characters: a search for a part of a name walks through those that
-- have it (src/store/agents/names.rs). `seq` is the order in which the agents were made. `stale`: the name has changed
-- since its parts were taken in. `taken`: `agent_parts` has a row of it.
CREATE TABLE agent_names (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    agent_id TEXT NOT NULL UNIQUE REFERENCES agents (id) ON DELETE CASCADE,
    stale    INTEGER NOT NULL DEFAULT 1 CHECK (stale IN (0, 1)),
    taken    INTEGER NOT NULL DEFAULT 0 CHECK (taken IN (0, 1))
) STRICT;
CREATE INDEX agent_names_stale ON agent_names (seq) WHERE stale = 1;
CREATE VIRTUAL TABLE agent_parts USING fts5 (
    parts, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);
CREATE TRIGGER agent_names_in AFTER INSERT ON agents
BEGIN
    INSERT INTO agent_names (agent_id) VALUES (new.id);
END;
CREATE TRIGGER agent_names_changed AFTER UPDATE OF slug, display_name, archived_at ON agents
    WHEN old.slug <> new.slug OR old.display_name <> new.display_name OR old.archived_at IS NOT new.archived_at
BEGIN
    UPDATE agent_names SET stale = 1 WHERE agent_id = new.id;
END;
CREATE TRIGGER agent_names_out AFTER DELETE ON agent_names WHEN old.taken = 1
BEGIN
    DELETE FROM agent_parts WHERE rowid = old.seq;
END;

-- What there was for an agent in a container to hear of: how much so far, and since when something waits that nothing of
-- it was listening to. `woken`: when it was woken within the last hour. `told`: its owner knows that it may not be again.
CREATE TABLE agent_news (
    agent_id    TEXT NOT NULL PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    count       INTEGER NOT NULL CHECK (count > 0),
    waits_since INTEGER,
    woken       TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(woken)),
    told        INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_news_waiting ON agent_news (waits_since) WHERE waits_since IS NOT NULL;

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
    acp_type      TEXT NOT NULL CHECK (acp_type = 'sync' OR acp_type = 'async' OR acp_type = 'agentic'),
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
    status            TEXT NOT NULL CHECK (status = 'Pending' OR status = 'Ready' OR status = 'Failed'),
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
    id           TEXT NOT NULL PRIMARY KEY,
    kind         TEXT NOT NULL CHECK (kind = 'agent_token' OR kind = 'user_token' OR kind = 'user_pat'
        OR kind = 'agent_pat' OR kind = 'enrollment' OR kind = 'agent_key' OR kind = 'session' OR kind = 'oauth_grant'),
    key_id       TEXT NOT NULL UNIQUE CHECK (length(key_id) = 10),
    secret_hash  BLOB NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    user_id      TEXT REFERENCES users (id) ON DELETE CASCADE,
    agent_id     TEXT REFERENCES agents (id) ON DELETE CASCADE,
    label        TEXT NOT NULL DEFAULT '',
    -- Personal access tokens: what they may be exchanged for, and what they are bound to.
    audience     TEXT CHECK (audience = 'cli' OR audience = 'mcp' OR audience = 'both'),
    admin        INTEGER NOT NULL DEFAULT 0 CHECK (admin IN (0, 1)),
    space_id     TEXT REFERENCES spaces (id) ON DELETE SET NULL,
    -- Signals of where a key is used, not secrets: 16 hex digits of its SHA-256, the host, the fingerprints seen.
    token_mark   TEXT CHECK (length(token_mark) = 16),
    host_binding TEXT,
    -- How many of the warnings before its expiry were given.
    notices      INTEGER NOT NULL DEFAULT 0,
    -- Of an agent's key: whether it is the agent, or only lets a request through to it. The label is its name.
    key_type     TEXT CHECK (key_type IN ('internal', 'external')),
    -- A session dies with the token it was opened with.
    parent_id    TEXT REFERENCES credentials (id) ON DELETE CASCADE,
    state        TEXT NOT NULL CHECK (state = 'pending' OR state = 'active' OR state = 'grace'
        OR state = 'revoked' OR state = 'expired' OR state = 'pending_enrollment'),
    issued_by    TEXT NOT NULL,
    issued_at    INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER,
    -- The issuer by id, `user:ID` or `agent:ID`: names come back, ids do not.
    issuer_id    TEXT,
    -- The credential it was made with. A user's own token or key lives no longer than that one.
    made_by      TEXT,
    scopes       TEXT NOT NULL CHECK (json_valid(scopes)),
    only_agents  TEXT CHECK (only_agents IS NULL OR json_valid(only_agents)),
    fingerprints TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(fingerprints)),
    CHECK (user_id IS NOT NULL OR agent_id IS NOT NULL OR kind = 'enrollment'),
    CHECK (kind <> 'agent_token' OR agent_id IS NOT NULL),
    CHECK ((kind = 'agent_key') = (key_type IS NOT NULL)),
    CHECK (kind <> 'agent_key' OR agent_id IS NOT NULL),
    CHECK ((state = 'pending_enrollment') <= (kind = 'enrollment' AND agent_id IS NULL)),
    CHECK ((kind = 'user_pat' OR kind = 'agent_pat' OR kind = 'enrollment')
        <= (audience IS NOT NULL AND expires_at IS NOT NULL)),
    CHECK ((kind = 'session') = (parent_id IS NOT NULL)),
    CHECK ((state = 'revoked') = (revoked_at IS NOT NULL)),
    CHECK (state <> 'grace' OR expires_at IS NOT NULL)
) STRICT;
-- One active token an agent, and at most one in its grace: the database itself refuses a second.
CREATE UNIQUE INDEX credentials_one_active_agent_token ON credentials (agent_id)
    WHERE kind = 'agent_token' AND state = 'active' AND revoked_at IS NULL;
CREATE UNIQUE INDEX credentials_one_grace_agent_token ON credentials (agent_id)
    WHERE kind = 'agent_token' AND state = 'grace' AND revoked_at IS NULL;
CREATE UNIQUE INDEX credentials_one_agent_key_a_name ON credentials (agent_id, label, key_type)
    WHERE kind = 'agent_key' AND state = 'active';
CREATE INDEX credentials_by_agent ON credentials (agent_id, kind, state) WHERE agent_id IS NOT NULL;
CREATE INDEX credentials_by_user ON credentials (user_id, issued_at, id) WHERE user_id IS NOT NULL;
CREATE INDEX credentials_by_expiry ON credentials (expires_at, id)
    WHERE expires_at IS NOT NULL AND (state = 'active' OR state = 'grace' OR state = 'pending_enrollment');
CREATE INDEX credentials_by_parent ON credentials (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX credentials_by_maker ON credentials (made_by) WHERE made_by IS NOT NULL;
CREATE INDEX credentials_keys_by_age ON credentials (issued_at, id) WHERE audience IS NOT NULL;
CREATE INDEX credentials_dead ON credentials (coalesce(revoked_at, expires_at)) WHERE state IN ('revoked', 'expired');

-- What a person's click gave a program, beside its credential: that one's hash is the refresh token's. A dynamic client
-- has no row anywhere; here is the hash of its id.
CREATE TABLE oauth_grants (
    credential_id TEXT PRIMARY KEY REFERENCES credentials (id) ON DELETE CASCADE,
    -- The part of the refresh token that no rotation changes.
    handle_hash   BLOB NOT NULL UNIQUE CHECK (length(handle_hash) = 32),
    -- The token before the present one, while it may still be used once more: its reply may have been lost.
    previous_hash BLOB CHECK (length(previous_hash) = 32),
    refreshed_at  INTEGER NOT NULL,
    -- Who has consented; the agent stands in the credential.
    user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_hash   BLOB NOT NULL CHECK (length(client_hash) = 32),
    client_name   TEXT NOT NULL,
    redirect_host TEXT NOT NULL,
    audience      TEXT NOT NULL,
    words         TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    ends_at       INTEGER NOT NULL,
    -- Whether its credential is active: lists and counts never walk the dead ones.
    live          INTEGER NOT NULL DEFAULT 1 CHECK (live IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_grants_by_user ON oauth_grants (user_id, created_at, credential_id) WHERE live = 1;
CREATE INDEX oauth_grants_by_age ON oauth_grants (created_at, credential_id) WHERE live = 1;
CREATE INDEX oauth_grants_by_client ON oauth_grants (client_hash) WHERE live = 1;
-- Which agent a user last chose for a program of this name; a dead grant tells it too.
CREATE INDEX oauth_grants_by_name ON oauth_grants (user_id, client_name, created_at);
CREATE TRIGGER oauth_grants_live AFTER UPDATE OF state ON credentials
WHEN new.kind = 'oauth_grant' AND new.state <> old.state
BEGIN
    UPDATE oauth_grants SET live = (new.state = 'active') WHERE credential_id = new.id;
END;

-- Programs that an admin has registered. A program that registers itself has no row.
CREATE TABLE oauth_clients (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    redirect_uris  TEXT NOT NULL CHECK (json_valid(redirect_uris)),
    -- Of a client that proves itself with a secret.
    secret_hash    BLOB CHECK (length(secret_hash) = 32),
    -- Whether it may ask about every token of the box.
    can_introspect INTEGER NOT NULL CHECK (can_introspect IN (0, 1)),
    created_by     TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    CHECK (can_introspect = 0 OR secret_hash IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_clients_by_age ON oauth_clients (created_at, id);

-- Who may do what to which agent, and who is a member of which space. Without agent and space it is about all agents and
-- takes the role creator alone. A grant past its end counts as none from that moment on.
CREATE TABLE grants (
    id                 TEXT PRIMARY KEY,
    principal_user_id  TEXT REFERENCES users (id) ON DELETE CASCADE,
    principal_agent_id TEXT REFERENCES agents (id) ON DELETE CASCADE,
    agent_id           TEXT REFERENCES agents (id) ON DELETE CASCADE,
    space_id           TEXT REFERENCES spaces (id) ON DELETE CASCADE,
    role               TEXT NOT NULL CHECK (role = 'owner' OR role = 'editor' OR role = 'viewer' OR role = 'creator'),
    granted_by         TEXT NOT NULL,
    granted_at         INTEGER NOT NULL,
    expires_at         INTEGER,
    -- The request that it answers: such a grant stands beside the lasting one, and goes without a trace of it.
    request_id         TEXT,
    CHECK ((principal_user_id IS NULL) <> (principal_agent_id IS NULL)),
    CHECK (request_id IS NULL OR principal_agent_id IS NOT NULL),
    CHECK (agent_id IS NULL OR space_id IS NULL),
    CHECK ((agent_id IS NULL AND space_id IS NULL) = (role = 'creator'))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX grants_of_user ON grants (principal_user_id, coalesce(agent_id, 'space:' || space_id, '*'))
    WHERE principal_user_id IS NOT NULL;
CREATE UNIQUE INDEX grants_of_agent
    ON grants (principal_agent_id, coalesce(agent_id, 'space:' || space_id, '*'), coalesce(request_id, ''))
    WHERE principal_agent_id IS NOT NULL;
CREATE UNIQUE INDEX grants_of_request ON grants (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX grants_of_user_by_age ON grants (principal_user_id, granted_at, id) WHERE principal_user_id IS NOT NULL;
CREATE INDEX grants_of_agent_by_age ON grants (principal_agent_id, granted_at, id) WHERE principal_agent_id IS NOT NULL;
CREATE INDEX grants_on_agent ON grants (agent_id, granted_at, id) WHERE agent_id IS NOT NULL;
CREATE INDEX grants_on_space ON grants (space_id, granted_at, id) WHERE space_id IS NOT NULL;
CREATE INDEX grants_by_age ON grants (granted_at, id);
CREATE INDEX grants_by_expiry ON grants (expires_at) WHERE expires_at IS NOT NULL;

-- Slow work: what is asked of containers. At most one that is not finished an agent.
CREATE TABLE operations (
    id          TEXT NOT NULL PRIMARY KEY,
    kind        TEXT NOT NULL CHECK (kind = 'start' OR kind = 'stop' OR kind = 'restart' OR kind = 'pause'
        OR kind = 'resume' OR kind = 'bulk' OR kind = 'deploy' OR kind = 'archive' OR kind = 'restore'
        OR kind = 'purge' OR kind = 'migrate' OR kind = 'backup' OR kind = 'wake' OR kind = 'sleep'
        OR kind = 'freeze' OR kind = 'thaw'),
    status      TEXT NOT NULL CHECK (status = 'queued' OR status = 'running' OR status = 'succeeded'
        OR status = 'failed' OR status = 'cancelled'),
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
CREATE INDEX operations_by_status ON operations (status, created_at, id);
CREATE INDEX operations_by_kind ON operations (kind, created_at, id);
CREATE INDEX operations_by_name ON operations (agent_name, created_at, id) WHERE agent_name IS NOT NULL;
CREATE INDEX operations_by_actor ON operations (actor_id, created_at, id) WHERE finished_at IS NOT NULL;
CREATE INDEX operations_open_by_actor ON operations (actor_id, created_at, id) WHERE finished_at IS NULL;
CREATE INDEX operations_by_agent ON operations (agent_id, created_at, id) WHERE agent_id IS NOT NULL;
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
    outcome    TEXT NOT NULL CHECK (outcome = 'ok' OR outcome = 'denied' OR outcome = 'failed'
        OR outcome = 'checkpoint'),
    count      INTEGER NOT NULL DEFAULT 1 CHECK (count > 0),
    request_id TEXT NOT NULL,
    prev_hash  BLOB NOT NULL CHECK (length(prev_hash) = 32),
    hash       BLOB NOT NULL CHECK (length(hash) = 32),
    -- The actor by id, `user:ID` or `agent:ID`; a row without one is hashed without it.
    actor_id   TEXT
) STRICT;
CREATE INDEX audit_by_resource ON audit (resource, seq);
CREATE INDEX audit_by_actor ON audit (actor, seq);
CREATE INDEX audit_by_action ON audit (action, seq);
-- From when to when each full run of 1,024 rows is: rows of a time are found without a look at all of them, and whatever
-- the clock did. The rows of the last run have no row here yet.
CREATE TABLE audit_spans (
    span   INTEGER PRIMARY KEY,
    min_at INTEGER NOT NULL,
    max_at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER audit_spans_grow AFTER INSERT ON audit WHEN new.seq % 1024 = 1023
BEGIN
    INSERT OR REPLACE INTO audit_spans (span, min_at, max_at)
        SELECT new.seq / 1024, min(at), max(at) FROM audit WHERE seq BETWEEN new.seq - 1023 AND new.seq;
END;
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
    level      TEXT NOT NULL CHECK (level = 'low' OR level = 'normal' OR level = 'high'),
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
-- How many each sender has in each inbox. The sender is the agent's id, else the source: `user:NAME` or `taosd`.
CREATE TABLE notification_senders (
    user_id TEXT NOT NULL,
    sender  TEXT NOT NULL,
    total   INTEGER NOT NULL CHECK (total >= 0),
    PRIMARY KEY (user_id, sender)
) STRICT, WITHOUT ROWID;
CREATE INDEX notification_senders_by_total ON notification_senders (user_id, total);
CREATE TRIGGER notifications_count_up AFTER INSERT ON notifications
BEGIN
    INSERT INTO notification_senders (user_id, sender, total)
        VALUES (new.user_id, coalesce(new.agent_id, new.source), 1)
        ON CONFLICT (user_id, sender) DO UPDATE SET total = total + 1;
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
    UPDATE notification_senders SET total = total - 1
        WHERE user_id = old.user_id AND sender = coalesce(old.agent_id, old.source);
    DELETE FROM notification_senders
        WHERE user_id = old.user_id AND sender = coalesce(old.agent_id, old.source) AND total = 0;
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
CREATE INDEX knowledge_items_of_source ON knowledge_items (source_id, created_at, id);
CREATE INDEX knowledge_items_of_type ON knowledge_items (source_type, created_at, id);
CREATE TABLE knowledge_categories (
    category   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    id         TEXT NOT NULL REFERENCES knowledge_items (id) ON DELETE CASCADE,
    PRIMARY KEY (category, created_at, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX knowledge_categories_of_item ON knowledge_categories (id);
CREATE TRIGGER knowledge_categories_in AFTER INSERT ON knowledge_items
BEGIN
    INSERT INTO knowledge_categories (category, created_at, id)
        SELECT DISTINCT value, new.created_at, new.id FROM json_each(new.categories);
END;
CREATE TRIGGER knowledge_categories_changed AFTER UPDATE OF categories ON knowledge_items
    WHEN old.categories <> new.categories
BEGIN
    DELETE FROM knowledge_categories WHERE id = new.id;
    INSERT INTO knowledge_categories (category, created_at, id)
        SELECT DISTINCT value, new.created_at, new.id FROM json_each(new.categories);
END;
-- Whose each source of knowledge is, and what it holds, so that nobody ever counts documents. One without an owner is the
-- admins'. Without documents it is a name that somebody had.
CREATE TABLE knowledge_sources (
    source_id      TEXT PRIMARY KEY,
    owner_user_id  TEXT REFERENCES users (id) ON DELETE SET NULL,
    owner_agent_id TEXT REFERENCES agents (id) ON DELETE SET NULL,
    bytes          INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    source_type    TEXT NOT NULL DEFAULT '',
    items          INTEGER NOT NULL DEFAULT 0 CHECK (items >= 0),
    updated_at     INTEGER NOT NULL DEFAULT 0,
    CHECK (owner_user_id IS NULL OR owner_agent_id IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX knowledge_sources_of_user ON knowledge_sources (owner_user_id) WHERE owner_user_id IS NOT NULL;
CREATE INDEX knowledge_sources_of_agent ON knowledge_sources (owner_agent_id) WHERE owner_agent_id IS NOT NULL;
-- Without content of its own: a row is removed by its number, so that replacing a long text takes apart the new one alone.
CREATE VIRTUAL TABLE knowledge_words USING fts5 (
    title, content, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TRIGGER knowledge_items_in AFTER INSERT ON knowledge_items
BEGIN
    INSERT INTO knowledge_words (rowid, title, content) VALUES (new.seq, new.title, new.content);
END;
CREATE TRIGGER knowledge_items_out AFTER DELETE ON knowledge_items
BEGIN
    DELETE FROM knowledge_words WHERE rowid = old.seq;
END;
CREATE TRIGGER knowledge_sources_count_up AFTER INSERT ON knowledge_items
BEGIN
    INSERT INTO knowledge_sources (source_id, source_type, items, updated_at)
        VALUES (new.source_id, new.source_type, 1, new.updated_at)
        ON CONFLICT (source_id) DO UPDATE SET source_type = excluded.source_type, items = items + 1,
            updated_at = max(updated_at, excluded.updated_at);
END;
CREATE TRIGGER knowledge_sources_change AFTER UPDATE OF updated_at, source_type ON knowledge_items
BEGIN
    UPDATE knowledge_sources SET source_type = new.source_type, updated_at = max(updated_at, new.updated_at)
        WHERE source_id = new.source_id;
END;
CREATE TRIGGER knowledge_sources_count_down AFTER DELETE ON knowledge_items
BEGIN
    UPDATE knowledge_sources SET items = items - 1 WHERE source_id = old.source_id;
END;
CREATE TRIGGER knowledge_items_changed AFTER UPDATE OF title, content ON knowledge_items
BEGIN
    DELETE FROM knowledge_words WHERE rowid = old.seq;
    INSERT INTO knowledge_words (rowid, title, content) VALUES (new.seq, new.title, new.content);
END;

-- What a space, and the box as a whole, holds of what is bounded, so that nobody ever counts rows.
CREATE TABLE workspace_usage (
    holder       TEXT PRIMARY KEY CHECK (holder = 'box' OR holder GLOB 'space:*'),
    context_keys INTEGER NOT NULL DEFAULT 0,
    context_bytes INTEGER NOT NULL DEFAULT 0,
    uploads      INTEGER NOT NULL DEFAULT 0,
    upload_bytes INTEGER NOT NULL DEFAULT 0,
    open_tasks   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TRIGGER workspace_usage_of_a_space_goes AFTER DELETE ON spaces
BEGIN
    DELETE FROM workspace_usage WHERE holder = 'space:' || old.id;
END;

-- What an agent has added on one day, in UTC.
CREATE TABLE agent_allowances (
    agent_id TEXT PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    day      INTEGER NOT NULL,
    bytes    INTEGER NOT NULL CHECK (bytes >= 0),
    rows     INTEGER NOT NULL CHECK (rows >= 0)
) STRICT, WITHOUT ROWID;

-- Shared context: values by key, each until its end. Without an end it was promoted.
CREATE TABLE context (
    space_id      TEXT NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
    key           TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 512),
    value         TEXT NOT NULL,
    bytes         INTEGER NOT NULL CHECK (bytes >= 0),
    ttl           INTEGER,
    expires_at    INTEGER,
    artifact_type TEXT,
    created_by    TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    CHECK ((ttl IS NULL) = (expires_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX context_by_key ON context (space_id, key);
CREATE INDEX context_by_expiry ON context (expires_at) WHERE expires_at IS NOT NULL;
CREATE TRIGGER context_counts_up AFTER INSERT ON context
BEGIN
    INSERT INTO workspace_usage (holder, context_keys, context_bytes) VALUES ('space:' || new.space_id, 1, new.bytes)
        ON CONFLICT (holder) DO UPDATE SET context_keys = context_keys + 1, context_bytes = context_bytes + new.bytes;
END;
CREATE TRIGGER context_counts_bytes AFTER UPDATE OF bytes ON context WHEN new.bytes <> old.bytes
BEGIN
    UPDATE workspace_usage SET context_bytes = context_bytes + new.bytes - old.bytes
        WHERE holder = 'space:' || new.space_id;
END;
CREATE TRIGGER context_counts_down AFTER DELETE ON context
BEGIN
    UPDATE workspace_usage SET context_keys = context_keys - 1, context_bytes = context_bytes - old.bytes
        WHERE holder = 'space:' || old.space_id;
END;

-- The bytes of files, once for each space. Without a hash it is an upload that has not ended.
CREATE TABLE upload_contents (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    space_id TEXT NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
    hash     BLOB CHECK (length(hash) = 32),
    size     INTEGER NOT NULL CHECK (size >= 0),
    begun_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX upload_contents_by_hash ON upload_contents (space_id, hash) WHERE hash IS NOT NULL;
CREATE INDEX upload_contents_unfinished ON upload_contents (begun_at) WHERE hash IS NULL;
CREATE TABLE upload_chunks (
    content_id INTEGER NOT NULL REFERENCES upload_contents (id) ON DELETE CASCADE,
    number     INTEGER NOT NULL CHECK (number >= 0),
    bytes      BLOB NOT NULL CHECK (length(bytes) BETWEEN 1 AND 262144)
) STRICT;
CREATE UNIQUE INDEX upload_chunks_in_order ON upload_chunks (content_id, number);

-- Files as they were uploaded; two with the same bytes share them.
CREATE TABLE uploads (
    id           TEXT PRIMARY KEY,
    space_id     TEXT NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
    content_id   INTEGER NOT NULL REFERENCES upload_contents (id) ON DELETE CASCADE,
    filename     TEXT NOT NULL,
    content_type TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_of_content ON uploads (content_id);
CREATE INDEX uploads_of_space ON uploads (space_id, id);
-- A name counts as 512 bytes: many files with the same bytes cost room as well.
CREATE TRIGGER uploads_count_up AFTER INSERT ON uploads
BEGIN
    INSERT INTO workspace_usage (holder, uploads, upload_bytes) VALUES ('space:' || new.space_id, 1, 512), ('box', 1, 512)
        ON CONFLICT (holder) DO UPDATE SET uploads = uploads + 1, upload_bytes = upload_bytes + 512;
END;
CREATE TRIGGER uploads_count_down AFTER DELETE ON uploads
BEGIN
    UPDATE workspace_usage SET uploads = uploads - 1, upload_bytes = upload_bytes - 512
        WHERE holder = 'space:' || old.space_id OR holder = 'box';
END;
CREATE TRIGGER upload_contents_count_up AFTER UPDATE OF size ON upload_contents WHEN new.size <> old.size
BEGIN
    INSERT INTO workspace_usage (holder, upload_bytes)
        VALUES ('space:' || new.space_id, new.size - old.size), ('box', new.size - old.size)
        ON CONFLICT (holder) DO UPDATE SET upload_bytes = upload_bytes + new.size - old.size;
END;
CREATE TRIGGER upload_contents_count_down AFTER DELETE ON upload_contents
BEGIN
    UPDATE workspace_usage SET upload_bytes = upload_bytes - old.size
        WHERE holder = 'space:' || old.space_id OR holder = 'box';
END;

-- What is to be done. `assignee` is empty where anybody may do it; `holder` is who has the lease now, as user:ID or
-- agent:ID. `fence` only grows: what was claimed under a smaller one is over. `waiting_on` is how many of the tasks it
-- depends on are neither done nor cancelled.
CREATE TABLE tasks (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT NOT NULL UNIQUE,
    space_id      TEXT NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
    title         TEXT NOT NULL,
    description   TEXT NOT NULL DEFAULT '',
    status        TEXT NOT NULL,
    priority      INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 3),
    assignee      TEXT NOT NULL DEFAULT '',
    requirements  TEXT CHECK (requirements IS NULL OR json_valid(requirements)),
    deadline      INTEGER,
    creator       TEXT NOT NULL,
    creator_name  TEXT NOT NULL,
    owner_user_id TEXT NOT NULL,
    fence         INTEGER NOT NULL DEFAULT 0,
    holder        TEXT,
    holder_name   TEXT,
    lease_seconds INTEGER,
    lease_until   INTEGER,
    attempts      INTEGER NOT NULL DEFAULT 0,
    max_attempts  INTEGER NOT NULL DEFAULT 5 CHECK (max_attempts BETWEEN 1 AND 100),
    waiting_on    INTEGER NOT NULL DEFAULT 0 CHECK (waiting_on >= 0),
    changes       INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    finished_at   INTEGER,
    CHECK ((holder IS NULL) = (lease_until IS NULL)),
    CHECK ((finished_at IS NOT NULL) = (status = 'done' OR status = 'cancelled')),
    CHECK (holder IS NULL OR finished_at IS NULL)
) STRICT;
CREATE INDEX tasks_of_space ON tasks (space_id, seq);
CREATE INDEX tasks_by_status ON tasks (space_id, status, seq);
CREATE INDEX tasks_by_assignee ON tasks (space_id, assignee, seq) WHERE assignee <> '';
CREATE INDEX tasks_free ON tasks (space_id, status, assignee, priority, seq) WHERE holder IS NULL AND waiting_on = 0;
CREATE INDEX tasks_held ON tasks (holder) WHERE holder IS NOT NULL;
CREATE INDEX tasks_finished ON tasks (finished_at) WHERE finished_at IS NOT NULL;
CREATE TRIGGER tasks_count_up AFTER INSERT ON tasks WHEN new.finished_at IS NULL
BEGIN
    INSERT INTO workspace_usage (holder, open_tasks) VALUES ('space:' || new.space_id, 1)
        ON CONFLICT (holder) DO UPDATE SET open_tasks = open_tasks + 1;
END;
CREATE TRIGGER tasks_count_changed AFTER UPDATE OF finished_at ON tasks
    WHEN (new.finished_at IS NULL) <> (old.finished_at IS NULL)
BEGIN
    UPDATE workspace_usage SET open_tasks = open_tasks + iif(new.finished_at IS NULL, 1, -1)
        WHERE holder = 'space:' || new.space_id;
END;
CREATE TRIGGER tasks_count_down AFTER DELETE ON tasks WHEN old.finished_at IS NULL
BEGIN
    UPDATE workspace_usage SET open_tasks = open_tasks - 1 WHERE holder = 'space:' || old.space_id;
END;

-- Which tasks a task has to wait for.
CREATE TABLE task_dependencies (
    task       INTEGER NOT NULL REFERENCES tasks (seq) ON DELETE CASCADE,
    depends_on INTEGER NOT NULL REFERENCES tasks (seq) ON DELETE CASCADE,
    PRIMARY KEY (task, depends_on),
    CHECK (task <> depends_on)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_dependencies_back ON task_dependencies (depends_on, task);

-- What became of a task, the last changes of each. `number` counts the task's changes.
CREATE TABLE task_history (
    task       INTEGER NOT NULL REFERENCES tasks (seq) ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    field      TEXT NOT NULL,
    from_value TEXT,
    to_value   TEXT,
    PRIMARY KEY (task, number)
) STRICT, WITHOUT ROWID;

-- Messages. `place` is the order of all; `seq` is the place in the space, given without gaps. A direct message has an
-- addressee: that one and the author alone read it. Principals are user:ID or agent:ID. A message outlives its author.
CREATE TABLE messages (
    place            INTEGER PRIMARY KEY AUTOINCREMENT,
    id               TEXT NOT NULL UNIQUE,
    space_id         TEXT NOT NULL,
    seq              INTEGER NOT NULL,
    channel          TEXT NOT NULL,
    message_type     TEXT NOT NULL,
    parent_id        TEXT,
    conversation_id  TEXT NOT NULL,
    author           TEXT NOT NULL CHECK (author GLOB 'user:*' OR author GLOB 'agent:*'),
    author_name      TEXT NOT NULL,
    addressee        TEXT CHECK (addressee GLOB 'user:*' OR addressee GLOB 'agent:*'),
    content          TEXT NOT NULL,
    mentions         TEXT NOT NULL CHECK (json_valid(mentions)),
    attachments      TEXT NOT NULL CHECK (json_valid(attachments)),
    metadata         TEXT NOT NULL CHECK (json_valid(metadata)),
    reactions        TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(reactions)),
    bytes            INTEGER NOT NULL,
    pinned           INTEGER NOT NULL DEFAULT 0 CHECK (pinned = 0 OR pinned = 1),
    -- The task that its thread is about: it stays as long as there is that task.
    task             TEXT,
    expects_reply_by INTEGER,
    -- Whether somebody still waits for that reply.
    awaits_reply     INTEGER NOT NULL DEFAULT 0 CHECK (awaits_reply = 0 OR awaits_reply = 1),
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX messages_in_order ON messages (space_id, seq);
CREATE INDEX messages_by_reader ON messages (space_id, addressee, seq);
CREATE INDEX messages_of_channel ON messages (space_id, channel, seq) WHERE addressee IS NULL;
CREATE INDEX messages_direct ON messages (space_id, author, seq) WHERE addressee IS NOT NULL;
CREATE INDEX messages_direct_of_channel ON messages (space_id, author, channel, seq) WHERE addressee IS NOT NULL;
CREATE INDEX messages_replies ON messages (parent_id, place) WHERE parent_id IS NOT NULL;
CREATE INDEX messages_due ON messages (expects_reply_by) WHERE awaits_reply = 1;
CREATE INDEX messages_pinned ON messages (space_id, seq) WHERE pinned = 1;
CREATE INDEX messages_of_tasks ON messages (space_id, task) WHERE task IS NOT NULL;
CREATE TRIGGER messages_of_a_task_may_go AFTER DELETE ON tasks
BEGIN
    UPDATE messages SET task = NULL WHERE space_id = old.space_id AND task = old.id;
END;

-- The words of messages. Each begins with the end of its space's id, that of a direct message with those of the space and
-- of a reader, so that a search walks through nothing else (src/store/messages/words.rs).
CREATE VIRTUAL TABLE message_words USING fts5 (
    content, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);

-- What a space holds of messages, so that nobody ever counts rows. `open` are those that all members read.
CREATE TABLE message_counts (
    space_id TEXT PRIMARY KEY,
    last_seq INTEGER NOT NULL,
    messages INTEGER NOT NULL CHECK (messages >= 0),
    open     INTEGER NOT NULL CHECK (open BETWEEN 0 AND messages),
    bytes    INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT, WITHOUT ROWID;

-- How far a principal has read. All up to `watermark` is read, and what the bits say beyond it, the first of them for
-- the next message. `seen` of the open messages that there are it has read or written.
CREATE TABLE message_readers (
    space_id      TEXT NOT NULL,
    principal     TEXT NOT NULL,
    watermark     INTEGER NOT NULL DEFAULT 0,
    seen          INTEGER NOT NULL DEFAULT 0,
    direct_unread INTEGER NOT NULL DEFAULT 0,
    all_read_at   INTEGER,
    PRIMARY KEY (space_id, principal)
) STRICT, WITHOUT ROWID;
CREATE TABLE message_read_bits (
    space_id  TEXT NOT NULL,
    principal TEXT NOT NULL,
    bits      BLOB NOT NULL,
    PRIMARY KEY (space_id, principal)
) STRICT;

-- What became of a message at each of its recipients.
CREATE TABLE message_receipts (
    place     INTEGER NOT NULL REFERENCES messages (place) ON DELETE CASCADE,
    principal TEXT NOT NULL,
    name      TEXT NOT NULL,
    space_id  TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    state     TEXT NOT NULL CHECK (state = 'queued' OR state = 'fetched' OR state = 'read' OR state = 'answered'),
    at        INTEGER NOT NULL,
    PRIMARY KEY (place, principal)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_receipts_of ON message_receipts (principal, space_id, seq);

-- Who reacted to a message, and how.
CREATE TABLE message_reactions (
    place     INTEGER NOT NULL REFERENCES messages (place) ON DELETE CASCADE,
    principal TEXT NOT NULL,
    emoji     TEXT NOT NULL,
    PRIMARY KEY (place, principal, emoji)
) STRICT, WITHOUT ROWID;

-- What a client called its message, so that a repeat within a day is not a second one.
CREATE TABLE message_client_ids (
    author     TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    message_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (author, client_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_client_ids_by_age ON message_client_ids (created_at);

-- What agents ask people for: a scope or a role for a time, or an answer. A scope counts while the row is `approved` and
-- its `until` lies ahead; a role is a row of `grants`. What is not pending is never pending again.
CREATE TABLE requests (
    id               TEXT NOT NULL PRIMARY KEY,
    kind             TEXT NOT NULL CHECK (kind = 'scope' OR kind = 'grant' OR kind = 'confirm'),
    state            TEXT NOT NULL CHECK (state = 'pending' OR state = 'approved' OR state = 'denied' OR state = 'expired'
                     OR state = 'withdrawn' OR state = 'ended' OR state = 'revoked'),
    agent_id         TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    duration_seconds INTEGER,
    until            INTEGER,
    decided_at       INTEGER,
    -- Who decided: the user by id while there is one, and the name as it was.
    decider_id       TEXT,
    decided_by       TEXT,
    -- What a grant is about, where there was such a thing when it was asked for.
    target_agent_id  TEXT,
    target_space_id  TEXT,
    -- The message that puts a question to the owner: its reply is the answer.
    message_id       TEXT,
    -- The same thing asked for has the same hash.
    same             BLOB NOT NULL CHECK (length(same) = 32),
    -- Whether its end has still to be recorded and told.
    untold           INTEGER NOT NULL DEFAULT 0 CHECK (untold = 0 OR untold = 1),
    reason           TEXT NOT NULL,
    asked            TEXT NOT NULL CHECK (json_valid(asked)),
    granted          TEXT CHECK (granted IS NULL OR json_valid(granted)),
    answer           TEXT CHECK (answer IS NULL OR json_valid(answer)),
    note             TEXT,
    CHECK (until IS NULL OR kind <> 'confirm'),
    CHECK ((state = 'pending') <= (decided_at IS NULL AND granted IS NULL AND answer IS NULL))
) STRICT;
CREATE INDEX requests_by_age ON requests (created_at, id);
CREATE INDEX requests_of_agent ON requests (agent_id, created_at, id);
CREATE INDEX requests_same ON requests (agent_id, same, created_at);
CREATE INDEX requests_pending ON requests (agent_id) WHERE state = 'pending';
CREATE INDEX requests_to_expire ON requests (expires_at) WHERE state = 'pending';
CREATE INDEX requests_to_end ON requests (until) WHERE state = 'approved' AND until IS NOT NULL;
CREATE INDEX requests_in_force ON requests (agent_id) WHERE state = 'approved' AND kind = 'scope';
CREATE INDEX requests_of_decider ON requests (decider_id) WHERE state = 'approved';
CREATE INDEX requests_untold ON requests (id) WHERE untold = 1;
CREATE INDEX requests_by_message ON requests (message_id) WHERE message_id IS NOT NULL;
-- A request's role ends with the request, and the request with its role.
CREATE TRIGGER requests_take_their_grant_back AFTER UPDATE OF state ON requests
    WHEN old.state = 'approved' AND new.state <> 'approved'
BEGIN
    DELETE FROM grants WHERE request_id = new.id;
END;
CREATE TRIGGER requests_end_with_their_grant AFTER DELETE ON grants WHEN old.request_id IS NOT NULL
BEGIN
    UPDATE requests SET state = 'revoked', untold = 1 WHERE id = old.request_id AND state = 'approved';
END;
-- What somebody gave ends when he may not give it any more, in the same transaction.
CREATE TRIGGER requests_end_with_a_disabled_decider AFTER UPDATE OF disabled ON users WHEN new.disabled = 1
BEGIN
    UPDATE requests SET state = 'revoked', untold = 1
        WHERE decider_id = new.id AND state = 'approved' AND kind <> 'confirm';
END;
CREATE TRIGGER requests_end_with_a_removed_decider AFTER DELETE ON users
BEGIN
    UPDATE requests SET state = 'revoked', untold = 1
        WHERE decider_id = old.id AND state = 'approved' AND kind <> 'confirm';
END;
CREATE TRIGGER requests_end_with_the_role_admin AFTER UPDATE OF role ON users WHEN old.role = 'admin' AND new.role <> 'admin'
BEGIN
    UPDATE requests SET state = 'revoked', untold = 1
        WHERE decider_id = new.id AND state = 'approved' AND kind = 'scope'
            AND NOT EXISTS (SELECT 1 FROM agents a WHERE a.id = requests.agent_id AND a.owner_user_id = new.id);
    UPDATE requests SET state = 'revoked', untold = 1
        WHERE decider_id = new.id AND state = 'approved' AND kind = 'grant'
            AND NOT EXISTS (SELECT 1 FROM spaces s WHERE s.id = requests.target_space_id AND s.owner_user_id = new.id)
            AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.principal_user_id = new.id AND g.role = 'owner'
                AND coalesce(g.agent_id, 'space:' || g.space_id, '*')
                    = coalesce(requests.target_agent_id, 'space:' || requests.target_space_id));
END;
CREATE TRIGGER requests_end_with_the_deciders_grant AFTER DELETE ON grants
    WHEN old.principal_user_id IS NOT NULL AND old.role = 'owner'
BEGIN
    UPDATE requests SET state = 'revoked', untold = 1
        WHERE decider_id = old.principal_user_id AND state = 'approved' AND kind = 'grant'
            AND coalesce(target_agent_id, 'space:' || target_space_id)
                = coalesce(old.agent_id, 'space:' || old.space_id, '*')
            AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = old.principal_user_id AND u.role = 'admin')
            AND NOT EXISTS (SELECT 1 FROM spaces s WHERE s.id = old.space_id AND s.owner_user_id = old.principal_user_id);
END;
CREATE TRIGGER requests_end_with_the_deciders_role AFTER UPDATE OF role, expires_at ON grants
    WHEN old.principal_user_id IS NOT NULL AND old.role = 'owner'
        AND (new.role <> 'owner' OR new.expires_at IS NOT old.expires_at)
BEGIN
    UPDATE requests SET state = 'revoked', untold = 1
        WHERE decider_id = old.principal_user_id AND state = 'approved' AND kind = 'grant'
            AND coalesce(target_agent_id, 'space:' || target_space_id)
                = coalesce(old.agent_id, 'space:' || old.space_id, '*')
            AND (new.role <> 'owner' OR new.expires_at < coalesce(until, 9223372036854775807))
            AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = old.principal_user_id AND u.role = 'admin')
            AND NOT EXISTS (SELECT 1 FROM spaces s WHERE s.id = old.space_id AND s.owner_user_id = old.principal_user_id);
END;
CREATE TRIGGER requests_end_with_their_agent AFTER UPDATE OF archived_at ON agents
    WHEN old.archived_at IS NULL AND new.archived_at IS NOT NULL
BEGIN
    UPDATE requests SET state = 'revoked', untold = 1
        WHERE agent_id = new.id AND state = 'approved' AND kind = 'scope';
    UPDATE requests SET state = 'expired', untold = 1 WHERE agent_id = new.id AND state = 'pending';
END;
CREATE TRIGGER requests_end_with_the_owner AFTER UPDATE OF owner_user_id ON agents
    WHEN old.owner_user_id <> new.owner_user_id
BEGIN
    UPDATE requests SET state = 'revoked', untold = 1
        WHERE agent_id = new.id AND state = 'approved' AND kind = 'scope' AND decider_id = old.owner_user_id
            AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = old.owner_user_id AND u.role = 'admin');
END;

-- What has changed, in the order of the commits, so that a stream of events goes on where it was. The last ten thousand
-- changes are kept. Notifications have an order of their own.
CREATE TABLE changes (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind = 'request' OR kind = 'operation' OR kind = 'agent'),
    ref  TEXT NOT NULL
) STRICT;
CREATE TRIGGER changes_are_bounded AFTER INSERT ON changes
BEGIN
    DELETE FROM changes WHERE seq <= new.seq - 10000;
END;
CREATE TRIGGER changes_of_requests_in AFTER INSERT ON requests
BEGIN
    INSERT INTO changes (kind, ref) VALUES ('request', new.id);
END;
CREATE TRIGGER changes_of_requests AFTER UPDATE OF state ON requests WHEN old.state <> new.state
BEGIN
    INSERT INTO changes (kind, ref) VALUES ('request', new.id);
END;
CREATE TRIGGER changes_of_operations_in AFTER INSERT ON operations
BEGIN
    INSERT INTO changes (kind, ref) VALUES ('operation', new.id);
END;
CREATE TRIGGER changes_of_operations AFTER UPDATE OF status, step, progress ON operations
    WHEN old.status <> new.status OR old.step <> new.step OR old.progress <> new.progress
BEGIN
    INSERT INTO changes (kind, ref) VALUES ('operation', new.id);
END;
CREATE TRIGGER changes_of_agents_in AFTER INSERT ON agents
BEGIN
    INSERT INTO changes (kind, ref) VALUES ('agent', new.id);
END;
CREATE TRIGGER changes_of_agents
    AFTER UPDATE OF status, paused, archived_at, revision, token_delivery, container_name, scope, space_id ON agents
    WHEN old.status <> new.status OR old.paused <> new.paused OR old.archived_at IS NOT new.archived_at
        OR old.revision <> new.revision OR old.token_delivery IS NOT new.token_delivery
        OR old.container_name IS NOT new.container_name OR old.scope <> new.scope OR old.space_id <> new.space_id
BEGIN
    INSERT INTO changes (kind, ref) VALUES ('agent', new.id);
END;

-- Decoy credentials in agents' containers: real in form, good for nothing. Whoever uses one has read where nobody should.
CREATE TABLE tripwires (
    id          TEXT PRIMARY KEY,
    agent_id    TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    kind        TEXT NOT NULL CHECK (kind = 'agent_token' OR kind = 'user_token' OR kind = 'agent_pat' OR kind = 'user_pat'),
    secret_hash BLOB NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    path        TEXT NOT NULL CHECK (length(path) BETWEEN 1 AND 1024),
    freeze      INTEGER NOT NULL CHECK (freeze = 0 OR freeze = 1),
    -- Whether it has arrived in the container.
    planted     INTEGER NOT NULL DEFAULT 0 CHECK (planted = 0 OR planted = 1),
    created_by  TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    touches     INTEGER NOT NULL DEFAULT 0 CHECK (touches >= 0),
    touched_at  INTEGER,
    touched_by  TEXT
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tripwires_of_agent ON tripwires (agent_id, path);

-- Joins that a person has decided; those that wait for a decision are in memory. The caller is known by the hash of its
-- device code alone. `fetched_at`: the caller has got its key, and gets no other.
CREATE TABLE joins (
    id           TEXT NOT NULL PRIMARY KEY,
    device_hash  BLOB NOT NULL UNIQUE CHECK (length(device_hash) = 32),
    state        TEXT NOT NULL CHECK (state = 'approved' OR state = 'denied'),
    name         TEXT NOT NULL,
    code         TEXT NOT NULL,
    peer         TEXT NOT NULL,
    reason       TEXT NOT NULL,
    description  TEXT,
    origin_hint  TEXT,
    -- The agent that it became; whether that is one of before.
    agent_id     TEXT REFERENCES agents (id) ON DELETE CASCADE,
    is_same      INTEGER NOT NULL DEFAULT 0 CHECK (is_same = 0 OR is_same = 1),
    -- Scopes of the key to come, a JSON array, and the credential it is made with.
    scopes       TEXT CHECK (scopes IS NULL OR json_valid(scopes)),
    made_by      TEXT,
    decider_id   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    decided_by   TEXT NOT NULL,
    note         TEXT,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    decided_at   INTEGER NOT NULL,
    fetched_at   INTEGER,
    CHECK ((state = 'approved') = (agent_id IS NOT NULL) AND (state = 'approved') = (scopes IS NOT NULL))
) STRICT;
CREATE INDEX joins_by_age ON joins (created_at, id);
CREATE INDEX joins_of_decider ON joins (decider_id, created_at, id);
CREATE INDEX joins_of_agent ON joins (agent_id) WHERE agent_id IS NOT NULL;

-- Where people are told: their own channels, and those of taosd.toml, which are written here at every start. A secret is
-- sealed by a key that lies beside the database and is in no backup.
CREATE TABLE channels (
    id              TEXT NOT NULL PRIMARY KEY,
    -- Without one it is told of what the admins are notified of.
    user_id         TEXT REFERENCES users (id) ON DELETE CASCADE,
    configured      INTEGER NOT NULL DEFAULT 0 CHECK (configured = 0 OR configured = 1),
    kind            TEXT NOT NULL CHECK (kind = 'webhook' OR kind = 'ntfy' OR kind = 'gotify' OR kind = 'telegram'),
    -- Only what is about one of these, a JSON array; all where it is empty.
    events          TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(events)),
    min_level       TEXT NOT NULL CHECK (min_level = 'low' OR min_level = 'normal' OR min_level = 'high'),
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    failures        INTEGER NOT NULL DEFAULT 0,
    last_attempt_at INTEGER,
    last_success_at INTEGER,
    last_error      TEXT,
    url             TEXT NOT NULL,
    secret          BLOB
) STRICT;
CREATE INDEX channels_of_user ON channels (user_id, created_at, id);

-- Notifications on their way to channels, first in, first out for each. A row goes when it was taken or given up.
CREATE TABLE channel_outbox (
    channel_id      TEXT NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    notification_id TEXT NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    queued_at       INTEGER NOT NULL,
    PRIMARY KEY (channel_id, notification_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX channel_outbox_of_notification ON channel_outbox (notification_id);
CREATE INDEX channel_outbox_by_age ON channel_outbox (queued_at);
-- What a notification is about: requests link to their page, the daemon names its own topics.
CREATE TRIGGER notifications_go_to_channels AFTER INSERT ON notifications
BEGIN
    INSERT INTO channel_outbox (channel_id, notification_id, queued_at)
        SELECT c.id, new.id, new.created_at FROM channels c
        WHERE (c.user_id = new.user_id
            -- What all admins are told is told once: the same to another one came just before.
            OR (c.user_id IS NULL AND EXISTS (SELECT 1 FROM users u WHERE u.id = new.user_id AND u.role = 'admin')
                AND NOT EXISTS (SELECT 1 FROM notifications n JOIN users u ON u.id = n.user_id
                    WHERE n.seq < new.seq AND n.seq > new.seq - 64 AND n.created_at = new.created_at AND u.role = 'admin'
                        AND n.title = new.title AND n.action_url IS new.action_url AND n.source = new.source)))
            AND (c.min_level = 'low' OR new.level = 'high' OR (c.min_level = 'normal' AND new.level = 'normal'))
            AND (c.events = '[]' OR instr(c.events, '"' || CASE
                WHEN new.action_url GLOB '/ui/requests/*' THEN 'request'
                WHEN new.source <> 'taosd' THEN 'notification'
                WHEN new.app_origin = 'freeze' OR new.app_origin = 'tripwire' THEN new.app_origin
                ELSE 'system' END || '"') > 0);
END;
