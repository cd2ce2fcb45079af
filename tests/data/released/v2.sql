PRAGMA application_id = 1952542579;
PRAGMA user_version = 2;
BEGIN;
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('audit_head', '15:5e9ec9dee3ee2207c07c8bf69dfd4c9f0b3d3a1c3d2f96b3d31f7d1d590a3c4a');
INSERT INTO meta VALUES ('install_id', '01a22205-082e-7577-bb25-a7628f386b9b');
CREATE TABLE users (
    id           TEXT PRIMARY KEY,
    username     TEXT NOT NULL UNIQUE CHECK (username GLOB '[a-z]*' AND length(username) BETWEEN 1 AND 32),
    display_name TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('admin', 'member')),
    disabled     INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO users VALUES ('01a22205-082e-7577-bb25-a76023d259ac', 'operator', 'Operator', 'admin', 0, 1795867084846632, 1795867084846632);
INSERT INTO users VALUES ('01a22205-099e-7469-acd1-aa926c7c0e89', 'ann', 'ann', 'member', 0, 1795867085214607, 1795867085214607);
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
INSERT INTO spaces VALUES ('01a22205-082e-7577-bb25-a761a963b940', 'operator', 'operator', '', 'private', '01a22205-082e-7577-bb25-a76023d259ac', 1, 1795867084846632);
INSERT INTO spaces VALUES ('01a22205-099e-7469-acd1-aa93cc685b35', 'ann', 'ann', '', 'private', '01a22205-099e-7469-acd1-aa926c7c0e89', 1, 1795867085214607);
CREATE UNIQUE INDEX spaces_name ON spaces (owner_user_id, lower(name));
CREATE UNIQUE INDEX spaces_one_default ON spaces (owner_user_id) WHERE is_default = 1;
CREATE TABLE agents (
    id                   TEXT PRIMARY KEY,
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
    soul_md              TEXT NOT NULL DEFAULT '',
    agent_md             TEXT NOT NULL DEFAULT '',
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
    CHECK ((container_name IS NULL) = (container_runtime IS NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO agents VALUES ('01a22205-0874-7357-b9e1-6c386e05c55e', 'atlas', NULL, 'atlas', 'space_agent', '01a22205-082e-7577-bb25-a76023d259ac', '01a22205-082e-7577-bb25-a761a963b940', '01a22205-082e-7577-bb25-a761a963b940', 'user:operator', '', '', '#102030', NULL, 0, 'none', NULL, '[]', NULL, 'pause', 'It''s calm.
', '', NULL, 'none', 'registered', 0, NULL, NULL, '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', 'not_injected', 1795867085193341, NULL, NULL, 2, 1795867084916583, 1795867085209301, NULL, NULL);
INSERT INTO agents VALUES ('01a22205-0994-729b-b731-85fd98902e74', 'bert', NULL, 'bert', 'space_agent', '01a22205-082e-7577-bb25-a76023d259ac', '01a22205-082e-7577-bb25-a761a963b940', '01a22205-082e-7577-bb25-a761a963b940', 'user:operator', '', '', '#102030', NULL, 0, 'none', NULL, '[]', NULL, 'pause', '', '', NULL, 'none', 'registered', 0, NULL, NULL, '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', 'not_injected', 1795867085206889, NULL, NULL, 2, 1795867085204417, 1795867085211864, 1795867085211864, NULL);
INSERT INTO agents VALUES ('01a22205-09a8-7339-9e12-6686cf3f1e45', 'carl', 'carl', 'carl', 'space_agent', '01a22205-082e-7577-bb25-a76023d259ac', '01a22205-082e-7577-bb25-a761a963b940', '01a22205-082e-7577-bb25-a761a963b940', 'user:operator', '', '', '#888888', NULL, 0, 'none', NULL, '[]', NULL, 'pause', '', '', NULL, 'none', 'registered', 0, NULL, NULL, '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', NULL, NULL, NULL, NULL, 1, 1795867085224588, 1795867085224588, NULL, NULL);
CREATE UNIQUE INDEX agents_live_slug ON agents (slug) WHERE archived_at IS NULL;
CREATE UNIQUE INDEX agents_live_given_name ON agents (lower(given_name)) WHERE archived_at IS NULL AND given_name IS NOT NULL;
CREATE UNIQUE INDEX agents_container ON agents (container_name) WHERE container_name IS NOT NULL;
CREATE INDEX agents_live_by_age ON agents (created_at, id) WHERE archived_at IS NULL;
CREATE INDEX agents_archived_by_age ON agents (archived_at, id) WHERE archived_at IS NOT NULL;
CREATE INDEX agents_by_owner ON agents (owner_user_id);
CREATE TABLE agent_profiles (
    agent_id       TEXT PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    description    TEXT NOT NULL,
    bio            TEXT NOT NULL,
    specialization TEXT NOT NULL,
    agent_type     TEXT NOT NULL,
    avatar_url     TEXT,
    system_prompt  TEXT NOT NULL,
    active         INTEGER NOT NULL CHECK (active IN (0, 1)),
    pinned         INTEGER NOT NULL CHECK (pinned IN (0, 1))
) STRICT, WITHOUT ROWID;
INSERT INTO agent_profiles VALUES ('01a22205-0874-7357-b9e1-6c386e05c55e', 'what it is', '', '', 'assistant', NULL, '', 1, 0);
INSERT INTO agent_profiles VALUES ('01a22205-0994-729b-b731-85fd98902e74', 'what it is', '', '', 'assistant', NULL, '', 1, 0);
INSERT INTO agent_profiles VALUES ('01a22205-09a8-7339-9e12-6686cf3f1e45', 'what it is', '', '', 'assistant', NULL, '', 1, 0);
CREATE TABLE registrations (
    agent_id      TEXT PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    description   TEXT NOT NULL,
    acp_type      TEXT NOT NULL CHECK (acp_type IN ('sync', 'async', 'agentic')),
    input_type    TEXT CHECK (input_type IN ('text', 'json')),
    acp_url       TEXT,
    -- Whether a user named the address: one that an agent without a container named leads nowhere.
    by_user       INTEGER NOT NULL CHECK (by_user IN (0, 1)),
    metadata      TEXT CHECK (json_valid(metadata)),
    registered_at INTEGER,
    registered_by TEXT CHECK (registered_by IN ('register', 'promote')),
    unhealthy     INTEGER NOT NULL CHECK (unhealthy IN (0, 1)),
    -- Whether it ever had an internal key: only the first registration tells one.
    had_key       INTEGER NOT NULL CHECK (had_key IN (0, 1)),
    CHECK ((registered_at IS NULL) = (registered_by IS NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO registrations VALUES ('01a22205-09a8-7339-9e12-6686cf3f1e45', '', 'async', NULL, 'http://127.0.0.1:9', 1, '{"agent_commit":"abc","branch_name":"main"}', 1795867085224588, 'register', 0, 1);
CREATE TABLE deployments (
    agent_id          TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    id                TEXT NOT NULL CHECK (length(id) BETWEEN 1 AND 64),
    docker_image      TEXT NOT NULL,
    status            TEXT NOT NULL CHECK (status IN ('Pending', 'Ready', 'Failed')),
    is_production     INTEGER NOT NULL CHECK (is_production IN (0, 1)),
    metadata          TEXT CHECK (json_valid(metadata)),
    acp_url           TEXT,
    by_user           INTEGER NOT NULL CHECK (by_user IN (0, 1)),
    sgp_deploy_id     TEXT,
    helm_release_name TEXT,
    created_at        INTEGER NOT NULL,
    promoted_at       INTEGER,
    expires_at        INTEGER,
    PRIMARY KEY (agent_id, id),
    CHECK (is_production = 0 OR expires_at IS NULL)
) STRICT, WITHOUT ROWID;
INSERT INTO deployments VALUES ('01a22205-09a8-7339-9e12-6686cf3f1e45', '01a22205-09b1-74c7-9e69-957b0fa3123e', 'carl:1', 'Pending', 0, NULL, NULL, 0, NULL, NULL, 1795867085232844, NULL, NULL);
CREATE UNIQUE INDEX deployments_one_production ON deployments (agent_id) WHERE is_production = 1;
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
INSERT INTO deployment_history VALUES ('01a22205-09a9-74ac-9347-4bdd82303320', '01a22205-09a8-7339-9e12-6686cf3f1e45', 'N/A', 'N/A', 'main', 'abc', 1795867085224588, 1795867085224588);
CREATE INDEX deployment_history_by_agent ON deployment_history (agent_id, deployed_at, id);
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
INSERT INTO credentials VALUES ('01a22205-082e-7577-bb25-a763897d5bdd', 'user_token', 'qIbgxec0LD', x'250e70551ce28a3fb99103b8ee372807dd373b4f85b3ba6a58664e6105d88e9e', '01a22205-082e-7577-bb25-a76023d259ac', NULL, '["*"]', 'operator.token', NULL, 0, NULL, NULL, NULL, NULL, '[]', 0, NULL, NULL, 'active', 'system', 1795867084846632, NULL, 1795867085232086, NULL);
INSERT INTO credentials VALUES ('01a22205-0989-74cc-a0b3-0d81c9eb4d00', 'agent_token', 'I8HyaEQy9z', x'013b6e4b9724da29cde43ddf266cc94089c1bb1c2b4c97c023ec7c164cde7fb3', NULL, '01a22205-0874-7357-b9e1-6c386e05c55e', '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', '', NULL, 0, NULL, NULL, NULL, NULL, '[]', 0, NULL, NULL, 'active', 'user:operator', 1795867085193341, NULL, NULL, NULL);
INSERT INTO credentials VALUES ('01a22205-0997-745a-9b59-cb0eaf32c593', 'agent_token', 'OFKphBDf5U', x'5313ce83f5f6f67ebbdbbbcc1748fb3ae17be8cba48ebb3019d8a401427cfa11', NULL, '01a22205-0994-729b-b731-85fd98902e74', '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', '', NULL, 0, NULL, NULL, NULL, NULL, '[]', 0, NULL, NULL, 'revoked', 'user:operator', 1795867085206889, NULL, NULL, 1795867085211864);
INSERT INTO credentials VALUES ('01a22205-09a0-71ff-ad00-d82675a96116', 'user_token', 'KHsMEnXf5X', x'67adfe51d770dc13787f6ed27e2914cc23ee43d2165f185191171f9628787be2', '01a22205-099e-7469-acd1-aa926c7c0e89', NULL, '["*"]', 'laptop', NULL, 0, NULL, NULL, NULL, NULL, '[]', 0, NULL, NULL, 'active', 'user:operator', 1795867085216436, 1803643085216436, NULL, NULL);
INSERT INTO credentials VALUES ('01a22205-09aa-758c-9c1e-18e299389aac', 'agent_key', 'inYaiOaz8E', x'1647d0013c5ec028c6a4b8251c84b91ae5195a482e0cdd6c669d587ee5e99d4f', NULL, '01a22205-09a8-7339-9e12-6686cf3f1e45', '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', 'registration', NULL, 0, NULL, NULL, NULL, NULL, '[]', 0, 'internal', NULL, 'active', 'user:operator', 1795867085224588, NULL, NULL, NULL);
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
CREATE INDEX credentials_dead ON credentials (coalesce(revoked_at, expires_at)) WHERE state IN ('revoked', 'expired');
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
INSERT INTO grants VALUES ('01a22205-082f-7700-b95b-13f7346e26bc', '01a22205-082e-7577-bb25-a76023d259ac', NULL, NULL, 'creator', 'system', 1795867084846632);
INSERT INTO grants VALUES ('01a22205-0874-7357-b9e1-6c39e7747a93', '01a22205-082e-7577-bb25-a76023d259ac', NULL, '01a22205-0874-7357-b9e1-6c386e05c55e', 'owner', 'user:operator', 1795867084916583);
INSERT INTO grants VALUES ('01a22205-09a4-7749-ac75-d6f1fa6b1f8e', '01a22205-099e-7469-acd1-aa926c7c0e89', NULL, '01a22205-0874-7357-b9e1-6c386e05c55e', 'viewer', 'user:operator', 1795867085219846);
INSERT INTO grants VALUES ('01a22205-09a9-74ac-9347-4bdc4f459776', '01a22205-082e-7577-bb25-a76023d259ac', NULL, '01a22205-09a8-7339-9e12-6686cf3f1e45', 'owner', 'user:operator', 1795867085224588);
CREATE UNIQUE INDEX grants_of_user ON grants (principal_user_id, coalesce(agent_id, '*')) WHERE principal_user_id IS NOT NULL;
CREATE UNIQUE INDEX grants_of_agent ON grants (principal_agent_id, coalesce(agent_id, '*')) WHERE principal_agent_id IS NOT NULL;
CREATE INDEX grants_on_agent ON grants (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX grants_by_age ON grants (granted_at, id);
CREATE TABLE operations (
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
INSERT INTO operations VALUES ('0198b8a0-0000-7000-8000-000000000001', 'deploy', 'failed', NULL, 'atlas', NULL, '', 40, 0, '{}', NULL, NULL, 'user:operator', 'dump', 1790000000000000, 1790000000000000, 1790000001000000);
CREATE UNIQUE INDEX operations_one_open_an_agent ON operations (agent_id)
    WHERE status IN ('queued', 'running') AND agent_id IS NOT NULL;
CREATE INDEX operations_open ON operations (created_at) WHERE status IN ('queued', 'running');
CREATE INDEX operations_by_age ON operations (created_at, id);
CREATE INDEX operations_by_agent ON operations (agent_id, created_at) WHERE agent_id IS NOT NULL;
CREATE INDEX operations_by_parent ON operations (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX operations_finished ON operations (finished_at) WHERE finished_at IS NOT NULL;
CREATE TABLE idempotency (
    principal  TEXT NOT NULL,
    route      TEXT NOT NULL,
    key        TEXT NOT NULL,
    body_hash  BLOB NOT NULL CHECK (length(body_hash) = 32),
    owner      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    status     INTEGER CHECK (status BETWEEN 200 AND 499),
    headers    TEXT CHECK (headers IS NULL OR json_valid(headers)),
    body       BLOB,
    PRIMARY KEY (principal, route, key)
) STRICT, WITHOUT ROWID;
INSERT INTO idempotency VALUES ('user:01a22205-082e-7577-bb25-a76023d259ac', 'POST /agents/01a22205-09a8-7339-9e12-6686cf3f1e45/deployments', 'dump', x'c4338efe1026964cf65a43f50fc292b6a40e4814f360fbca46883be8c81b7a9d', '01a22205-086f-7122-9429-27eba36eb749', 1795867085232247, 200, '{"content-type":"application/json","cache-control":"no-store"}', x'7b226964223a2230316132323230352d303962312d373463372d396536392d393537623066613331323365222c226167656e745f6964223a2230316132323230352d303961382d373333392d396531322d363638366366336631653435222c22646f636b65725f696d616765223a226361726c3a31222c22737461747573223a2250656e64696e67222c2269735f70726f64756374696f6e223a66616c73652c22726567697374726174696f6e5f6d65746164617461223a6e756c6c2c226163705f75726c223a6e756c6c2c227367705f6465706c6f795f6964223a6e756c6c2c2268656c6d5f72656c656173655f6e616d65223a6e756c6c2c22637265617465645f6174223a22323032362d31312d32385431313a35383a30352e3233323834345a222c2270726f6d6f7465645f6174223a6e756c6c2c22657870697265735f6174223a6e756c6c7d');
INSERT INTO idempotency VALUES ('user:01a22205-082e-7577-bb25-a76023d259ac', 'POST /api/agents', 'atlas', x'c105fd6cac80c2a63df7d47dfac251ae38787adfe552d33814aa81ae6abf4173', '01a22205-086f-7122-9429-27eba36eb749', 1795867084915627, 200, '{"content-type":"application/json","cache-control":"no-store","location":"/api/agents/atlas"}', x'7b22737461747573223a2263726561746564222c226964223a2230316132323230352d303837342d373335372d623965312d366333383665303563353565222c226e616d65223a2261746c6173222c22646973706c61795f6e616d65223a2261746c6173227d');
INSERT INTO idempotency VALUES ('user:01a22205-082e-7577-bb25-a76023d259ac', 'POST /api/agents', 'bert', x'7c14c14278f7be408cbc48e608b5416c4081aa82df5ae3ecb92e39c6b6b00053', '01a22205-086f-7122-9429-27eba36eb749', 1795867085203533, 200, '{"content-type":"application/json","cache-control":"no-store","location":"/api/agents/bert"}', x'7b22737461747573223a2263726561746564222c226964223a2230316132323230352d303939342d373239622d623733312d383566643938393032653734222c226e616d65223a2262657274222c22646973706c61795f6e616d65223a2262657274227d');
INSERT INTO idempotency VALUES ('user:01a22205-082e-7577-bb25-a76023d259ac', 'POST /api/ui/notify', 'dump', x'd17294438e5e5f133f538119c4fb8a9c2abd76006f0555aa48de9816e2695bfb', '01a22205-086f-7122-9429-27eba36eb749', 1795867085221918, 200, '{"content-type":"application/json","cache-control":"no-store"}', x'7b2264656c697665726564223a747275652c226e6f74696669636174696f6e5f6964223a2230316132323230352d303961362d373063322d396531342d333364613132373032396264227d');
INSERT INTO idempotency VALUES ('user:01a22205-082e-7577-bb25-a76023d259ac', 'POST /api/users', 'dump', x'8a3a9e159ff5367cd0eb37abd2dd7153940591d1046ef63fa7d9eb086b2e3e22', '01a22205-086f-7122-9429-27eba36eb749', 1795867085214077, 201, '{"content-type":"application/json","cache-control":"no-store","location":"/api/users/ann"}', x'7b226964223a2230316132323230352d303939652d373436392d616364312d616139323663376330653839222c22757365726e616d65223a22616e6e222c22646973706c61795f6e616d65223a22616e6e222c22726f6c65223a226d656d626572222c2264697361626c6564223a66616c73652c22637265617465645f6174223a22323032362d31312d32385431313a35383a30352e3231345a222c22757064617465645f6174223a22323032362d31312d32385431313a35383a30352e3231345a227d');
CREATE INDEX idempotency_by_age ON idempotency (created_at);
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
    hash       BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO audit VALUES (1, 1795867084846632, 'system', 'users.token.issue', 'credential:01a22205-082e-7577-bb25-a763897d5bdd', 'ok', 1, '-', x'0000000000000000000000000000000000000000000000000000000000000000', x'ee782103975bc7e203f461cd20eeaa21b43f419f67314576c61006eaba45f5bb');
INSERT INTO audit VALUES (2, 1795867084846632, 'system', 'users.create', 'user:01a22205-082e-7577-bb25-a76023d259ac', 'ok', 1, '-', x'ee782103975bc7e203f461cd20eeaa21b43f419f67314576c61006eaba45f5bb', x'c4a7b3495ad5b0d724e2a0067c2d5952192d3a138e21f182e8e110c61e068876');
INSERT INTO audit VALUES (3, 1795867084916583, 'user:operator', 'agents.create', 'agent:01a22205-0874-7357-b9e1-6c386e05c55e', 'ok', 1, '65c47d6b-1', x'c4a7b3495ad5b0d724e2a0067c2d5952192d3a138e21f182e8e110c61e068876', x'c434149960ce5aaf215125764d5fd02747fc748a6685086d133066eedb79b430');
INSERT INTO audit VALUES (4, 1795867085193341, 'user:operator', 'agents.token.issue', 'agent:01a22205-0874-7357-b9e1-6c386e05c55e', 'ok', 1, '65c47d6b-2', x'c434149960ce5aaf215125764d5fd02747fc748a6685086d133066eedb79b430', x'9cba25eb27c545076dd0811be98718488c91b32e5a3e3a07a57721062cc6f0cf');
INSERT INTO audit VALUES (5, 1795867085204417, 'user:operator', 'agents.create', 'agent:01a22205-0994-729b-b731-85fd98902e74', 'ok', 1, '65c47d6b-3', x'9cba25eb27c545076dd0811be98718488c91b32e5a3e3a07a57721062cc6f0cf', x'ea71b5478e56a9da524715a0b6f0230d015aed605c7568e4ac3a0c4672c734f7');
INSERT INTO audit VALUES (6, 1795867085206889, 'user:operator', 'agents.token.issue', 'agent:01a22205-0994-729b-b731-85fd98902e74', 'ok', 1, '65c47d6b-4', x'ea71b5478e56a9da524715a0b6f0230d015aed605c7568e4ac3a0c4672c734f7', x'711e2cc4f427c7d6a20bbb9cde392f7a7a25c81a97fdb06c7317e4aaf2c415d5');
INSERT INTO audit VALUES (7, 1795867085209301, 'user:operator', 'agents.update', 'agent:01a22205-0874-7357-b9e1-6c386e05c55e', 'ok', 1, '65c47d6b-5', x'711e2cc4f427c7d6a20bbb9cde392f7a7a25c81a97fdb06c7317e4aaf2c415d5', x'61a826d2b38c5110c0051f750e6a0cc3e4031c6b6ed446fef3fdf0297d01f6ac');
INSERT INTO audit VALUES (8, 1795867085211864, 'user:operator', 'agents.delete', 'agent:01a22205-0994-729b-b731-85fd98902e74', 'ok', 1, '65c47d6b-6', x'61a826d2b38c5110c0051f750e6a0cc3e4031c6b6ed446fef3fdf0297d01f6ac', x'442810c8ca47b74ba717329ada16c81b0498c38afc7a6b277a2b6679b58b25c7');
INSERT INTO audit VALUES (9, 1795867085214607, 'user:operator', 'users.create', 'user:01a22205-099e-7469-acd1-aa926c7c0e89', 'ok', 1, '65c47d6b-7', x'442810c8ca47b74ba717329ada16c81b0498c38afc7a6b277a2b6679b58b25c7', x'10f8f75bb3e7492bc66c35575d1510caddcf8eabd836647a63b323b304bbab2d');
INSERT INTO audit VALUES (10, 1795867085216436, 'user:operator', 'users.token.issue', 'credential:01a22205-09a0-71ff-ad00-d82675a96116', 'ok', 1, '65c47d6b-8', x'10f8f75bb3e7492bc66c35575d1510caddcf8eabd836647a63b323b304bbab2d', x'640e5844b75c1c68df75673dd8bef5987c074c5a6d3708de0d1a2feea4916459');
INSERT INTO audit VALUES (11, 1795867085219846, 'user:operator', 'grants.create', 'agent:01a22205-0874-7357-b9e1-6c386e05c55e', 'ok', 1, '65c47d6b-a', x'640e5844b75c1c68df75673dd8bef5987c074c5a6d3708de0d1a2feea4916459', x'c8c0b98b5b73cbc6597c33cbd0f3b472a2bbb557ac04f2e004d5b1df2991ccc5');
INSERT INTO audit VALUES (12, 1795867085224588, 'user:operator', 'agents.register', 'agent:01a22205-09a8-7339-9e12-6686cf3f1e45', 'ok', 1, '65c47d6b-c', x'c8c0b98b5b73cbc6597c33cbd0f3b472a2bbb557ac04f2e004d5b1df2991ccc5', x'b8e731a5bcc758a52d97ab65a40289a02059d2c3fa8a819fcb8ba0653f4640d6');
INSERT INTO audit VALUES (13, 1795867085224588, 'user:operator', 'agents.register', 'credential:01a22205-09aa-758c-9c1e-18e299389aac', 'ok', 1, '65c47d6b-c', x'b8e731a5bcc758a52d97ab65a40289a02059d2c3fa8a819fcb8ba0653f4640d6', x'b57af72e446cd34fee09d5ed2075d1ae6cebb7c041c7419d8e7b0cfee9472cc2');
INSERT INTO audit VALUES (14, 1795867085232844, 'user:operator', 'deployments.create', 'agent:01a22205-09a8-7339-9e12-6686cf3f1e45', 'ok', 1, '65c47d6b-d', x'b57af72e446cd34fee09d5ed2075d1ae6cebb7c041c7419d8e7b0cfee9472cc2', x'09bfc5ea9943dd56a3ca85f9bf2bdb453939c2441f087174e2d87688e920631c');
INSERT INTO audit VALUES (15, 1795867085234485, 'peer:127.0.0.1', 'agents.list', 'GET /api/agents', 'denied', 1, '65c47d6b-e', x'09bfc5ea9943dd56a3ca85f9bf2bdb453939c2441f087174e2d87688e920631c', x'5e9ec9dee3ee2207c07c8bf69dfd4c9f0b3d3a1c3d2f96b3d31f7d1d590a3c4a');
CREATE INDEX audit_by_resource ON audit (resource, seq);
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
INSERT INTO notifications VALUES (1, '01a22205-09a6-70c2-9e14-33da127029bd', '01a22205-082e-7577-bb25-a76023d259ac', NULL, 'user:operator', NULL, 'normal', 'Hello', 'from a dump', NULL, 0, 1795867085222445);
CREATE INDEX notifications_of_user ON notifications (user_id, seq);
CREATE INDEX notifications_unread_of_user ON notifications (user_id, seq) WHERE read = 0;
CREATE INDEX notifications_of_agent ON notifications (agent_id, seq) WHERE agent_id IS NOT NULL;
CREATE INDEX notifications_unread_of_agent ON notifications (agent_id, seq) WHERE agent_id IS NOT NULL AND read = 0;
CREATE INDEX notifications_by_age ON notifications (created_at);
CREATE TABLE notification_counts (
    holder TEXT PRIMARY KEY CHECK (holder GLOB 'user:*' OR holder GLOB 'agent:*'),
    total  INTEGER NOT NULL CHECK (total >= 0),
    unread INTEGER NOT NULL CHECK (unread BETWEEN 0 AND total)
) STRICT, WITHOUT ROWID;
INSERT INTO notification_counts VALUES ('user:01a22205-082e-7577-bb25-a76023d259ac', 1, 1);
CREATE INDEX notification_counts_by_total ON notification_counts (total);
CREATE TABLE webhook_outbox (
    notification_id TEXT PRIMARY KEY REFERENCES notifications (id) ON DELETE CASCADE,
    attempts        INTEGER NOT NULL DEFAULT 0,
    queued_at       INTEGER NOT NULL,
    next_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO webhook_outbox VALUES ('01a22205-09a6-70c2-9e14-33da127029bd', 0, 1790000000000000, 9000000000000000);
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
INSERT INTO knowledge_items VALUES (1, '01a22205-084f-75a5-adbe-ea675ec8efd5', 'agent-docs', 'taos-core', '/docs/agents/README', 'taosd for agents and scripts', 'taosd', 'taosd keeps the register of the agents on this box, issues their tokens and says who may do what. Everything here is served by the daemon itself: curl gets Markdown, a browser gets HTML, with or witho', '# taosd for agents and scripts

`taosd` keeps the register of the agents on this box, issues their tokens and says who may do what. Everything here is
served by the daemon itself: `curl` gets Markdown, a browser gets HTML, with or without `.md`.

Start with [Getting started](/docs/agents/getting-started.md): a token, a first call, and how to find the rest.

| When you want to | Read |
| --- | --- |
| make your first call, find routes, know the rules of every request | [Getting started](/docs/agents/getting-started.md) |
| set up a box with `axctl`, make keys, enroll agents | [Bootstrap](/docs/agents/recipes/bootstrap.md) |
| know which credential is for what, and how keys become tokens | [Authentication](/docs/agents/concepts/authentication.md) |
| list, create, change, start, stop, archive, restore, purge, export or import agents, read their logs | [Managing agents](/docs/agents/recipes/managing-agents.md) |
| run an agent in a container | [Deploying](/docs/agents/recipes/deploying.md) |
| register an agent when it is built, share it, run it later; keys for its pods and web hooks | [Build once and deploy](/docs/agents/recipes/build-once-and-deploy.md) |
| issue, rotate or revoke an agent''s token | [Tokens and rotation](/docs/agents/recipes/tokens-and-rotation.md) |
| add people, issue and revoke their tokens | [Users and tokens](/docs/agents/recipes/users-and-tokens.md) |
| tell your owner something, read or watch notifications | [Notifying the user](/docs/agents/recipes/notifying-the-user.md) |
| search the documentation, read the system prompt, add documents | [Reading knowledge](/docs/agents/recipes/reading-knowledge.md) |
| back up the box, restore it, go back to an older release | [Backup and restore](/docs/agents/recipes/backup.md) |
| find out why something fails | [Troubleshooting](/docs/agents/recipes/troubleshooting.md) |
| know what scopes, roles and grants allow, and read the audit | [Permissions](/docs/agents/concepts/permissions.md) |
| know what the Agentex SDK meets here: names, statuses, deployments, keys, forwarding | [Agentex](/docs/agents/concepts/agentex.md) |
| know who is who: users, agents, credentials | [Identity](/docs/agents/concepts/identity.md) |
| follow or cancel slow work | [Operations](/docs/agents/concepts/operations.md) |
| know what knowledge is and where it comes from | [Knowledge](/docs/agents/concepts/knowledge.md) |
| look up an error code | [Errors](/docs/agents/errors.md) |

The routes are listed by [GET /api](/api) and described by [GET /openapi.json](/openapi.json).
', '["agent-docs"]', x'ac7e3d5e0c409bc2fc358271c2695a8170879f11e6e259aebc1900631f2df15b', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (2, '01a22205-084f-75a5-adbe-ea68473dcfe9', 'agent-docs', 'taos-core', '/docs/agents/getting-started', 'Getting started', 'taosd', 'All examples use two values: $TAOS_URL, the daemon''s address (http://127.0.0.1:6969 unless it was set otherwise), and $TAOS_TOKEN, your token. Inside an agent''s container TAOS_TOKEN is the agent''s own', '# Getting started

All examples use two values: `$TAOS_URL`, the daemon''s address (`http://127.0.0.1:6969` unless it was set otherwise),
and `$TAOS_TOKEN`, your token. Inside an agent''s container `TAOS_TOKEN` is the agent''s own token.

## Auth

Send the token as a Bearer:

```http expect=200
GET /api/auth/whoami
Authorization: Bearer $TAOS_TOKEN
```

```bash
curl -sS -H "Authorization: Bearer $TAOS_TOKEN" "$TAOS_URL/api/auth/whoami"
```

Other users of the same host can read a command line while it runs. Where that matters, keep the header in a file:

```bash
(umask 077; printf ''Authorization: Bearer %s\n'' "$TAOS_TOKEN" > taos-header)
curl -sS -H @taos-header "$TAOS_URL/api/auth/whoami"
```

The first start of the daemon writes the operator''s token to `operator.token` in its data directory, which only its
owner can read. Agents get a token by [issuing one](/docs/agents/recipes/tokens-and-rotation.md#issue), people by
[issuing one for a user](/docs/agents/recipes/users-and-tokens.md#tokens).

On the box itself root, the daemon''s own user and members of the group `taosd` need no token on the daemon''s Unix
socket: there they are the operator.

```bash
curl -sS --unix-socket ~/.local/state/taosd/taosd.sock http://localhost/api/auth/whoami
```

Without a token the answer is 401 `auth_required`; with one that is unknown, expired or revoked it is 401
`invalid_token`. Both carry `WWW-Authenticate: Bearer`.

```http expect=401
GET /api/auth/whoami
```

```http expect=401
GET /api/auth/whoami
Authorization: Bearer taos_user_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
```

## First call

`GET /api/auth/whoami` is allowed to every credential. It says who you are (`principal`, `username`, `agent_name`), what
your token may do (`scope`) and until when it is good (`expires_at`, null for ever):

```http expect=200
GET /api/auth/whoami
Authorization: Bearer $TAOS_TOKEN
```

```json
{
  "principal": "user",
  "user_id": "…",
  "username": "operator",
  "role": "admin",
  "agent_id": null,
  "agent_name": null,
  "scope": ["*"],
  "credential_id": "…",
  "kind": "user_token",
  "expires_at": null
}
```

Create an agent and list what you can see:

```http expect=200
POST /api/agents
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "First"}
```

```json
{"status": "created", "id": "…", "name": "first", "display_name": "First"}
```

```http expect=200
GET /api/agents/{{last.name}}
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200
GET /api/agents
Authorization: Bearer $TAOS_TOKEN
```

```bash
curl -sS -H "Authorization: Bearer $TAOS_TOKEN" --json ''{"name": "First"}'' "$TAOS_URL/api/agents"
curl -sS -H "Authorization: Bearer $TAOS_TOKEN" "$TAOS_URL/api/agents"
```

## Discover

`GET /api` lists every route with the action it needs, whether it takes an `Idempotency-Key`, and the page that explains
it. `GET /openapi.json` describes the same routes as OpenAPI 3.1. Both are public. A path that is not there is 404
`not_found`; a method that a path lacks is 405 `method_not_allowed` with the right ones in `Allow`.

```http expect=200
GET /api
```

```http expect=200
GET /openapi.json
```

```http expect=200
GET /docs/agents/getting-started.md
```

```http expect=404
GET /api/nowhere
```

```http expect=405
DELETE /api
```

```bash
curl -sS "$TAOS_URL/api"
curl -sS "$TAOS_URL/docs"
```

## Request shape

A body is one JSON object in UTF-8 with `Content-Type: application/json`, at most 1 MiB and 32 levels deep. No key may
stand twice. `null` means the same as leaving the field out. Fields and query parameters that a route does not know are
refused, not ignored: a typing error never passes for a success.

```http expect=422
POST /api/agents
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "Second", "colour": "#336699"}
```

The answer names each bad field:

```json
{
  "error": "validation_error",
  "detail": "colour: there is no such field",
  "fix": "Correct the fields listed under fields.",
  "doc_url": "/docs/agents/getting-started#request-shape",
  "fields": [{"field": "colour", "problem": "there is no such field"}]
}
```

```http expect=400
POST /api/agents
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "Second", "name": "Third"}
```

```http expect=415
POST /api/agents
Authorization: Bearer $TAOS_TOKEN
Content-Type: text/plain

name=Second
```

Times are RFC 3339 in UTC with milliseconds. Ids are opaque and never used twice.

Lists are arrays. `limit` is 1 to 500, 100 if absent. If there is more, the `Link` header holds the URL of the next page
with `rel="next"`; follow it as it is. Nothing is skipped or shown twice while others come and go.

```http expect=200
GET /api/agents?limit=1
Authorization: Bearer $TAOS_TOKEN
```

```http expect=400
GET /api/agents?cursor=made-up
Authorization: Bearer $TAOS_TOKEN
```

## Errors

Every answer other than a success has `error` (a code to switch on), `detail`, `fix` (what to do) and `doc_url` (a page
on this daemon). [Errors](/docs/agents/errors.md) lists all codes.

```http expect=404
GET /api/agents/nobody
Authorization: Bearer $TAOS_TOKEN
```

What you may not see is 404, not 403. After 429 `rate_limited` and 503 `busy` wait the seconds in `Retry-After`. Every
reply has an `X-Request-Id`; send your own (letters, digits, `.`, `_`, `-`, at most 64) and it is kept.

What waits for a container answers 202 and goes on as an [operation](/docs/agents/concepts/operations.md#follow).

## Idempotency

A route that makes something takes an `Idempotency-Key` of 1 to 255 visible ASCII characters. Send the same request with
the same key again, after a broken connection for example, and you get the first answer again with
`Idempotent-Replayed: true`; nothing is made twice. Keys are yours alone, last 24 hours and survive a restart of the
daemon.

```http expect=200
POST /api/agents
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json
Idempotency-Key: make-second-1

{"name": "Second"}
```

```http expect=200
POST /api/agents
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json
Idempotency-Key: make-second-1

{"name": "Second"}
```

The same key with another body is 422 `idempotency_key_reused`:

```http expect=422
POST /api/agents
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json
Idempotency-Key: make-second-1

{"name": "Third"}
```

A key that is not usable is 400 `invalid_idempotency_key`. While the first request is still being worked on, a repeat
waits up to 10 seconds and then gets 409 `idempotency_in_flight`. Replies that carry a secret are never stored: there the
key is ignored, and repeating makes another secret. `GET /api` says which routes take a key; the others are safe to
repeat as they are. Answers of 400 and more are stored as well, except 401, 403, 408, 409 `idempotency_in_flight` and
429; those of 500 and more never are.

```bash
for attempt in 1 2; do
  curl -sS -H "Authorization: Bearer $TAOS_TOKEN" -H "Idempotency-Key: make-fourth-1" \
    --json ''{"name": "Fourth"}'' "$TAOS_URL/api/agents"
done
```
', '["agent-docs"]', x'3ff912c65fdb11540f758f69454d2d1f76056f63ea85d0f8e1c5a8a7fb91b9d8', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (3, '01a22205-084f-75a5-adbe-ea69ccce7693', 'agent-docs', 'taos-core', '/docs/agents/concepts/permissions', 'Permissions', 'taosd', 'Two things must both allow a request. The scopes of the credential say what it may do at all. The role of the caller says on which agent it may do that.', '# Permissions

Two things must both allow a request. The **scopes** of the credential say what it may do at all. The **role** of the
caller says on which agent it may do that.

## Scopes

A scope is `*`, a prefix with `.*` (`agents.*` covers `agents.read` and `agents.token.issue`), or an action from the
table below. A list holds at most 32. Anything else is 422 `invalid_scope`; a scope that matches no action is refused
too, so a typing error is told. An empty list allows `auth.whoami` and `auth.logout` only, which every credential may.

A credential never gives more than it has: the scopes you ask for, or that are set by default, must be covered by your
own, else 403 `scope_exceeds_issuer`. A request whose action your scopes do not cover is 403 `scope_denied`, with the
missing `action`.

```http expect=201
POST /api/users/operator/tokens
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"label": "reader", "scope": ["agents.read", "users.token.issue"], "expires_in_days": 1}
```

```http expect=403
POST /api/users/operator/tokens
Authorization: Bearer {{last.token}}
Content-Type: application/json

{"scope": ["*"]}
```

```http expect=201
POST /api/users/operator/tokens
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"label": "reader", "scope": ["agents.read"], "expires_in_days": 1}
```

```http expect=403
GET /api/agents
Authorization: Bearer {{last.token}}
```

An agent that is created without `scope` gets this, and so do its tokens:

<!-- begin: agent-default -->

`agents.read`, `agents.list`, `agents.register`, `deployments.read`, `ui.notify`, `notifications.read`, `knowledge.read`, `spaces.list`, `spaces.read`, `messages.*`, `tasks.*`, `context.*`, `uploads.*`, `events.read`

<!-- end: agent-default -->

<!-- begin: actions -->

| Action | What it allows | Role admin |
| --- | --- | --- |
| `auth.whoami` | Ask who the credential is; always allowed. |  |
| `auth.exchange` | Exchange a key for a short-lived token; the key itself decides. |  |
| `auth.logout` | End the session; always allowed. |  |
| `agents.list` | List agents. |  |
| `agents.read` | Read one agent. |  |
| `agents.create` | Create or import an agent. |  |
| `agents.update` | Change an agent''s settings, persona, memory or model. |  |
| `agents.permissions` | Change what an agent may do. |  |
| `agents.delete` | Archive an agent. |  |
| `agents.restore` | Bring an archived agent back. |  |
| `agents.purge` | Remove an archived agent for good. |  |
| `agents.export` | Export an agent''s settings. |  |
| `agents.register` | Register an agent''s build or endpoint. |  |
| `agents.lifecycle` | Start, stop, restart, pause and resume. |  |
| `agents.logs` | Read an agent''s logs. |  |
| `agents.deploy` | Deploy an agent into a container. |  |
| `agents.token.issue` | Issue an agent''s token. |  |
| `agents.token.read` | Read what is known of an agent''s token. |  |
| `agents.token.revoke` | Revoke an agent''s token. |  |
| `agents.keys.create` | Make an agent''s key. |  |
| `agents.keys.read` | List an agent''s keys. |  |
| `agents.keys.delete` | Delete an agent''s key. |  |
| `agents.forward` | Send a request on to an agent. |  |
| `agents.presence` | See which agents are online. |  |
| `agents.heartbeat` | Say that the agent is alive. |  |
| `agents.place` | Put an agent into a space. |  |
| `deployments.create` | Record a deployment. |  |
| `deployments.read` | Read deployments. |  |
| `deployments.promote` | Make a deployment the production one. |  |
| `deployments.delete` | Delete a deployment. |  |
| `grants.create` | Give a role on an agent. |  |
| `grants.list` | List grants. |  |
| `grants.delete` | Take a role back. |  |
| `users.list` | List users. | needed |
| `users.create` | Create a user. | needed |
| `users.read` | Read a user; members only themselves. |  |
| `users.update` | Change a user. | needed |
| `users.delete` | Delete a user. | needed |
| `users.token.issue` | Issue a user''s token; members only their own. |  |
| `users.token.list` | List a user''s tokens; members only their own. |  |
| `users.token.revoke` | Revoke a user''s token; members only their own. |  |
| `sessions.list` | List one''s own web sessions. |  |
| `sessions.revoke` | End one of one''s own web sessions. |  |
| `ui.notify` | Send the owner a notification. |  |
| `notifications.read` | Read notifications. |  |
| `notifications.update` | Mark notifications as read. |  |
| `notifications.delete` | Delete notifications. |  |
| `knowledge.read` | Read and search the knowledge. |  |
| `knowledge.write` | Write a source of knowledge. |  |
| `operations.read` | Follow long work. |  |
| `operations.cancel` | Cancel long work. |  |
| `audit.read` | Read the audit chain. | needed |
| `backups.create` | Make a backup. | needed |
| `backups.list` | List backups. | needed |
| `metrics.read` | Read the metrics. |  |
| `spaces.list` | List spaces. |  |
| `spaces.read` | Read a space. |  |
| `spaces.create` | Create a space. |  |
| `keys.create` | Make personal access tokens. |  |
| `keys.list` | List personal access tokens. |  |
| `keys.rotate` | Rotate a personal access token. |  |
| `keys.revoke` | Revoke a personal access token. |  |
| `credentials.issue` | Issue agents'' personal access tokens and enrollments. |  |
| `credentials.list` | List credentials. |  |
| `credentials.revoke` | Revoke credentials. |  |
| `credentials.fingerprint` | Register a client''s fingerprint. |  |

These may stand in scopes too; no route of this version needs them: `auth.login`, `agents.processing`, `agents.profile`, `messages.send`, `messages.list`, `messages.read`, `messages.edit`, `messages.delete`, `messages.mark`, `messages.search`, `tasks.create`, `tasks.list`, `tasks.read`, `tasks.update`, `context.write`, `context.list`, `context.read`, `context.delete`, `uploads.create`, `uploads.read`, `events.read`.

<!-- end: actions -->

## Routes

<!-- begin: routes -->

| Route | Action | What it does | Repeating it |
| --- | --- | --- | --- |
| `GET /api/agents` | `agents.list` | [List agents](/docs/agents/recipes/managing-agents.md#list-agents) | safe |
| `POST /api/agents` | `agents.create` | [Create an agent](/docs/agents/recipes/managing-agents.md#create-agent) | with `Idempotency-Key` |
| `GET /api/agents/archived` | `agents.list` | [List archived agents](/docs/agents/recipes/managing-agents.md#restore-agent) | safe |
| `POST /api/agents/archived/{id}/restore` | `agents.restore` | [Restore an archived agent](/docs/agents/recipes/managing-agents.md#restore-agent) | with `Idempotency-Key` |
| `DELETE /api/agents/archived/{id}` | `agents.purge` | [Remove an archived agent for good](/docs/agents/recipes/managing-agents.md#purge-agent) | safe |
| `POST /api/agents/import` | `agents.create` | [Import an agent](/docs/agents/recipes/managing-agents.md#import-agent) | with `Idempotency-Key` |
| `GET /api/agents/{name}` | `agents.read` | [Read an agent](/docs/agents/recipes/managing-agents.md#list-agents) | safe |
| `PUT /api/agents/{name}` | `agents.update` | [Change an agent''s settings](/docs/agents/recipes/managing-agents.md#update-agent) | safe |
| `DELETE /api/agents/{name}` | `agents.delete` | [Archive an agent](/docs/agents/recipes/managing-agents.md#delete-agent) | safe |
| `DELETE /api/agents/{name}/destroy` | `agents.delete` | [Archive an agent, by its older path](/docs/agents/recipes/managing-agents.md#delete-agent) | safe |
| `PUT /api/agents/{name}/permissions` | `agents.permissions` | [Change what an agent may do](/docs/agents/recipes/managing-agents.md#update-agent) | safe |
| `PATCH /api/agents/{name}/persona` | `agents.update` | [Change an agent''s persona](/docs/agents/recipes/managing-agents.md#update-agent) | safe |
| `PATCH /api/agents/{name}/memory` | `agents.update` | [Choose an agent''s memory plugin](/docs/agents/recipes/managing-agents.md#update-agent) | safe |
| `POST /api/agents/{name}/model` | `agents.update` | [Choose an agent''s model](/docs/agents/recipes/managing-agents.md#update-agent) | safe |
| `GET /api/agents/{name}/export` | `agents.export` | [Export an agent''s settings](/docs/agents/recipes/managing-agents.md#import-agent) | safe |
| `POST /api/agents/bulk/start` | `agents.lifecycle` | [Start every agent the caller edits](/docs/agents/recipes/managing-agents.md#lifecycle) | with `Idempotency-Key` |
| `POST /api/agents/bulk/stop` | `agents.lifecycle` | [Stop every agent the caller edits](/docs/agents/recipes/managing-agents.md#lifecycle) | with `Idempotency-Key` |
| `POST /api/agents/bulk/restart` | `agents.lifecycle` | [Restart every agent the caller edits](/docs/agents/recipes/managing-agents.md#lifecycle) | with `Idempotency-Key` |
| `POST /api/agents/{name}/start` | `agents.lifecycle` | [Start an agent](/docs/agents/recipes/managing-agents.md#lifecycle) | with `Idempotency-Key` |
| `POST /api/agents/{name}/stop` | `agents.lifecycle` | [Stop an agent](/docs/agents/recipes/managing-agents.md#lifecycle) | with `Idempotency-Key` |
| `POST /api/agents/{name}/restart` | `agents.lifecycle` | [Restart an agent](/docs/agents/recipes/managing-agents.md#lifecycle) | with `Idempotency-Key` |
| `POST /api/agents/{name}/pause` | `agents.lifecycle` | [Pause an agent](/docs/agents/recipes/managing-agents.md#lifecycle) | safe |
| `POST /api/agents/{name}/resume` | `agents.lifecycle` | [Resume an agent](/docs/agents/recipes/managing-agents.md#lifecycle) | safe |
| `GET /api/agents/{name}/logs` | `agents.logs` | [Read the end of an agent''s log](/docs/agents/recipes/managing-agents.md#logs) | safe |
| `GET /api/agents/containers` | `agents.list` | [List the agents'' containers](/docs/agents/recipes/managing-agents.md#lifecycle) | safe |
| `POST /api/agents/deploy` | `agents.deploy` | [Deploy an agent into a container](/docs/agents/recipes/deploying.md#deploy) | with `Idempotency-Key` |
| `GET /api/agents/{name}/deploy-status` | `agents.read` | [See how a deployment goes](/docs/agents/recipes/deploying.md#deploy) | safe |
| `POST /api/agents/{name}/token/issue` | `agents.token.issue` | [Issue an agent''s token](/docs/agents/recipes/tokens-and-rotation.md#issue) | makes another secret |
| `GET /api/agents/{name}/token` | `agents.token.read` | [Show what is known of an agent''s token](/docs/agents/recipes/tokens-and-rotation.md#issue) | safe |
| `DELETE /api/agents/{name}/token` | `agents.token.revoke` | [Revoke an agent''s token](/docs/agents/recipes/tokens-and-rotation.md#revoke) | safe |
| `GET /api/users` | `users.list` | [List users](/docs/agents/recipes/users-and-tokens.md#users) | safe |
| `POST /api/users` | `users.create` | [Create a user](/docs/agents/recipes/users-and-tokens.md#users) | with `Idempotency-Key` |
| `GET /api/users/{username}` | `users.read` | [Read a user](/docs/agents/recipes/users-and-tokens.md#users) | safe |
| `PATCH /api/users/{username}` | `users.update` | [Change a user](/docs/agents/recipes/users-and-tokens.md#users) | safe |
| `DELETE /api/users/{username}` | `users.delete` | [Delete a user](/docs/agents/recipes/users-and-tokens.md#users) | safe |
| `POST /api/users/{username}/tokens` | `users.token.issue` | [Issue a user''s token](/docs/agents/recipes/users-and-tokens.md#tokens) | makes another secret |
| `GET /api/users/{username}/tokens` | `users.token.list` | [List a user''s tokens](/docs/agents/recipes/users-and-tokens.md#tokens) | safe |
| `DELETE /api/users/{username}/tokens/{id}` | `users.token.revoke` | [Revoke a user''s token](/docs/agents/recipes/users-and-tokens.md#tokens) | safe |
| `POST /api/grants` | `grants.create` | [Give a role](/docs/agents/concepts/permissions.md#grants) | safe |
| `GET /api/grants` | `grants.list` | [List grants](/docs/agents/concepts/permissions.md#grants) | safe |
| `DELETE /api/grants/{id}` | `grants.delete` | [Take a role back](/docs/agents/concepts/permissions.md#grants) | safe |
| `GET /api/auth/whoami` | `auth.whoami` | [Ask who the credential is](/docs/agents/getting-started.md#first-call) | safe |
| `POST /api/sessions` | public | [Open a web session](/docs/agents/concepts/authentication.md#web-sessions) | makes another secret |
| `GET /api/sessions` | `sessions.list` | [List one''s own web sessions](/docs/agents/concepts/authentication.md#web-sessions) | safe |
| `DELETE /api/sessions/current` | `auth.logout` | [End the web session](/docs/agents/concepts/authentication.md#web-sessions) | safe |
| `DELETE /api/sessions/{id}` | `sessions.revoke` | [End one of one''s own web sessions](/docs/agents/concepts/authentication.md#web-sessions) | safe |
| `GET /.well-known/jwks.json` | public | [Read the keys that verify tokens](/docs/agents/concepts/authentication.md#verifying-a-token-elsewhere) | safe |
| `POST /auth/exchange` | `auth.exchange` | [Exchange a key for a short-lived token](/docs/agents/concepts/authentication.md#exchange) | makes another secret |
| `GET /auth/me` | `auth.whoami` | [Ask who the token is](/docs/agents/concepts/authentication.md#who-am-i) | safe |
| `POST /api/v1/credentials/fingerprint` | `credentials.fingerprint` | [Tell where a key is used](/docs/agents/concepts/authentication.md#fingerprints) | safe |
| `GET /health` | public | [Ask whether the daemon answers](/docs/agents/concepts/authentication.md#who-am-i) | safe |
| `POST /api/v1/security/honeypot` | public | [Report a planted key](/docs/agents/concepts/authentication.md#who-am-i) | safe |
| `GET /api/v1/spaces` | `spaces.list` | [List the caller''s spaces](/docs/agents/recipes/bootstrap.md#spaces) | safe |
| `GET /api/v1/spaces/{space}` | `spaces.read` | [Read a space](/docs/agents/recipes/bootstrap.md#spaces) | safe |
| `GET /api/v1/spaces/{space}/members` | `spaces.read` | [List a space''s members](/docs/agents/recipes/bootstrap.md#spaces) | safe |
| `POST /api/spaces/create` | `spaces.create` | [Create a space](/docs/agents/recipes/bootstrap.md#spaces) | safe |
| `GET /api/v1/agents` | `agents.list` | [List the agents of a space](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `POST /api/v1/agents` | `agents.create` | [Create an agent](/docs/agents/recipes/bootstrap.md#create-an-agent) | safe |
| `POST /api/v1/agents/manage/create` | `agents.create` | [Create an agent](/docs/agents/recipes/bootstrap.md#create-an-agent) | safe |
| `POST /agents/manage/create` | `agents.create` | [Create an agent](/docs/agents/recipes/bootstrap.md#create-an-agent) | safe |
| `GET /api/v1/agents/manage/list` | `agents.list` | [List the agents to manage](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `GET /agents/manage/list` | `agents.list` | [List the agents to manage](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `GET /api/v1/agents/manage/{agent}` | `agents.read` | [Read an agent](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `GET /api/v1/agents/{agent}` | `agents.read` | [Read an agent](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `PUT /api/v1/agents/manage/{agent}` | `agents.update` | [Change an agent](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `PUT /api/v1/agents/{agent}` | `agents.update` | [Change an agent](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `PATCH /agents/manage/{agent}` | `agents.update` | [Change an agent](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `DELETE /api/v1/agents/manage/{agent}` | `agents.delete` | [Delete an agent](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `GET /api/v1/agents/{agent}/placement` | `agents.read` | [See where an agent lives](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `POST /api/v1/agents/{agent}/placement` | `agents.place` | [Put an agent into a space](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `GET /api/v1/organizations/{space}/roster` | `agents.list` | [List who is in a space](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `GET /api/v1/agents/presence` | `agents.presence` | [See which agents are online](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `GET /api/v1/agents/{agent}/presence` | `agents.presence` | [See whether an agent is online](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `GET /api/v1/agents/availability` | `agents.presence` | [See what to expect of agents](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `GET /api/v1/agents/{agent}/state` | `agents.presence` | [See what to expect of an agent](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `POST /api/v1/agents/heartbeat` | `agents.heartbeat` | [Say that the agent is alive](/docs/agents/recipes/bootstrap.md#agents) | safe |
| `POST /credentials/agent-pat` | `credentials.issue` | [Issue an agent''s key](/docs/agents/concepts/authentication.md#keys) | makes another secret |
| `POST /credentials/enrollment` | `credentials.issue` | [Issue an enrollment](/docs/agents/concepts/authentication.md#enrollment) | makes another secret |
| `GET /credentials` | `credentials.list` | [List keys](/docs/agents/concepts/authentication.md#keys) | safe |
| `DELETE /credentials/{credential}` | `credentials.revoke` | [Revoke a key](/docs/agents/concepts/authentication.md#keys) | safe |
| `POST /api/v1/keys` | `keys.create` | [Make a key](/docs/agents/concepts/authentication.md#keys) | makes another secret |
| `GET /api/v1/keys` | `keys.list` | [List keys](/docs/agents/concepts/authentication.md#keys) | safe |
| `POST /api/v1/keys/{credential}/rotate` | `keys.rotate` | [Rotate a key](/docs/agents/concepts/authentication.md#keys) | makes another secret |
| `DELETE /api/v1/keys/{credential}` | `keys.revoke` | [Revoke a key](/docs/agents/concepts/authentication.md#keys) | safe |
| `GET /agents` | `agents.list` | [List agents, for Agentex clients](/docs/agents/recipes/build-once-and-deploy.md) | safe |
| `POST /agents/register-build` | `agents.create` | [Register a build](/docs/agents/recipes/build-once-and-deploy.md) | safe |
| `POST /agents/register` | `agents.register` | [Register what runs](/docs/agents/recipes/build-once-and-deploy.md) | makes another secret |
| `GET /agents/{id}` | `agents.read` | [Read an agent by id](/docs/agents/recipes/build-once-and-deploy.md) | safe |
| `GET /agents/name/{name}` | `agents.read` | [Read an agent by name](/docs/agents/recipes/build-once-and-deploy.md) | safe |
| `DELETE /agents/{id}` | `agents.delete` | [Delete an agent by id](/docs/agents/recipes/build-once-and-deploy.md) | safe |
| `DELETE /agents/name/{name}` | `agents.delete` | [Delete an agent by name](/docs/agents/recipes/build-once-and-deploy.md) | safe |
| `POST /agents/{id}/deployments` | `deployments.create` | [Record a deployment](/docs/agents/concepts/agentex.md#deployments) | with `Idempotency-Key` |
| `GET /agents/{id}/deployments` | `deployments.read` | [List an agent''s deployments](/docs/agents/concepts/agentex.md#deployments) | safe |
| `GET /agents/{id}/deployments/{deployment}` | `deployments.read` | [Read a deployment](/docs/agents/concepts/agentex.md#deployments) | safe |
| `DELETE /agents/{id}/deployments/{deployment}` | `deployments.delete` | [Delete a deployment](/docs/agents/concepts/agentex.md#deployments) | safe |
| `POST /agents/{id}/deployments/{deployment}/promote` | `deployments.promote` | [Put a deployment into production](/docs/agents/concepts/agentex.md#deployments) | safe |
| `GET /deployment-history` | `deployments.read` | [List the commits of an agent](/docs/agents/concepts/agentex.md#deployments) | safe |
| `GET /deployment-history/{item}` | `deployments.read` | [Read one commit of an agent](/docs/agents/concepts/agentex.md#deployments) | safe |
| `POST /agent_api_keys` | `agents.keys.create` | [Make a key of an agent](/docs/agents/concepts/agentex.md#keys) | makes another secret |
| `GET /agent_api_keys` | `agents.keys.read` | [List an agent''s keys](/docs/agents/concepts/agentex.md#keys) | safe |
| `GET /agent_api_keys/{key}` | `agents.keys.read` | [Read what is known of a key](/docs/agents/concepts/agentex.md#keys) | safe |
| `GET /agent_api_keys/name/{key_name}` | `agents.keys.read` | [Read what is known of a key, by name](/docs/agents/concepts/agentex.md#keys) | safe |
| `DELETE /agent_api_keys/{key}` | `agents.keys.delete` | [Delete a key](/docs/agents/concepts/agentex.md#keys) | safe |
| `DELETE /agent_api_keys/name/{key_name}` | `agents.keys.delete` | [Delete a key by name](/docs/agents/concepts/agentex.md#keys) | safe |
| `GET /agents/forward/name/{name}/{path...}` | `agents.forward` | [Send a request on to an agent](/docs/agents/concepts/agentex.md#forwarding) | safe |
| `POST /agents/forward/name/{name}/{path...}` | `agents.forward` | [Send a request on to an agent](/docs/agents/concepts/agentex.md#forwarding) | safe |
| `POST /agents/{id}/rpc` | `agents.read` | [Not supported](/docs/agents/concepts/agentex.md#left-out) | safe |
| `POST /agents/name/{name}/rpc` | `agents.read` | [Not supported](/docs/agents/concepts/agentex.md#left-out) | safe |
| `POST /agents/{id}/deployments/{deployment}/rpc` | `agents.read` | [Not supported](/docs/agents/concepts/agentex.md#left-out) | safe |
| `GET /agents/{id}/schedules` | `agents.read` | [Not supported](/docs/agents/concepts/agentex.md#left-out) | safe |
| `POST /agents/{id}/schedules` | `agents.read` | [Not supported](/docs/agents/concepts/agentex.md#left-out) | safe |
| `GET /agents/{id}/schedules/{rest...}` | `agents.read` | [Not supported](/docs/agents/concepts/agentex.md#left-out) | safe |
| `POST /agents/{id}/schedules/{rest...}` | `agents.read` | [Not supported](/docs/agents/concepts/agentex.md#left-out) | safe |
| `PATCH /agents/{id}/schedules/{rest...}` | `agents.read` | [Not supported](/docs/agents/concepts/agentex.md#left-out) | safe |
| `PUT /agents/{id}/schedules/{rest...}` | `agents.read` | [Not supported](/docs/agents/concepts/agentex.md#left-out) | safe |
| `DELETE /agents/{id}/schedules/{rest...}` | `agents.read` | [Not supported](/docs/agents/concepts/agentex.md#left-out) | safe |
| `POST /agent_api_keys/webhook-trigger` | `agents.read` | [Not supported](/docs/agents/concepts/agentex.md#left-out) | safe |
| `GET /healthcheck` | public | [Ask whether the process lives](/docs/agents/concepts/agentex.md#left-out) | safe |
| `GET /api/operations` | `operations.read` | [List operations](/docs/agents/concepts/operations.md#follow) | safe |
| `GET /api/operations/{id}` | `operations.read` | [Follow an operation](/docs/agents/concepts/operations.md#follow) | safe |
| `POST /api/operations/{id}/cancel` | `operations.cancel` | [Cancel an operation](/docs/agents/concepts/operations.md#cancel) | safe |
| `POST /api/ui/notify` | `ui.notify` | [Notify the user](/docs/agents/recipes/notifying-the-user.md#notify) | with `Idempotency-Key` |
| `GET /api/notifications` | `notifications.read` | [List notifications](/docs/agents/recipes/notifying-the-user.md#read) | safe |
| `GET /api/notifications/count` | `notifications.read` | [Count notifications](/docs/agents/recipes/notifying-the-user.md#read) | safe |
| `GET /api/notifications/stream` | `notifications.read` | [Follow notifications](/docs/agents/recipes/notifying-the-user.md#watch) | safe |
| `GET /api/notifications/{id}` | `notifications.read` | [Read a notification](/docs/agents/recipes/notifying-the-user.md#read) | safe |
| `POST /api/notifications/read-all` | `notifications.update` | [Mark all notifications as read](/docs/agents/recipes/notifying-the-user.md#read) | safe |
| `POST /api/notifications/{id}/read` | `notifications.update` | [Mark a notification as read](/docs/agents/recipes/notifying-the-user.md#read) | safe |
| `DELETE /api/notifications/{id}` | `notifications.delete` | [Delete a notification](/docs/agents/recipes/notifying-the-user.md#read) | safe |
| `GET /api/knowledge/items` | `knowledge.read` | [List items of knowledge](/docs/agents/recipes/reading-knowledge.md#read) | safe |
| `GET /api/knowledge/items/{id}` | `knowledge.read` | [Read an item of knowledge](/docs/agents/recipes/reading-knowledge.md#read) | safe |
| `GET /api/knowledge/search` | `knowledge.read` | [Search the knowledge](/docs/agents/recipes/reading-knowledge.md#search) | safe |
| `GET /api/knowledge/sources` | `knowledge.read` | [List sources of knowledge](/docs/agents/recipes/reading-knowledge.md#sources) | safe |
| `PUT /api/knowledge/sources/{source_id}` | `knowledge.write` | [Write a source of knowledge](/docs/agents/recipes/reading-knowledge.md#sources) | safe |
| `DELETE /api/knowledge/sources/{source_id}` | `knowledge.write` | [Delete a source of knowledge](/docs/agents/recipes/reading-knowledge.md#sources) | safe |
| `GET /api/knowledge/system-prompt` | `knowledge.read` | [Read the system prompt](/docs/agents/recipes/reading-knowledge.md#prompt) | safe |
| `GET /api/audit` | `audit.read` | [Read the audit chain](/docs/agents/concepts/permissions.md#audit) | safe |
| `POST /api/backups` | `backups.create` | [Make a backup](/docs/agents/recipes/backup.md#make-a-backup) | with `Idempotency-Key` |
| `GET /api/backups` | `backups.list` | [List backups](/docs/agents/recipes/backup.md#make-a-backup) | safe |
| `GET /healthz` | public | [Ask whether the process lives](/docs/agents/recipes/troubleshooting.md#not-ready) | safe |
| `GET /readyz` | public | [Ask whether the daemon can work](/docs/agents/recipes/troubleshooting.md#not-ready) | safe |
| `GET /metrics` | `metrics.read` | [Read the counters](/docs/agents/recipes/troubleshooting.md#metrics) | safe |
| `GET /api` | public | [List the routes](/docs/agents/getting-started.md#discover) | safe |
| `GET /openapi.json` | public | [Read the surface as OpenAPI](/docs/agents/getting-started.md#discover) | safe |
| `GET /docs` | public | [Read the documentation''s first page](/docs/agents/README.md) | safe |
| `GET /docs/style.css` | public | [Read the documentation''s style sheet](/docs/agents/README.md) | safe |
| `GET /docs/{path...}` | public | [Read a page of the documentation](/docs/agents/README.md) | safe |

<!-- end: routes -->

## Roles

On one agent a caller is nothing, `viewer`, `editor` or `owner`; each includes the one before.

| Role | May |
| --- | --- |
| `viewer` | read the record, the logs, the token''s metadata, the export |
| `editor` | also change settings, persona, memory and model; start, stop, restart, pause and resume; issue and revoke its token |
| `owner` | also change permissions, give and take roles, archive, restore and purge |

Whoever creates an agent owns it. What an agent creates belongs to the agent''s owner, and the agent is owner too. An
agent is editor of itself. A user with the role admin is owner of every agent, and only such a user may use the actions
marked so above. An agent never has its owner''s role.

Creating needs `creator` on `agent:*`. Admins hold it; members and agents get it by a grant, else 403
`create_not_allowed`. Whoever cannot see an agent gets 404; whoever sees it but has too small a role gets 403
`forbidden` with the role that is needed in `detail`.

## Grants

A grant gives a user or an agent a role on one agent (by its owner), or `creator` on all (by an admin). `resource` names
the agent by id.

```http expect=201
POST /api/users
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"username": "ann", "display_name": "Ann"}
```

```http expect=200
POST /api/agents
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "Shared"}
```

```http expect=201
POST /api/grants
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"principal": "user:ann", "resource": "agent:{{last.id}}", "role": "viewer"}
```

Giving a role again, or another one, is 200: a principal has one role on an agent.

```http expect=200
POST /api/grants
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"principal": "user:ann", "resource": "{{last.resource}}", "role": "editor"}
```

```http expect=201
POST /api/grants
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"principal": "user:ann", "resource": "agent:*", "role": "creator"}
```

```http expect=200
GET /api/grants?principal=user:ann
Authorization: Bearer $TAOS_TOKEN
```

```http expect=204
DELETE /api/grants/{{last.0.id}}
Authorization: Bearer $TAOS_TOKEN
```

```bash
taosctl users create --username bob
taosctl grants create --principal user:bob --resource ''agent:*'' --role creator
taosctl grants list --principal user:bob
```

Errors: [principal_not_found](/docs/agents/errors.md#principal_not_found),
[grant_not_found](/docs/agents/errors.md#grant_not_found), [agent_not_found](/docs/agents/errors.md#agent_not_found),
[forbidden](/docs/agents/errors.md#forbidden). Verify with `GET /api/grants`.

## Audit

Every issue and revocation of a credential, every change of a user, an agent or a grant, and every denial is a row of the
audit, written with the effect itself. Denials are counted: the first of a caller and an action in a minute is a row, the
others of that minute are one more with their `count`. Each row carries a hash over the row before and itself;
`taosd check` verifies the chain. Only admins may read it.

```http expect=200
GET /api/audit?action=grants.create&limit=10
Authorization: Bearer $TAOS_TOKEN
```

```bash
taosctl audit --action grants.create
taosd check
```
', '["agent-docs"]', x'1447df03c252a7b06520a151caaa1728cca475ab0fb1782fc98e52af7b86a343', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (4, '01a22205-0850-71cc-8d45-d4fb9620ac04', 'agent-docs', 'taos-core', '/docs/agents/concepts/authentication', 'Authentication', 'taosd', 'There are credentials that are used as they are, and keys that are exchanged for short-lived tokens.', '# Authentication

There are credentials that are used as they are, and keys that are exchanged for short-lived tokens.

| For | Use | Sent as |
| --- | --- | --- |
| a person or a script on this box | a user''s token, `taos_user_…` | `Authorization: Bearer`, directly |
| an agent in its container | its own token, `taos_agent_…`: it is put there | `Authorization: Bearer`, directly |
| the client `axctl`, or a service elsewhere | a key, `axp_u_…` of a user, `axp_a_…` of an agent | to the exchange only |
| a new agent that nobody has made yet | an enrollment, an `axp_a_…` for one agent | to the exchange only |
| the web page | a session cookie | by the browser |

A key that leaks from a command line or a log is of use only until it is revoked; a token is of use for minutes. So a
key is refused everywhere but at the exchange.

## Keys

Make the first key with a user''s token. It never may do more than the request that made it, and it is shown once.

```http expect=201
POST /api/v1/keys
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "laptop", "expires_in_days": 90}
```

```json
{"credential_id": "…", "key_id": "…", "kind": "user_pat", "audience": "both", "lifecycle_state": "active", "token": "…"}
```

`GET /credentials` lists keys, never their secrets; `POST /api/v1/keys/{credential}/rotate` replaces one at once;
`DELETE /credentials/{credential}` revokes one.

## Exchange

```http expect=200
POST /auth/exchange
Authorization: Bearer {{last.token}}
Content-Type: application/json

{"requested_token_class": "user_access", "scope": "agents spaces", "requested_ttl": 300}
```

```json
{"token_type": "Bearer", "expires_in": 300, "scope": "agents spaces", "token_class": "user_access", "access_token": "…"}
```

```http expect=200
GET /api/v1/spaces
Authorization: Bearer {{last.access_token}}
```

Exchange again when the token has expired; only 401 means that.

## Classes

| Class | From | Lives | For |
| --- | --- | --- | --- |
| `user_access` | a user''s key | 15 minutes | a user at work |
| `user_admin` | a user''s key that may manage | 5 minutes | creating agents, issuing and revoking keys |
| `agent_access` | an agent''s key or its own token | 15 minutes | an agent at work |

A user''s own token is worth `user_access` and `user_admin` in one, an agent''s own token is worth `agent_access`. An
agent never makes agents, spaces, keys or credentials with a token, whatever it was granted.

## Audiences

A key is for `cli`, `mcp` or `both`. Tokens for `ax-api` come from `cli` and `both` and are for this daemon; tokens for
`ax-mcp` come from `mcp` and `both`, are for other services to verify, and are refused here.

## Scope words

A token carries words; each stands for actions. What it may do is what its words say and its key may do as well.

| Word | For |
| --- | --- |
| `messages` `tasks` `context` `agents` `spaces` `search` | users and agents at work |
| `messages:read` `messages:write` and so on | the same, by half |
| `agents.create` `agents.bind` `credentials.issue.agent` `credentials.revoke` `delegations.manage` | managing |

An exchange without `scope` gets every word of the class that the key holds.

## Enrollment

An enrollment is a key without an agent. Its first exchange with `agent_name` makes the agent, which belongs to whoever
issued it, and binds the key to it; from then on it is that agent''s key. Repeating the exchange after a lost reply gives
the same agent. See [Bootstrap](/docs/agents/recipes/bootstrap.md#enroll-an-agent).

## How many keys

At most 3 active keys an agent (`ax.max_agent_pats`) and 20 a user, open enrollments included. One more is refused with
`cleanup_required`: revoke what is not in use.

## When a credential dies

Revoking or rotating a key, deleting its agent or disabling its user ends every token exchanged for it, from the next
request on. A token survives a restart of the daemon, not a reboot: the signing keys lie in the runtime directory,
never in the database, so a copy of the database can mint no token.

## Fingerprints

`axctl` says with each request where it runs. It is a signal and no protection: it can be forged and changes with the
directory. A new place is an audit event, `credential.fingerprint_changed`; with `fingerprint_policy = "deny"` under
`[ax]` in `taosd.toml` it is refused as `fingerprint_mismatch`.

## Who am I

```http expect=200
GET /auth/me
Authorization: Bearer $TAOS_TOKEN
```

## Verifying a token elsewhere

Tokens are JWTs signed with Ed25519. Any library that knows EdDSA verifies them with the public keys; check `iss`
(`taosd`), `aud` and `exp`.

```http expect=200
GET /.well-known/jwks.json
```

A verifier that meets an unknown `kid` reads the keys again: a new key takes over every day. Verified offline, a token
may be up to 15 minutes older than the revocation of its key.

## Web sessions

The page opens a session with a user''s token and keeps it as a cookie that scripts cannot read. It lasts 7 days, never
longer than the token, and dies with it.

```http expect=200
POST /api/sessions
Content-Type: application/json

{"token": "$TAOS_TOKEN"}
```

```http expect=200
GET /api/sessions
Authorization: Bearer $TAOS_TOKEN
```

A request by cookie that changes something must come from the daemon''s own page, else it is refused as `csrf_refused`.
', '["agent-docs"]', x'22b59191a78616c05c57ddaf6b1bdca4bc1db49e351af931c730565873f6961b', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (5, '01a22205-0850-71cc-8d45-d4fcfd0024b7', 'agent-docs', 'taos-core', '/docs/agents/concepts/agentex', 'Agentex', 'taosd', 'What the Agentex SDK and the agents built with it meet here. The agents, users and grants are the same as everywhere; only paths, errors and a few records have the shape those clients expect. A recipe', '# Agentex

What the Agentex SDK and the agents built with it meet here. The agents, users and grants are the same as everywhere;
only paths, errors and a few records have the shape those clients expect. A recipe:
[Build once and deploy](/docs/agents/recipes/build-once-and-deploy.md).

## Credentials

| Credential | Sent as | Acts as |
| --- | --- | --- |
| a user''s token or short-lived token | `Authorization: Bearer` | the user |
| an agent''s token or short-lived token | `Authorization: Bearer` | the agent |
| an agent''s token, or an internal key of it | `x-agent-api-key` | the agent |
| an external key | `x-agent-api-key`, or `Authorization: AgentKey` | nobody: it only has requests sent on to its agent |

One request carries one of them. Whatever is wrong with a credential, the answer is the same.

```http expect=401
GET /agents
```

```http expect=400
GET /agents
Authorization: Bearer $TAOS_TOKEN
x-agent-api-key: x
```

An agent reads and registers itself and nothing else, whatever it was granted. It makes, renames and deletes no agent and
no key.

## Names

A name is 1 to 64 of `a-z`, `0-9` and `-`, with a letter or digit first and last. A build of a name that exists gives a
caller nothing: what it may read is given back unchanged, without a grant; what it may not read is refused without a
word about it. A deleted agent''s name is free, and who takes it gets a new agent with a new id.

What you may not see answers like what does not exist, byte for byte:

```http expect=404
GET /agents/name/nobody
Authorization: Bearer $TAOS_TOKEN
```

```json
{"message": "Agent ''nobody'' not found: it does not exist or you may not see it.", "code": 404, "error": "agent_not_found"}
```

## Status

| Status | When |
| --- | --- |
| `BuildOnly` | built, and neither registered nor running |
| `Ready` | registered, or a deployment was promoted |
| `Unhealthy` | registered, and its container is stopped or paused |
| `Unknown` | in a container, and not registered |
| `Failed` | its last deployment into a container failed, later than its last registration |

A registration makes an agent `Ready`; a build never takes that back.

## Deployments

A deployment is a record: it starts nothing. It is `Pending` until the agent registers with its id as
`registration_metadata.deployment_id`, then `Ready`. `promote` puts it into production: the agent then answers where that
deployment does, and the one before is out. A deleted deployment''s id stays dead. A registration without a
`deployment_id` is of the agent itself and takes production back.

A registration whose metadata has `agent_commit` and `branch_name` adds an item to `/deployment-history`, if the commit is
another than before.

## Keys

A key is `taos_key_` and 43 characters, made by the daemon, told once and kept as a hash. An internal key is the agent:
it may do what the agent''s scopes allow, and never more than who made it; owners make it. An external key is for web
hooks; editors make it. An agent has at most 50 live keys. A deleted key is dead from the next request on.

The first registration of an agent by its owner tells an internal key. No later one does, whatever became of that key:
who has lost it deletes it and makes another.

Keys of the types `github` and `slack` need the secret in plain text to check signatures. The daemon never keeps one, so
it has no such keys.

## Forwarding

`GET` and `POST /agents/forward/name/NAME/PATH` go to `acp_url` and `PATH`, with an external key of that agent or as a
user who is its editor. Credentials, cookies and whatever says who sent the request stay here. The answer loses what would act
on this daemon''s own origin, and carries `Content-Security-Policy: sandbox; default-src ''none''`.

Only plain `http` is spoken and no name is looked up. An agent in a container is reached at that container''s own address;
`localhost` and the container''s name stand for it. An agent without one is reached on this machine, and only at an
address that a user gave. The daemon''s own ports are never a target, and no redirect is followed. A request and its answer have at
most 1 MiB and 30 seconds, four at a time for each agent.

## Left out

Remote procedure calls, schedules and the web hook trigger answer 501, once and for all: `x-should-retry: false` keeps
the SDK from asking again. Tasks, messages, states, events, spans and checkpoints do not exist here.

```http expect=501
POST /agents/anything/rpc
Authorization: Bearer $TAOS_TOKEN
```
', '["agent-docs"]', x'd5a7dedd966f49ec1c5467d2c0d428bfc0036a49befb68eb00ee90d9660faaf4', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (6, '01a22205-0850-71cc-8d45-d4fdb117e56f', 'agent-docs', 'taos-core', '/docs/agents/concepts/identity', 'Identity', 'taosd', 'Who acts is a user or an agent. Each comes with a credential; the daemon keeps only a hash of it.', '# Identity

Who acts is a user or an agent. Each comes with a credential; the daemon keeps only a hash of it.

## Users

A user is a person, or a script that acts for one. Its role is `admin`, who acts as owner of everything, or `member`,
who may do what it was granted. The first start makes the user `operator`, an admin. See
[Users and tokens](/docs/agents/recipes/users-and-tokens.md).

## Agents

An agent belongs to a user. It has

- an `id`, which is never used twice, not even after a purge: grants and tokens hang on it;
- a slug, `name` in its record and in paths: made from the display name in lower case, each run of anything other than
  `a-z` and `0-9` as one `-`, at most 52 characters, `-2` and up behind it if taken. It never changes;
- a `display_name` for people, which may change.

An archived agent keeps its id and gives its slug back. The next agent of that name shares nothing with it.

## Credentials

| Kind | Looks like | Who holds it |
| --- | --- | --- |
| `user_token` | `taos_user_` and 43 characters | a person or a script |
| `agent_token` | `taos_agent_` and 43 characters | an agent; one is active at a time |

On the operator''s Unix socket no credential is needed; `whoami` calls it `unix_socket`.

A token is shown once, when it is issued, and never again: not in a record, a list, an export, the audit or a log. What
can be asked is its id, its scopes, and when it was issued, expires and was last used. A token of a disabled user, and of
an agent whose owner is disabled, is refused until the user is enabled again.

## Channels

Requests come in by three ways, and the daemon knows them apart:

| Way | Who |
| --- | --- |
| TCP | whoever the credential says |
| the operator''s Unix socket | the operator; a credential that is sent counts instead |
| an agent''s own Unix socket, which its container sees as `127.0.0.1:6969` | that agent, by its own credential |

Over an agent''s own socket the credential of another agent is 403 [wrong_channel](/docs/agents/errors.md#wrong_channel)
and audited: a token stolen from one container is useless in the next. `bind_credentials` of `[containers]` in
`taosd.toml` is `deny`, `warn` or `off`.

## Who am I

```http expect=200
GET /api/auth/whoami
Authorization: Bearer $TAOS_TOKEN
```

An agent''s token says `"principal": "agent"` and both names of the agent:

```http expect=200
POST /api/agents
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "Mirror"}
```

```http expect=200
POST /api/agents/{{last.name}}/token/issue
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200
GET /api/auth/whoami
Authorization: Bearer {{last.token}}
```

```bash
taosctl auth whoami
```
', '["agent-docs"]', x'84d86873b09830b95c8fcd58aaffeacb806352cb561569c78762d24e18aeab21', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (7, '01a22205-0851-7752-a400-bbe3c225d435', 'agent-docs', 'taos-core', '/docs/agents/concepts/operations', 'Operations', 'taosd', 'Whatever waits for a container (deploying, starting, stopping, archiving with a container, and so on) is an operation: a row that is on disk before the request is answered, and that has an end whateve', '# Operations

Whatever waits for a container (deploying, starting, stopping, archiving with a container, and so on) is an operation: a
row that is on disk before the request is answered, and that has an end whatever happens.

## Follow

A slow route answers 202 with `operation_id` and `Location: /api/operations/ID`. With `?wait=` of up to 60 seconds it
answers when the work has ended, as the route says: 200 with its result, or the failure''s own status. A wait holds up
nobody, and when it runs out the answer is the same 202.

```http expect=200
GET /api/operations?limit=20
Authorization: Bearer $TAOS_TOKEN
```

```bash
curl -sS -H "Authorization: Bearer $TAOS_TOKEN" "$TAOS_URL/api/operations?status=running"
taosctl operations list
```

`taosctl` waits for the end by itself and says on stderr how far it is; with `--no-wait` it prints the operation''s id:

```bash requires=containers
id=$(taosctl agents deploy --name Leader --no-wait)
taosctl operations wait "$id"
taosctl operations get "$id"
```

`status` is `queued`, `running`, `succeeded`, `failed` or `cancelled`; `step` and `progress` say how far it is; `result` is
what the route would have answered, `error` is an error''s whole envelope. `GET /api/operations/ID?wait=60` answers as
soon as it has ended. You see operations on agents you may read, and those you asked for.

```http expect=202 requires=containers
POST /api/agents/deploy
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "Follower"}
```

```json
{"status": "deploying", "name": "follower", "id": "…", "operation_id": "…"}
```

```http expect=200 requires=containers
GET /api/operations/{{last.operation_id}}?wait=60
Authorization: Bearer $TAOS_TOKEN
```

```json
{
  "id": "…",
  "kind": "deploy",
  "status": "succeeded",
  "agent_name": "follower",
  "cancellable": false,
  "error": null
}
```

Errors: [operation_not_found](/docs/agents/errors.md#operation_not_found).

```http expect=404
GET /api/operations/no-such-operation
Authorization: Bearer $TAOS_TOKEN
```

## Cancel

`POST /api/operations/ID/cancel` ends one that waits, or a deployment at any time: what it had done is taken back. Look at
`cancellable` first. Errors: [operation_finished](/docs/agents/errors.md#operation_finished),
[not_cancellable](/docs/agents/errors.md#not_cancellable). A cancelled operation carries the error
[cancelled](/docs/agents/errors.md#cancelled).

```http expect=409 requires=containers
POST /api/operations/{{last.id}}/cancel
Authorization: Bearer $TAOS_TOKEN
```

```http expect=404
POST /api/operations/no-such-operation/cancel
Authorization: Bearer $TAOS_TOKEN
```

## Busy

An agent has one operation at a time. A second request is 409 [agent_busy](/docs/agents/errors.md#agent_busy) with the
`operation_id` of the first: wait for that, or cancel it.

## Crash

If the daemon ends in the middle, the next start gives the operation its end:

| Kind | End |
| --- | --- |
| deploying | taken back; `failed` with [interrupted](/docs/agents/errors.md#interrupted) |
| start, stop, restart, pause, resume | read from the container as it is |
| archiving, restoring, purging | finished if it was past the rename or the delete, else undone |

Send the request again if it failed. With the same `Idempotency-Key` you get the first answer again, with the id of the
operation that it promised.
', '["agent-docs"]', x'828a27585d074781accc876eacade807b73840be5d517b73ad82d88f88048aab', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (8, '01a22205-0851-7752-a400-bbe4b8a05073', 'agent-docs', 'taos-core', '/docs/agents/recipes/bootstrap', 'Bootstrap', 'taosd', 'When: a new box, and the first agents on it, with axctl or any HTTP client. Which credential is for what is told in Authentication.', '# Bootstrap

When: a new box, and the first agents on it, with `axctl` or any HTTP client. Which credential is for what is told in
[Authentication](/docs/agents/concepts/authentication.md).

## The first key

The operator''s token lies in `operator.token` in the data directory. Make a key with it; `axctl login --url URL` asks
for that key without showing it.

```http expect=201
POST /api/v1/keys
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "axctl"}
```

## Spaces

Agents live in spaces. Every user has a default one, which is used wherever a request names none.

```http expect=200
GET /api/v1/spaces
Authorization: Bearer $TAOS_TOKEN
```

```http expect=201
POST /api/spaces/create
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "Workshop"}
```

## Create an agent

A name is enough. It may hold letters, digits, `_` and `-`; it is never taken over from another agent, in any case.
Owner and spaces are the caller''s, whatever the body says.

```http expect=201
POST /api/v1/agents/manage/create
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "backend_sentinel", "description": "Watches the backend"}
```

```json
{"name": "backend_sentinel", "origin": "mcp", "status": "active", "id": "…"}
```

```http expect=409
POST /api/v1/agents/manage/create
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "Backend_Sentinel"}
```

## Give it a key

```http expect=201
POST /credentials/agent-pat
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"agent_id": "backend_sentinel", "audience": "both", "expires_in_days": 30}
```

```http expect=200
POST /auth/exchange
Authorization: Bearer {{last.token}}
Content-Type: application/json

{"requested_token_class": "agent_access"}
```

```http expect=200
GET /auth/me
Authorization: Bearer {{last.access_token}}
```

```json
{"principal_type": "agent", "username": "backend_sentinel"}
```

The same from a shell:

```bash
field() { grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d ''"'' -f 4; }
post() { curl -sS -H "Authorization: Bearer $1" -H ''Content-Type: application/json'' -d "$3" "$TAOS_URL$2"; }
agent=$(post "$TAOS_TOKEN" /api/v1/agents/manage/create ''{"name": "night_watch"}'' | field id)
key=$(post "$TAOS_TOKEN" /credentials/agent-pat "{\"agent_id\": \"$agent\"}" | field token)
token=$(post "$key" /auth/exchange ''{}'' | field access_token)
curl -sS -H "Authorization: Bearer $token" "$TAOS_URL/auth/me"
```

With `axctl` all of this is `axctl token mint backend_sentinel --create --save-to DIR --no-print-token`.

## Enroll an agent

When somebody else sets the agent up: hand over an enrollment, good for an hour and for one agent.

```http expect=201
POST /credentials/enrollment
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"expires_in_hours": 1}
```

```http expect=200
POST /auth/exchange
Authorization: Bearer {{last.token}}
Content-Type: application/json

{"agent_name": "newcomer"}
```

The agent is made and the key is its own. `axctl auth init --agent newcomer` does the same.

## Agents

```http expect=200
GET /api/v1/agents
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200
PUT /api/v1/agents/manage/backend_sentinel
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"bio": "Infra and operations"}
```

```http expect=200
GET /api/v1/agents/presence
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200
DELETE /api/v1/agents/manage/newcomer
Authorization: Bearer $TAOS_TOKEN
```

Deleting archives the agent: its name is free, and every credential it had is dead at once.

## Errors

| Code | Mend it by |
| --- | --- |
| [pat_not_allowed](/docs/agents/errors.md#pat_not_allowed) | exchanging the key first |
| [class_not_allowed](/docs/agents/errors.md#class_not_allowed) | asking for a class that fits the key |
| [name_conflict](/docs/agents/errors.md#name_conflict) | another name |
| [binding_not_allowed](/docs/agents/errors.md#binding_not_allowed) | naming the agent the key is bound to, or none |
| [cleanup_required](/docs/agents/errors.md#cleanup_required) | revoking a key that is not in use |
', '["agent-docs"]', x'afffa0480a7c7ac3ece5b288f129b1a788928eab07e86002b2f1d71d6167c5db', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (9, '01a22205-0851-7752-a400-bbe55245175c', 'agent-docs', 'taos-core', '/docs/agents/concepts/knowledge', 'Knowledge', 'taosd', 'Knowledge is a set of documents that every agent with knowledge.read can search and read, and from which its system prompt is put together.', '# Knowledge

Knowledge is a set of documents that every agent with `knowledge.read` can [search and
read](/docs/agents/recipes/reading-knowledge.md), and from which its [system
prompt](/docs/agents/recipes/reading-knowledge.md#prompt) is put together.

## Items

An item is one document in Markdown: `title`, `content`, `summary` (its first paragraph), `categories`, `author`, and
where it comes from: `source_type`, `source_id` and `source_url`, its path within the source. Its `id` stays as long as
its source has that path, whatever becomes of the text.

```http expect=200
GET /api/knowledge/items?limit=1
Authorization: Bearer $TAOS_TOKEN
```

```json
[{"source_id": "taos-core", "source_type": "agent-docs", "status": "ready"}]
```

## Sources

A source is written as a whole: after a PUT it holds exactly the items that were sent. An item whose content is the same
is not written again; one that is no longer there is removed, and its words are found no more.

- `taos-core` is the documentation of this daemon. It is brought up to date at every start and can be written by nobody:
  an attempt is 403 `source_reserved`.
- `app:NAME` is what an app adds. Whoever holds `knowledge.write` may write it, so give that scope only to what you trust:
  agents read what is written there.

```http expect=200
GET /api/knowledge/sources
Authorization: Bearer $TAOS_TOKEN
```

```bash
curl -sS -H "Authorization: Bearer $TAOS_TOKEN" "$TAOS_URL/api/knowledge/sources"
```

The daemon never fetches a URL: what is not sent to it is not there.

## Search order

A search finds the items that hold every word asked for. A word in the title weighs four times one in the text, and rare
words weigh more than common ones.
', '["agent-docs"]', x'f187fa6a23c1eba648f5e9bda9086b0513b4e926356ce26b78c5c7c6c8b42261', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (10, '01a22205-0851-7752-a400-bbe65f7d14a0', 'agent-docs', 'taos-core', '/docs/agents/recipes/managing-agents', 'Managing agents', 'taosd', 'The register: what agents there are, what they are called, and what they may do. An agent that is created here is a record with the status registered; Deploying gives one a container.', '# Managing agents

The register: what agents there are, what they are called, and what they may do. An agent that is created here is a
record with the status `registered`; [Deploying](/docs/agents/recipes/deploying.md) gives one a container.

## List agents

When: to see what there is, or to find an agent''s slug or id.

```http expect=200
GET /api/agents
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200
GET /api/agents?status=registered&q=atl&limit=50
Authorization: Bearer $TAOS_TOKEN
```

```bash
taosctl agents list
taosctl --json agents list
```

You see the agents you may read, oldest first. One agent is `GET /api/agents/NAME`; its `ETag` is the record''s revision.

Errors: [agent_not_found](/docs/agents/errors.md#agent_not_found),
[invalid_cursor](/docs/agents/errors.md#invalid_cursor).

## Create agent

When: a new agent shall have an identity. Needs the role `creator` on `agent:*`; see
[Roles](/docs/agents/concepts/permissions.md#roles).

```http expect=200
POST /api/agents
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json
Idempotency-Key: create-atlas-1

{"name": "Atlas", "color": "#336699", "emoji": "🗺", "model": "qwen2.5:7b"}
```

```bash
taosctl agents create --name Atlas --color ''#336699''
```

Only `name` is required: 1 to 64 characters with at least one of `a-z` or `0-9`. The reply''s `name` is the slug; use it
from now on. If the slug is taken the new agent gets `-2` and so on: look at the reply, do not guess.

| Field | Bounds | If absent |
| --- | --- | --- |
| `host`, `qmd_index` | 255 characters | empty |
| `color` | `#rrggbb` | `#888888` |
| `emoji` | 16 characters | null |
| `can_read_user_memory` | true or false | false |
| `model` | 1 to 128 characters; one of `[models]` in `taosd.toml` if that is set | null |
| `framework` | 64 characters | `none` |
| `scope` | at most 32 scopes, covered by your own | [the default](/docs/agents/concepts/permissions.md#scopes) |

Errors: [invalid_agent_name](/docs/agents/errors.md#invalid_agent_name),
[create_not_allowed](/docs/agents/errors.md#create_not_allowed),
[scope_exceeds_issuer](/docs/agents/errors.md#scope_exceeds_issuer),
[invalid_scope](/docs/agents/errors.md#invalid_scope),
[slug_collision_unresolvable](/docs/agents/errors.md#slug_collision_unresolvable),
[model_not_reachable](/docs/agents/errors.md#model_not_reachable).

```http expect=400
POST /api/agents
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "日本"}
```

Verify:

```http expect=200
GET /api/agents/atlas
Authorization: Bearer $TAOS_TOKEN
```

```json
{
  "id": "…",
  "name": "atlas",
  "display_name": "Atlas",
  "color": "#336699",
  "model": "qwen2.5:7b",
  "status": "registered",
  "container": null,
  "owner": "operator",
  "has_token": false,
  "revision": 1
}
```

## Update agent

When: something about an agent changes. What you do not send stays as it is. The slug never changes.

```http expect=200
PUT /api/agents/atlas
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"display_name": "Atlas II", "color": "#112233"}
```

To change only what you have read, send the revision: if somebody else was faster, the answer is 412.

```http expect=412
PUT /api/agents/atlas
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json
If-Match: "1"

{"display_name": "Atlas III"}
```

Persona, memory plugin and model have their own routes:

```http expect=200
PATCH /api/agents/atlas/persona
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"soul_md": "# Atlas\nCalm and exact.", "agent_md": "Keeps the maps."}
```

```http expect=200
PATCH /api/agents/atlas/memory
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"memory_plugin": "taosmd"}
```

```http expect=200
POST /api/agents/atlas/model
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"model": "qwen2.5:14b"}
```

What an agent may do is changed by its owner. A new scope becomes that of the live token at once.

```http expect=200
PUT /api/agents/atlas/permissions
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"scope": ["agents.read", "agents.list", "ui.notify"]}
```

```bash
taosctl agents update atlas --display-name ''Atlas II''
printf ''# Atlas\nCalm and exact.\n'' > soul.md
taosctl agents persona atlas --soul soul.md
taosctl agents memory atlas --memory-plugin taosmd
taosctl agents model atlas --model qwen2.5:14b
taosctl agents permissions atlas --scope agents.read --scope ui.notify
```

Errors: [forbidden](/docs/agents/errors.md#forbidden),
[precondition_failed](/docs/agents/errors.md#precondition_failed),
[invalid_memory_plugin](/docs/agents/errors.md#invalid_memory_plugin),
[invalid_model](/docs/agents/errors.md#invalid_model),
[model_not_reachable](/docs/agents/errors.md#model_not_reachable),
[model_not_on_worker](/docs/agents/errors.md#model_not_on_worker).

```http expect=400
PATCH /api/agents/atlas/memory
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"memory_plugin": "other"}
```

Verify: `GET /api/agents/atlas` shows what is stored, with a higher `revision`.

## Lifecycle

When: an agent with a container shall run, stop, or hold still. Needs the role editor. Each of `start`, `stop`,
`restart`, `pause` and `resume` is [slow work](/docs/agents/concepts/operations.md#follow): 202 and an operation, or with
`?wait=` its end. A success means that the container is in that state.

```http expect=200 requires=containers
POST /api/agents/deploy?wait=60
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "Runner"}
```

```http expect=200 requires=containers
POST /api/agents/runner/pause?wait=60
Authorization: Bearer $TAOS_TOKEN
```

```json
{"status": "paused", "name": "runner", "paused": true}
```

```http expect=200 requires=containers
POST /api/agents/runner/resume?wait=60
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200 requires=containers
POST /api/agents/runner/stop?wait=60
Authorization: Bearer $TAOS_TOKEN
```

```json
{"status": "stopped", "name": "runner"}
```

```http expect=200 requires=containers
POST /api/agents/runner/start?wait=60
Authorization: Bearer $TAOS_TOKEN
Idempotency-Key: start-runner-1
```

```json
{"status": "started", "name": "runner"}
```

```bash requires=containers
taosctl agents deploy --name Walker
taosctl agents pause walker
taosctl agents resume walker
taosctl agents stop walker
taosctl agents start walker
```

Pausing a record sets only the flag `paused`, at once:

```http expect=200
POST /api/agents/atlas/pause
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200
POST /api/agents/atlas/resume
Authorization: Bearer $TAOS_TOKEN
```

`POST /api/agents/bulk/start`, `/stop` and `/restart` do it for every agent you edit, and say for each how it went:

```http expect=200
POST /api/agents/bulk/stop?wait=60
Authorization: Bearer $TAOS_TOKEN
```

```json
{"action": "stop", "results": {"atlas": {"success": false, "error": "agent_has_no_container"}}}
```

```bash
curl -sS -X POST -H "Authorization: Bearer $TAOS_TOKEN" "$TAOS_URL/api/agents/bulk/restart?wait=60"
```

Errors: [agent_has_no_container](/docs/agents/errors.md#agent_has_no_container),
[agent_busy](/docs/agents/errors.md#agent_busy), [forbidden](/docs/agents/errors.md#forbidden),
[container_failed](/docs/agents/errors.md#container_failed),
[container_runtime_unavailable](/docs/agents/errors.md#container_runtime_unavailable).

```http expect=409
POST /api/agents/atlas/start
Authorization: Bearer $TAOS_TOKEN
```

Verify: `GET /api/agents/containers` shows what the runtime sees, `GET /api/agents/NAME` the `status`.

```http expect=200
GET /api/agents/containers
Authorization: Bearer $TAOS_TOKEN
```

## Logs

When: to see what an agent with a container printed last. `lines` is 1 to 2000, 100 if absent; the reply is at most
1 MiB, without control characters.

```http expect=200 requires=containers
GET /api/agents/runner/logs?lines=50
Authorization: Bearer $TAOS_TOKEN
```

```json
{"name": "runner", "logs": "…", "lines": "…", "truncated": "…"}
```

```bash requires=containers
taosctl agents logs walker --lines 50
```

Errors: [agent_has_no_container](/docs/agents/errors.md#agent_has_no_container),
[container_failed](/docs/agents/errors.md#container_failed),
[container_runtime_unavailable](/docs/agents/errors.md#container_runtime_unavailable).

```http expect=409
GET /api/agents/atlas/logs
Authorization: Bearer $TAOS_TOKEN
```

With `follow=true` the answer is a stream of Server-Sent Events: `line` for each of the last `lines` lines and for each
that comes, within about a second, `gap` where a client that reads too slowly has lost some, and `end` when the agent or
its container is gone. The stream also ends with the credential and with the right to read the agent. A credential holds
a few streams at a time: one more is 429 [too_many_streams](/docs/agents/errors.md#too_many_streams).

```text
event: line
data: {"line":"ready to work"}
```

```bash requires=containers
timeout 3 curl -sSN -H "Authorization: Bearer $TAOS_TOKEN" "$TAOS_URL/api/agents/walker/logs?follow=true" || true
timeout 3 taosctl agents logs walker --follow || true
```

The log is the console''s. Where systemd runs inside, its journal stays inside.

## Delete agent

When: an agent is no longer wanted. It is archived, not lost: all its tokens and grants end at once, its slug is free
again, and the record can be restored. There is no other delete; see [Purge agent](#purge-agent). With a container it is
[slow work](/docs/agents/concepts/operations.md#follow): the container is stopped, a snapshot taken, and it is kept under
another name; if that fails the agent stays live, with its token.

```http expect=200
DELETE /api/agents/atlas
Authorization: Bearer $TAOS_TOKEN
```

```json
{"status": "archived", "id": "…", "name": "atlas", "archived_at": "…", "snapshot_name": null}
```

```bash
taosctl agents delete atlas --yes
```

Errors: [forbidden](/docs/agents/errors.md#forbidden) (you are not the owner),
[agent_not_found](/docs/agents/errors.md#agent_not_found), also for the second time:

```http expect=404
DELETE /api/agents/atlas
Authorization: Bearer $TAOS_TOKEN
```

Verify: it is among the archived.

```http expect=200
GET /api/agents/archived
Authorization: Bearer $TAOS_TOKEN
```

## Restore agent

When: an archived agent is wanted again. It comes back with its id and settings, under its slug or, if that is taken by
now, the next free one. No old token lives again: [issue](/docs/agents/recipes/tokens-and-rotation.md#issue) a new one.
Of the grants only the owner''s is given anew. With a container it is slow work too: the container gets its name back, a
fresh token is delivered, and it is started.

```http expect=200
POST /api/agents/archived/{{last.0.id}}/restore
Authorization: Bearer $TAOS_TOKEN
Idempotency-Key: restore-atlas-1
```

```bash
taosctl agents archived
id=$(taosctl --json agents archived | grep -o ''"id":"[^"]*"'' | head -n 1 | cut -d ''"'' -f 4)
taosctl agents restore "$id"
```

Errors: [archived_agent_not_found](/docs/agents/errors.md#archived_agent_not_found),
[slug_collision_unresolvable](/docs/agents/errors.md#slug_collision_unresolvable).

Verify: the reply''s `name` is the slug it has now.

```http expect=200
GET /api/agents/{{last.name}}
Authorization: Bearer $TAOS_TOKEN
```

## Purge agent

When: an archived agent shall be gone for good, its container and snapshots with it. There is no way back.

```http expect=200
DELETE /api/agents/atlas
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200
DELETE /api/agents/archived/{{last.id}}
Authorization: Bearer $TAOS_TOKEN
```

```bash
taosctl agents delete atlas --yes
id=$(taosctl --json agents archived | grep -o ''"id":"[^"]*"'' | head -n 1 | cut -d ''"'' -f 4)
taosctl agents purge "$id" --yes
```

Errors: [archived_agent_not_found](/docs/agents/errors.md#archived_agent_not_found).

Verify: it is no longer among the archived.

```http expect=404
DELETE /api/agents/archived/{{last.id}}
Authorization: Bearer $TAOS_TOKEN
```

## Import agent

When: an agent''s settings shall move to another box, or be kept in a file. An export never holds a secret; an import
takes it as it is, under exactly its name.

```http expect=200
POST /api/agents/import
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json
Idempotency-Key: import-hermes-1

{"version": 1, "agent": {"name": "hermes", "display_name": "Hermes", "memory_plugin": "none"}, "channels": [], "groups": []}
```

```http expect=200
GET /api/agents/hermes/export
Authorization: Bearer $TAOS_TOKEN
```

```bash
taosctl agents create --name Hermes
taosctl --json agents export hermes > hermes.json
taosctl agents delete hermes --yes
taosctl agents import hermes.json
```

Errors: [invalid_export_data](/docs/agents/errors.md#invalid_export_data),
[invalid_agent_name](/docs/agents/errors.md#invalid_agent_name) (not a slug, or a reserved word),
[agent_exists](/docs/agents/errors.md#agent_exists):

```http expect=409
POST /api/agents/import
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"version": 1, "agent": {"name": "hermes"}}
```

Verify: `GET /api/agents/hermes`.
', '["agent-docs"]', x'ee2d41c3cfa56041228e3f66243e78333de19d92eebdb44bd732457654b3f59c', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (11, '01a22205-0851-7752-a400-bbe75502b27c', 'agent-docs', 'taos-core', '/docs/agents/recipes/deploying', 'Deploying', 'taosd', 'An agent in a container of its own: the daemon makes the container, gives it a token and starts it. Nobody copies a secret.', '# Deploying

An agent in a container of its own: the daemon makes the container, gives it a token and starts it. Nobody copies a
secret.

## Deploy

When: an agent shall run on this box. Needs the role `creator` on `agent:*` and a container runtime. It is
[slow work](/docs/agents/concepts/operations.md#follow): 202 and an operation, or with `?wait=` its end.

```http expect=202 requires=containers
POST /api/agents/deploy
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json
Idempotency-Key: deploy-kepler-1

{"name": "Kepler", "memory_limit": "256M", "cpu_limit": 1}
```

```http expect=200 requires=containers
GET /api/operations/{{last.operation_id}}?wait=60
Authorization: Bearer $TAOS_TOKEN
```

```json
{"kind": "deploy", "status": "succeeded", "agent_name": "kepler"}
```

Beside the fields of [Create agent](/docs/agents/recipes/managing-agents.md#create-agent):

| Field | Bounds | If absent |
| --- | --- | --- |
| `image` | 128 characters | the framework''s, else `image` of `[containers]` in `taosd.toml` |
| `memory_limit`, `root_size` | a number and `M`, `MB`, `G` or `GB` | the runtime''s default |
| `cpu_limit` | 1 to 64 | the runtime''s default |
| `env` | at most 64 of `NAME=value`, none beginning with `TAOS_` | none |
| `mounts` | folders below one of `mount_roots`, read-only unless said otherwise | none |
| `soul_md`, `agent_md` | 64 KiB each | empty |
| `source_persona_id` | 64 characters | null |
| `memory_plugin` | `taosmd` or `none` | `none` |
| `fallback_models` | at most 8 | none |
| `target_worker` | 255 characters | null |
| `on_worker_failure` | `pause`, `fallback`, `escalate-immediately` | `pause` |

Inside, `TAOS_URL`, `TAOS_TOKEN` and `TAOS_AGENT_NAME` are set, and `http://127.0.0.1:6969` leads to this daemon.

Verify: the agent runs and its token was delivered.

```http expect=200 requires=containers
GET /api/agents/kepler/deploy-status
Authorization: Bearer $TAOS_TOKEN
```

```json
{"name": "kepler", "status": "success", "operation_id": "…", "step": "…", "error": null}
```

```http expect=200 requires=containers
GET /api/agents/kepler
Authorization: Bearer $TAOS_TOKEN
```

```json
{
  "name": "kepler",
  "status": "running",
  "container": {"name": "taos-agent-kepler", "runtime": "…"},
  "has_token": true,
  "token_delivery": "delivered"
}
```

```bash requires=containers
taosctl agents deploy --name Kepler-2 --memory-limit 256M --cpu-limit 1
taosctl agents deploy-status kepler-2
taosctl agents containers
taosctl agents delete kepler-2 --yes
```

```bash
curl -sS -H "Authorization: Bearer $TAOS_TOKEN" "$TAOS_URL/api/agents/containers"
```

An agent that was never deployed is 404 [deploy_task_not_found](/docs/agents/errors.md#deploy_task_not_found):

```http expect=200
POST /api/agents
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "Record"}
```

```http expect=404
GET /api/agents/record/deploy-status
Authorization: Bearer $TAOS_TOKEN
```

To take it away, archive it and, for good, purge it; both wait for the container.

```http expect=200 requires=containers
DELETE /api/agents/kepler?wait=60
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200 requires=containers
DELETE /api/agents/archived/{{last.id}}?wait=60
Authorization: Bearer $TAOS_TOKEN
```

## Failures

A deployment that fails takes back the container, its token and its socket. The record stays, with the status `failed`
and `error` in `GET /api/agents/NAME/deploy-status`. Errors:
[container_failed](/docs/agents/errors.md#container_failed) (the runtime did not do what was asked: is there such an
image, is there room?), [delivery_failed](/docs/agents/errors.md#delivery_failed), and those of
[Create agent](/docs/agents/recipes/managing-agents.md#create-agent). Archive the failed agent and deploy again.

## Frameworks

`framework` names a table of `taosd.toml` that sets image and environment. A name that is not there is 400
[unknown_framework](/docs/agents/errors.md#unknown_framework); `known` lists those there are.

```toml
[containers]
image = "debian12"
mount_roots = ["/srv/agents"]

[frameworks.hermes]
image = "hermes"
env = { HERMES_MODE = "quiet" }
```

```http expect=400
POST /api/agents/deploy
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "Kepler", "framework": "no-such-framework"}
```

```json
{"error": "unknown_framework", "known": ["none"]}
```

## No container

What needs a container is refused for a record: 409
[agent_has_no_container](/docs/agents/errors.md#agent_has_no_container). A record cannot be given a container later:
deploy another agent.

```http expect=409
POST /api/agents/record/start
Authorization: Bearer $TAOS_TOKEN
```

## Runtime

Incus, LXD and classic LXC are looked for in their usual places. `--containers incus`, `lxd`, `lxc` or `none` chooses,
`--containers-socket PATH` says where. If there is none, or it does not answer, the answer is 503
[container_runtime_unavailable](/docs/agents/errors.md#container_runtime_unavailable), and nothing is left behind:

```http expect=503
POST /api/agents/deploy
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "Kepler", "image": "debian12"}
```

```http expect=404
GET /api/agents/kepler
Authorization: Bearer $TAOS_TOKEN
```
', '["agent-docs"]', x'd43f0be9c21fb56963bae735e27d8af95e204622eac4311d7bd5d2d7360a11b0', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (12, '01a22205-0851-7752-a400-bbe8be0abdf1', 'agent-docs', 'taos-core', '/docs/agents/recipes/build-once-and-deploy', 'Build once and deploy', 'taosd', 'When: a pipeline builds an agent, others shall be given access before it runs, and it is started later, perhaps elsewhere. These routes are the ones the Agentex SDK calls; Agentex says what they mean ', '# Build once and deploy

When: a pipeline builds an agent, others shall be given access before it runs, and it is started later, perhaps elsewhere.
These routes are the ones the Agentex SDK calls; [Agentex](/docs/agents/concepts/agentex.md) says what they mean here.

## Register the build

The caller needs the role `creator` on `agent:*` (admins have it). Building the same name again gives back what is there
and changes nothing; a name that belongs to somebody else is refused and gives nothing.

```http expect=200
POST /agents/register-build
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "mailer", "description": "Sends mail", "registration_metadata": {"image": "mailer:2"}}
```

```json
{"id": "…", "name": "mailer", "status": "BuildOnly", "status_reason": "build registered, not deployed"}
```

```http expect=200
GET /agents/name/mailer
Authorization: Bearer $TAOS_TOKEN
```

## Share it

The agent has an id, so it can be shared before it ever runs.

```http expect=201
POST /api/users
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"username": "ann"}
```

```http expect=200
GET /agents/name/mailer
Authorization: Bearer $TAOS_TOKEN
```

```http expect=201
POST /api/grants
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"principal": "user:ann", "resource": "agent:{{last.id}}", "role": "editor"}
```

## Deploy it

What has been started says where it answers. That makes the agent `Ready`.

```http expect=200
POST /agents/register
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "mailer", "description": "Sends mail", "acp_url": "http://localhost:8000", "acp_type": "async"}
```

```json
{"name": "mailer", "status": "Ready", "agent_api_key": "…"}
```

`agent_api_key` is told to the agent''s owner, by the first registration only: keep it, or delete it and make another
one. An agent in a container needs none. With `AGENTEX_BASE_URL=$TAOS_URL` and `AGENT_API_KEY=$TAOS_TOKEN` it registers
itself with its own token.

```bash
taosctl agents register-build --name reader --description ''Reads mail''
taosctl agents register --name reader --description ''Reads mail'' --acp-url http://localhost:8001 --acp-type async
taosctl agents get reader
```

## Release another version

Record the deployment, let it register under its id, then promote it. Until then the agent answers where it did.

```http expect=200
GET /agents/name/mailer
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200
POST /agents/{{last.id}}/deployments
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json
Idempotency-Key: mailer-3

{"docker_image": "mailer:3"}
```

```json
{"id": "…", "status": "Pending", "is_production": false}
```

```http expect=400
POST /agents/{{last.agent_id}}/deployments/{{last.id}}/promote
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json
```

It has not registered, so it is not ready:

```http expect=200
POST /agents/register
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "mailer", "description": "Sends mail", "acp_url": "http://localhost:8003", "acp_type": "async",
 "registration_metadata": {"deployment_id": "mailer-v3", "agent_commit": "c0ffee", "branch_name": "main"}}
```

A deployment id that nobody has recorded is recorded by its registration, like `mailer-v3` here.

```http expect=200
POST /agents/{{last.id}}/deployments/mailer-v3/promote
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json
```

```json
{"id": "mailer-v3", "status": "Ready", "is_production": true, "acp_url": "http://localhost:8003"}
```

## Give a web hook a key

An external key only has requests sent on to this one agent.

```http expect=200
POST /agent_api_keys
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"agent_name": "mailer", "name": "web hook"}
```

```json
{"id": "…", "agent_id": "…", "name": "web hook", "api_key_type": "external", "api_key": "…"}
```

```http expect=401
GET /agents/name/mailer
x-agent-api-key: {{last.api_key}}
```

`GET /agents/forward/name/mailer/health` with that key reaches the agent. Nothing listens in this example, so it is told
that:

```http expect=200
POST /agent_api_keys
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"agent_name": "mailer", "name": "another web hook"}
```

```http expect=502
GET /agents/forward/name/mailer/health
x-agent-api-key: {{last.api_key}}
```

```http expect=200
DELETE /agent_api_keys/name/another%20web%20hook?agent_name=mailer
Authorization: Bearer $TAOS_TOKEN
```

## Delete it

```http expect=200
DELETE /agents/name/mailer
Authorization: Bearer $TAOS_TOKEN
```

```http expect=404
GET /agents/name/mailer
Authorization: Bearer $TAOS_TOKEN
```

Its credentials are dead at once, and the name is free: the next build of `mailer` is a new agent with nothing of this
one. An owner can [restore](/docs/agents/recipes/managing-agents.md#restore-agent) the old one under its id.

Errors: [create_not_allowed](/docs/agents/errors.md#create_not_allowed),
[name_unavailable](/docs/agents/errors.md#name_unavailable), [name_taken](/docs/agents/errors.md#name_taken),
[deployment_not_ready](/docs/agents/errors.md#deployment_not_ready), [key_exists](/docs/agents/errors.md#key_exists),
[forward_failed](/docs/agents/errors.md#forward_failed).

Verify with `GET /agents`: every agent you may read, with its status.
', '["agent-docs"]', x'6b8dc56e7ad077444dedee94139606af52ebf62d63a4d9ea0ee5bee4e923d459', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (13, '01a22205-0852-73a1-882a-3ea2f99d8e81', 'agent-docs', 'taos-core', '/docs/agents/recipes/tokens-and-rotation', 'Tokens and rotation', 'taosd', 'An agent has one active token. Issuing another one replaces it, in one transaction: at no moment are there two active ones, and none is ever shown twice.', '# Tokens and rotation

An agent has one active token. Issuing another one replaces it, in one transaction: at no moment are there two active
ones, and none is ever shown twice.

## Issue

When: an agent needs its first token, or lost it.

```http expect=200
POST /api/agents
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "Atlas"}
```

```http expect=200
POST /api/agents/atlas/token/issue
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"expires_in_days": 90}
```

```json
{
  "token": "…",
  "credential_id": "…",
  "issued_at": "…",
  "expires_at": "…",
  "scope": "…",
  "token_delivery": "not_injected",
  "previous_valid_until": null
}
```

The reply holds `token`, this once. Try it:

```http expect=200
GET /api/agents/atlas
Authorization: Bearer {{last.token}}
```

```bash
taosctl agents create --name Atlas
token=$(taosctl agents token issue atlas --expires-in-days 90)
curl -sS -H "Authorization: Bearer $token" "$TAOS_URL/api/auth/whoami"
```

| Field | Bounds | If absent |
| --- | --- | --- |
| `scope` | covered by your own scopes | the agent''s |
| `expires_in_days` | 1 to 3650 | never expires |
| `grace_seconds` | 0 to 3600 | 0: the token before is dead at once |
| `deliver` | true needs a container | false for an agent without a container |

Errors: [agent_not_found](/docs/agents/errors.md#agent_not_found), [forbidden](/docs/agents/errors.md#forbidden) (needs
the role editor), [scope_exceeds_issuer](/docs/agents/errors.md#scope_exceeds_issuer),
[agent_has_no_container](/docs/agents/errors.md#agent_has_no_container):

```http expect=409
POST /api/agents/atlas/token/issue
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"deliver": true}
```

Verify what is known of the token, never the token itself:

```http expect=200
GET /api/agents/atlas/token
Authorization: Bearer $TAOS_TOKEN
```

```json
{
  "has_token": true,
  "credential_id": "…",
  "key_id": "…",
  "scope": "…",
  "issued_at": "…",
  "issued_by": "user:operator",
  "expires_at": "…",
  "last_used_at": "…",
  "grace_until": null,
  "token_delivery": "not_injected",
  "token_delivery_at": "…",
  "token_delivery_error": null
}
```

```bash
taosctl agents token show atlas
```

## Delivery

An agent with a container is given its token by the daemon: the reply''s `token` is null, and nobody sees it. The new
token waits until the container has it; only then does the old one end. If the delivery fails, the old one goes on
working.

```http expect=200 requires=containers
POST /api/agents/deploy?wait=60
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "Courier"}
```

```http expect=200 requires=containers
POST /api/agents/courier/token/issue
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"grace_seconds": 300}
```

```json
{"token": null, "credential_id": "…", "token_delivery": "…", "previous_valid_until": "…"}
```

```bash requires=containers
taosctl agents deploy --name Porter
taosctl agents token issue porter --grace 300
taosctl agents token show porter
```

| `token_delivery` | Means |
| --- | --- |
| `delivered` | the container has it |
| `pending_restart` | it runs and has it in the file `/run/taos/token`; its environment has it after the next start |
| `not_injected` | there is no container, or the token was shown instead (`deliver` false) |
| `failed` | see `token_delivery_error`; the token before goes on working |

Read `/run/taos/token` first, then the environment. `deliver` false shows the token instead of delivering it.

Errors: [delivery_failed](/docs/agents/errors.md#delivery_failed): mend the container and issue again.

Verify: `token_delivery` in `GET /api/agents/NAME/token`.

## Rotate

When: a token is old, or may have been seen by somebody. Rotating is issuing again. With `grace_seconds` the token before
goes on working for so long, so that the agent can change over without a gap; the reply''s `previous_valid_until` says
until when. Issuing once more, or revoking, ends any grace at once. Leave the grace out if the token has leaked.

```http expect=200
POST /api/agents/atlas/token/issue
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"grace_seconds": 60}
```

```http expect=200
GET /api/auth/whoami
Authorization: Bearer {{last.token}}
```

```bash
old=$token
token=$(taosctl agents token issue atlas --grace 60)
curl -sS -H "Authorization: Bearer $old" "$TAOS_URL/api/auth/whoami"
curl -sS -H "Authorization: Bearer $token" "$TAOS_URL/api/auth/whoami"
```

An agent may rotate its own token if that holds the scope `agents.token.issue`, which is not in the default:

```http expect=200
PUT /api/agents/atlas/permissions
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"scope": ["agents.read", "agents.token.issue"]}
```

```http expect=200
POST /api/agents/atlas/token/issue
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200
POST /api/agents/atlas/token/issue
Authorization: Bearer {{last.token}}
```

The new token never has more scopes than the one that asked for it. A repeated request makes another token: an
`Idempotency-Key` is ignored here, because no secret is ever stored. If the reply was lost, issue again.

Errors: as above, and [invalid_token](/docs/agents/errors.md#invalid_token) for the old token once its grace is over.

Verify: the new token answers `GET /api/auth/whoami`, and `GET /api/agents/atlas/token` shows a new `credential_id`.

## Revoke

When: the agent shall not act any more, at once. Ends the active token and one in its grace. Also fine if there is none.

```http expect=200
POST /api/agents/atlas/token/issue
Authorization: Bearer $TAOS_TOKEN
```

```http expect=204
DELETE /api/agents/atlas/token
Authorization: Bearer $TAOS_TOKEN
```

```bash
taosctl agents token revoke atlas
```

Verify: the token is refused from the next request on.

```http expect=401
GET /api/auth/whoami
Authorization: Bearer {{last.token}}
```

Errors: [agent_not_found](/docs/agents/errors.md#agent_not_found), [forbidden](/docs/agents/errors.md#forbidden).
', '["agent-docs"]', x'8f7d162a2f9476fd85db3ffa4c00136b69787c9ae94a03dc99538c90c2a2782a', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (14, '01a22205-0852-73a1-882a-3ea387e6b074', 'agent-docs', 'taos-core', '/docs/agents/recipes/users-and-tokens', 'Users and tokens', 'taosd', 'People and scripts. All of this needs the role admin, except that every user may read itself and look after its own tokens.', '# Users and tokens

People and scripts. All of this needs the role admin, except that every user may read itself and look after its own
tokens.

## Users

When: somebody else shall work with this box under their own name.

```http expect=201
POST /api/users
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json
Idempotency-Key: create-ann-1

{"username": "ann", "display_name": "Ann"}
```

```http expect=200
GET /api/users/ann
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200
GET /api/users
Authorization: Bearer $TAOS_TOKEN
```

`username` is `a-z` first, then `a-z`, `0-9`, `_` or `-`, at most 32 characters. `role` is `member` if absent. A member
sees no agent and may create none until it is [granted](/docs/agents/concepts/permissions.md#grants) a role.

Change the name for people or the role, or disable a user; disabling refuses all its credentials, and those of its
agents, until it is enabled again:

```http expect=200
PATCH /api/users/ann
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"display_name": "Ann B.", "disabled": true}
```

```http expect=200
PATCH /api/users/ann
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"disabled": false}
```

```bash
taosctl users create --username ann --display-name Ann
taosctl users list
taosctl users update ann --display-name ''Ann B.''
```

Errors: [username_taken](/docs/agents/errors.md#username_taken), [user_not_found](/docs/agents/errors.md#user_not_found),
[forbidden](/docs/agents/errors.md#forbidden) (you are not an admin), [last_admin](/docs/agents/errors.md#last_admin),
[user_owns_agents](/docs/agents/errors.md#user_owns_agents),
[cannot_delete_self](/docs/agents/errors.md#cannot_delete_self).

```http expect=409
POST /api/users
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"username": "ann"}
```

```http expect=409
DELETE /api/users/operator
Authorization: Bearer $TAOS_TOKEN
```

Verify with `GET /api/users/ann`.

## Tokens

When: a user or a script needs a token of its own. Give each its own, with a label: then one can be revoked alone.

```http expect=201
POST /api/users/ann/tokens
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"label": "laptop", "scope": ["agents.*", "users.token.*"], "expires_in_days": 30}
```

The reply holds `token`, this once. `scope` is your own if absent and never more than that; `expires_in_days` is 1 to
3650, 90 if absent.

```http expect=200
GET /api/users/ann/tokens
Authorization: Bearer {{last.token}}
```

```http expect=204
DELETE /api/users/ann/tokens/{{last.0.id}}
Authorization: Bearer $TAOS_TOKEN
```

```bash
token=$(taosctl users token issue ann --label laptop --scope ''agents.*'' --expires-in-days 30)
curl -sS -H "Authorization: Bearer $token" "$TAOS_URL/api/auth/whoami"
taosctl users token list ann
id=$(taosctl --json users token list ann | grep -o ''"id":"[^"]*"'' | head -n 1 | cut -d ''"'' -f 4)
taosctl users token revoke ann "$id"
```

To rotate, issue the new token, change over, then revoke the old one. The operator''s own token is replaced on the box:
stop the daemon and run `taosd operator-token --rotate`.

Errors: [user_not_found](/docs/agents/errors.md#user_not_found), [token_not_found](/docs/agents/errors.md#token_not_found),
[scope_exceeds_issuer](/docs/agents/errors.md#scope_exceeds_issuer),
[invalid_scope](/docs/agents/errors.md#invalid_scope).

Verify: a revoked token is refused from the next request on, and is no longer in the list.

```http expect=404
DELETE /api/users/ann/tokens/no-such-token
Authorization: Bearer $TAOS_TOKEN
```

Deleting the user ends all its tokens and grants:

```http expect=204
DELETE /api/users/ann
Authorization: Bearer $TAOS_TOKEN
```

```bash
taosctl users delete ann --yes
```
', '["agent-docs"]', x'974809c37537a84b5b8daf45f759167c83198b2af7de1e3d1a91500707ea9663', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (15, '01a22205-085a-708d-8ab1-453eaf1ef1ac', 'agent-docs', 'taos-core', '/docs/agents/recipes/notifying-the-user', 'Notifying the user', 'taosd', 'An agent tells its owner something; a user tells itself. The notification is stored before the answer is sent, and it is seen on the page of the box, by taosctl, on a stream and, where the operator ha', '# Notifying the user

An agent tells its owner something; a user tells itself. The notification is stored before the answer is sent, and it is
seen on the page of the box, by `taosctl`, on a stream and, where the operator has set one up, by a webhook.

## Notify

When: work is done, something needs a decision, or something went wrong that a person should know.

```http expect=200
POST /api/ui/notify
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json
Idempotency-Key: build-214-finished

{"title": "Build finished", "body": "All 214 tests passed.", "priority": "high", "action_url": "/docs", "app_origin": "ci"}
```

```json
{"delivered": true, "notification_id": "…"}
```

`delivered` means that it is on disk. `title` is one line of 1 to 120 characters, `body` a text of 1 to 65536 bytes. Both
are shown as they are: Markdown and HTML have no effect. `priority` is `low`, `normal` or `high`, `normal` if absent.
`action_url` is where it leads: an `http` or `https` URL with a host and without a user, or a path on this box that
starts with one slash. `app_origin` names the app it is about.

Who sent it is not in the body: `source` comes from the token and cannot be set.

```bash
curl -sS -H "Authorization: Bearer $TAOS_TOKEN" -H "Idempotency-Key: backup-7-done" \
  --json ''{"title": "Backup done", "body": "Copied 3 files."}'' "$TAOS_URL/api/ui/notify"
taosctl ui notify --title "Backup done" --body "Copied 3 files." --priority low
```

Errors: [invalid_priority](/docs/agents/errors.md#invalid_priority),
[invalid_action_url](/docs/agents/errors.md#invalid_action_url),
[rate_limited](/docs/agents/errors.md#rate_limited) (120 a minute for each sender).

```http expect=400
POST /api/ui/notify
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"title": "t", "body": "b", "priority": "urgent"}
```

```http expect=400
POST /api/ui/notify
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"title": "t", "body": "b", "action_url": "//elsewhere.example/"}
```

```http expect=422
POST /api/ui/notify
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"title": "t", "body": "b", "source": "user:operator"}
```

Verify by reading it: the sender sees what it sent.

## Read

When: you want to know what was sent, or whether it was read. A user sees its own notifications, an agent those that it
sent. Newest first:

```http expect=200
GET /api/notifications?limit=20
Authorization: Bearer $TAOS_TOKEN
```

```json
[{"title": "Build finished", "level": "high", "read": false, "source": "user:operator", "action_url": "/docs"}]
```

```http expect=200
GET /api/notifications/{{last.0.id}}
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200
GET /api/notifications/count
Authorization: Bearer $TAOS_TOKEN
```

```json
{"unread": 1, "total": 1}
```

Only the user it was sent to marks a notification as read or deletes it; for the agent that sent it both are 403
`forbidden`.

```http expect=200
GET /api/notifications?unread_only=true
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200
POST /api/notifications/{{last.0.id}}/read
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200
POST /api/notifications/read-all
Authorization: Bearer $TAOS_TOKEN
```

```json
{"ok": true, "updated": 0}
```

```http expect=200
GET /api/notifications
Authorization: Bearer $TAOS_TOKEN
```

```http expect=204
DELETE /api/notifications/{{last.0.id}}
Authorization: Bearer $TAOS_TOKEN
```

```http expect=404
GET /api/notifications/no-such-id
Authorization: Bearer $TAOS_TOKEN
```

```bash
taosctl notifications list --unread
id=$(taosctl --json notifications list | grep -o ''"id":"[^"]*"'' | head -n 1 | cut -d ''"'' -f 4)
taosctl notifications read "$id"
taosctl notifications count
taosctl notifications read-all
taosctl notifications delete "$id" --yes
```

Notifications are kept for 30 days, at most 10,000 for each user. With the header `HX-Request: true` list and count are
HTML fragments for a page; everything in them is escaped.

```http expect=200
GET /api/notifications/count
Authorization: Bearer $TAOS_TOKEN
HX-Request: true
```

Errors: [notification_not_found](/docs/agents/errors.md#notification_not_found),
[forbidden](/docs/agents/errors.md#forbidden). Verify with `GET /api/notifications/count`.

## Watch

When: you want to know at once. `wait` holds the answer until there is something newer than `after`, or than now, at
most 30 seconds; the answer is `[]` if nothing came:

```http expect=200
GET /api/notifications?wait=1
Authorization: Bearer $TAOS_TOKEN
```

```json
[]
```

`GET /api/notifications/stream` is the same as a stream of Server-Sent Events: `event: notification`, its `id`, and its
record as `data`. A client that comes back sends the last id it has seen as `Last-Event-ID`, or as `after`, and gets what
it missed first. A comment comes every 15 seconds; the stream ends with its token.

```bash
curl -sS -N --max-time 2 -H "Authorization: Bearer $TAOS_TOKEN" "$TAOS_URL/api/notifications/stream" || test $? = 28
timeout 2 taosctl notifications watch || test $? = 124
```

Errors: [too_many_streams](/docs/agents/errors.md#too_many_streams) (8 for each token), [busy](/docs/agents/errors.md#busy)
(128 in all). Verify by notifying yourself while the stream is open.

## Webhook

When: something outside the box shall hear of every notification. The operator names one receiver in `taosd.toml`:

```toml
[webhook]
url = "http://127.0.0.1:9000/taos"
secret_file = "/etc/taosd/webhook.secret"
```

Each notification is sent there as a POST with its record as JSON. `X-Taos-Delivery` holds its id, so that a receiver
knows a repeat; `X-Taos-Signature` is `t=SECONDS,v1=HEX`, where `HEX` is the HMAC-SHA256 of `SECONDS.BODY` with the
content of the secret file (blanks at its ends not counted; 16 to 1024 bytes). A receiver refuses what it cannot verify
and what is old.

An answer of 200 to 299 takes the delivery. Any other 4xx than 408, 425 and 429 refuses it for good. Everything else,
redirects included, is tried again, in order, after 1, 2, 4 … seconds up to 15 minutes, for a day. Deliveries survive a
restart, and no sender waits for them. The URL is plain `http`: to leave the box, put a relay that speaks TLS on it.
', '["agent-docs"]', x'e8cfd2d57b548ce4ad0ac29dca5c5e0855072e9794ef9d78a496c3843aad3262', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (16, '01a22205-085a-708d-8ab1-453f13e4dc55', 'agent-docs', 'taos-core', '/docs/agents/recipes/reading-knowledge', 'Reading knowledge', 'taosd', 'The box keeps documents that agents can search: its own documentation, and what apps add. What knowledge is and where it comes from: Knowledge.', '# Reading knowledge

The box keeps documents that agents can search: its own documentation, and what apps add. What knowledge is and where it
comes from: [Knowledge](/docs/agents/concepts/knowledge.md).

## Search

When: you want to know how something is done here.

```http expect=200
GET /api/knowledge/search?q=rotate+token
Authorization: Bearer $TAOS_TOKEN
```

Every word must be in the document; case and accents do not count. Words are taken as they are: quotes, `OR` or `*` have
no meaning. The best comes first; `snippet` shows the words around what was found, `score` is larger for a better fit.
`source_id`, `category` and `limit` narrow it down.

```http expect=200
GET /api/knowledge/search?q=token&source_id=taos-core&category=agent-docs&limit=1
Authorization: Bearer $TAOS_TOKEN
```

```json
[{"source_id": "taos-core", "source_type": "agent-docs", "snippet": "…", "score": "…"}]
```

```bash
curl -sS -G -H "Authorization: Bearer $TAOS_TOKEN" --data-urlencode ''q=rotate token'' "$TAOS_URL/api/knowledge/search"
taosctl knowledge search rotate token
```

A query without `q`, or longer than 200 characters, is 422 [validation_error](/docs/agents/errors.md#validation_error).

```http expect=422
GET /api/knowledge/search
Authorization: Bearer $TAOS_TOKEN
```

Verify by reading what was found.

## Read

When: a search has found something, or you want to see what there is.

```http expect=200
GET /api/knowledge/items?source_id=taos-core&limit=2
Authorization: Bearer $TAOS_TOKEN
```

```http expect=200
GET /api/knowledge/items/{{last.0.id}}
Authorization: Bearer $TAOS_TOKEN
```

```json
{"content": "…", "title": "…", "source_url": "…", "status": "ready"}
```

```bash
taosctl knowledge list
id=$(taosctl --json knowledge list | grep -o ''"id":"[^"]*"'' | head -n 1 | cut -d ''"'' -f 4)
taosctl knowledge get "$id"
```

Errors: [knowledge_item_not_found](/docs/agents/errors.md#knowledge_item_not_found).

```http expect=404
GET /api/knowledge/items/no-such-id
Authorization: Bearer $TAOS_TOKEN
```

## Sources

When: an app wants agents to know how it is used. Writing needs `knowledge.write`, which agents do not have by default.

```http expect=200
PUT /api/knowledge/sources/app:player
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"items": [{"path": "guide.md", "content": "# Player\n\nSend a title to play it.", "categories": ["music"]}]}
```

```json
{"source_id": "app:player", "added": 1, "updated": 0, "unchanged": 0, "removed": 0}
```

The source then holds exactly these items, or nothing has changed. The same again writes nothing:

```http expect=200
PUT /api/knowledge/sources/app:player
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"items": [{"path": "guide.md", "content": "# Player\n\nSend a title to play it.", "categories": ["music"]}]}
```

```json
{"unchanged": 1, "updated": 0}
```

At most 500 items of at most 65536 bytes, 1 MiB in all; 256 sources. `title` is the first heading if absent.

```http expect=200
GET /api/knowledge/sources
Authorization: Bearer $TAOS_TOKEN
```

```http expect=204
DELETE /api/knowledge/sources/app:player
Authorization: Bearer $TAOS_TOKEN
```

```http expect=404
DELETE /api/knowledge/sources/app:player
Authorization: Bearer $TAOS_TOKEN
```

```http expect=403
PUT /api/knowledge/sources/taos-core
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"items": []}
```

```bash
mkdir -p guides
printf ''# Player\n\nSend a title to play it.\n'' > guides/guide.md
taosctl knowledge put app:player guides
taosctl knowledge rm app:player --yes
```

Errors: [source_reserved](/docs/agents/errors.md#source_reserved),
[source_not_found](/docs/agents/errors.md#source_not_found),
[too_many_sources](/docs/agents/errors.md#too_many_sources). Verify with a search.

## Prompt

When: an agent starts and shall know the box. The system prompt is put together from whole documents: the daemon''s by
path, then the apps''.

```http expect=200
GET /api/knowledge/system-prompt?max_bytes=8192
Authorization: Bearer $TAOS_TOKEN
```

```json
{"prompt": "…", "items": "…", "omitted": "…", "truncated": "…"}
```

`max_bytes` is 1024 to 262144, 32768 if absent. What does not fit is listed in `omitted`: read it when you need it.
`source_id` gives the documents of one source alone. With `Accept: text/markdown` the answer is the prompt itself.

```http expect=200
GET /api/knowledge/system-prompt
Authorization: Bearer $TAOS_TOKEN
Accept: text/markdown
```

```bash
curl -sS -H "Authorization: Bearer $TAOS_TOKEN" -H "Accept: text/markdown" "$TAOS_URL/api/knowledge/system-prompt" > prompt.md
taosctl knowledge prompt --max-bytes 8192 > prompt.md
```

Verify that `truncated` is what you expect.
', '["agent-docs"]', x'e251e78871e2f7a8a1c813db3c8628efafc645ea5ba95471af1e1f22d2a78d13', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (17, '01a22205-085b-743d-b572-af009011bba5', 'agent-docs', 'taos-core', '/docs/agents/recipes/backup', 'Backup and restore', 'taosd', 'Everything the daemon knows is one file, taosd.db in its data directory: /var/lib/taosd when installed as a package, ~/.local/state/taosd when started by hand. There are three ways to a copy of it tha', '# Backup and restore

Everything the daemon knows is one file, `taosd.db` in its data directory: `/var/lib/taosd` when installed as a package,
`~/.local/state/taosd` when started by hand. There are three ways to a copy of it that can be relied on. A copy holds
hashes of secrets, never a secret, and no key that signs: whoever steals it can neither log in nor mint a token. It does
hold names, notifications and knowledge, so keep it as private as they are.

| Way | When | What you get |
| --- | --- | --- |
| [the copy that is always fresh](#the-copy-that-is-always-fresh) | a nightly job copies files | `backup/taosd.db`, at most 15 minutes old |
| [`taosctl backup`](#make-a-backup) | before a change, from anywhere | a new file in `backup/`, the newest 7 are kept |
| [`taosd backup FILE`](#write-one-elsewhere) | to another disk | a file where you want it |

Each is one consistent state, made beside its place, checked (structure, foreign keys, audit chain), synced to the disk
and only then moved to its place. Requests are served meanwhile.

## What a copy of the live file misses

Do not copy `taosd.db` itself while the daemon runs. What was written last lies in `taosd.db-wal` beside it, and a copy
of both is not of one moment: it may lack the latest changes or be damaged. After a clean stop `taosd.db` alone is
complete, and a copy of it is a backup too.

## The copy that is always fresh

The daemon keeps `backup/taosd.db` in the data directory up to date: every 15 minutes if something has changed
(`backup_interval` in seconds; 0 switches it off), and at every stop. The file is replaced in one step, so `cp`, `rsync`
or a snapshot of the file system gets a whole one at any moment:

```bash
ls -l ~/.local/state/taosd
if [ -e ~/.local/state/taosd/backup/taosd.db ]; then cp ~/.local/state/taosd/backup/taosd.db ~/nightly.db; fi
```

On an idle box nothing is written. On a busy one a whole copy is written at each interval: with a database of 2 MB that
is at most 200 MB a day, which any card bears for decades. For a large one raise `backup_interval`.

## Make a backup

Needs the role admin. `wait` answers when it is done; without it the reply is a 202 with an
[operation](/docs/agents/concepts/operations.md) to follow.

```http expect=200
POST /api/backups?wait=30
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json
Idempotency-Key: before-the-change-1

{}
```

```json
{"file": "…", "bytes": "…", "blake3": "…", "created_at": "…"}
```

```http expect=200
GET /api/backups
Authorization: Bearer $TAOS_TOKEN
```

```bash
taosctl backup
taosctl backups
```

The newest 7 are kept. Beside each lies its hash, which `b3sum --check` reads wherever you copy the two.

Errors: [forbidden](/docs/agents/errors.md#forbidden), [storage_full](/docs/agents/errors.md#storage_full).

## Write one elsewhere

On the box itself, whether the daemon runs or not. An older backup of that name is replaced, any other file is left
alone:

```bash
taosd backup ~/taosd-backup.db
taosd check ~/taosd-backup.db
```

`taosd` looks for the data directory as the daemon does: an installed one is named with
`--config /etc/taosd/taosd.toml` or `--data-dir /var/lib/taosd`, as root.

## Check one

`taosd check FILE` reads a copy, or without a name the database in use, and writes nothing. It ends with 0 if all is well
and with 4 if anything is wrong with the file; 1 means that there is none, or too little room on its disk.

```bash
taosd check
```

## Restore

With the daemon stopped:

```text
# systemctl stop taosd
# taosd restore --config /etc/taosd/taosd.toml /mnt/usb/taosd-backup.db
# systemctl start taosd
```

The backup is copied, checked and brought up to the daemon''s schema first. A file that is torn, damaged, cut short, of
another program or of a newer release is refused, and nothing has changed. Then it takes the place of the database in one
step, and the old one stays beside it as `taosd.db.before-restore-TIME`; remove that when you are content.

| What | After a restore |
| --- | --- |
| web sessions, and tokens that were exchanged for keys | have ended |
| a credential that was revoked, replaced or deleted since the backup, a user disabled since | stays dead, as long as the database of before could be read; the command says if it could not |
| a credential that was made since the backup | is unknown: issue a new one |
| an agent''s token in its container | replaced by a fresh one at the next start where it is not the database''s |
| `operator.token` | still good, or written anew if the backup does not know it |

## Drill

A backup that was never restored is a hope. Try it beside the running daemon; it touches nothing of it:

```bash
taosd backup ~/drill.db
taosd restore --data-dir ~/drill ~/drill.db
taosd check --data-dir ~/drill
rm -r ~/drill
```

## Go back to an older release

Before a newer release changes the database''s schema, it keeps the old one as `backup/before-schema-N.db`. An older
daemon refuses the newer database; stop it, install the older release and restore that file. What was written since the
upgrade is lost.

## When a backup fails

If the automatic backup cannot be made, every admin is notified once, `/readyz` answers 503 with the reason under
`backups`, and `taosd_backup_failures_total` grows; `taosd_backup_age_seconds` says how old the copy is. The daemon goes
on serving, tries again every minute, and is ready again when one has gone well.

| The reason says | What to do |
| --- | --- |
| the disk is full | free space: the copy needs as much again as the database, see [Disk](/docs/agents/recipes/troubleshooting.md#disk) |
| the file system is read-only | see [Disk](/docs/agents/recipes/troubleshooting.md#disk) |
| the database is damaged | see [Damaged](/docs/agents/recipes/troubleshooting.md#damaged), and restore a backup |
| anything else | look for `the automatic backup failed` in the log |
', '["agent-docs"]', x'c97633641ebe531dd0a521a518634364d1344a9e96213e53d32e9f6f79873554', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (18, '01a22205-085c-7498-89be-eee3757b71bc', 'agent-docs', 'taos-core', '/docs/agents/recipes/troubleshooting', 'Troubleshooting', 'taosd', 'Every reply has an X-Request-Id. The daemon''s log (stderr, or the journal) has one line for each request with that id, and the cause of a 500 or 503 beside it; the client is never told the cause. RUST', '# Troubleshooting

Every reply has an `X-Request-Id`. The daemon''s log (stderr, or the journal) has one line for each request with that id,
and the cause of a 500 or 503 beside it; the client is never told the cause. `RUST_LOG=debug` says more. Nothing in the
log is a secret.

## Internal

`internal` (500): the daemon failed. Repeat the request; if it fails again, look for its `X-Request-Id` in the log.
Nothing of the failed request was stored.

## Disk

`storage_full` (503): there is no room where the data directory lies. `storage_read_only` (503): that file system cannot
be written. Reads go on in both cases, and every write that was answered with a success is on disk. Free space, or make
the file system writable, and repeat the request; the daemon need not be restarted.

Start with the room and the size of the database:

```bash
df -h ~/.local/state/taosd
ls -l ~/.local/state/taosd
```

## Damaged

`storage_damaged` (503), or a start that ends with exit code 4: the database file is not what it should be. Check it:

```bash
taosd check
```

It looks at the file''s structure, its foreign keys and the audit chain, prints what it found and ends with 4 if anything
is wrong. Stop the daemon and [restore a backup](/docs/agents/recipes/backup.md#restore); the damaged file stays beside it
for a look later.

## Not ready

`GET /healthz` says that the process lives. `GET /readyz` says whether it can work: the database, the disk, the queue and
the worker threads. Both are public.

```http expect=200
GET /healthz
```

```http expect=200
GET /readyz
```

```json
{"status": "ready", "checks": {"database": "ok", "disk": "ok", "queue": "ok", "workers": "ok", "backups": "ok"}}
```

```bash
curl -sS "$TAOS_URL/healthz"
curl -sS "$TAOS_URL/readyz"
```

`not_ready` (503) carries `checks`, in which each part is `ok` or says what is wrong:

| Check | Wrong means | What to do |
| --- | --- | --- |
| `database` | the database cannot be read or written | see [Disk](#disk) and [Damaged](#damaged); the log names the cause |
| `disk` | less than `min_free_bytes` is free, or the file system is read-only | see [Disk](#disk) |
| `queue` | more requests wait than `queue_length` | send fewer at once, or raise `workers` |
| `backups` | the last automatic backup failed | see [When a backup fails](/docs/agents/recipes/backup.md#when-a-backup-fails) |
| `workers` | a worker has died or is stuck for more than 60 s | restart the daemon and keep the log |

## Metrics

`GET /metrics` gives counters in the text format of Prometheus: requests by status, times, connections, the queue, the
workers, free bytes. It needs the action `metrics.read`; give Prometheus a token of its own with that scope.

```http expect=201
POST /api/users/operator/tokens
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"label": "prometheus", "scope": ["metrics.read"], "expires_in_days": 365}
```

```http expect=200
GET /metrics
Authorization: Bearer {{last.token}}
```

```http expect=401
GET /metrics
```

```bash
curl -sS -H "Authorization: Bearer $TAOS_TOKEN" "$TAOS_URL/metrics" | grep taosd_uptime_seconds
```
', '["agent-docs"]', x'1c7f0c1570de58c706a7094562a5966eec45b11ca4f05bfc816b6a9d66d856f9', 1795867084879034, 1795867084879034);
INSERT INTO knowledge_items VALUES (19, '01a22205-085c-7498-89be-eee4b944d790', 'agent-docs', 'taos-core', '/docs/agents/errors', 'Errors', 'taosd', 'Every answer that is not a success has this body, whatever the route:', '# Errors

Every answer that is not a success has this body, whatever the route:

```json
{
  "error": "agent_not_found",
  "detail": "What is particular to this case, for people.",
  "fix": "One sentence that says what to do; always the same for a code.",
  "doc_url": "/docs/agents/recipes/managing-agents#list-agents"
}
```

Switch on `error`: codes never change their meaning. Some codes add fields of their own, such as `fields` of
`validation_error`. The `X-Request-Id` header is the reply''s number in the daemon''s log. This page is made from the
daemon''s own table: it lists every code, in that order.

## bad_request

Status 400. The request is not well-formed HTTP.

Fix: Send a well-formed HTTP/1.1 request with one Host header.

## invalid_path

Status 400. The path has dot segments, empty segments, backslashes, control characters or broken percent-escapes.

Fix: Send a plain path without dot segments, empty segments or encoded separators.

## request_timeout

Status 408. The request did not arrive whole within its deadline.

Fix: Send the whole request without long pauses.

## body_too_large

Status 413. The body is larger than this route takes.

Fix: Send a smaller body, or send a credential in the head: without one the limit is lower.

## target_too_long

Status 414. The request target is too long.

Fix: Shorten the path and the query.

## expectation_failed

Status 417. The Expect header asks for something other than 100-continue.

Fix: Leave the Expect header out, or send Expect: 100-continue.

## headers_too_large

Status 431. The request''s headers are too many or too long.

Fix: Send fewer or shorter headers.

## transfer_encoding_unsupported

Status 501. The Transfer-Encoding is not exactly chunked.

Fix: Send the body with a Content-Length or with Transfer-Encoding: chunked alone.

## http_version_unsupported

Status 505. The request is not HTTP/1.0 or HTTP/1.1.

Fix: Speak HTTP/1.1 to this daemon.

## too_many_connections

Status 503. This peer, or all together, hold as many connections as the daemon allows.

Fix: Close connections that are not in use and try again after the seconds in Retry-After.

## busy

Status 503. More requests are waiting than the daemon queues.

Fix: Try again after the seconds in Retry-After.

## shutting_down

Status 503. The daemon is stopping.

Fix: Try again when the daemon has started again.

## host_not_allowed

Status 403. A request without an Authorization header named a host that is not this machine.

Fix: Use one of this machine''s names, send an Authorization header, or add the name to allowed_hosts in taosd.toml.

## not_found

Status 404. There is no such path.

Fix: Look up the routes with GET /api. See [getting-started](/docs/agents/getting-started.md#discover).

## method_not_allowed

Status 405. The path exists, but not with this method.

Fix: Use one of the methods in the Allow header. See [getting-started](/docs/agents/getting-started.md#discover).

## auth_required

Status 401. The route needs a credential and none was sent.

Fix: Send the header Authorization: Bearer TOKEN. See [getting-started](/docs/agents/getting-started.md#auth).

## invalid_token

Status 401. The credential is unknown, expired or revoked, or its owner is gone.

Fix: Get a fresh token and send it as Authorization: Bearer TOKEN. See [recipes/tokens-and-rotation](/docs/agents/recipes/tokens-and-rotation.md#rotate).

## rate_limited

Status 429. The credential, or the peer''s failed logins, used up this minute''s share.

Fix: Wait the seconds in Retry-After and send fewer requests a minute.

## scope_denied

Status 403. The credential''s scopes do not cover this route''s action.

Fix: Use a credential whose scopes cover the action named in the error. See [concepts/permissions](/docs/agents/concepts/permissions.md#scopes).

## forbidden

Status 403. The caller may read this, but its role is too small to do that.

Fix: Ask an owner or an admin to grant the role named in the error. See [concepts/permissions](/docs/agents/concepts/permissions.md#roles).

## browser_refused

Status 403. The operator''s Unix socket takes no request with an Origin or Cookie header.

Fix: Leave the Origin and Cookie headers out.

## unsupported_media_type

Status 415. The body is not of the content type this route takes.

Fix: Send the body as JSON with Content-Type: application/json. See [getting-started](/docs/agents/getting-started.md#request-shape).

## invalid_json

Status 400. The body is not JSON, has a key twice, or is nested too deep.

Fix: Send one well-formed JSON object in UTF-8. See [getting-started](/docs/agents/getting-started.md#request-shape).

## validation_error

Status 422. A field or query parameter is missing, unknown, of the wrong type or out of bounds.

Fix: Correct the fields listed under fields. See [getting-started](/docs/agents/getting-started.md#request-shape).

## invalid_cursor

Status 400. The cursor is not one that this list handed out.

Fix: Follow the Link header of the previous page, or start again without a cursor.

## invalid_idempotency_key

Status 400. The Idempotency-Key is empty, longer than 255 characters, sent twice or not visible ASCII.

Fix: Send one Idempotency-Key of 1 to 255 visible ASCII characters. See [getting-started](/docs/agents/getting-started.md#idempotency).

## idempotency_in_flight

Status 409. The first request with this Idempotency-Key is still being worked on.

Fix: Repeat the same request after the seconds in Retry-After. See [getting-started](/docs/agents/getting-started.md#idempotency).

## idempotency_key_reused

Status 422. This Idempotency-Key was sent before with another body.

Fix: Use a fresh Idempotency-Key for a new request. See [getting-started](/docs/agents/getting-started.md#idempotency).

## precondition_failed

Status 412. The record has changed since the revision in If-Match.

Fix: Read the record again and repeat the change on its present revision.

## internal

Status 500. The daemon failed; the cause is in its log under the request id.

Fix: Repeat the request; if it fails again, give the operator the X-Request-Id. See [recipes/troubleshooting](/docs/agents/recipes/troubleshooting.md#internal).

## storage_full

Status 503. The disk is full: nothing can be written until there is room. Reads go on.

Fix: Free space on the data directory''s file system and repeat the request. See [recipes/troubleshooting](/docs/agents/recipes/troubleshooting.md#disk).

## storage_read_only

Status 503. The data directory cannot be written: its file system is read-only. Reads go on.

Fix: Make the data directory''s file system writable and repeat the request. See [recipes/troubleshooting](/docs/agents/recipes/troubleshooting.md#disk).

## storage_damaged

Status 503. The database file is damaged.

Fix: Stop the daemon, run taosd check and restore a backup. See [recipes/troubleshooting](/docs/agents/recipes/troubleshooting.md#damaged).

## not_ready

Status 503. A part of the daemon is not able to work; checks says which.

Fix: Read checks and the daemon''s log, mend the cause and ask again. See [recipes/troubleshooting](/docs/agents/recipes/troubleshooting.md#not-ready).

## agent_not_found

Status 404. There is no such agent, or the caller may not see it.

Fix: List the agents you can see with GET /api/agents. See [recipes/managing-agents](/docs/agents/recipes/managing-agents.md#list-agents).

## archived_agent_not_found

Status 404. There is no such archived agent, or the caller may not see it.

Fix: List the archived agents with GET /api/agents/archived. See [recipes/managing-agents](/docs/agents/recipes/managing-agents.md#restore-agent).

## invalid_agent_name

Status 400. The name is empty, longer than 64 characters or without a letter a-z or digit.

Fix: Send a name of 1 to 64 characters with at least one of a-z or 0-9. See [recipes/managing-agents](/docs/agents/recipes/managing-agents.md#create-agent).

## slug_collision_unresolvable

Status 409. All names made from this one, -2 to -9999, are taken.

Fix: Choose another name. See [recipes/managing-agents](/docs/agents/recipes/managing-agents.md#create-agent).

## agent_exists

Status 409. An agent of this name exists already.

Fix: Change the name in the export, or archive the existing agent first. See [recipes/managing-agents](/docs/agents/recipes/managing-agents.md#import-agent).

## invalid_export_data

Status 400. The export is not of a version this daemon reads.

Fix: Send an export of version 1 as GET /api/agents/NAME/export gives it. See [recipes/managing-agents](/docs/agents/recipes/managing-agents.md#import-agent).

## invalid_memory_plugin

Status 400. There is no such memory plugin.

Fix: Use taosmd or none. See [recipes/managing-agents](/docs/agents/recipes/managing-agents.md#update-agent).

## invalid_model

Status 400. The model''s name is blank.

Fix: Send the name of a model. See [recipes/managing-agents](/docs/agents/recipes/managing-agents.md#update-agent).

## model_not_reachable

Status 409. No host in the models table serves this model.

Fix: Use one of the models in the table, or add it to \[models\] in taosd.toml. See [recipes/managing-agents](/docs/agents/recipes/managing-agents.md#update-agent).

## model_not_on_worker

Status 409. The agent is pinned to a worker that does not serve this model.

Fix: Use a model that the pinned worker serves, or unpin the agent. See [recipes/managing-agents](/docs/agents/recipes/managing-agents.md#update-agent).

## create_not_allowed

Status 403. Creating agents needs the creator grant.

Fix: Ask an admin for the role creator on agent:\*. See [concepts/permissions](/docs/agents/concepts/permissions.md#roles).

## agent_has_no_container

Status 409. The agent is a record only: it has no container.

Fix: Deploy an agent with a container, or leave out what needs one. See [recipes/deploying](/docs/agents/recipes/deploying.md#no-container).

## agent_busy

Status 409. Another operation on this agent has not ended; operation_id says which.

Fix: Wait for that operation to end, or cancel it. See [concepts/operations](/docs/agents/concepts/operations.md#busy).

## container_failed

Status 502. The container runtime did not do what was asked.

Fix: Read the detail and the agent''s logs, then try again. See [recipes/deploying](/docs/agents/recipes/deploying.md#failures).

## container_runtime_unavailable

Status 503. This host has no container runtime, or it does not answer.

Fix: Start the container runtime, or name its socket with --containers-socket. See [recipes/deploying](/docs/agents/recipes/deploying.md#runtime).

## delivery_failed

Status 502. The token could not be put into the container; the one before goes on working.

Fix: Look at token_delivery_error, mend the container and issue the token again. See [recipes/tokens-and-rotation](/docs/agents/recipes/tokens-and-rotation.md#delivery).

## wrong_channel

Status 403. A credential of one agent came over the socket of another agent''s container.

Fix: Use the token that this container was given, in its environment as TAOS_TOKEN. See [concepts/identity](/docs/agents/concepts/identity.md#channels).

## unknown_framework

Status 400. There is no such framework; known lists those there are.

Fix: Use one of the frameworks listed under known. See [recipes/deploying](/docs/agents/recipes/deploying.md#frameworks).

## deploy_task_not_found

Status 404. The agent was never deployed.

Fix: Deploy it with POST /api/agents/deploy. See [recipes/deploying](/docs/agents/recipes/deploying.md#deploy).

## operation_not_found

Status 404. There is no such operation, or the caller may not see it.

Fix: List the operations with GET /api/operations. See [concepts/operations](/docs/agents/concepts/operations.md#follow).

## operation_finished

Status 409. The operation has ended already.

Fix: Read its result with GET /api/operations/ID. See [concepts/operations](/docs/agents/concepts/operations.md#cancel).

## not_cancellable

Status 409. An operation of this kind cannot be stopped half-way.

Fix: Wait for it to end. See [concepts/operations](/docs/agents/concepts/operations.md#cancel).

## interrupted

Status 500. The daemon ended in the middle of this operation; what it had done was taken back or finished.

Fix: Look at the agent and start the operation again. See [concepts/operations](/docs/agents/concepts/operations.md#crash).

## cancelled

Status 409. The operation was cancelled; what it had done was taken back.

Fix: Start it again if it is still wanted. See [concepts/operations](/docs/agents/concepts/operations.md#cancel).

## invalid_scope

Status 422. A scope is not \*, noun.\* or an action, or the list is too long.

Fix: Send at most 32 scopes, each \*, a prefix like agents.\* or an action like agents.read. See [concepts/permissions](/docs/agents/concepts/permissions.md#scopes).

## scope_exceeds_issuer

Status 403. The scopes asked for go beyond the caller''s own.

Fix: Ask for scopes that your own credential covers. See [concepts/permissions](/docs/agents/concepts/permissions.md#scopes).

## user_not_found

Status 404. There is no such user, or the caller may not see it.

Fix: List the users with GET /api/users. See [recipes/users-and-tokens](/docs/agents/recipes/users-and-tokens.md#users).

## username_taken

Status 409. A user of this name exists already.

Fix: Choose another username. See [recipes/users-and-tokens](/docs/agents/recipes/users-and-tokens.md#users).

## last_admin

Status 409. The change would leave no enabled admin.

Fix: Make another user admin first. See [recipes/users-and-tokens](/docs/agents/recipes/users-and-tokens.md#users).

## user_owns_agents

Status 409. The user owns agents, archived ones included.

Fix: Purge the user''s agents, or disable the user instead. See [recipes/users-and-tokens](/docs/agents/recipes/users-and-tokens.md#users).

## cannot_delete_self

Status 409. A user cannot delete itself.

Fix: Ask another admin. See [recipes/users-and-tokens](/docs/agents/recipes/users-and-tokens.md#users).

## token_not_found

Status 404. The user has no such token.

Fix: List the user''s tokens with GET /api/users/NAME/tokens. See [recipes/users-and-tokens](/docs/agents/recipes/users-and-tokens.md#tokens).

## principal_not_found

Status 404. The principal of the grant does not exist, or the caller may not see it.

Fix: Name an existing user as user:NAME or an agent as agent:NAME. See [concepts/permissions](/docs/agents/concepts/permissions.md#grants).

## grant_not_found

Status 404. There is no such grant, or the caller may not give it.

Fix: List the grants with GET /api/grants. See [concepts/permissions](/docs/agents/concepts/permissions.md#grants).

## not_authenticated

Status 401. The route needs a credential and none was sent.

Fix: Exchange your key at POST /auth/exchange and send the token as Authorization: Bearer TOKEN. See [concepts/authentication](/docs/agents/concepts/authentication.md#exchange).

## invalid_credential

Status 401. The key, or the key behind the token, is unknown, revoked or expired, or its agent is gone.

Fix: Ask the owner for a new key and exchange that. See [concepts/authentication](/docs/agents/concepts/authentication.md#when-a-credential-dies).

## token_expired

Status 401. The short-lived token is past its end.

Fix: Exchange your key again. See [concepts/authentication](/docs/agents/concepts/authentication.md#exchange).

## pat_not_allowed

Status 403. A key was sent where only tokens are taken.

Fix: Exchange the key at POST /auth/exchange and send the token you get. See [concepts/authentication](/docs/agents/concepts/authentication.md#exchange).

## admin_required

Status 403. The route is for managing and takes user_admin tokens only.

Fix: Exchange a user''s key for the class user_admin. See [concepts/authentication](/docs/agents/concepts/authentication.md#classes).

## user_required

Status 403. The route is for users; an agent called it.

Fix: Call it with a user''s credential. See [concepts/authentication](/docs/agents/concepts/authentication.md#classes).

## insufficient_scope

Status 403. The token''s scope words, or the key behind it, do not cover the route.

Fix: Exchange a key that holds the scope named in the error, and ask for that scope. See [concepts/authentication](/docs/agents/concepts/authentication.md#scope-words).

## class_not_allowed

Status 422. The key cannot be exchanged for this class of token.

Fix: Ask for a class that fits the key: user_access or user_admin for users, agent_access for agents. See [concepts/authentication](/docs/agents/concepts/authentication.md#classes).

## audience_not_allowed

Status 400. The key, or the token, is not for this audience.

Fix: Use a key whose audience is cli or both for ax-api, mcp or both for ax-mcp. See [concepts/authentication](/docs/agents/concepts/authentication.md#audiences).

## scope_not_allowed

Status 400. A scope word is not of this class or not of this key, or none is left.

Fix: Ask for words listed under allowed. See [concepts/authentication](/docs/agents/concepts/authentication.md#scope-words).

## agent_name_required

Status 422. The enrollment is not bound yet and the exchange names no agent.

Fix: Send agent_name with the first exchange. See [concepts/authentication](/docs/agents/concepts/authentication.md#enrollment).

## binding_not_allowed

Status 403. The key is bound to another agent.

Fix: Leave agent_id and agent_name out, or name the agent the key is bound to. See [concepts/authentication](/docs/agents/concepts/authentication.md#enrollment).

## name_conflict

Status 409. The name is taken.

Fix: Choose another name. See [recipes/bootstrap](/docs/agents/recipes/bootstrap.md#create-an-agent).

## invalid_request

Status 422. The body is not JSON, or a field is missing, of the wrong type or out of bounds.

Fix: Correct the fields named in the error. See [getting-started](/docs/agents/getting-started.md#request-shape).

## cleanup_required

Status 409. There are as many active keys as the policy allows.

Fix: Revoke keys that are not in use, then issue again. See [concepts/authentication](/docs/agents/concepts/authentication.md#how-many-keys).

## credential_not_found

Status 404. There is no such credential, or the caller may not see it.

Fix: List the credentials with GET /credentials. See [concepts/authentication](/docs/agents/concepts/authentication.md#keys).

## fingerprint_mismatch

Status 422. The fingerprint is not that of the credential presented.

Fix: Use the key from where it was first used, or issue a new one. See [concepts/authentication](/docs/agents/concepts/authentication.md#fingerprints).

## space_not_found

Status 404. There is no such space, or the caller may not see it.

Fix: List the spaces with GET /api/v1/spaces. See [recipes/bootstrap](/docs/agents/recipes/bootstrap.md#spaces).

## space_forbidden

Status 403. The space is not the caller''s.

Fix: Use one of the spaces that GET /api/v1/spaces lists. See [recipes/bootstrap](/docs/agents/recipes/bootstrap.md#spaces).

## user_token_required

Status 403. A web session is opened with a user''s token.

Fix: Send a token that starts with taos_user_. See [concepts/authentication](/docs/agents/concepts/authentication.md#web-sessions).

## session_not_found

Status 404. The user has no such session.

Fix: List the sessions with GET /api/sessions. See [concepts/authentication](/docs/agents/concepts/authentication.md#web-sessions).

## csrf_refused

Status 403. A request by cookie would change something and does not come from a page of this daemon.

Fix: Send the request from the daemon''s own page, or with an Authorization header. See [concepts/authentication](/docs/agents/concepts/authentication.md#web-sessions).

## invalid_priority

Status 400. The priority is not low, normal or high.

Fix: Send low, normal or high, or leave priority out. See [recipes/notifying-the-user](/docs/agents/recipes/notifying-the-user.md#notify).

## invalid_action_url

Status 400. The action_url is neither a plain http(s) URL nor a path on this box.

Fix: Send an http or https URL with a host and without a user, or a path that starts with one slash. See [recipes/notifying-the-user](/docs/agents/recipes/notifying-the-user.md#notify).

## notification_not_found

Status 404. There is no such notification, or the caller may not see it.

Fix: List the notifications you can see with GET /api/notifications. See [recipes/notifying-the-user](/docs/agents/recipes/notifying-the-user.md#read).

## too_many_streams

Status 429. The credential holds as many event streams as one may.

Fix: Close a stream that is not in use and try again. See [recipes/notifying-the-user](/docs/agents/recipes/notifying-the-user.md#watch).

## knowledge_item_not_found

Status 404. There is no such item.

Fix: List the items with GET /api/knowledge/items, or search for it. See [recipes/reading-knowledge](/docs/agents/recipes/reading-knowledge.md#read).

## source_not_found

Status 404. There is no such source of knowledge.

Fix: List the sources with GET /api/knowledge/sources. See [recipes/reading-knowledge](/docs/agents/recipes/reading-knowledge.md#sources).

## source_reserved

Status 403. The source taos-core is written by the daemon alone.

Fix: Write to a source of your own, such as app:NAME. See [concepts/knowledge](/docs/agents/concepts/knowledge.md#sources).

## too_many_sources

Status 409. There are as many sources of knowledge as the daemon keeps.

Fix: Delete a source that is not in use. See [concepts/knowledge](/docs/agents/concepts/knowledge.md#sources).

## unauthenticated

Status 401. No good credential was sent: none, or one that is unknown, expired or revoked.

Fix: Send a user''s token or an agent''s token as Authorization: Bearer, or an agent''s key as x-agent-api-key. See [concepts/agentex](/docs/agents/concepts/agentex.md#credentials).

## two_credentials

Status 400. The request carries more than one credential.

Fix: Send either Authorization or x-agent-api-key, once. See [concepts/agentex](/docs/agents/concepts/agentex.md#credentials).

## name_unavailable

Status 403. The name belongs to an agent that is not the caller''s to use.

Fix: Choose another name, or ask the agent''s owner for a role on it. See [concepts/agentex](/docs/agents/concepts/agentex.md#names).

## name_taken

Status 409. Another live agent has this name.

Fix: Choose another name, or archive the other agent first. See [concepts/agentex](/docs/agents/concepts/agentex.md#names).

## deployment_not_found

Status 404. There is no such deployment, or the caller may not see it.

Fix: List the deployments with GET /agents/ID/deployments. See [concepts/agentex](/docs/agents/concepts/agentex.md#deployments).

## deployment_not_ready

Status 400. The deployment has not registered yet.

Fix: Register the agent with registration_metadata.deployment_id, then promote. See [concepts/agentex](/docs/agents/concepts/agentex.md#deployments).

## deployment_in_production

Status 400. The deployment is the one in production.

Fix: Promote another deployment first. See [concepts/agentex](/docs/agents/concepts/agentex.md#deployments).

## too_many_deployments

Status 409. The agent has had as many deployments as one may have.

Fix: Register with the id of a deployment that there is. See [concepts/agentex](/docs/agents/concepts/agentex.md#deployments).

## agent_identifier

Status 400. The request names its agent not at all, or twice.

Fix: Send exactly one of agent_id and agent_name. See [concepts/agentex](/docs/agents/concepts/agentex.md#keys).

## api_key_not_found

Status 404. There is no such key, or the caller may not see it.

Fix: List the keys with GET /agent_api_keys?agent_name=NAME. See [concepts/agentex](/docs/agents/concepts/agentex.md#keys).

## key_type_not_supported

Status 400. Keys of this type sign with a secret in plain text, which the daemon never keeps.

Fix: Use the type internal or external. See [concepts/agentex](/docs/agents/concepts/agentex.md#keys).

## key_exists

Status 409. The agent has a live key of this name and type.

Fix: Choose another name, or delete that key first. See [concepts/agentex](/docs/agents/concepts/agentex.md#keys).

## too_many_keys

Status 409. The agent has as many live keys as one may have.

Fix: Delete a key that is not in use. See [concepts/agentex](/docs/agents/concepts/agentex.md#keys).

## no_acp_url

Status 404. The agent has not said where it answers.

Fix: Register the agent with an acp_url, or promote a deployment that has one. See [concepts/agentex](/docs/agents/concepts/agentex.md#forwarding).

## acp_url_not_allowed

Status 409. The agent''s address is not one that requests are sent on to.

Fix: Register an http address of the agent''s own container, or of this machine where it has none. See [concepts/agentex](/docs/agents/concepts/agentex.md#forwarding).

## forward_failed

Status 502. The agent could not be reached, or its answer was too large or no HTTP.

Fix: See that the agent runs and answers at its acp_url. See [concepts/agentex](/docs/agents/concepts/agentex.md#forwarding).

## forward_timeout

Status 504. The agent did not answer in time.

Fix: Try again, or look at what the agent is doing. See [concepts/agentex](/docs/agents/concepts/agentex.md#forwarding).

## not_supported

Status 501. This daemon does not do that.

Fix: Use what GET /api lists. See [concepts/agentex](/docs/agents/concepts/agentex.md#left-out).

## doc_not_found

Status 404. There is no such page.

Fix: Start at /docs and follow the links.
', '["agent-docs"]', x'a80e44d6a2934f08c52a68f47a07087a668a6b148f24d239216c3a54e832bd56', 1795867084879034, 1795867084879034);
CREATE INDEX knowledge_items_by_age ON knowledge_items (created_at, id);
CREATE VIRTUAL TABLE knowledge_words USING fts5 (
    title, content, content = 'knowledge_items', content_rowid = 'seq', tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO knowledge_words (knowledge_words) VALUES ('rebuild');
CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
BEGIN
    SELECT raise(ABORT, 'audit rows are never changed');
END;
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
COMMIT;
