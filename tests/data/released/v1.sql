PRAGMA application_id = 1952542579;
PRAGMA user_version = 1;
BEGIN;
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('audit_head', '12:1dd791f0c8bf892e3c4f37c29c8b3f025181bf4857036b6beacfdb4b2529db7f');
INSERT INTO meta VALUES ('install_id', '01a20191-6d10-763e-b736-d249e2d4dcbb');
CREATE TABLE users (
    id           TEXT PRIMARY KEY,
    username     TEXT NOT NULL UNIQUE CHECK (username GLOB '[a-z]*' AND length(username) BETWEEN 1 AND 32),
    display_name TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('admin', 'member')),
    disabled     INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO users VALUES ('01a20191-6d0f-747a-ba68-4101e6e7b0de', 'operator', 'Operator', 'admin', 0, 1795322637583931, 1795322637583931);
INSERT INTO users VALUES ('01a20191-6d48-752a-ab15-d133bb629e5c', 'ann', 'ann', 'member', 0, 1795322637640283, 1795322637640283);
CREATE TABLE spaces (
    id            TEXT PRIMARY KEY,
    slug          TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    visibility    TEXT NOT NULL CHECK (visibility IN ('private', 'public')),
    owner_user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    is_default    INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO spaces VALUES ('01a20191-6d10-763e-b736-d248a3b333ed', 'operator', 'operator', 'private', '01a20191-6d0f-747a-ba68-4101e6e7b0de', 1, 1795322637583931);
INSERT INTO spaces VALUES ('01a20191-6d48-752a-ab15-d1348f62969b', 'ann', 'ann', 'private', '01a20191-6d48-752a-ab15-d133bb629e5c', 1, 1795322637640283);
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
INSERT INTO agents VALUES ('01a20191-6d1b-7058-9f8d-03c8605b8485', 'atlas', NULL, 'atlas', 'space_agent', '01a20191-6d0f-747a-ba68-4101e6e7b0de', '01a20191-6d10-763e-b736-d248a3b333ed', '01a20191-6d10-763e-b736-d248a3b333ed', 'user:operator', '', '', '#102030', NULL, 0, 'none', NULL, '[]', NULL, 'pause', 'It''s calm.
', '', NULL, 'none', 'registered', 0, NULL, NULL, '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', 'not_injected', 1795322637628228, NULL, NULL, 2, 1795322637595107, 1795322637635733, NULL, NULL);
INSERT INTO agents VALUES ('01a20191-6d40-760d-8ce2-f5f15d6ad473', 'bert', NULL, 'bert', 'space_agent', '01a20191-6d0f-747a-ba68-4101e6e7b0de', '01a20191-6d10-763e-b736-d248a3b333ed', '01a20191-6d10-763e-b736-d248a3b333ed', 'user:operator', '', '', '#102030', NULL, 0, 'none', NULL, '[]', NULL, 'pause', '', '', NULL, 'none', 'registered', 0, NULL, NULL, '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', 'not_injected', 1795322637633816, NULL, NULL, 2, 1795322637632100, 1795322637637780, 1795322637637780, NULL);
CREATE UNIQUE INDEX agents_live_slug ON agents (slug) WHERE archived_at IS NULL;
CREATE UNIQUE INDEX agents_live_given_name ON agents (lower(given_name)) WHERE archived_at IS NULL AND given_name IS NOT NULL;
CREATE UNIQUE INDEX agents_container ON agents (container_name) WHERE container_name IS NOT NULL;
CREATE INDEX agents_live_by_age ON agents (created_at, id) WHERE archived_at IS NULL;
CREATE INDEX agents_archived_by_age ON agents (archived_at, id) WHERE archived_at IS NOT NULL;
CREATE INDEX agents_by_owner ON agents (owner_user_id);
CREATE TABLE credentials (
    id           TEXT PRIMARY KEY,
    kind         TEXT NOT NULL CHECK (kind IN ('agent_token', 'user_token', 'user_pat', 'agent_pat', 'enrollment', 'agent_key', 'session')),
    key_id       TEXT NOT NULL UNIQUE CHECK (length(key_id) = 10),
    secret_hash  BLOB NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    user_id      TEXT REFERENCES users (id) ON DELETE CASCADE,
    agent_id     TEXT REFERENCES agents (id) ON DELETE CASCADE,
    scopes       TEXT NOT NULL CHECK (json_valid(scopes)),
    label        TEXT NOT NULL DEFAULT '',
    state        TEXT NOT NULL CHECK (state IN ('pending', 'active', 'grace', 'revoked', 'expired', 'pending_enrollment')),
    issued_by    TEXT NOT NULL,
    issued_at    INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER,
    CHECK (user_id IS NOT NULL OR agent_id IS NOT NULL OR kind = 'enrollment'),
    CHECK (kind <> 'agent_token' OR agent_id IS NOT NULL),
    CHECK ((state = 'revoked') = (revoked_at IS NOT NULL)),
    CHECK (state <> 'grace' OR expires_at IS NOT NULL)
) STRICT, WITHOUT ROWID;
INSERT INTO credentials VALUES ('01a20191-6d10-763e-b736-d24abd49a0cc', 'user_token', 'V7I8NeKC7a', x'250e70551ce28a3fb99103b8ee372807dd373b4f85b3ba6a58664e6105d88e9e', '01a20191-6d0f-747a-ba68-4101e6e7b0de', NULL, '["*"]', 'operator.token', 'active', 'system', 1795322637583931, NULL, 1795322637645852, NULL);
INSERT INTO credentials VALUES ('01a20191-6d3c-70a3-b4bd-00dd748e36c5', 'agent_token', '04CuLe2Y6W', x'f52e5e8a8195412115bbfee4f018a1deaf5fcef261f5e92282d3d356bcc0ae3a', NULL, '01a20191-6d1b-7058-9f8d-03c8605b8485', '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', '', 'active', 'user:operator', 1795322637628228, NULL, NULL, NULL);
INSERT INTO credentials VALUES ('01a20191-6d42-71cd-b401-071983b07e83', 'agent_token', '5gCf47LilX', x'a11a65cf0fcd8723d3254fd8a1dd96be68f2eb88fb62b1a37252e5884d03f598', NULL, '01a20191-6d40-760d-8ce2-f5f15d6ad473', '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', '', 'revoked', 'user:operator', 1795322637633816, NULL, NULL, 1795322637637780);
INSERT INTO credentials VALUES ('01a20191-6d49-72de-8fc5-52ec5427de76', 'user_token', 'LdK2BvocBa', x'294b9515391d5065d521f55c6f2045cf8031a2f74e1e09f459322d6705ac2949', '01a20191-6d48-752a-ab15-d133bb629e5c', NULL, '["*"]', 'laptop', 'active', 'user:operator', 1795322637641793, 1803098637641793, NULL, NULL);
CREATE UNIQUE INDEX credentials_one_active_agent_token ON credentials (agent_id)
    WHERE kind = 'agent_token' AND state = 'active' AND revoked_at IS NULL;
CREATE UNIQUE INDEX credentials_one_grace_agent_token ON credentials (agent_id)
    WHERE kind = 'agent_token' AND state = 'grace' AND revoked_at IS NULL;
CREATE INDEX credentials_by_agent ON credentials (agent_id, kind, state) WHERE agent_id IS NOT NULL;
CREATE INDEX credentials_by_user ON credentials (user_id, issued_at) WHERE user_id IS NOT NULL;
CREATE INDEX credentials_by_expiry ON credentials (expires_at) WHERE expires_at IS NOT NULL AND state IN ('active', 'grace');
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
INSERT INTO grants VALUES ('01a20191-6d10-763e-b736-d24b85ba17f1', '01a20191-6d0f-747a-ba68-4101e6e7b0de', NULL, NULL, 'creator', 'system', 1795322637583931);
INSERT INTO grants VALUES ('01a20191-6d1b-7058-9f8d-03c928bbc89e', '01a20191-6d0f-747a-ba68-4101e6e7b0de', NULL, '01a20191-6d1b-7058-9f8d-03c8605b8485', 'owner', 'user:operator', 1795322637595107);
INSERT INTO grants VALUES ('01a20191-6d4c-7205-a607-6366c4f1fe28', '01a20191-6d48-752a-ab15-d133bb629e5c', NULL, '01a20191-6d1b-7058-9f8d-03c8605b8485', 'viewer', 'user:operator', 1795322637644316);
CREATE UNIQUE INDEX grants_of_user ON grants (principal_user_id, coalesce(agent_id, '*')) WHERE principal_user_id IS NOT NULL;
CREATE UNIQUE INDEX grants_of_agent ON grants (principal_agent_id, coalesce(agent_id, '*')) WHERE principal_agent_id IS NOT NULL;
CREATE INDEX grants_on_agent ON grants (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX grants_by_age ON grants (granted_at, id);
CREATE TABLE operations (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL CHECK (kind IN ('start', 'stop', 'restart', 'pause', 'resume', 'bulk', 'deploy', 'archive', 'restore', 'purge', 'migrate')),
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
INSERT INTO idempotency VALUES ('user:01a20191-6d0f-747a-ba68-4101e6e7b0de', 'POST /api/agents', 'atlas', x'c105fd6cac80c2a63df7d47dfac251ae38787adfe552d33814aa81ae6abf4173', '01a20191-6d18-7443-8b7d-cfcc54082cd2', 1795322637594558, 200, '{"content-type":"application/json","cache-control":"no-store","location":"/api/agents/atlas"}', x'7b22737461747573223a2263726561746564222c226964223a2230316132303139312d366431622d373035382d396638642d303363383630356238343835222c226e616d65223a2261746c6173222c22646973706c61795f6e616d65223a2261746c6173227d');
INSERT INTO idempotency VALUES ('user:01a20191-6d0f-747a-ba68-4101e6e7b0de', 'POST /api/agents', 'bert', x'7c14c14278f7be408cbc48e608b5416c4081aa82df5ae3ecb92e39c6b6b00053', '01a20191-6d18-7443-8b7d-cfcc54082cd2', 1795322637631540, 200, '{"content-type":"application/json","cache-control":"no-store","location":"/api/agents/bert"}', x'7b22737461747573223a2263726561746564222c226964223a2230316132303139312d366434302d373630642d386365322d663566313564366164343733222c226e616d65223a2262657274222c22646973706c61795f6e616d65223a2262657274227d');
INSERT INTO idempotency VALUES ('user:01a20191-6d0f-747a-ba68-4101e6e7b0de', 'POST /api/ui/notify', 'dump', x'ec33ecc0eab49a85173b6533a13a91bdd7f191a70430d210c7dc7a21acce8928', '01a20191-6d18-7443-8b7d-cfcc54082cd2', 1795322637645987, 200, '{"content-type":"application/json","cache-control":"no-store"}', x'7b2264656c697665726564223a747275652c226e6f74696669636174696f6e5f6964223a2230316132303139312d366434652d373764332d616336372d653939396232333164303332227d');
INSERT INTO idempotency VALUES ('user:01a20191-6d0f-747a-ba68-4101e6e7b0de', 'POST /api/users', 'dump', x'8a3a9e159ff5367cd0eb37abd2dd7153940591d1046ef63fa7d9eb086b2e3e22', '01a20191-6d18-7443-8b7d-cfcc54082cd2', 1795322637639804, 201, '{"content-type":"application/json","cache-control":"no-store","location":"/api/users/ann"}', x'7b226964223a2230316132303139312d366434382d373532612d616231352d643133336262363239653563222c22757365726e616d65223a22616e6e222c22646973706c61795f6e616d65223a22616e6e222c22726f6c65223a226d656d626572222c2264697361626c6564223a66616c73652c22637265617465645f6174223a22323032362d31312d32325430343a34333a35372e3634305a222c22757064617465645f6174223a22323032362d31312d32325430343a34333a35372e3634305a227d');
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
INSERT INTO audit VALUES (1, 1795322637583931, 'system', 'users.token.issue', 'credential:01a20191-6d10-763e-b736-d24abd49a0cc', 'ok', 1, '-', x'0000000000000000000000000000000000000000000000000000000000000000', x'7fdf25ea46f881040b26909ff9bf84cbe784269becfc64c7f0ca864b97f28b7c');
INSERT INTO audit VALUES (2, 1795322637583931, 'system', 'users.create', 'user:01a20191-6d0f-747a-ba68-4101e6e7b0de', 'ok', 1, '-', x'7fdf25ea46f881040b26909ff9bf84cbe784269becfc64c7f0ca864b97f28b7c', x'48d1a589091ed686c29e0bf0e5e30c92a7711985927288abcccf7c26ffa52d67');
INSERT INTO audit VALUES (3, 1795322637595107, 'user:operator', 'agents.create', 'agent:01a20191-6d1b-7058-9f8d-03c8605b8485', 'ok', 1, '72846658-1', x'48d1a589091ed686c29e0bf0e5e30c92a7711985927288abcccf7c26ffa52d67', x'cdd39a5384b109e17d1a0d0ee925ea3b9ce814ffc46184651176fa986dd6b586');
INSERT INTO audit VALUES (4, 1795322637628228, 'user:operator', 'agents.token.issue', 'agent:01a20191-6d1b-7058-9f8d-03c8605b8485', 'ok', 1, '72846658-2', x'cdd39a5384b109e17d1a0d0ee925ea3b9ce814ffc46184651176fa986dd6b586', x'8b341498cf514700fcaef6efde20ca12a51e41362f49f7eec4fda21630e6b5de');
INSERT INTO audit VALUES (5, 1795322637632100, 'user:operator', 'agents.create', 'agent:01a20191-6d40-760d-8ce2-f5f15d6ad473', 'ok', 1, '72846658-3', x'8b341498cf514700fcaef6efde20ca12a51e41362f49f7eec4fda21630e6b5de', x'48d6148e1685da5d872ddfa4e7deb619969cc119f34703a04935641694cb0ca9');
INSERT INTO audit VALUES (6, 1795322637633816, 'user:operator', 'agents.token.issue', 'agent:01a20191-6d40-760d-8ce2-f5f15d6ad473', 'ok', 1, '72846658-4', x'48d6148e1685da5d872ddfa4e7deb619969cc119f34703a04935641694cb0ca9', x'738c5ea2ae234638126002e8e6cd3b08fd54def19ecb37f84d29802e603f618a');
INSERT INTO audit VALUES (7, 1795322637635733, 'user:operator', 'agents.update', 'agent:01a20191-6d1b-7058-9f8d-03c8605b8485', 'ok', 1, '72846658-5', x'738c5ea2ae234638126002e8e6cd3b08fd54def19ecb37f84d29802e603f618a', x'c8f10a22ca6688ba130334061fac55d40533ad73e532fc1bb0fad5e5e27e1bce');
INSERT INTO audit VALUES (8, 1795322637637780, 'user:operator', 'agents.delete', 'agent:01a20191-6d40-760d-8ce2-f5f15d6ad473', 'ok', 1, '72846658-6', x'c8f10a22ca6688ba130334061fac55d40533ad73e532fc1bb0fad5e5e27e1bce', x'40879e5a24013d3339e863535f9bd1dafec3888b1e19c7c56131f669222ef54b');
INSERT INTO audit VALUES (9, 1795322637640283, 'user:operator', 'users.create', 'user:01a20191-6d48-752a-ab15-d133bb629e5c', 'ok', 1, '72846658-7', x'40879e5a24013d3339e863535f9bd1dafec3888b1e19c7c56131f669222ef54b', x'64f21cd30b56287416e222c185c7f514877647c86da4a1a69c5f4dbf94a70c1b');
INSERT INTO audit VALUES (10, 1795322637641793, 'user:operator', 'users.token.issue', 'credential:01a20191-6d49-72de-8fc5-52ec5427de76', 'ok', 1, '72846658-8', x'64f21cd30b56287416e222c185c7f514877647c86da4a1a69c5f4dbf94a70c1b', x'b924a7a4e2f99dcf0eca552a18a0a18dee133f63a74ed2bf43cc0f545aaf4cf4');
INSERT INTO audit VALUES (11, 1795322637644316, 'user:operator', 'grants.create', 'agent:01a20191-6d1b-7058-9f8d-03c8605b8485', 'ok', 1, '72846658-a', x'b924a7a4e2f99dcf0eca552a18a0a18dee133f63a74ed2bf43cc0f545aaf4cf4', x'5d71c25f4757818c76c8aa54a35243c7ee3f2c8ffde0f729d9bd33ce084a904a');
INSERT INTO audit VALUES (12, 1795322637647563, 'peer:127.0.0.1', 'agents.list', 'GET /api/agents', 'denied', 1, '72846658-c', x'5d71c25f4757818c76c8aa54a35243c7ee3f2c8ffde0f729d9bd33ce084a904a', x'1dd791f0c8bf892e3c4f37c29c8b3f025181bf4857036b6beacfdb4b2529db7f');
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
INSERT INTO notifications VALUES (1, '01a20191-6d4e-77d3-ac67-e999b231d032', '01a20191-6d0f-747a-ba68-4101e6e7b0de', NULL, 'user:operator', NULL, 'normal', 'Ready', 'All is set up.', NULL, 0, 1795322637646402);
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
INSERT INTO notification_counts VALUES ('user:01a20191-6d0f-747a-ba68-4101e6e7b0de', 1, 1);
CREATE INDEX notification_counts_by_total ON notification_counts (total);
CREATE TABLE webhook_outbox (
    notification_id TEXT PRIMARY KEY REFERENCES notifications (id) ON DELETE CASCADE,
    attempts        INTEGER NOT NULL DEFAULT 0,
    queued_at       INTEGER NOT NULL,
    next_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO webhook_outbox VALUES ('01a20191-6d4e-77d3-ac67-e999b231d032', 0, 1795322637646402, 1795322637646402);
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
INSERT INTO knowledge_items VALUES (1, '01a20191-6d14-7756-a455-29393c023fd0', 'agent-docs', 'taos-core', '/docs/agents/README', 'taosd for agents and scripts', 'taosd', 'taosd keeps the register of the agents on this box, issues their tokens and says who may do what. Everything here is served by the daemon itself: curl gets Markdown, a browser gets HTML, with or witho', '# taosd for agents and scripts

`taosd` keeps the register of the agents on this box, issues their tokens and says who may do what. Everything here is
served by the daemon itself: `curl` gets Markdown, a browser gets HTML, with or without `.md`.

Start with [Getting started](/docs/agents/getting-started.md): a token, a first call, and how to find the rest.

| When you want to | Read |
| --- | --- |
| make your first call, find routes, know the rules of every request | [Getting started](/docs/agents/getting-started.md) |
| list, create, change, start, stop, archive, restore, purge, export or import agents, read their logs | [Managing agents](/docs/agents/recipes/managing-agents.md) |
| run an agent in a container | [Deploying](/docs/agents/recipes/deploying.md) |
| issue, rotate or revoke an agent''s token | [Tokens and rotation](/docs/agents/recipes/tokens-and-rotation.md) |
| add people, issue and revoke their tokens | [Users and tokens](/docs/agents/recipes/users-and-tokens.md) |
| tell your owner something, read or watch notifications | [Notifying the user](/docs/agents/recipes/notifying-the-user.md) |
| search the documentation, read the system prompt, add documents | [Reading knowledge](/docs/agents/recipes/reading-knowledge.md) |
| find out why something fails | [Troubleshooting](/docs/agents/recipes/troubleshooting.md) |
| know what scopes, roles and grants allow, and read the audit | [Permissions](/docs/agents/concepts/permissions.md) |
| know who is who: users, agents, credentials | [Identity](/docs/agents/concepts/identity.md) |
| follow or cancel slow work | [Operations](/docs/agents/concepts/operations.md) |
| know what knowledge is and where it comes from | [Knowledge](/docs/agents/concepts/knowledge.md) |
| look up an error code | [Errors](/docs/agents/errors.md) |

The routes are listed by [GET /api](/api) and described by [GET /openapi.json](/openapi.json).
', '["agent-docs"]', x'd8f8a4c25636d6a4d83f5a7a3c4e7faf1a406cc21aec50e33e486098b8083fac', 1795322637588310, 1795322637588310);
INSERT INTO knowledge_items VALUES (2, '01a20191-6d14-7756-a455-293abb7ca87b', 'agent-docs', 'taos-core', '/docs/agents/getting-started', 'Getting started', 'taosd', 'All examples use two values: $TAOS_URL, the daemon''s address (http://127.0.0.1:6969 unless it was set otherwise), and $TAOS_TOKEN, your token. Inside an agent''s container TAOS_TOKEN is the agent''s own', '# Getting started

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
', '["agent-docs"]', x'3ff912c65fdb11540f758f69454d2d1f76056f63ea85d0f8e1c5a8a7fb91b9d8', 1795322637588310, 1795322637588310);
INSERT INTO knowledge_items VALUES (3, '01a20191-6d14-7756-a455-293bc296fe38', 'agent-docs', 'taos-core', '/docs/agents/concepts/permissions', 'Permissions', 'taosd', 'Two things must both allow a request. The scopes of the credential say what it may do at all. The role of the caller says on which agent it may do that.', '# Permissions

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
| `agents.list` | List agents. |  |
| `agents.read` | Read one agent. |  |
| `agents.create` | Create or import an agent. |  |
| `agents.update` | Change an agent''s settings, persona, memory or model. |  |
| `agents.permissions` | Change what an agent may do. |  |
| `agents.delete` | Archive an agent. |  |
| `agents.restore` | Bring an archived agent back. |  |
| `agents.purge` | Remove an archived agent for good. |  |
| `agents.export` | Export an agent''s settings. |  |
| `agents.lifecycle` | Start, stop, restart, pause and resume. |  |
| `agents.logs` | Read an agent''s logs. |  |
| `agents.deploy` | Deploy an agent into a container. |  |
| `agents.token.issue` | Issue an agent''s token. |  |
| `agents.token.read` | Read what is known of an agent''s token. |  |
| `agents.token.revoke` | Revoke an agent''s token. |  |
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
| `ui.notify` | Send the owner a notification. |  |
| `notifications.read` | Read notifications. |  |
| `notifications.update` | Mark notifications as read. |  |
| `notifications.delete` | Delete notifications. |  |
| `knowledge.read` | Read and search the knowledge. |  |
| `knowledge.write` | Write a source of knowledge. |  |
| `operations.read` | Follow long work. |  |
| `operations.cancel` | Cancel long work. |  |
| `audit.read` | Read the audit chain. | needed |
| `metrics.read` | Read the metrics. |  |

These may stand in scopes too; no route of this version needs them: `auth.logout`, `agents.register`, `agents.keys.create`, `agents.keys.read`, `agents.keys.delete`, `agents.forward`, `agents.presence`, `agents.heartbeat`, `agents.processing`, `agents.place`, `deployments.create`, `deployments.read`, `deployments.promote`, `deployments.delete`, `backups.create`, `backups.list`, `spaces.list`, `spaces.read`, `spaces.create`, `messages.send`, `messages.list`, `messages.read`, `messages.edit`, `messages.delete`, `messages.mark`, `messages.search`, `tasks.create`, `tasks.list`, `tasks.read`, `tasks.update`, `context.write`, `context.list`, `context.read`, `context.delete`, `uploads.create`, `uploads.read`, `events.read`, `keys.create`, `keys.list`, `keys.rotate`, `keys.revoke`, `credentials.issue`, `credentials.list`, `credentials.revoke`, `credentials.fingerprint`.

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
', '["agent-docs"]', x'2834094afa8bb68542e82988213889d5aaadd4e9c668ef08bd284e0769f9a323', 1795322637588310, 1795322637588310);
INSERT INTO knowledge_items VALUES (4, '01a20191-6d15-714e-8227-798f5f92636b', 'agent-docs', 'taos-core', '/docs/agents/concepts/identity', 'Identity', 'taosd', 'Who acts is a user or an agent. Each comes with a credential; the daemon keeps only a hash of it.', '# Identity

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
', '["agent-docs"]', x'84d86873b09830b95c8fcd58aaffeacb806352cb561569c78762d24e18aeab21', 1795322637588310, 1795322637588310);
INSERT INTO knowledge_items VALUES (5, '01a20191-6d15-714e-8227-79901dc17f49', 'agent-docs', 'taos-core', '/docs/agents/concepts/operations', 'Operations', 'taosd', 'Whatever waits for a container (deploying, starting, stopping, archiving with a container, and so on) is an operation: a row that is on disk before the request is answered, and that has an end whateve', '# Operations

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
', '["agent-docs"]', x'828a27585d074781accc876eacade807b73840be5d517b73ad82d88f88048aab', 1795322637588310, 1795322637588310);
INSERT INTO knowledge_items VALUES (6, '01a20191-6d15-714e-8227-79917e46f4eb', 'agent-docs', 'taos-core', '/docs/agents/concepts/knowledge', 'Knowledge', 'taosd', 'Knowledge is a set of documents that every agent with knowledge.read can search and read, and from which its system prompt is put together.', '# Knowledge

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
', '["agent-docs"]', x'f187fa6a23c1eba648f5e9bda9086b0513b4e926356ce26b78c5c7c6c8b42261', 1795322637588310, 1795322637588310);
INSERT INTO knowledge_items VALUES (7, '01a20191-6d15-714e-8227-7992d33f5329', 'agent-docs', 'taos-core', '/docs/agents/recipes/managing-agents', 'Managing agents', 'taosd', 'The register: what agents there are, what they are called, and what they may do. An agent that is created here is a record with the status registered; Deploying gives one a container.', '# Managing agents

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
', '["agent-docs"]', x'bde7ec8b0fb70111b43925ef0531933076acec6ab857493760bacbd67b8fcfd6', 1795322637588310, 1795322637588310);
INSERT INTO knowledge_items VALUES (8, '01a20191-6d15-714e-8227-79932c144d0d', 'agent-docs', 'taos-core', '/docs/agents/recipes/deploying', 'Deploying', 'taosd', 'An agent in a container of its own: the daemon makes the container, gives it a token and starts it. Nobody copies a secret.', '# Deploying

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
', '["agent-docs"]', x'd43f0be9c21fb56963bae735e27d8af95e204622eac4311d7bd5d2d7360a11b0', 1795322637588310, 1795322637588310);
INSERT INTO knowledge_items VALUES (9, '01a20191-6d15-714e-8227-799418fe7bb4', 'agent-docs', 'taos-core', '/docs/agents/recipes/tokens-and-rotation', 'Tokens and rotation', 'taosd', 'An agent has one active token. Issuing another one replaces it, in one transaction: at no moment are there two active ones, and none is ever shown twice.', '# Tokens and rotation

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
', '["agent-docs"]', x'8f7d162a2f9476fd85db3ffa4c00136b69787c9ae94a03dc99538c90c2a2782a', 1795322637588310, 1795322637588310);
INSERT INTO knowledge_items VALUES (10, '01a20191-6d16-71b7-9ba1-94e406cff876', 'agent-docs', 'taos-core', '/docs/agents/recipes/users-and-tokens', 'Users and tokens', 'taosd', 'People and scripts. All of this needs the role admin, except that every user may read itself and look after its own tokens.', '# Users and tokens

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
', '["agent-docs"]', x'974809c37537a84b5b8daf45f759167c83198b2af7de1e3d1a91500707ea9663', 1795322637588310, 1795322637588310);
INSERT INTO knowledge_items VALUES (11, '01a20191-6d16-71b7-9ba1-94e5ac72f749', 'agent-docs', 'taos-core', '/docs/agents/recipes/notifying-the-user', 'Notifying the user', 'taosd', 'An agent tells its owner something; a user tells itself. The notification is stored before the answer is sent, and it is seen on the page of the box, by taosctl, on a stream and, where the operator ha', '# Notifying the user

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
', '["agent-docs"]', x'e8cfd2d57b548ce4ad0ac29dca5c5e0855072e9794ef9d78a496c3843aad3262', 1795322637588310, 1795322637588310);
INSERT INTO knowledge_items VALUES (12, '01a20191-6d16-71b7-9ba1-94e6177d134f', 'agent-docs', 'taos-core', '/docs/agents/recipes/reading-knowledge', 'Reading knowledge', 'taosd', 'The box keeps documents that agents can search: its own documentation, and what apps add. What knowledge is and where it comes from: Knowledge.', '# Reading knowledge

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
', '["agent-docs"]', x'e251e78871e2f7a8a1c813db3c8628efafc645ea5ba95471af1e1f22d2a78d13', 1795322637588310, 1795322637588310);
INSERT INTO knowledge_items VALUES (13, '01a20191-6d16-71b7-9ba1-94e78c8471a5', 'agent-docs', 'taos-core', '/docs/agents/recipes/troubleshooting', 'Troubleshooting', 'taosd', 'Every reply has an X-Request-Id. The daemon''s log (stderr, or the journal) has one line for each request with that id, and the cause of a 500 or 503 beside it; the client is never told the cause. RUST', '# Troubleshooting

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
is wrong. Stop the daemon, keep the damaged file for a look later, put a backup in its place and check that.

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
{"status": "ready", "checks": {"database": "ok", "disk": "ok", "queue": "ok", "workers": "ok"}}
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
', '["agent-docs"]', x'a02356a70686dd97159d74f7754033408e42e04f07de2d5d0628f0701a779831', 1795322637588310, 1795322637588310);
INSERT INTO knowledge_items VALUES (14, '01a20191-6d16-71b7-9ba1-94e851866402', 'agent-docs', 'taos-core', '/docs/agents/errors', 'Errors', 'taosd', 'Every answer that is not a success has this body, whatever the route:', '# Errors

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

## doc_not_found

Status 404. There is no such page.

Fix: Start at /docs and follow the links.
', '["agent-docs"]', x'0fc48c7699c9aaf1c41fc62861821041c4c5b91b3347f5aba0a2e3daa8157a86', 1795322637588310, 1795322637588310);
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
