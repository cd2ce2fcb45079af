PRAGMA application_id = 1952542579;
PRAGMA user_version = 3;
BEGIN;
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('audit_head', '17:cdba535684d36381524912cada1466e1968db43c18cad1ffde4b2ef64f0203e6');
INSERT INTO meta VALUES ('deploy_environments_forgotten', '1');
INSERT INTO meta VALUES ('install_id', '01a22660-2527-7357-a56c-6fc010781ab3');
CREATE TABLE users (
    id           TEXT PRIMARY KEY,
    username     TEXT NOT NULL UNIQUE CHECK (username GLOB '[a-z]*' AND length(username) BETWEEN 1 AND 32),
    display_name TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('admin', 'member')),
    disabled     INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO users VALUES ('01a22660-2526-75a2-8421-28c41cfd9ef5', 'operator', 'Operator', 'admin', 0, 1795940164902901, 1795940164902901);
INSERT INTO users VALUES ('01a22660-2991-779b-9f4b-9d4052059cd5', 'ann', 'ann', 'member', 0, 1795940166032738, 1795940166032738);
CREATE INDEX users_by_age ON users (created_at, id);
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
INSERT INTO spaces VALUES ('01a22660-2527-7357-a56c-6fbf95e2d1aa', 'operator', 'operator', '', 'private', '01a22660-2526-75a2-8421-28c41cfd9ef5', 1, 1795940164902901);
INSERT INTO spaces VALUES ('01a22660-2991-779b-9f4b-9d41aeb0e964', 'ann', 'ann', '', 'private', '01a22660-2991-779b-9f4b-9d4052059cd5', 1, 1795940166032738);
CREATE UNIQUE INDEX spaces_name ON spaces (owner_user_id, lower(name));
CREATE UNIQUE INDEX spaces_one_default ON spaces (owner_user_id) WHERE is_default = 1;
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
INSERT INTO agents VALUES ('01a22660-2593-7025-bfdf-fb82712af847', 'atlas', NULL, 'atlas', 'space_agent', '01a22660-2526-75a2-8421-28c41cfd9ef5', '01a22660-2527-7357-a56c-6fbf95e2d1aa', '01a22660-2527-7357-a56c-6fbf95e2d1aa', 'user:operator', '', '', '#102030', NULL, 0, 'none', NULL, '[]', NULL, 'pause', NULL, 'none', 'registered', 0, 'none', 0, NULL, NULL, NULL, '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read","requests.create","requests.read"]', 'not_injected', 1795940165961368, NULL, NULL, 2, 1795940165010832, 1795940165998189, NULL, NULL, 0, NULL, NULL, NULL, 0, 0, 'It''s calm.
', '');
INSERT INTO agents VALUES ('01a22660-295f-70d6-92b5-174f6d6c3062', 'bert', NULL, 'bert', 'space_agent', '01a22660-2526-75a2-8421-28c41cfd9ef5', '01a22660-2527-7357-a56c-6fbf95e2d1aa', '01a22660-2527-7357-a56c-6fbf95e2d1aa', 'user:operator', '', '', '#102030', NULL, 0, 'none', NULL, '[]', NULL, 'pause', NULL, 'none', 'registered', 0, 'none', 0, NULL, NULL, NULL, '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read","requests.create","requests.read"]', 'not_injected', 1795940165987108, NULL, NULL, 2, 1795940165983210, 1795940166026558, 1795940166026558, NULL, 0, NULL, NULL, NULL, 0, 0, '', '');
INSERT INTO agents VALUES ('01a22660-29a7-74b3-abee-7cf30cd84832', 'carl', 'carl', 'carl', 'space_agent', '01a22660-2526-75a2-8421-28c41cfd9ef5', '01a22660-2527-7357-a56c-6fbf95e2d1aa', '01a22660-2527-7357-a56c-6fbf95e2d1aa', 'user:operator', '', '', '#888888', NULL, 0, 'none', NULL, '[]', NULL, 'pause', NULL, 'none', 'registered', 0, 'none', 0, NULL, NULL, NULL, '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read","requests.create","requests.read"]', NULL, NULL, NULL, NULL, 1, 1795940166054685, 1795940166054685, NULL, NULL, 0, NULL, NULL, NULL, 0, 0, '', '');
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
CREATE TABLE agent_names (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    agent_id TEXT NOT NULL UNIQUE REFERENCES agents (id) ON DELETE CASCADE,
    stale    INTEGER NOT NULL DEFAULT 1 CHECK (stale IN (0, 1)),
    taken    INTEGER NOT NULL DEFAULT 0 CHECK (taken IN (0, 1))
) STRICT;
INSERT INTO agent_names VALUES (1, '01a22660-2593-7025-bfdf-fb82712af847', 0, 1);
INSERT INTO agent_names VALUES (2, '01a22660-295f-70d6-92b5-174f6d6c3062', 0, 0);
INSERT INTO agent_names VALUES (3, '01a22660-29a7-74b3-abee-7cf30cd84832', 0, 1);
CREATE INDEX agent_names_stale ON agent_names (seq) WHERE stale = 1;
CREATE VIRTUAL TABLE agent_parts USING fts5 (
    parts, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);
DELETE FROM agent_parts_data;
INSERT INTO agent_parts_data VALUES (1, x'0214');
INSERT INTO agent_parts_data VALUES (10, x'00000000ff0000010103040003010101010100000102010102020101010301010303000001');
INSERT INTO agent_parts_data VALUES (137438953473, x'0000003904307836310104023733010501340106023663010301630104023631010602373301020237330103013401040236630106023631010406050405040505050405');
INSERT INTO agent_parts_data VALUES (274877906945, x'000000300430783632020402363502060237320203013502040237320206023734020202373202040237340203013402040605050405050505');
INSERT INTO agent_parts_data VALUES (412316860417, x'000000300430783631030402373203060236630303013303040236310306023732030301630302023732030402366303040605050405050405');
INSERT INTO agent_parts_data VALUES (9007474132647936, x'04000000000000010000000000000000000000020000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000');
DELETE FROM agent_parts_idx;
INSERT INTO agent_parts_idx VALUES (1, x'', 2);
INSERT INTO agent_parts_idx VALUES (2, x'', 2);
INSERT INTO agent_parts_idx VALUES (3, x'', 2);
DELETE FROM agent_parts_docsize;
INSERT INTO agent_parts_docsize VALUES (1, x'0b', 1);
INSERT INTO agent_parts_docsize VALUES (3, x'09', 3);
DELETE FROM agent_parts_config;
INSERT INTO agent_parts_config VALUES ('version', 4);
CREATE TABLE agent_news (
    agent_id    TEXT NOT NULL PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    count       INTEGER NOT NULL CHECK (count > 0),
    waits_since INTEGER,
    woken       TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(woken)),
    told        INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1))
) STRICT, WITHOUT ROWID;
INSERT INTO agent_news VALUES ('01a22660-2593-7025-bfdf-fb82712af847', 1, NULL, '[]', 0);
CREATE INDEX agent_news_waiting ON agent_news (waits_since) WHERE waits_since IS NOT NULL;
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
INSERT INTO agent_profiles VALUES ('01a22660-2593-7025-bfdf-fb82712af847', 'what it is', '', '', 'assistant', NULL, 1, 0, '');
INSERT INTO agent_profiles VALUES ('01a22660-295f-70d6-92b5-174f6d6c3062', 'what it is', '', '', 'assistant', NULL, 1, 0, '');
INSERT INTO agent_profiles VALUES ('01a22660-29a7-74b3-abee-7cf30cd84832', 'what it is', '', '', 'assistant', NULL, 1, 0, '');
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
INSERT INTO registrations VALUES ('01a22660-29a7-74b3-abee-7cf30cd84832', '', 'async', NULL, 'http://127.0.0.1:9', 1, 1795940166054685, 'register', 0, 1, '{"agent_commit":"abc","branch_name":"main"}');
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
INSERT INTO deployments VALUES (1, '01a22660-29a7-74b3-abee-7cf30cd84832', '01a22660-29ac-71a6-b450-a1d3edae2994', 'carl:1', 'Pending', 0, NULL, 0, NULL, NULL, 1795940166060843, NULL, NULL, NULL);
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
INSERT INTO deployment_history VALUES ('01a22660-29a7-74b3-abee-7cf5a6d0a747', '01a22660-29a7-74b3-abee-7cf30cd84832', 'N/A', 'N/A', 'main', 'abc', 1795940166054685, 1795940166054685);
CREATE INDEX deployment_history_by_agent ON deployment_history (agent_id, deployed_at, id);
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
INSERT INTO credentials VALUES ('01a22660-2527-7357-a56c-6fc116319998', 'user_token', 'xlwby0pZiT', x'250e70551ce28a3fb99103b8ee372807dd373b4f85b3ba6a58664e6105d88e9e', '01a22660-2526-75a2-8421-28c41cfd9ef5', NULL, 'operator.token', NULL, 0, NULL, NULL, NULL, 0, NULL, NULL, 'active', 'system', 1795940164902901, NULL, 1795940166087811, NULL, NULL, NULL, '["*"]', NULL, '[]');
INSERT INTO credentials VALUES ('01a22660-294c-74cd-afa5-918b43c172dd', 'agent_token', 'Q8wXiYK0yw', x'050480a884f71ee62cb0fff6461e8056d3c65d4b9913bbc265036fe6869693ff', NULL, '01a22660-2593-7025-bfdf-fb82712af847', '', NULL, 0, NULL, NULL, NULL, 0, NULL, NULL, 'revoked', 'user:operator', 1795940165961368, NULL, NULL, 1795940166088072, 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', '01a22660-2527-7357-a56c-6fc116319998', '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read","requests.create","requests.read"]', NULL, '[]');
INSERT INTO credentials VALUES ('01a22660-2963-71a6-983a-650c7211a1df', 'agent_token', 'cIX1JckW7v', x'f3576c378776bf1b4d5cb840d9653e5dc558bf48d407301598aea249a31adb02', NULL, '01a22660-295f-70d6-92b5-174f6d6c3062', '', NULL, 0, NULL, NULL, NULL, 0, NULL, NULL, 'revoked', 'user:operator', 1795940165987108, NULL, NULL, 1795940166026558, 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', '01a22660-2527-7357-a56c-6fc116319998', '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read","requests.create","requests.read"]', NULL, '[]');
INSERT INTO credentials VALUES ('01a22660-2996-7721-a440-5eca8510bb41', 'user_token', 'gr1Tnv0aO4', x'd3d061c2dec11e566ec19e27070494d15618b760b07a728e4512493455cb8813', '01a22660-2991-779b-9f4b-9d4052059cd5', NULL, 'laptop', NULL, 0, NULL, NULL, NULL, 0, NULL, NULL, 'active', 'user:operator', 1795940166038711, 1803716166038711, NULL, NULL, 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', NULL, '["*"]', NULL, '[]');
INSERT INTO credentials VALUES ('01a22660-29a7-74b3-abee-7cf6f305894c', 'agent_key', 'PRSaBPCRyi', x'4c280600a5471dfd4b31415d4e46573107c34b3eaf5e5bdbd8d0e39b5e1a2a74', NULL, '01a22660-29a7-74b3-abee-7cf30cd84832', 'registration', NULL, 0, NULL, NULL, NULL, 0, 'internal', NULL, 'active', 'user:operator', 1795940166054685, NULL, NULL, NULL, 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', '01a22660-2527-7357-a56c-6fc116319998', '["*"]', NULL, '[]');
INSERT INTO credentials VALUES ('01a22660-29c8-76b8-8118-4f4a4035a48c', 'agent_token', 'zk4eg8IcaK', x'ee7c732b7a55fa0b70f1bb6716c3cf07ae528a2014c2e4ddf0483e690296c133', NULL, '01a22660-2593-7025-bfdf-fb82712af847', '', NULL, 0, NULL, NULL, NULL, 0, NULL, NULL, 'active', 'user:operator', 1795940166088072, NULL, 1795940166091903, NULL, 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', '01a22660-2527-7357-a56c-6fc116319998', '["requests.create"]', NULL, '[]');
INSERT INTO credentials VALUES ('0198b8a0-0000-7000-8000-000000000004', 'oauth_grant', 'dump000001', x'4916ef079b1923bce12c84bc2c8730fb8b3511541f3d9afe150db105b0ebb20e', '01a22660-2526-75a2-8421-28c41cfd9ef5', NULL, 'a program', NULL, 0, NULL, NULL, NULL, 0, NULL, NULL, 'active', 'user:operator', 1790000000000000, 9000000000000000, NULL, NULL, NULL, NULL, '["agents.read"]', NULL, '[]');
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
INSERT INTO oauth_grants VALUES ('0198b8a0-0000-7000-8000-000000000004', x'd831732767348a38a19e4a15f674f3ff2fe791a42ed5c051a29bddfdad1c8c2d', NULL, 1790000000000000, '01a22660-2526-75a2-8421-28c41cfd9ef5', x'9b4790e1d85a11fb2b0df829b4ecf82b8b0193ac40d37a609eb565df43558e50', 'a program', '127.0.0.1', 'http://127.0.0.1:6969/', 'agents:read', 1790000000000000, 9000000000000000, 1);
CREATE INDEX oauth_grants_by_user ON oauth_grants (user_id, created_at, credential_id) WHERE live = 1;
CREATE INDEX oauth_grants_by_age ON oauth_grants (created_at, credential_id) WHERE live = 1;
CREATE INDEX oauth_grants_by_client ON oauth_grants (client_hash) WHERE live = 1;
CREATE INDEX oauth_grants_by_name ON oauth_grants (user_id, client_name, created_at);
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
INSERT INTO oauth_clients VALUES ('taos_client_dump', 'by hand', '["http://127.0.0.1/back"]', NULL, 0, 'user:operator', 1790000000000000);
CREATE INDEX oauth_clients_by_age ON oauth_clients (created_at, id);
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
INSERT INTO grants VALUES ('01a22660-2527-7357-a56c-6fc24c4735c6', '01a22660-2526-75a2-8421-28c41cfd9ef5', NULL, NULL, NULL, 'creator', 'system', 1795940164902901, NULL, NULL);
INSERT INTO grants VALUES ('01a22660-2595-7473-b0e6-7967a4aa418e', '01a22660-2526-75a2-8421-28c41cfd9ef5', NULL, '01a22660-2593-7025-bfdf-fb82712af847', NULL, 'owner', 'user:operator', 1795940165010832, NULL, NULL);
INSERT INTO grants VALUES ('01a22660-299c-7649-9b91-ed29017f8f8b', '01a22660-2991-779b-9f4b-9d4052059cd5', NULL, '01a22660-2593-7025-bfdf-fb82712af847', NULL, 'viewer', 'user:operator', 1795940166043950, NULL, NULL);
INSERT INTO grants VALUES ('01a22660-29a7-74b3-abee-7cf4a3cbc063', '01a22660-2526-75a2-8421-28c41cfd9ef5', NULL, '01a22660-29a7-74b3-abee-7cf30cd84832', NULL, 'owner', 'user:operator', 1795940166054685, NULL, NULL);
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
INSERT INTO operations VALUES ('0198b8a0-0000-7000-8000-000000000001', 'deploy', 'failed', NULL, 'atlas', NULL, '', 40, 0, 'user:operator', 'dump', 1790000000000000, 1790000000000000, 1790000001000000, NULL, '{}', NULL, NULL);
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
INSERT INTO idempotency VALUES ('user:01a22660-2526-75a2-8421-28c41cfd9ef5', 'POST /api/agents', 'atlas', x'c105fd6cac80c2a63df7d47dfac251ae38787adfe552d33814aa81ae6abf4173', '01a22660-2581-73b7-88d1-10bff8080f58', 1795940165008576, 200, '{"content-type":"application/json","cache-control":"no-store","location":"/api/agents/atlas"}', x'7b22737461747573223a2263726561746564222c226964223a2230316132323636302d323539332d373032352d626664662d666238323731326166383437222c226e616d65223a2261746c6173222c22646973706c61795f6e616d65223a2261746c6173227d');
INSERT INTO idempotency VALUES ('user:01a22660-2526-75a2-8421-28c41cfd9ef5', 'POST /api/agents', 'bert', x'7c14c14278f7be408cbc48e608b5416c4081aa82df5ae3ecb92e39c6b6b00053', '01a22660-2581-73b7-88d1-10bff8080f58', 1795940165982035, 200, '{"content-type":"application/json","cache-control":"no-store","location":"/api/agents/bert"}', x'7b22737461747573223a2263726561746564222c226964223a2230316132323636302d323935662d373064362d393262352d313734663664366333303632222c226e616d65223a2262657274222c22646973706c61795f6e616d65223a2262657274227d');
INSERT INTO idempotency VALUES ('user:01a22660-2526-75a2-8421-28c41cfd9ef5', 'POST /api/users', 'dump', x'8a3a9e159ff5367cd0eb37abd2dd7153940591d1046ef63fa7d9eb086b2e3e22', '01a22660-2581-73b7-88d1-10bff8080f58', 1795940166031772, 201, '{"content-type":"application/json","cache-control":"no-store","location":"/api/users/ann"}', x'7b226964223a2230316132323636302d323939312d373739622d396634622d396434303532303539636435222c22757365726e616d65223a22616e6e222c22646973706c61795f6e616d65223a22616e6e222c22726f6c65223a226d656d626572222c2264697361626c6564223a66616c73652c22637265617465645f6174223a22323032362d31312d32395430383a31363a30362e3033325a222c22757064617465645f6174223a22323032362d31312d32395430383a31363a30362e3033325a227d');
INSERT INTO idempotency VALUES ('user:01a22660-2526-75a2-8421-28c41cfd9ef5', 'POST /api/ui/notify', 'dump', x'd17294438e5e5f133f538119c4fb8a9c2abd76006f0555aa48de9816e2695bfb', '01a22660-2581-73b7-88d1-10bff8080f58', 1795940166050153, 200, '{"content-type":"application/json","cache-control":"no-store"}', x'7b2264656c697665726564223a747275652c226e6f74696669636174696f6e5f6964223a2230316132323636302d323961322d373534632d393065642d303232646531306338633836227d');
INSERT INTO idempotency VALUES ('user:01a22660-2526-75a2-8421-28c41cfd9ef5', 'POST /agents/01a22660-29a7-74b3-abee-7cf30cd84832/deployments', 'dump', x'c4338efe1026964cf65a43f50fc292b6a40e4814f360fbca46883be8c81b7a9d', '01a22660-2581-73b7-88d1-10bff8080f58', 1795940166059944, 200, '{"content-type":"application/json","cache-control":"no-store"}', x'7b226964223a2230316132323636302d323961632d373161362d623435302d613164336564616532393934222c226167656e745f6964223a2230316132323636302d323961372d373462332d616265652d376366333063643834383332222c22646f636b65725f696d616765223a226361726c3a31222c22737461747573223a2250656e64696e67222c2269735f70726f64756374696f6e223a66616c73652c22726567697374726174696f6e5f6d65746164617461223a6e756c6c2c226163705f75726c223a6e756c6c2c227367705f6465706c6f795f6964223a6e756c6c2c2268656c6d5f72656c656173655f6e616d65223a6e756c6c2c22637265617465645f6174223a22323032362d31312d32395430383a31363a30362e3036303834335a222c2270726f6d6f7465645f6174223a6e756c6c2c22657870697265735f6174223a6e756c6c7d');
CREATE INDEX idempotency_by_age ON idempotency (created_at);
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
INSERT INTO audit VALUES (1, 1795940164902901, 'system', 'users.token.issue', 'credential:01a22660-2527-7357-a56c-6fc116319998', 'ok', 1, '-', x'0000000000000000000000000000000000000000000000000000000000000000', x'591ea6a086f93c5983fb4b279646ab6e9f08b5c919b29a9b368ff090fc821805', NULL);
INSERT INTO audit VALUES (2, 1795940164902901, 'system', 'users.create', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', 'ok', 1, '-', x'591ea6a086f93c5983fb4b279646ab6e9f08b5c919b29a9b368ff090fc821805', x'4bac79fbb0316a2f7067e5ee8a13767c436037c2f890752892e3a136eec01798', NULL);
INSERT INTO audit VALUES (3, 1795940165010832, 'user:operator', 'agents.create', 'agent:01a22660-2593-7025-bfdf-fb82712af847', 'ok', 1, 'fc9ab007-1', x'4bac79fbb0316a2f7067e5ee8a13767c436037c2f890752892e3a136eec01798', x'dc322e025dfb2fb12fc9329f2cf6071c46e91163a0c7556308e13145a803c69c', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5');
INSERT INTO audit VALUES (4, 1795940165961368, 'user:operator', 'agents.token.issue', 'agent:01a22660-2593-7025-bfdf-fb82712af847', 'ok', 1, 'fc9ab007-2', x'dc322e025dfb2fb12fc9329f2cf6071c46e91163a0c7556308e13145a803c69c', x'573476c7fbe0ba1c058cc279d9c82a1422bfc86682d3aad8c17bd290ae0ccf5a', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5');
INSERT INTO audit VALUES (5, 1795940165983210, 'user:operator', 'agents.create', 'agent:01a22660-295f-70d6-92b5-174f6d6c3062', 'ok', 1, 'fc9ab007-3', x'573476c7fbe0ba1c058cc279d9c82a1422bfc86682d3aad8c17bd290ae0ccf5a', x'12a7152976d1132a0045bb945593c37ee558f8c87c95ca4a92ddf9a02635a249', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5');
INSERT INTO audit VALUES (6, 1795940165987108, 'user:operator', 'agents.token.issue', 'agent:01a22660-295f-70d6-92b5-174f6d6c3062', 'ok', 1, 'fc9ab007-4', x'12a7152976d1132a0045bb945593c37ee558f8c87c95ca4a92ddf9a02635a249', x'220ba6d79e59e3d1fe3abbd66cdc7fb4f37ebccced0f77549828d1806f40e27d', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5');
INSERT INTO audit VALUES (7, 1795940165998189, 'user:operator', 'agents.update', 'agent:01a22660-2593-7025-bfdf-fb82712af847', 'ok', 1, 'fc9ab007-5', x'220ba6d79e59e3d1fe3abbd66cdc7fb4f37ebccced0f77549828d1806f40e27d', x'a7f7d513b9d744e8eaa24940f414e2f8e1b56ad848e2227375a99961b8d54fdc', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5');
INSERT INTO audit VALUES (8, 1795940166026558, 'user:operator', 'agents.delete', 'agent:01a22660-295f-70d6-92b5-174f6d6c3062', 'ok', 1, 'fc9ab007-6', x'a7f7d513b9d744e8eaa24940f414e2f8e1b56ad848e2227375a99961b8d54fdc', x'a9dce7fa05d5b4025dbab4d1bb883957a3819d72d74ffc2fdf496e756b741389', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5');
INSERT INTO audit VALUES (9, 1795940166032738, 'user:operator', 'users.create', 'user:01a22660-2991-779b-9f4b-9d4052059cd5', 'ok', 1, 'fc9ab007-7', x'a9dce7fa05d5b4025dbab4d1bb883957a3819d72d74ffc2fdf496e756b741389', x'7c54059a481f009709f5fc8f1c8df55b7431602db6b9253e29334e6c61ea0b65', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5');
INSERT INTO audit VALUES (10, 1795940166038711, 'user:operator', 'users.token.issue', 'credential:01a22660-2996-7721-a440-5eca8510bb41', 'ok', 1, 'fc9ab007-8', x'7c54059a481f009709f5fc8f1c8df55b7431602db6b9253e29334e6c61ea0b65', x'49f7dde69662aefe2ffd1642c6bbc7707006f0927e20eba1cc78be7df08f542a', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5');
INSERT INTO audit VALUES (11, 1795940166043950, 'user:operator', 'grants.create', 'agent:01a22660-2593-7025-bfdf-fb82712af847', 'ok', 1, 'fc9ab007-a', x'49f7dde69662aefe2ffd1642c6bbc7707006f0927e20eba1cc78be7df08f542a', x'abee3d4c83a5b6f75145505ad7e1ec61d3fee974493c1140f008548a86b38b15', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5');
INSERT INTO audit VALUES (12, 1795940166054685, 'user:operator', 'agents.register', 'agent:01a22660-29a7-74b3-abee-7cf30cd84832', 'ok', 1, 'fc9ab007-c', x'abee3d4c83a5b6f75145505ad7e1ec61d3fee974493c1140f008548a86b38b15', x'38c1c7bd418dc38bb180004b855e90966768111b4b91cbe9c4e955d94b2a3efd', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5');
INSERT INTO audit VALUES (13, 1795940166054685, 'user:operator', 'agents.register', 'credential:01a22660-29a7-74b3-abee-7cf6f305894c', 'ok', 1, 'fc9ab007-c', x'38c1c7bd418dc38bb180004b855e90966768111b4b91cbe9c4e955d94b2a3efd', x'e63171d347eed44f8de55d571d6eeb87a193d28046132017231316f13ecaf79c', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5');
INSERT INTO audit VALUES (14, 1795940166060843, 'user:operator', 'deployments.create', 'agent:01a22660-29a7-74b3-abee-7cf30cd84832', 'ok', 1, 'fc9ab007-d', x'e63171d347eed44f8de55d571d6eeb87a193d28046132017231316f13ecaf79c', x'28bd12fe8bab7b393c4870e8857f6126cd2cdb55ed42ac8b120e175bd6201d36', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5');
INSERT INTO audit VALUES (15, 1795940166063145, 'peer:127.0.0.1', 'agents.list', 'GET /api/agents', 'denied', 1, 'fc9ab007-e', x'28bd12fe8bab7b393c4870e8857f6126cd2cdb55ed42ac8b120e175bd6201d36', x'dfa1175d4a4ece67b5d2773b5848a36d92a1892643a76c1aec019b31f9073225', NULL);
INSERT INTO audit VALUES (16, 1795940166092130, 'agent:01a22660-2593-7025-bfdf-fb82712af847', 'requests.create', 'request:01a22660-29cc-76b3-b6a5-b271776d7c6e', 'ok', 1, 'fc9ab007-18', x'dfa1175d4a4ece67b5d2773b5848a36d92a1892643a76c1aec019b31f9073225', x'9632c13148cd1213104dda02c19b71956f0e547d72ddf62d4d4f1cc495ae2684', 'agent:01a22660-2593-7025-bfdf-fb82712af847');
INSERT INTO audit VALUES (17, 1795940166088072, 'user:operator', 'agents.token.issue', 'agent:01a22660-2593-7025-bfdf-fb82712af847', 'ok', 1, 'fc9ab007-17', x'9632c13148cd1213104dda02c19b71956f0e547d72ddf62d4d4f1cc495ae2684', x'cdba535684d36381524912cada1466e1968db43c18cad1ffde4b2ef64f0203e6', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5');
CREATE INDEX audit_by_resource ON audit (resource, seq);
CREATE INDEX audit_by_actor ON audit (actor, seq);
CREATE INDEX audit_by_action ON audit (action, seq);
CREATE TABLE audit_spans (
    span   INTEGER PRIMARY KEY,
    min_at INTEGER NOT NULL,
    max_at INTEGER NOT NULL
) STRICT;
INSERT INTO audit_spans VALUES (0, 1795940164902901, 1795940166092130);
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
INSERT INTO notifications VALUES (1, '01a22660-29a2-754c-90ed-022de10c8c86', '01a22660-2526-75a2-8421-28c41cfd9ef5', NULL, 'user:operator', NULL, 'normal', 'Hello', 'from a dump', NULL, 0, 1795940166050744);
INSERT INTO notifications VALUES (2, '01a22660-29cd-74e0-8412-a5b190ebf9cc', '01a22660-2526-75a2-8421-28c41cfd9ef5', '01a22660-2593-7025-bfdf-fb82712af847', 'agent:atlas', NULL, 'high', 'atlas asks for agents.logs', 'to see
For 10 min.
Decide by 2026-11-30T08:16:06.092Z: taosctl requests show 01a22660-29cc-76b3-b6a5-b271776d7c6e', '/ui/requests/01a22660-29cc-76b3-b6a5-b271776d7c6e', 0, 1795940166092130);
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
INSERT INTO notification_counts VALUES ('agent:01a22660-2593-7025-bfdf-fb82712af847', 1, 1);
INSERT INTO notification_counts VALUES ('user:01a22660-2526-75a2-8421-28c41cfd9ef5', 2, 2);
CREATE INDEX notification_counts_by_total ON notification_counts (total);
CREATE TABLE notification_senders (
    user_id TEXT NOT NULL,
    sender  TEXT NOT NULL,
    total   INTEGER NOT NULL CHECK (total >= 0),
    PRIMARY KEY (user_id, sender)
) STRICT, WITHOUT ROWID;
INSERT INTO notification_senders VALUES ('01a22660-2526-75a2-8421-28c41cfd9ef5', '01a22660-2593-7025-bfdf-fb82712af847', 1);
INSERT INTO notification_senders VALUES ('01a22660-2526-75a2-8421-28c41cfd9ef5', 'user:operator', 1);
CREATE INDEX notification_senders_by_total ON notification_senders (user_id, total);
CREATE TABLE webhook_outbox (
    notification_id TEXT PRIMARY KEY REFERENCES notifications (id) ON DELETE CASCADE,
    attempts        INTEGER NOT NULL DEFAULT 0,
    queued_at       INTEGER NOT NULL,
    next_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO webhook_outbox VALUES ('01a22660-29a2-754c-90ed-022de10c8c86', 0, 1790000000000000, 9000000000000000);
INSERT INTO webhook_outbox VALUES ('01a22660-29cd-74e0-8412-a5b190ebf9cc', 0, 1790000000000000, 9000000000000000);
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
INSERT INTO knowledge_items VALUES (1, '01a22660-2546-71eb-9c4a-c24985cc8d3f', 'agent-docs', 'taos-core', '/docs/agents/README', 'taosd for agents and scripts', 'taosd', 'taosd keeps the register of the agents on this box, issues their tokens and decides who may do what. The daemon serves these pages itself. curl gets Markdown and a browser gets HTML. You may leave out', '# taosd for agents and scripts

`taosd` keeps the register of the agents on this box, issues their tokens and decides who may do what. The daemon serves
these pages itself. `curl` gets Markdown and a browser gets HTML. You may leave out `.md` in a path.

Start with [Getting started](/docs/agents/getting-started.md). It shows how to get a token, make a first call and find
the other routes.

| When you want to | Read |
| --- | --- |
| make your first call, find routes, know the rules of every request | [Getting started](/docs/agents/getting-started.md) |
| administer the box with `taosctl`, see the everyday commands | [Everyday commands](/docs/agents/recipes/everyday-commands.md) |
| set up a box with `axctl`, make keys, enroll agents | [Bootstrap](/docs/agents/recipes/bootstrap.md) |
| choose a credential, or exchange a key for a token | [Authentication](/docs/agents/concepts/authentication.md) |
| list, create, change, start, stop, archive, restore, purge, export or import agents, read their logs | [Managing agents](/docs/agents/recipes/managing-agents.md) |
| run an agent in a container | [Deploying](/docs/agents/recipes/deploying.md) |
| let an agent sleep until there is news, write its main loop | [An agent that sleeps](/docs/agents/recipes/an-agent-that-sleeps.md) |
| make images for classic LXC | [Classic LXC](/docs/agents/operations/classic-lxc.md) |
| register an agent when you build it, share it and run it later; make keys for its pods and web hooks | [Build once and deploy](/docs/agents/recipes/build-once-and-deploy.md) |
| issue, rotate or revoke an agent''s token | [Tokens and rotation](/docs/agents/recipes/tokens-and-rotation.md) |
| let an editor or an MCP client in with a click | [Letting programs log in](/docs/agents/recipes/letting-programs-log-in.md) |
| let a service on the box check who calls it | [Letting a service check tokens](/docs/agents/recipes/letting-a-service-check-tokens.md) |
| log a browser in, on the box or from a laptop | [Logging in](/docs/agents/recipes/logging-in.md) |
| add people, issue and revoke their tokens | [Users and tokens](/docs/agents/recipes/users-and-tokens.md) |
| stop an agent at once and undo it | [Freezing](/docs/agents/recipes/freezing.md) |
| be told on your phone | [Notifications on your phone](/docs/agents/recipes/notifications-on-your-phone.md) |
| tell your owner something, read or watch notifications | [Notifying the user](/docs/agents/recipes/notifying-the-user.md) |
| use the box as tools from Claude Code, Codex, Cursor, VS Code or an SDK | [Using the box as tools](/docs/agents/recipes/mcp.md) |
| ask for a scope or a role after a refusal, ask your owner a question | [Asking for access](/docs/agents/recipes/asking-for-access.md) |
| join without a credential, come back after losing one, let an agent in | [Joining and coming back](/docs/agents/recipes/joining.md) |
| decide what your agents ask for, take it back, follow what changes | [Deciding requests](/docs/agents/recipes/deciding-requests.md) |
| talk to another agent, know that it heard you, follow a space | [Talking to another agent](/docs/agents/recipes/talking-to-another-agent.md) |
| search the documentation, read the system prompt, add documents | [Reading knowledge](/docs/agents/recipes/reading-knowledge.md) |
| work off tasks with others, so that each is done once | [Working off a queue](/docs/agents/recipes/working-off-a-queue.md) |
| share a file or a small value with others | [Sharing a file](/docs/agents/recipes/sharing-a-file.md) |
| know what a lease, a fence and a quota are | [Tasks, context and files](/docs/agents/concepts/tasks-context-files.md) |
| back up the box, restore it, go back to an older release | [Backup and restore](/docs/agents/recipes/backup.md) |
| install the daemon as a service | [Install](/docs/agents/operations/install.md) |
| log in to a new box, change its settings | [First login](/docs/agents/operations/first-login.md) |
| see and run the box in a browser | [The console](/docs/agents/operations/console.md) |
| set something, look up a limit, a command of the daemon or an exit code | [Settings](/docs/agents/operations/settings.md) |
| reach the box from elsewhere | [Reverse proxy with TLS](/docs/agents/operations/reverse-proxy.md), [Firewall](/docs/agents/operations/firewall.md) |
| keep a backup elsewhere, test it, move to other hardware | [Backup to another host](/docs/agents/operations/backup-to-another-host.md), [Restore drill](/docs/agents/operations/restore-drill.md), [Moving to a new board](/docs/agents/operations/moving-to-a-new-board.md) |
| reduce SD-card wear | [SD-card wear](/docs/agents/operations/sd-card-wear.md) |
| find out why something fails | [Troubleshooting](/docs/agents/recipes/troubleshooting.md) |
| understand scopes, roles and grants, or read the audit | [Permissions](/docs/agents/concepts/permissions.md) |
| use the Agentex SDK: names, statuses, deployments, keys, forwarding | [Agentex](/docs/agents/concepts/agentex.md) |
| understand users, agents and credentials | [Identity](/docs/agents/concepts/identity.md) |
| follow or cancel slow work | [Operations](/docs/agents/concepts/operations.md) |
| understand spaces, their members and their limits | [The workspace](/docs/agents/concepts/workspace.md) |
| understand what knowledge is and where it comes from | [Knowledge](/docs/agents/concepts/knowledge.md) |
| look up an error code | [Errors](/docs/agents/errors.md) |

[GET /api](/api) lists the routes, and [GET /openapi.json](/openapi.json) describes them.
', '["birds"]', x'51246ac1f846f8d80b4562c1995acc93eee280ea09d78f3111c80ccfb019d611', 1795940164933877, 1795940164933877);
INSERT INTO knowledge_items VALUES (2, '01a22660-2546-71eb-9c4a-c24adbdf3107', 'agent-docs', 'taos-core', '/docs/agents/getting-started', 'Getting started', 'taosd', 'All examples use two variables. $TAOS_URL is the daemon''s address, by default http://127.0.0.1:6969. $TAOS_TOKEN is your token. Inside an agent''s container both are set, and TAOS_TOKEN is the agent''s ', '# Getting started

All examples use two variables. `$TAOS_URL` is the daemon''s address, by default `http://127.0.0.1:6969`. `$TAOS_TOKEN`
is your token. Inside an agent''s container both are set, and `TAOS_TOKEN` is the agent''s own token.

## Auth

Send the token in the `Authorization` header:

```http expect=200
GET /api/auth/whoami
Authorization: Bearer $TAOS_TOKEN
```

```bash
curl -sS -H "Authorization: Bearer $TAOS_TOKEN" "$TAOS_URL/api/auth/whoami"
```

Other users of the same machine can read a command line while it runs. To hide the token from them, keep the header in a
file:

```bash
(umask 077; printf ''Authorization: Bearer %s\n'' "$TAOS_TOKEN" > taos-header)
curl -sS -H @taos-header "$TAOS_URL/api/auth/whoami"
```

At its first start the daemon writes the operator''s token to `operator.token` in its data directory. Only the owner of
that directory can read the file. You can then issue tokens
[for agents](/docs/agents/recipes/tokens-and-rotation.md#issue) and
[for users](/docs/agents/recipes/users-and-tokens.md#tokens).

On the box itself you can use the daemon''s Unix socket without a token. It accepts root, the daemon''s own user and
members of the group `taosd`, and treats them as the operator.

```bash
curl -sS --unix-socket ~/.local/state/taosd/taosd.sock http://localhost/api/auth/whoami
```

A request without a token gets 401 `auth_required`. A request with an unknown, expired or revoked token gets 401
`invalid_token`. Both replies carry `WWW-Authenticate: Bearer`.

```http expect=401
GET /api/auth/whoami
```

```http expect=401
GET /api/auth/whoami
Authorization: Bearer taos_user_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
```

## Log in

`taosctl` needs no token on the daemon''s socket. Elsewhere, log in once. `taosctl login` prompts for the token without
showing it, or reads it from a file. If the server accepts the token, `taosctl` saves it with the server''s address in a
file that only you can read. You can also log in with a user''s [key](/docs/agents/concepts/authentication.md#keys);
`taosctl` then exchanges it for tokens when needed.

```bash
taosctl login --url "$TAOS_URL" --token-file ~/.local/state/taosd/operator.token
taosctl auth whoami
taosctl auth status
taosctl auth logout
```

`--space` selects the space to work in, by id, slug or name. You cannot log in with an agent''s key: put it into a
project or a [profile](/docs/agents/concepts/authentication.md#profiles). To choose a credential, see
[Authentication](/docs/agents/concepts/authentication.md).

## First call

Every credential may call `GET /api/auth/whoami`. The reply says who you are (`principal`, `username`, `agent_name`),
what your token may do (`scope`) and when it expires (`expires_at`, null if never):

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

`GET /api` lists every route with the action it needs, whether it accepts an `Idempotency-Key`, and the page that
explains it. `GET /openapi.json` describes the same routes as OpenAPI 3.1. Both are public. An unknown path gets 404
`not_found`. A method that the path does not support gets 405 `method_not_allowed`, with the supported methods in
`Allow`.

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

Send a body as one JSON object in UTF-8 with `Content-Type: application/json`. It may have at most 1 MiB and 32 levels.
A key must not occur twice. `null` means the same as leaving the field out. The daemon refuses unknown fields and
unknown query parameters, so that you notice a typing error.

```http expect=422
POST /api/agents
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"name": "Second", "colour": "#336699"}
```

The reply names each bad field:

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

Do not compress a body: a `Content-Encoding` other than `identity` gets 415. The daemon ignores a leading byte order
mark and reads `60.0` as the integer `60`. The public routes `/`, `/healthz`, `/readyz`, `/health`, `/api`,
`/openapi.json` and `/docs` ignore unknown query parameters.

Some names become part of a path, such as the name of a key. Such a name must not contain a slash, a backslash or a
control character, and must not be `.` or `..`.

```http expect=422
POST /agent_api_keys
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json

{"agent_name": "atlas", "name": "web/hook"}
```

Times are in RFC 3339 format, in UTC, with milliseconds. Ids are opaque and are never reused.

Lists are arrays. `limit` is 1 to 500, by default 100. If there are more rows, the `Link` header holds the URL of the
next page with `rel="next"`. Use that URL unchanged. While rows are added or removed, no other row is skipped or shown
twice. A page has at most 1 MiB (`max_page_bytes`), so it can hold fewer rows than `limit`. Only the last page has no
`Link` header. This applies to the lists of every dialect.

```http expect=200
GET /api/agents?limit=1
Authorization: Bearer $TAOS_TOKEN
```

```http expect=400
GET /api/agents?cursor=made-up
Authorization: Bearer $TAOS_TOKEN
```

## Errors

Every error reply has four fields: `error` (a stable code), `detail` (what is wrong), `fix` (what to do) and `doc_url`
(a page on this daemon). [Errors](/docs/agents/errors.md) lists all codes.

```http expect=404
GET /api/agents/nobody
Authorization: Bearer $TAOS_TOKEN
```

If you may not see something, you get 404, not 403. After 429 `rate_limited` or 503 `busy`, wait for the seconds in
`Retry-After`. All tokens of a principal share one rate. The daemon also limits how much you write per hour and per day.
A 429 for this limit has `window`, `used` and `allowed`; you can still delete and revoke. When you have reached the
maximum number of something, you get 409 [limit_reached](/docs/agents/errors.md#limit_reached). Every reply has an
`X-Request-Id`. If you send your own (at most 64 letters, digits, `.`, `_` or `-`), the daemon uses it.

A request that has to wait for a container gets 202 and continues as an
[operation](/docs/agents/concepts/operations.md#follow).

## Idempotency

A route that creates something accepts an `Idempotency-Key` of 1 to 255 visible ASCII characters. If the connection
breaks, send the same request with the same key again. You get the first reply again with `Idempotent-Replayed: true`,
and nothing is created twice. Your keys are separate from those of other callers. They last 24 hours and survive a
restart of the daemon. A reply of 500 or more is not kept: the repeat does the work. One exception: a deployment that
failed and left its record is answered again, so that one key never leaves two records.

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

The same key with another body gets 422 `idempotency_key_reused`:

```http expect=422
POST /api/agents
Authorization: Bearer $TAOS_TOKEN
Content-Type: application/json
Idempotency-Key: make-second-1

{"name": "Third"}
```

An invalid key gets 400 `invalid_idempotency_key`. While the first request is still running, a repeat waits up to 10
seconds and then gets 409 `idempotency_in_flight`. The daemon never stores a reply that contains a secret. Routes with such
replies ignore the key, and a repeat makes another secret. `GET /api` says which routes accept a key. You can safely repeat
requests to the other routes. The daemon also stores replies with a 4xx status, except 401, 403, 408, 409 `idempotency_in_flight` and
429. It never stores replies with a 5xx status.

```bash
for attempt in 1 2; do
  curl -sS -H "Authorization: Bearer $TAOS_TOKEN" -H "Idempotency-Key: make-fourth-1" \
    --json ''{"name": "Fourth"}'' "$TAOS_URL/api/agents"
done
```
', '["agent-docs"]', x'984c39c1045e1159c28e5b7946bd2bfa0f3a31f3cb92ac59cf55b631aa1b6b81', 1795940164933877, 1795940164933877);
CREATE INDEX knowledge_items_by_age ON knowledge_items (created_at, id);
CREATE INDEX knowledge_items_of_source ON knowledge_items (source_id, created_at, id);
CREATE INDEX knowledge_items_of_type ON knowledge_items (source_type, created_at, id);
CREATE TABLE knowledge_categories (
    category   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    id         TEXT NOT NULL REFERENCES knowledge_items (id) ON DELETE CASCADE,
    PRIMARY KEY (category, created_at, id)
) STRICT, WITHOUT ROWID;
INSERT INTO knowledge_categories VALUES ('birds', 1795940164933877, '01a22660-2546-71eb-9c4a-c24985cc8d3f');
INSERT INTO knowledge_categories VALUES ('agent-docs', 1795940164933877, '01a22660-2546-71eb-9c4a-c24adbdf3107');
CREATE INDEX knowledge_categories_of_item ON knowledge_categories (id);
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
INSERT INTO knowledge_sources VALUES ('app:birds', '01a22660-2526-75a2-8421-28c41cfd9ef5', NULL, 0, '', 0, 0);
INSERT INTO knowledge_sources VALUES ('taos-core', NULL, NULL, 0, 'agent-docs', 2, 1795940164933877);
CREATE INDEX knowledge_sources_of_user ON knowledge_sources (owner_user_id) WHERE owner_user_id IS NOT NULL;
CREATE INDEX knowledge_sources_of_agent ON knowledge_sources (owner_agent_id) WHERE owner_agent_id IS NOT NULL;
CREATE VIRTUAL TABLE knowledge_words USING fts5 (
    title, content, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
DELETE FROM knowledge_words_data;
INSERT INTO knowledge_words_data VALUES (1, x'02079259');
INSERT INTO knowledge_words_data VALUES (10, x'00000000ff0000010401760000000000000001090103012e000002');
INSERT INTO knowledge_words_data VALUES (1236950581249, x'00000edb023030020c01011403864202023737020601016a0101310222010116844a60817b3126814b6d17226911020130020801018b0803013002080101873a020232370206010113010132020801018b5902023030022001013883142e1b0e650708827c822b1703013202080101893a02013402080101897e0202353502080101895301013302080101845d02013202080101853f0203333339020801018723030436363939020801018571010334303002100101861d8174826b03013102120101816c0f0d09893a030133020c0101885282740301340210010184662e832f13030135020a0101847228030138020801018b45030139020e01018911817e3b02023135020a0101862f1c02023232021201018562812c835108030139020e0101885425825602027878020801018b400103353030020c01018737825503013302080101885802027878020801018b5201023630020a01018654070201340208010189280203393639020601011701013802080101853101016101500101240c120535110605256b110c0a080a6905050710342e0906050808070405280d160f0427210a015c010156125d27050844130f42050c814f421a1e65040d2309050704055f451036143c09123d07126e14060c0d1314022a61616161616161616161616161616161616161616161616161616161616161616161616161616161616102080101821402056363657074020801018b2d070173021201018144748216850405027373010a0101833b08030474696f6e02080101844502026464010c0101824f813f04026564020801018754040472657373020a01010f823303036d696e02080101835b060569737465720106010161020466746572010a010183311a010a010188530f02046761696e020c01018963083a0303656e74011c0101812b0e0d091526646e240e09011a01011f0d82613027051083230d06026578010c0101861509060601730172040101040b2a2a12100512110704050c17112115181918121210151d191a090e1815171617180e1212171009150c0d120f111108070d10110d014001018120040d8129430e5a1b0e150d525b2a151481560e270d552e701722810c02026c6c020c01010488392804026f7702080101847b06026564020c01018475840c0302736f02100101824b8622825202016e01260101812a0e0d0915261105523f318113458138012001011e81568118666119843d23118129030164013a0501010511112381210b07090e084a07080a6e7708182781022019101d013e010125810206091d088170316272197f1324298103480d083935141d711a2a03056f7468657201120101836f0e09814b09010a01018a58500306737765726564020801018a2002027069010a0101866003014601013a13326a25098121222e1b0e150d0643160808463d143131780e32816f172248460309706c69636174696f6e021a010184008137393d72832117220602657302080101877a020672636869766501080101811703016501080101844901200101238313812e82420c05060e188224030472617973020801018732020173010e0101831411814b011a0101815483095222810d1d824e030363696902080101895503016b010c0101832a0c2b0403696e67010a0101833908020174010801018263011801017e8248278153822a814603036c617302080101871b030574656d7074020801018b5602047564697401080101860c03027468021e01012e0f13326a0b1c096305053a220508656e7469636174650208010182000c03696f6e010a0101810c06010e01018256430a0605096f72697a6174696f6e02380101340b0a29812681412d1d0c0a1081333d14607a0f30816e17227b02047863746c010601017701046261636b0110010183480d1076090505736c61736802080101870005027570011001018461085c0a090301640208010185760302736802180101412971810c81447a863b02016501080101826e010801018708030461726572023801013e0a2981161281412d1d0c0a1081333d14607a0f30816e17227b0304636f6d6502080101866b02046f617264010a010185610a0302647902100101852a8119841a03076f747374726170010801017c0603027468020e010122815c8265030178011e010110551481361b5311813824122401080101813602057265616b7302080101895a03056f77736572010e010125821b8251020475696c64010c0101815f120903027379020801018859020179020e0101108270843c0302746502080101864f050173020801018768010463616c6c010801014310010a0101832606050365727302080101897b05017301080101822c03016e0222010154440720811005812a837b81188232040363656c01080101862f04036e6f7402080101830403027264010c0101856d05080402727902080101817e020568616e6765010c01018114836907017301080101836404067261637465720208010187040a0173020801018956030365636b010c0101822a090a03046f6f736501080101810201080101831b02066c6173736963010c0101815004070403756465010801018317030369636b0108010182170403656e7401080101821302036f6465011201018318068209813801080101882405017302080101883c05017801080101831903046c6f7572020c010185700f1903026d6501080101834705017301080101864d0403696e6701080101835204046d616e6401080101851c0106010157080173010a01016904070405707265737302080101863f03066e6365707473011a0101810f83438142110d0d1011011001018255430e862204076e656374696f6e0208010189590404736f6c65010a0101850f0604047461696e02080101867c0802657201080101812e010a0101218919080173020801018b180503656e74021e0101837e8137393d140e548321172206027874010a0101844b090505696e75657302080101893c0503726f6c020801018703030572726563740208010186040205726561746501080101811301080101836b070164020c01018406856d07017302080101894a040764656e7469616c010c010181048244010c0101831d0d3d0b0173010801018626020375726c010601012001180101423466824e106c07863c0403736f7201080101831a01080101881301066461656d6f6e010c01011b845236012401010d783b0d5883367c816b38455b810e2a0302746102080101810e0301790208010188750205656369646501080101835907017301060101150603696e67010a010183650703056661756c74020a010111872a03046c657465020c01018519836c0304706c6f79010a01018172090703696e67010a0101812f0607046d656e74020801018a180b017301080101861903077363726962657301080101866b01080101845703047461696c020c0101857c822b020669616c65637402080101880003046769747302080101892a0307726563746f7279020a0101810f08030673636f76657202080101843d0404706c617902080101840a02016f010601011801140101833d830281718330030163020c0101860a822604017301600101342a121312180f17112115181918121210151d191a151815171617180e1212171009150c0d120f11110d0d10110d0124010181210d8129430e816d1c695a8154602e040a756d656e746174696f6e01080101840709017301080101840d03026573020c0101846e852603026e6501080101841f010801018b6f020472696c6c010a010185560701046561636801080101841d01080101857502056469746f7201080101820f02086c73657768657265010a0101852e1601080101822002076e636f64696e670208010186440304726f6c6c010601017a020472726f7201080101865801120101855f1c04822307060173010a0101865a05010e0101881a1d05600204766572790106010158011601018327811c83401e81010603646179010a0101680407020778616d706c65730206010105030463657074020801018b420703696f6e020801018a16040568616e676501080101810609017302080101825b030269740108010185220304706563740236010137814e0981412e1b0e6507080b084c3d145f790e32816f1722040469726564020801018174070173020c01018342032704056c61696e7302080101845204036f727401080101811a01066661696c6564020801018a1a05017301080101857d0204656e6365010801018445030377657202080101876d020469656c6402100101854e2b0d130906017302120101855434050b821003026c65010c0101842f0b08011001016734811b1327050173010a0101844d0803026e64010c0101450f85290306726577616c6c010a010185390604027374010e01014210843007011c01018100822760080523853c8119030178020c01018603822802056c69676874020a01018b103b02056f6c6c6f77010e01018362168239010801018945030172011a030101038108481c8144110820011a0101811f0d7f3886001f40822104036d6174020801018724040777617264696e6701080101861b0303756e6402080101846804017202080101881f05027468020a01018b660602077265657a696e67010a010182680603026f6d0112010182445482198123010e010160815287490103676574010c01013d8624090134010139814e09812122470e24182d07080b82730e32114357814504017301080101210701200101816b0f826f0e8159827381231f17040474696e67010c010132062606011002010102850d810302016f01080101845b020572616e747301080101860803036f757002080101814f010168021401014434833210872b07020761726477617265010801018548030173021201018761162b5f231903027665020c010185398351020565616465720212010135311107864c3804036c746802080101865f07017a02080101865d040272640108010183740203696465020601015d02036f6c6402080101876c05017302080101874303026f6b02080101871e05017301080101816e03027374010a0101854c090302757202080101887205017302080101897f030177010601013b01080101886d0203746d6c010601012703027470023a01011226812d230981412e1b0e6507080b084c3d145f790e32816f17220102696402140101827f5a080925851b0309656d706f74656e6379021e0101844c847c0a6c1711130f163b1e040b0916090909091609090a09090b0c0f0e0b0d0a090c0b0f0c0a0d090a0b090a095d320d0e0b0c0c0a0d0b0c140e240c600c0a0c0e2a43190e301a0a0e1b0c1b0b0b0c170b0d0c151015290b100d0e09120f240c0d0e0f0d1a0d100e0a0c0a09130b09160b0b0c0a0f090e090d12100b0b0b1609090e0a090b110a0d210f0d0c1109160b0d0b0d130b0919091811240a090d080c0e0e0d0c0c09150e0e0c100e0c140b4912090c100d120d170f0b1713180c0e0c0b0d090a230c0b0d0b0e090c0b100e160a0c0f1d0b0e16210b0f0b090b1018291b18090d0b0f0f0e0c120b090a0a0b090a090b0a090e0a2310');
INSERT INTO knowledge_words_data VALUES (1236950581250, x'00000ece0b306964656d706f74656e7402080101896b04056e74697479010a010186270601080101864703017302080101872902016602180101823381158377810f5b380205676e6f7265020c01018665843c07017302080101864c02056d6167657301080101814e0304706f727401080101811c02016e012001012d81016a09091f0b07810481291701300101323529810c0e210e320b817637817406813b82333b11030473696465020601011d040474616c6c010c0101846908060305746567657202080101865804016f02080101830e030576616c6964020e0101817a887d0602017301100101813b8265822d012201010b111085591a811f284f814b1f14630303737565010a0101817b58010a0101811d0d0601730106010111020174011e010139812904054a3c7b15696c810a012a01015a6b6b050e2333368107050c6682358147821f030173010e0101813e2e8314010c01017f1089120403656c66010601011f01080101813701046a6f696e0108010183430503696e67010a01018350090203736f6e010a0101866804012a010183533005292d32290b390d323c38832117227e01046b65657001080101853f0106010162050173010601010803027074020801018a0f0301790108010181080130010182523b8144778136825b154516170a09130a07281037040173010c010179718434011001018258843a82660203696e6402080101836502036e6f77010c010154831f5105056c6564676501120101840f078236090601066c6170746f70010801018246030273740210010184138362820c03037465720108010181660206656164696e6702080101864e0402736501080101844304027665010601012a060173020801018a270503696e6702080101854c03026674020801018a1c0301740110010181355a19812a0404746572730208010189290503696e67010e0101821809110a030476656c730208010185400204696d697401080101851a0112010187333f19751a080602656402080101885606017301080101863e01080101886c03026e65020601015804016b020a01018741380302737401080101811201080101836f0502656402080101860705017301080101866201100101844082724f3f02046f63616c020c0101815c810f0604686f737402080101816203016701100101821a091d823b010e010182150e2d3b040467696e67010a01018247070402696e010a0101847f07010a010182254004036f757402080101827604017301080101812003026f6b010c010185178140040170010801018140030473696e6701080101834a02027863010c01018151040701076d616368696e650206010153030264650208010188140302696e01080101813f03026b65010e010140102c571c010e01018a3a172278050173020801018b2503066e6167696e67010a01018121070302726b0208010186510504646f776e01060101220301780208010187660404696d756d02080101890b03017901080101171401120101832915817e831402026370010c010182128118020164016201012c0e2a131212190e1a0f2314191a15131013141b1b18161a13191517160e1311171108180a10100d11110d0d10110c011e010181270d8127430e816d832c602f020465616e7302080101854803056d6265727301080101863b01080101814c030474686f64020a0101846a0b07017302080101847902026962020c0101853d822a030a6c6c697365636f6e647302080101872802036f7265020c0101873e82500302737402100101853b822a8146030276650108010185450403696e67010a0101855d0a020375636802080101886e03027374020e0101854381390e01016e020601016f0203616d65023201018302382a2408050b1a81443d04123a0823048323172279050173010801018617010a010185747802056565646564020801018260050173020c01018218823103037665720214010183478369827a6f3c030177010c01018479690a04017301080101813c03027874020a010187480602016f02140101821983691a8141210304626f6479020801018843030174021e010184670a07527c3f0e814608813f040468696e6702080101896f040369636502080101855c05096669636174696f6e73010c01018273090e060479696e67010a0101830708030577686572650208010185150203756c6c0212010183451b050b815f03046d62657202080101890c01066f626a65637402080101852e020463637572020801018545020166010c01010b4e84480120010150453c852209543a672c452b0d07030166010c010184170d0902046c64657201080101845f02016e011201010e821b1b320609010e0101813469861903026365011001018170096f813e01080101822303016501080101834b01120101852c833d81301103026c790210010181108137852e0205706171756502080101872b0305656e617069010a0101866704011001018455092b815e0406726174696f6e02080101893f0a0173012201018156831e1212171009150c0d12400601080101894307026f72021201018106064e81186f02017201200101810518641535431b138104726b27011e010181753a561283720a4e097d56620303646572020801018650020474686572010a0101478502011601014e857981158224813f060173010a0101841a1d02027574010a01012b855101080101854f0202776e020e01012c811f875e04026572010a0101830137010801018112010470616765021401018450827b19090f3f050173010601011e030872616d6574657273020c01018558811204017402080101866c03027468010601012f010e010184640b82040205656f706c65010801018250030172020a010188710504086d697373696f6e73010a0101860d060204686f6e65010c01018272060902046c61696e02080101863a02036f647301080101816b03027374021a01018377816e3d145f83221722020872696e636970616c020e0101833521851305027466020601016b03056f626c656d020801018615040466696c6502080101831308017302080101831904056772616d73010a010182190904046a65637402080101831004036d707401080101840b07017302080101822604027879010a0101853009020575626c6963020c01018461817c030372676501080101811903017402080101830c01057175657279020c01018557811204057374696f6e01080101833804027565010a010184240903036f7461010801018448010472617465020a010188551502046561636801080101852a06026564020c010189090c08040164011401014d53816781078204010c0101554481330503696e67010a0101840e07050173020c0101822e84270502797a02080101865e03056369706573013601016e13280f173015181918121210151d191a15181517162d811d010a010181230d04036f7264020801018a1e070173020801018a2903046475636501080101856b0305667573616c010801018333060265730208010185520306676973746572010a01010a815203016c02080101874b04046561736501080101846003056d6f766564020801018756030470656174020e01018a1175221104056c6179656402080101896c050369657302100101817d89232114050179021c010183308245822c81004f228110030571756573740106010159011c010181670b83386c8311142f8123080173010a0101836607010801018b3405046972656402080101816e03057374617274020801018a0305036f726501120101811883430c7407030374727902080101885f030475736564020c0101872f833103057665727365010a0101852f0904036f6b65010a0101817e570108010189050701640208010181760202666302080101872202036f6c6501080101833001080101835a05017301080101860603026f7402080101814503047461746501080101817c0603696f6e010a01018205080108010181260303757465020c010184428508060173010c0101480d861301140101845a82048441130e030177020801018759040173020c0101873f151e0204756c6573010601015603016e010e010181293d832604046e696e67020801018b02040173020601015b010173010801018201011a01010e140d451b380d5823143b02056166656c79020801018b3203026d65021401015284097384150676030376657302080101823a03027973020c01018331877b0204636f706501080101832d010a0101833e2606017301080101860503057269707473010806010106020164010c0101856c050803016b010c0101831f8279020565617263680108010184050304636f6e6402180101856f3d1484010514051f070173020c0101885d822e0403726574020a01018b1a0f030165010a0101668422010e0101831e57845b03056c6563747302080101827803026e64021001012f847b837d3a0306706172617465020801018976030472766572020a010182350b060173010601011c05036963650110010182260c0a8238030174010a01017284250106010124040574696e6773010c0101847d2906020468617065020a010185276c04027265010c01018161824e0108010188660503696e67010a010184360803056f77696e6702080101822b05016e02080101875d050173010601013a02066b697070656402080101875b02046c61736802080101867e0303656570010801018138060173010a010181440903026f770108010186300302756702080101830002046d616c6c01080101843202016f01080101841b0110010185598212823b0302636b02080101816005026574020c0101813f1e4603026d6502080101866905057468696e67010e01018302821668010c0101884d433f020470616365010801018378010a010182770506017301080101863902017302180101433466824e106c07863c02057461626c650208010188230402727401080101306701080101810106026564010c010133062606011003010103850d810304027465020c0101815d810f050275730212010182738114873e14070265730108010186180303696c6c020c01018902820103026f70010c01018116814c0403726573020c01018b142a1402037563680212010186011a59098428030570706f72740208010184700802656402080101847803057276697665020801018a010205797374656d01080101840a010474616b65010804121409110f090d0c2f0b0e0d09102013082b14100c0c2311080a23150b0d120e0e0b0e0a09090b0a0d0c0e0c170a0f090a100a130e0c160d120b090c090c0c0e0a0a16090f0a0b090c140c470c130d090c120d0e0a0c0b0d0820100d0b110b090b0f0c140c0b130d0d100c0e0c1d0b0c1714140e0d180e1c0f260b1a0a110d1112081209120d0a110e0c0b1313090d0c090e0c0b090b0f0b090f0d0b0b0d0c0c170c0b0a2b0b090c0d0a0f090c0d0f0d0f131c100c0d100b0e0e12090a11090a0c120d17090b0b0c0c08180d100b0c13090d0b0b0d140b0c130d0e0e0d080f0f0f0d120c0d09080e0c0b0a0a0a0c130a0c0a181309110d10160c0f0a0d0c0d100d0a0d0d');
INSERT INTO knowledge_words_data VALUES (1236950581251, x'000005ce0101835f053074616c6b01080101836d0503696e67010a010183790903026f73024c01010911101b0a0429040704811b556e2d1d0c0a070b046707473d14607a0f30816e17227b0d050363746c01060101650116010182170f17220b0e0505050164010a02010102070110010181501003810e0303736b73010c0101841834090203656c6c01080101827f0302737401080101854303027874020801018639020368616e020c01018646812b04017401100101814309822a2c0124010181148132820f1c718176816619520c76030165013801010905102e110f0781431b49080611670550152107120f620b2d26017c01010c1f0905200f0721050e091f080d0a09490e0e05083e3881170d0b160d5406052415470f051a5006052d0c620f23242e060608210d05432b16111805040269720114010112810f813783680504016d01080101866c01080101617404016e02100101811c814088330402726501080101813a010e0101857e1a812804027365010601011d04017902080101897c0303697264020c0101862c8449040173010601010f010c010187793c4803036f73650208010189780204696d657302080101871f02026c7301080101853202016f011e01013c1283240e095e1c5106090f0a012201015c2f817421841e4732810b2081373003036b656e010a01013f4e790156010119050d0806110a19141905392a0f062111113108501917181d0c0a1081333d14607a0f30816e17227b06017301160101138172082b0a1d050801160101811e080f04812d860603026c6401080101826f03036f6c73010a010183151102057265617473020801018152030d6f75626c6573686f6f74696e67010a0101857e060302756502080101896d020477696365021001018546821a821603016f020a0101078a230203797065021c0101837f8137393d1460832117220403696e6702080101855e0105756d61736b020601016902086e6368616e676564020801018750030364657202080101860806057374616e64010e0101860420181004016f01080101826603026978020a0101813e1e03056b6e6f776e021401018173827272058112030374696c01080101813902017001100101738365448140010c0101881582730202726c022801010a4232816c04814b0d670769813c0c62833f02027365010c010183118304010e0101068136861504016402080101887d040172010a010183090801140101814a4b3f8107031205046e616d65020a0101833624050173010e01018256088349010a01014f5e0604017302080101892e0303696e6701080101832002027463020801018726030166020801018530010a76616c69646174696f6e02080101857a040275650108010184330307726961626c657302060101080206697369626c6502080101895402017301080101831b010477616974020a0101885a5d050173020801018b0503026e74010601014b03037463680108010183050203656172010c0101856e050803016201080101816d01080101871d0203686174011201011983430b608208011001018339398438060302656e010a0101498116010e0101825f6385480402726501080101864b0404746865720208010184480303696368020801018b2b04026c65020e010159867a832d03016f010a01011682170108010183320403616d69021601013c13326a250963402203017901080101857b0205696e646f7702080101887c0302746801160101313514812182061d7f012a010181714d143b813e353e81772582170d6f47241405036f7574010801018344010c010181402a4402036f726b010c01018416821d010c0101827c871a0503696e67010a010184210905057370616365010a010186400602047269746501080101813d01080101887006017302080101810403036f6e670208010188280202777702080101817f01017802080101891e0103796f750110010128248116821901300101811a208110053c3240816c8270072313090a1544814e040172011401014f82240609063728011001011b8321856c51080c0c2c17140d0b0a0a0d2161100f0d1309090d100b0c0a27391d0a0c0d160a100a150b0c100b10090b130b151a1509160d13090b0a09120a0e0e090d09090b0d0f1a140a0c0b0d1012090d2813150c0e12090b0a0929');
DELETE FROM knowledge_words_idx;
INSERT INTO knowledge_words_idx VALUES (9, x'', 2);
INSERT INTO knowledge_words_idx VALUES (9, x'306964656d706f74656e74', 4);
INSERT INTO knowledge_words_idx VALUES (9, x'3074616c', 6);
DELETE FROM knowledge_words_docsize;
INSERT INTO knowledge_words_docsize VALUES (1, x'05866b', 1);
INSERT INTO knowledge_words_docsize VALUES (2, x'028b6e', 2);
DELETE FROM knowledge_words_config;
INSERT INTO knowledge_words_config VALUES ('version', 4);
CREATE TABLE workspace_usage (
    holder       TEXT PRIMARY KEY CHECK (holder = 'box' OR holder GLOB 'space:*'),
    context_keys INTEGER NOT NULL DEFAULT 0,
    context_bytes INTEGER NOT NULL DEFAULT 0,
    uploads      INTEGER NOT NULL DEFAULT 0,
    upload_bytes INTEGER NOT NULL DEFAULT 0,
    open_tasks   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
INSERT INTO workspace_usage VALUES ('box', 0, 0, 1, 512, 0);
INSERT INTO workspace_usage VALUES ('space:01a22660-2527-7357-a56c-6fbf95e2d1aa', 1, 16, 1, 512, 2);
CREATE TABLE agent_allowances (
    agent_id TEXT PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    day      INTEGER NOT NULL,
    bytes    INTEGER NOT NULL CHECK (bytes >= 0),
    rows     INTEGER NOT NULL CHECK (rows >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO agent_allowances VALUES ('01a22660-2593-7025-bfdf-fb82712af847', 20000, 10, 1);
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
INSERT INTO context VALUES ('01a22660-2527-7357-a56c-6fbf95e2d1aa', 'plans/today', 'sweep', 16, 86400, 1796026566084019, NULL, 'operator', 1795940166084019, 1795940166084019);
CREATE UNIQUE INDEX context_by_key ON context (space_id, key);
CREATE INDEX context_by_expiry ON context (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE upload_contents (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    space_id TEXT NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
    hash     BLOB CHECK (length(hash) = 32),
    size     INTEGER NOT NULL CHECK (size >= 0),
    begun_at INTEGER NOT NULL
) STRICT;
INSERT INTO upload_contents VALUES (1, '01a22660-2527-7357-a56c-6fbf95e2d1aa', x'0000000000000000000000000000000000000000000000000000000000000000', 5, 1790000000000000);
CREATE UNIQUE INDEX upload_contents_by_hash ON upload_contents (space_id, hash) WHERE hash IS NOT NULL;
CREATE INDEX upload_contents_unfinished ON upload_contents (begun_at) WHERE hash IS NULL;
CREATE TABLE upload_chunks (
    content_id INTEGER NOT NULL REFERENCES upload_contents (id) ON DELETE CASCADE,
    number     INTEGER NOT NULL CHECK (number >= 0),
    bytes      BLOB NOT NULL CHECK (length(bytes) BETWEEN 1 AND 262144)
) STRICT;
INSERT INTO upload_chunks VALUES (1, 0, x'68656c6c6f');
CREATE UNIQUE INDEX upload_chunks_in_order ON upload_chunks (content_id, number);
CREATE TABLE uploads (
    id           TEXT PRIMARY KEY,
    space_id     TEXT NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
    content_id   INTEGER NOT NULL REFERENCES upload_contents (id) ON DELETE CASCADE,
    filename     TEXT NOT NULL,
    content_type TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO uploads VALUES ('0198b8a0-0000-7000-8000-000000000002', '01a22660-2527-7357-a56c-6fbf95e2d1aa', 1, 'a.txt', 'text/plain', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', 1790000000000000);
CREATE INDEX uploads_of_content ON uploads (content_id);
CREATE INDEX uploads_of_space ON uploads (space_id, id);
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
INSERT INTO tasks VALUES (1, '01a22660-29ba-718c-8e43-5c0653299bf7', '01a22660-2527-7357-a56c-6fbf95e2d1aa', 'Sweep', '', 'not_started', 2, '', NULL, NULL, 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', 'operator', '01a22660-2526-75a2-8421-28c41cfd9ef5', 0, NULL, NULL, NULL, NULL, 0, 5, 0, 1, 1795940166074386, 1795940166074386, NULL);
INSERT INTO tasks VALUES (2, '01a22660-29bd-76e7-abec-60f4b9316c38', '01a22660-2527-7357-a56c-6fbf95e2d1aa', 'Mop', '', 'not_started', 1, '', NULL, NULL, 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', 'operator', '01a22660-2526-75a2-8421-28c41cfd9ef5', 0, NULL, NULL, NULL, NULL, 0, 5, 1, 2, 1795940166077879, 1795940166081629, NULL);
CREATE INDEX tasks_of_space ON tasks (space_id, seq);
CREATE INDEX tasks_by_status ON tasks (space_id, status, seq);
CREATE INDEX tasks_by_assignee ON tasks (space_id, assignee, seq) WHERE assignee <> '';
CREATE INDEX tasks_free ON tasks (space_id, status, assignee, priority, seq) WHERE holder IS NULL AND waiting_on = 0;
CREATE INDEX tasks_held ON tasks (holder) WHERE holder IS NOT NULL;
CREATE INDEX tasks_finished ON tasks (finished_at) WHERE finished_at IS NOT NULL;
CREATE TABLE task_dependencies (
    task       INTEGER NOT NULL REFERENCES tasks (seq) ON DELETE CASCADE,
    depends_on INTEGER NOT NULL REFERENCES tasks (seq) ON DELETE CASCADE,
    PRIMARY KEY (task, depends_on),
    CHECK (task <> depends_on)
) STRICT, WITHOUT ROWID;
INSERT INTO task_dependencies VALUES (2, 1);
CREATE INDEX task_dependencies_back ON task_dependencies (depends_on, task);
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
INSERT INTO task_history VALUES (1, 1, 1795940166074386, 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', 'status', NULL, 'not_started');
INSERT INTO task_history VALUES (2, 1, 1795940166077879, 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', 'status', NULL, 'not_started');
INSERT INTO task_history VALUES (2, 2, 1795940166081629, 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', 'priority', 'medium', 'high');
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
INSERT INTO messages VALUES (1, '01a22660-29b1-7144-b814-06c229c04cba', '01a22660-2527-7357-a56c-6fbf95e2d1aa', 1, 'main', 'text', NULL, '01a22660-29b1-7144-b814-06c229c04cba', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', 'operator', NULL, 'Is it done?', '[]', '[]', '{}', '{"+":1}', 273, 0, NULL, NULL, 0, 1795940166065501, 1795940166065501);
CREATE UNIQUE INDEX messages_in_order ON messages (space_id, seq);
CREATE INDEX messages_by_reader ON messages (space_id, addressee, seq);
CREATE INDEX messages_of_channel ON messages (space_id, channel, seq) WHERE addressee IS NULL;
CREATE INDEX messages_direct ON messages (space_id, author, seq) WHERE addressee IS NOT NULL;
CREATE INDEX messages_direct_of_channel ON messages (space_id, author, channel, seq) WHERE addressee IS NOT NULL;
CREATE INDEX messages_replies ON messages (parent_id, place) WHERE parent_id IS NOT NULL;
CREATE INDEX messages_due ON messages (expects_reply_by) WHERE awaits_reply = 1;
CREATE INDEX messages_pinned ON messages (space_id, seq) WHERE pinned = 1;
CREATE INDEX messages_of_tasks ON messages (space_id, task) WHERE task IS NOT NULL;
CREATE VIRTUAL TABLE message_words USING fts5 (
    content, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
DELETE FROM message_words_data;
INSERT INTO message_words_data VALUES (1, x'0103');
INSERT INTO message_words_data VALUES (10, x'00000001ff00000101010100010101010101000001');
INSERT INTO message_words_data VALUES (137438953473, x'0000002712306f366662663935653264316161646f6e650102040e0269730102020f0174010203041607');
DELETE FROM message_words_idx;
INSERT INTO message_words_idx VALUES (1, x'', 2);
DELETE FROM message_words_docsize;
INSERT INTO message_words_docsize VALUES (1, x'03', 1);
DELETE FROM message_words_config;
INSERT INTO message_words_config VALUES ('usermerge', 2);
INSERT INTO message_words_config VALUES ('version', 4);
CREATE TABLE message_counts (
    space_id TEXT PRIMARY KEY,
    last_seq INTEGER NOT NULL,
    messages INTEGER NOT NULL CHECK (messages >= 0),
    open     INTEGER NOT NULL CHECK (open BETWEEN 0 AND messages),
    bytes    INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO message_counts VALUES ('01a22660-2527-7357-a56c-6fbf95e2d1aa', 1, 1, 1, 273);
CREATE TABLE message_readers (
    space_id      TEXT NOT NULL,
    principal     TEXT NOT NULL,
    watermark     INTEGER NOT NULL DEFAULT 0,
    seen          INTEGER NOT NULL DEFAULT 0,
    direct_unread INTEGER NOT NULL DEFAULT 0,
    all_read_at   INTEGER,
    PRIMARY KEY (space_id, principal)
) STRICT, WITHOUT ROWID;
INSERT INTO message_readers VALUES ('01a22660-2527-7357-a56c-6fbf95e2d1aa', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', 1, 1, 0, NULL);
CREATE TABLE message_read_bits (
    space_id  TEXT NOT NULL,
    principal TEXT NOT NULL,
    bits      BLOB NOT NULL,
    PRIMARY KEY (space_id, principal)
) STRICT;
INSERT INTO message_read_bits VALUES ('01a22660-2527-7357-a56c-6fbf95e2d1aa', 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', x'01');
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
INSERT INTO message_receipts VALUES (1, 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', 'operator', '01a22660-2527-7357-a56c-6fbf95e2d1aa', 1, 'read', 1795940166065501);
CREATE INDEX message_receipts_of ON message_receipts (principal, space_id, seq);
CREATE TABLE message_reactions (
    place     INTEGER NOT NULL REFERENCES messages (place) ON DELETE CASCADE,
    principal TEXT NOT NULL,
    emoji     TEXT NOT NULL,
    PRIMARY KEY (place, principal, emoji)
) STRICT, WITHOUT ROWID;
INSERT INTO message_reactions VALUES (1, 'user:01a22660-2526-75a2-8421-28c41cfd9ef5', '+');
CREATE TABLE message_client_ids (
    author     TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    message_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (author, client_id)
) STRICT, WITHOUT ROWID;
INSERT INTO message_client_ids VALUES ('user:01a22660-2526-75a2-8421-28c41cfd9ef5', 'dump', '01a22660-29b1-7144-b814-06c229c04cba', 1795940166065501);
CREATE INDEX message_client_ids_by_age ON message_client_ids (created_at);
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
INSERT INTO requests VALUES ('01a22660-29cc-76b3-b6a5-b271776d7c6e', 'scope', 'pending', '01a22660-2593-7025-bfdf-fb82712af847', 1795940166092130, 1796026566092130, 600, NULL, NULL, NULL, NULL, NULL, NULL, NULL, x'c98530a1d2b7cd749f0fa450811f24b733769e941608f80ff07764d37832d5cb', 0, 'to see', '{"scope":["agents.logs"]}', NULL, NULL, NULL);
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
CREATE TABLE changes (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind = 'request' OR kind = 'operation' OR kind = 'agent'),
    ref  TEXT NOT NULL
) STRICT;
INSERT INTO changes VALUES (1, 'agent', '01a22660-2593-7025-bfdf-fb82712af847');
INSERT INTO changes VALUES (2, 'agent', '01a22660-2593-7025-bfdf-fb82712af847');
INSERT INTO changes VALUES (3, 'agent', '01a22660-295f-70d6-92b5-174f6d6c3062');
INSERT INTO changes VALUES (4, 'agent', '01a22660-295f-70d6-92b5-174f6d6c3062');
INSERT INTO changes VALUES (5, 'agent', '01a22660-2593-7025-bfdf-fb82712af847');
INSERT INTO changes VALUES (6, 'agent', '01a22660-295f-70d6-92b5-174f6d6c3062');
INSERT INTO changes VALUES (7, 'agent', '01a22660-29a7-74b3-abee-7cf30cd84832');
INSERT INTO changes VALUES (8, 'request', '01a22660-29cc-76b3-b6a5-b271776d7c6e');
INSERT INTO changes VALUES (9, 'operation', '0198b8a0-0000-7000-8000-000000000001');
INSERT INTO changes VALUES (10, 'operation', '0198b8a0-0000-7000-8000-000000000001');
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
INSERT INTO tripwires VALUES ('0198b8a0-0000-7000-8000-000000000003', '01a22660-2593-7025-bfdf-fb82712af847', 'agent_token', x'60d1561b8ea7495e6cea49dacf731e0ca22bed0562aca922ef1a77f5ad0f8dcd', '/root/.token', 1, 0, 'user:operator', 1790000000000000, 0, NULL, NULL);
CREATE UNIQUE INDEX tripwires_of_agent ON tripwires (agent_id, path);
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
INSERT INTO joins VALUES ('0198b8a0-0000-7000-8000-000000000005', x'578a8a49bbf1474204f71fb72b4360dc0390072698d51d84892441087962f927', 'denied', 'walker', 'ABCD-EFGH', '127.0.0.1', 'why', NULL, NULL, NULL, 0, NULL, NULL, '01a22660-2526-75a2-8421-28c41cfd9ef5', 'user:operator', NULL, 1790000000000000, 9000000000000000, 1790000000000000, NULL);
CREATE INDEX joins_by_age ON joins (created_at, id);
CREATE INDEX joins_of_decider ON joins (decider_id, created_at, id);
CREATE INDEX joins_of_agent ON joins (agent_id) WHERE agent_id IS NOT NULL;
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
INSERT INTO channels VALUES ('0198b8a0-0000-7000-8000-000000000006', '01a22660-2526-75a2-8421-28c41cfd9ef5', 0, 'ntfy', '[]', 'high', 1790000000000000, 1790000000000000, 0, NULL, NULL, NULL, 'https://ntfy.invalid/dump', NULL);
CREATE INDEX channels_of_user ON channels (user_id, created_at, id);
CREATE TABLE channel_outbox (
    channel_id      TEXT NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    notification_id TEXT NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    queued_at       INTEGER NOT NULL,
    PRIMARY KEY (channel_id, notification_id)
) STRICT, WITHOUT ROWID;
INSERT INTO channel_outbox VALUES ('0198b8a0-0000-7000-8000-000000000006', '01a22660-29a2-754c-90ed-022de10c8c86', 9000000000000000);
CREATE INDEX channel_outbox_of_notification ON channel_outbox (notification_id);
CREATE INDEX channel_outbox_by_age ON channel_outbox (queued_at);
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
CREATE TRIGGER oauth_grants_live AFTER UPDATE OF state ON credentials
WHEN new.kind = 'oauth_grant' AND new.state <> old.state
BEGIN
    UPDATE oauth_grants SET live = (new.state = 'active') WHERE credential_id = new.id;
END;
CREATE TRIGGER audit_spans_grow AFTER INSERT ON audit WHEN new.seq % 1024 = 1023
BEGIN
    INSERT OR REPLACE INTO audit_spans (span, min_at, max_at)
        SELECT new.seq / 1024, min(at), max(at) FROM audit WHERE seq BETWEEN new.seq - 1023 AND new.seq;
END;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
BEGIN
    SELECT raise(ABORT, 'audit rows are never changed');
END;
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
CREATE TRIGGER workspace_usage_of_a_space_goes AFTER DELETE ON spaces
BEGIN
    DELETE FROM workspace_usage WHERE holder = 'space:' || old.id;
END;
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
CREATE TRIGGER messages_of_a_task_may_go AFTER DELETE ON tasks
BEGIN
    UPDATE messages SET task = NULL WHERE space_id = old.space_id AND task = old.id;
END;
CREATE TRIGGER requests_take_their_grant_back AFTER UPDATE OF state ON requests
    WHEN old.state = 'approved' AND new.state <> 'approved'
BEGIN
    DELETE FROM grants WHERE request_id = new.id;
END;
CREATE TRIGGER requests_end_with_their_grant AFTER DELETE ON grants WHEN old.request_id IS NOT NULL
BEGIN
    UPDATE requests SET state = 'revoked', untold = 1 WHERE id = old.request_id AND state = 'approved';
END;
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
COMMIT;
