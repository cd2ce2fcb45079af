PRAGMA application_id = 1952542579;
PRAGMA user_version = 1;
BEGIN;
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('audit_head', '12:d559175750d914c29d143829150c3d1c1f036e0e9d99579f5a96a73481ee3b9b');
INSERT INTO meta VALUES ('install_id', '01a20169-ba8c-758d-a9c3-8759b56aaf20');
CREATE TABLE users (
    id           TEXT PRIMARY KEY,
    username     TEXT NOT NULL UNIQUE CHECK (username GLOB '[a-z]*' AND length(username) BETWEEN 1 AND 32),
    display_name TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('admin', 'member')),
    disabled     INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO users VALUES ('01a20169-ba8b-72e5-8552-48fc488f5cd6', 'operator', 'Operator', 'admin', 0, 1795320035979924, 1795320035979924);
INSERT INTO users VALUES ('01a20169-bab8-73e8-8efb-5beb391212fa', 'ann', 'ann', 'member', 0, 1795320036024867, 1795320036024867);
CREATE TABLE spaces (
    id            TEXT PRIMARY KEY,
    slug          TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    visibility    TEXT NOT NULL CHECK (visibility IN ('private', 'public')),
    owner_user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    is_default    INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO spaces VALUES ('01a20169-ba8c-758d-a9c3-875837a4de65', 'operator', 'operator', 'private', '01a20169-ba8b-72e5-8552-48fc488f5cd6', 1, 1795320035979924);
INSERT INTO spaces VALUES ('01a20169-bab8-73e8-8efb-5becc87ae26d', 'ann', 'ann', 'private', '01a20169-bab8-73e8-8efb-5beb391212fa', 1, 1795320036024867);
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
INSERT INTO agents VALUES ('01a20169-ba91-761d-b14e-ad01251c9644', 'atlas', NULL, 'atlas', 'space_agent', '01a20169-ba8b-72e5-8552-48fc488f5cd6', '01a20169-ba8c-758d-a9c3-875837a4de65', '01a20169-ba8c-758d-a9c3-875837a4de65', 'user:operator', '', '', '#102030', NULL, 0, 'none', NULL, '[]', NULL, 'pause', 'It''s calm.
', '', NULL, 'none', 'registered', 0, NULL, NULL, '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', 'not_injected', 1795320036011181, NULL, NULL, 2, 1795320035984989, 1795320036019823, NULL, NULL);
INSERT INTO agents VALUES ('01a20169-baaf-731b-891f-5a51d6335b50', 'bert', NULL, 'bert', 'space_agent', '01a20169-ba8b-72e5-8552-48fc488f5cd6', '01a20169-ba8c-758d-a9c3-875837a4de65', '01a20169-ba8c-758d-a9c3-875837a4de65', 'user:operator', '', '', '#102030', NULL, 0, 'none', NULL, '[]', NULL, 'pause', '', '', NULL, 'none', 'registered', 0, NULL, NULL, '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', 'not_injected', 1795320036017633, NULL, NULL, 2, 1795320036015537, 1795320036022059, 1795320036022059, NULL);
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
INSERT INTO credentials VALUES ('01a20169-ba8c-758d-a9c3-875af1b03957', 'user_token', 'gPak4NVQVk', x'250e70551ce28a3fb99103b8ee372807dd373b4f85b3ba6a58664e6105d88e9e', '01a20169-ba8b-72e5-8552-48fc488f5cd6', NULL, '["*"]', 'operator.token', 'active', 'system', 1795320035979924, NULL, 1795320036029526, NULL);
INSERT INTO credentials VALUES ('01a20169-baab-7389-912c-e35db7d8b210', 'agent_token', 'jwfgup1fvk', x'bd7c49ee09520cc5a7ff94bcd98b2c3031ff39c073182b0a204c9cd80693c6a7', NULL, '01a20169-ba91-761d-b14e-ad01251c9644', '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', '', 'active', 'user:operator', 1795320036011181, NULL, NULL, NULL);
INSERT INTO credentials VALUES ('01a20169-bab2-708b-b154-80bea950d1fd', 'agent_token', 'Bo7C5F1noA', x'4e52237b63ef93874aa6386125a82cafe1b6e804490ceba6c18c1cf2ddd08dde', NULL, '01a20169-baaf-731b-891f-5a51d6335b50', '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', '', 'revoked', 'user:operator', 1795320036017633, NULL, NULL, 1795320036022059);
INSERT INTO credentials VALUES ('01a20169-baba-71be-a25c-07e874b4262b', 'user_token', 'FWKk4Agv8i', x'69f801d0dd3446f67328e406180a45a1157d9ddc1a679859f9545515cee36e03', '01a20169-bab8-73e8-8efb-5beb391212fa', NULL, '["*"]', 'laptop', 'active', 'user:operator', 1795320036026644, 1803096036026644, NULL, NULL);
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
INSERT INTO grants VALUES ('01a20169-ba8c-758d-a9c3-875b29c7e199', '01a20169-ba8b-72e5-8552-48fc488f5cd6', NULL, NULL, 'creator', 'system', 1795320035979924);
INSERT INTO grants VALUES ('01a20169-ba91-761d-b14e-ad023c702cd8', '01a20169-ba8b-72e5-8552-48fc488f5cd6', NULL, '01a20169-ba91-761d-b14e-ad01251c9644', 'owner', 'user:operator', 1795320035984989);
INSERT INTO grants VALUES ('01a20169-babd-76c8-95f5-49801f8edf0d', '01a20169-bab8-73e8-8efb-5beb391212fa', NULL, '01a20169-ba91-761d-b14e-ad01251c9644', 'viewer', 'user:operator', 1795320036029652);
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
INSERT INTO idempotency VALUES ('user:01a20169-ba8b-72e5-8552-48fc488f5cd6', 'POST /api/agents', 'atlas', x'c105fd6cac80c2a63df7d47dfac251ae38787adfe552d33814aa81ae6abf4173', '01a20169-ba8d-715c-9d96-a01d18b4914a', 1795320035984272, 200, '{"content-type":"application/json","cache-control":"no-store","location":"/api/agents/atlas"}', x'7b22737461747573223a2263726561746564222c226964223a2230316132303136392d626139312d373631642d623134652d616430313235316339363434222c226e616d65223a2261746c6173222c22646973706c61795f6e616d65223a2261746c6173227d');
INSERT INTO idempotency VALUES ('user:01a20169-ba8b-72e5-8552-48fc488f5cd6', 'POST /api/agents', 'bert', x'7c14c14278f7be408cbc48e608b5416c4081aa82df5ae3ecb92e39c6b6b00053', '01a20169-ba8d-715c-9d96-a01d18b4914a', 1795320036014953, 200, '{"content-type":"application/json","cache-control":"no-store","location":"/api/agents/bert"}', x'7b22737461747573223a2263726561746564222c226964223a2230316132303136392d626161662d373331622d383931662d356135316436333335623530222c226e616d65223a2262657274222c22646973706c61795f6e616d65223a2262657274227d');
INSERT INTO idempotency VALUES ('user:01a20169-ba8b-72e5-8552-48fc488f5cd6', 'POST /api/users', 'dump', x'8a3a9e159ff5367cd0eb37abd2dd7153940591d1046ef63fa7d9eb086b2e3e22', '01a20169-ba8d-715c-9d96-a01d18b4914a', 1795320036024341, 201, '{"content-type":"application/json","cache-control":"no-store","location":"/api/users/ann"}', x'7b226964223a2230316132303136392d626162382d373365382d386566622d356265623339313231326661222c22757365726e616d65223a22616e6e222c22646973706c61795f6e616d65223a22616e6e222c22726f6c65223a226d656d626572222c2264697361626c6564223a66616c73652c22637265617465645f6174223a22323032362d31312d32325430343a30303a33362e3032345a222c22757064617465645f6174223a22323032362d31312d32325430343a30303a33362e3032345a227d');
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
INSERT INTO audit VALUES (1, 1795320035979924, 'system', 'users.token.issue', 'credential:01a20169-ba8c-758d-a9c3-875af1b03957', 'ok', 1, '-', x'0000000000000000000000000000000000000000000000000000000000000000', x'1cf813ec8d10dd5ff250ddfddc90c921d74d917b77a0538f17af445d3a9e9487');
INSERT INTO audit VALUES (2, 1795320035979924, 'system', 'users.create', 'user:01a20169-ba8b-72e5-8552-48fc488f5cd6', 'ok', 1, '-', x'1cf813ec8d10dd5ff250ddfddc90c921d74d917b77a0538f17af445d3a9e9487', x'7e00fe3b145eba818b963da97df3e833f5b8382ddda5be803471b3fb20f28b66');
INSERT INTO audit VALUES (3, 1795320035984989, 'user:operator', 'agents.create', 'agent:01a20169-ba91-761d-b14e-ad01251c9644', 'ok', 1, '1aa13d40-1', x'7e00fe3b145eba818b963da97df3e833f5b8382ddda5be803471b3fb20f28b66', x'e5fac1ebd7a88f0288def79d61f6432804652b2133dc3154ae396670ba334fc5');
INSERT INTO audit VALUES (4, 1795320036011181, 'user:operator', 'agents.token.issue', 'agent:01a20169-ba91-761d-b14e-ad01251c9644', 'ok', 1, '1aa13d40-2', x'e5fac1ebd7a88f0288def79d61f6432804652b2133dc3154ae396670ba334fc5', x'4e7fb82ea328e98c63851d06ca9cf49e69f3ce6945ed14cf9be49dfe8f152b36');
INSERT INTO audit VALUES (5, 1795320036015537, 'user:operator', 'agents.create', 'agent:01a20169-baaf-731b-891f-5a51d6335b50', 'ok', 1, '1aa13d40-3', x'4e7fb82ea328e98c63851d06ca9cf49e69f3ce6945ed14cf9be49dfe8f152b36', x'8a6790a4c2f4035b17cdebc28195eed7d8acc03e398e0c80a8f89102d1aedc3b');
INSERT INTO audit VALUES (6, 1795320036017633, 'user:operator', 'agents.token.issue', 'agent:01a20169-baaf-731b-891f-5a51d6335b50', 'ok', 1, '1aa13d40-4', x'8a6790a4c2f4035b17cdebc28195eed7d8acc03e398e0c80a8f89102d1aedc3b', x'8b6e772a08bc091359705e7dabc3be0af2b16f8822d0c786401c6e1a33a904e4');
INSERT INTO audit VALUES (7, 1795320036019823, 'user:operator', 'agents.update', 'agent:01a20169-ba91-761d-b14e-ad01251c9644', 'ok', 1, '1aa13d40-5', x'8b6e772a08bc091359705e7dabc3be0af2b16f8822d0c786401c6e1a33a904e4', x'b72a8a6f0e9c1116d60df07d23f3a0ba226994c9046cd2a44f25fd33d8c54556');
INSERT INTO audit VALUES (8, 1795320036022059, 'user:operator', 'agents.delete', 'agent:01a20169-baaf-731b-891f-5a51d6335b50', 'ok', 1, '1aa13d40-6', x'b72a8a6f0e9c1116d60df07d23f3a0ba226994c9046cd2a44f25fd33d8c54556', x'a944f0a7f880479a9c109109cd094e6d414ac319bbbbafdcd644b384bc2b0d86');
INSERT INTO audit VALUES (9, 1795320036024867, 'user:operator', 'users.create', 'user:01a20169-bab8-73e8-8efb-5beb391212fa', 'ok', 1, '1aa13d40-7', x'a944f0a7f880479a9c109109cd094e6d414ac319bbbbafdcd644b384bc2b0d86', x'ddd034648228e3a36c64ed7a51a752e4e9b814f85990f501e2e97cf08418609c');
INSERT INTO audit VALUES (10, 1795320036026644, 'user:operator', 'users.token.issue', 'credential:01a20169-baba-71be-a25c-07e874b4262b', 'ok', 1, '1aa13d40-8', x'ddd034648228e3a36c64ed7a51a752e4e9b814f85990f501e2e97cf08418609c', x'ed0eebe01abda97be5ab5af5f52db75fc8f497312f4283d611795e6548570033');
INSERT INTO audit VALUES (11, 1795320036029652, 'user:operator', 'grants.create', 'agent:01a20169-ba91-761d-b14e-ad01251c9644', 'ok', 1, '1aa13d40-a', x'ed0eebe01abda97be5ab5af5f52db75fc8f497312f4283d611795e6548570033', x'1304d285f93512d9da404750852b06c254a3f6e733b481f44d9753919d3b265c');
INSERT INTO audit VALUES (12, 1795320036031148, 'peer:127.0.0.1', 'agents.list', 'GET /api/agents', 'denied', 1, '1aa13d40-b', x'1304d285f93512d9da404750852b06c254a3f6e733b481f44d9753919d3b265c', x'd559175750d914c29d143829150c3d1c1f036e0e9d99579f5a96a73481ee3b9b');
CREATE INDEX audit_by_resource ON audit (resource, seq);
CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
BEGIN
    SELECT raise(ABORT, 'audit rows are never changed');
END;
COMMIT;
