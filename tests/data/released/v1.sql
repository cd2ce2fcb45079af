PRAGMA application_id = 1952542579;
PRAGMA user_version = 1;
BEGIN;
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('audit_head', '12:14ac5c7b4d34a08e0a33c528308c16f42afdb9e8790737a9d98b49845944c281');
INSERT INTO meta VALUES ('install_id', '01a20155-c2b5-76ef-ab11-c620228fd6aa');
CREATE TABLE users (
    id           TEXT PRIMARY KEY,
    username     TEXT NOT NULL UNIQUE CHECK (username GLOB '[a-z]*' AND length(username) BETWEEN 1 AND 32),
    display_name TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('admin', 'member')),
    disabled     INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO users VALUES ('01a20155-c2b4-7396-a230-4cfa171baf65', 'operator', 'Operator', 'admin', 0, 1795318727348909, 1795318727348909);
INSERT INTO users VALUES ('01a20155-c2cb-70b3-be87-59a0a9827ac9', 'ann', 'ann', 'member', 0, 1795318727371301, 1795318727371301);
CREATE TABLE spaces (
    id            TEXT PRIMARY KEY,
    slug          TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    visibility    TEXT NOT NULL CHECK (visibility IN ('private', 'public')),
    owner_user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    is_default    INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO spaces VALUES ('01a20155-c2b5-76ef-ab11-c61ff2d93009', 'operator', 'operator', 'private', '01a20155-c2b4-7396-a230-4cfa171baf65', 1, 1795318727348909);
INSERT INTO spaces VALUES ('01a20155-c2cb-70b3-be87-59a19ded45fb', 'ann', 'ann', 'private', '01a20155-c2cb-70b3-be87-59a0a9827ac9', 1, 1795318727371301);
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
    revision             INTEGER NOT NULL DEFAULT 1,
    created_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL,
    archived_at          INTEGER,
    snapshot_name        TEXT,
    CHECK ((container_name IS NULL) = (container_runtime IS NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO agents VALUES ('01a20155-c2ba-74c3-b25e-cf059f60122c', 'atlas', NULL, 'atlas', 'space_agent', '01a20155-c2b4-7396-a230-4cfa171baf65', '01a20155-c2b5-76ef-ab11-c61ff2d93009', '01a20155-c2b5-76ef-ab11-c61ff2d93009', 'user:operator', '', '', '#102030', NULL, 0, 'none', NULL, '[]', NULL, 'pause', 'It''s calm.
', '', NULL, 'none', 'registered', 0, NULL, NULL, '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', 'not_injected', 1795318727356071, NULL, 2, 1795318727354118, 1795318727367356, NULL, NULL);
INSERT INTO agents VALUES ('01a20155-c2c4-74e0-a1fe-2a39fa7e8fde', 'bert', NULL, 'bert', 'space_agent', '01a20155-c2b4-7396-a230-4cfa171baf65', '01a20155-c2b5-76ef-ab11-c61ff2d93009', '01a20155-c2b5-76ef-ab11-c61ff2d93009', 'user:operator', '', '', '#102030', NULL, 0, 'none', NULL, '[]', NULL, 'pause', '', '', NULL, 'none', 'registered', 0, NULL, NULL, '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', 'not_injected', 1795318727365703, NULL, 2, 1795318727364164, 1795318727369119, 1795318727369119, NULL);
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
INSERT INTO credentials VALUES ('01a20155-c2b5-76ef-ab11-c621416a087e', 'user_token', '3FcEpLJ4IW', x'250e70551ce28a3fb99103b8ee372807dd373b4f85b3ba6a58664e6105d88e9e', '01a20155-c2b4-7396-a230-4cfa171baf65', NULL, '["*"]', 'operator.token', 'active', 'system', 1795318727348909, NULL, 1795318727375257, NULL);
INSERT INTO credentials VALUES ('01a20155-c2bc-7444-8693-cf0908574399', 'agent_token', 'IJ9CBKBIuF', x'e095b08b72dd250706e878be15bf4eec0f1d732321406b86d5123aa7810332d1', NULL, '01a20155-c2ba-74c3-b25e-cf059f60122c', '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', '', 'active', 'user:operator', 1795318727356071, NULL, NULL, NULL);
INSERT INTO credentials VALUES ('01a20155-c2c5-75bf-b19c-fd335986b09c', 'agent_token', 'YZEPK7DI3j', x'261de66e43f2cbc3d92595fecfe8480ba3758a4cf89be112a784bce63c633e53', NULL, '01a20155-c2c4-74e0-a1fe-2a39fa7e8fde', '["agents.read","agents.list","agents.register","deployments.read","ui.notify","notifications.read","knowledge.read","spaces.list","spaces.read","messages.*","tasks.*","context.*","uploads.*","events.read"]', '', 'revoked', 'user:operator', 1795318727365703, NULL, NULL, 1795318727369119);
INSERT INTO credentials VALUES ('01a20155-c2cc-74fd-a0a7-b31afd2e5aca', 'user_token', 'sRipNS9iBu', x'525073870f542dee006969e69be59f59cd8df35f4423720f67b25cbbd5da83b1', '01a20155-c2cb-70b3-be87-59a0a9827ac9', NULL, '["*"]', 'laptop', 'active', 'user:operator', 1795318727372784, 1803094727372784, NULL, NULL);
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
INSERT INTO grants VALUES ('01a20155-c2b5-76ef-ab11-c62231923008', '01a20155-c2b4-7396-a230-4cfa171baf65', NULL, NULL, 'creator', 'system', 1795318727348909);
INSERT INTO grants VALUES ('01a20155-c2ba-74c3-b25e-cf0658f73c86', '01a20155-c2b4-7396-a230-4cfa171baf65', NULL, '01a20155-c2ba-74c3-b25e-cf059f60122c', 'owner', 'user:operator', 1795318727354118);
INSERT INTO grants VALUES ('01a20155-c2cf-7530-abfc-afbd836debbc', '01a20155-c2cb-70b3-be87-59a0a9827ac9', NULL, '01a20155-c2ba-74c3-b25e-cf059f60122c', 'viewer', 'user:operator', 1795318727375328);
CREATE UNIQUE INDEX grants_of_user ON grants (principal_user_id, coalesce(agent_id, '*')) WHERE principal_user_id IS NOT NULL;
CREATE UNIQUE INDEX grants_of_agent ON grants (principal_agent_id, coalesce(agent_id, '*')) WHERE principal_agent_id IS NOT NULL;
CREATE INDEX grants_on_agent ON grants (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX grants_by_age ON grants (granted_at, id);
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
INSERT INTO idempotency VALUES ('user:01a20155-c2b4-7396-a230-4cfa171baf65', 'POST /api/agents', 'atlas', x'c105fd6cac80c2a63df7d47dfac251ae38787adfe552d33814aa81ae6abf4173', '01a20155-c2b6-74ba-a86e-08e046fa3e4e', 1795318727353556, 200, '{"content-type":"application/json","location":"/api/agents/atlas"}', x'7b22737461747573223a2263726561746564222c226964223a2230316132303135352d633262612d373463332d623235652d636630353966363031323263222c226e616d65223a2261746c6173222c22646973706c61795f6e616d65223a2261746c6173227d');
INSERT INTO idempotency VALUES ('user:01a20155-c2b4-7396-a230-4cfa171baf65', 'POST /api/agents', 'bert', x'7c14c14278f7be408cbc48e608b5416c4081aa82df5ae3ecb92e39c6b6b00053', '01a20155-c2b6-74ba-a86e-08e046fa3e4e', 1795318727360528, 200, '{"content-type":"application/json","location":"/api/agents/bert"}', x'7b22737461747573223a2263726561746564222c226964223a2230316132303135352d633263342d373465302d613166652d326133396661376538666465222c226e616d65223a2262657274222c22646973706c61795f6e616d65223a2262657274227d');
INSERT INTO idempotency VALUES ('user:01a20155-c2b4-7396-a230-4cfa171baf65', 'POST /api/users', 'dump', x'8a3a9e159ff5367cd0eb37abd2dd7153940591d1046ef63fa7d9eb086b2e3e22', '01a20155-c2b6-74ba-a86e-08e046fa3e4e', 1795318727370849, 201, '{"content-type":"application/json","location":"/api/users/ann"}', x'7b226964223a2230316132303135352d633263622d373062332d626538372d353961306139383237616339222c22757365726e616d65223a22616e6e222c22646973706c61795f6e616d65223a22616e6e222c22726f6c65223a226d656d626572222c2264697361626c6564223a66616c73652c22637265617465645f6174223a22323032362d31312d32325430333a33383a34372e3337315a222c22757064617465645f6174223a22323032362d31312d32325430333a33383a34372e3337315a227d');
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
INSERT INTO audit VALUES (1, 1795318727348909, 'system', 'users.token.issue', 'credential:01a20155-c2b5-76ef-ab11-c621416a087e', 'ok', 1, '-', x'0000000000000000000000000000000000000000000000000000000000000000', x'7d33ca7fc962ef934c943cd9a8681927d15351c73b2600ef84c1e2c05e2c377d');
INSERT INTO audit VALUES (2, 1795318727348909, 'system', 'users.create', 'user:01a20155-c2b4-7396-a230-4cfa171baf65', 'ok', 1, '-', x'7d33ca7fc962ef934c943cd9a8681927d15351c73b2600ef84c1e2c05e2c377d', x'7aaa56147018bc76d046bd357ec8478b9eb44cf2ae20ff95ab5123637cc238df');
INSERT INTO audit VALUES (3, 1795318727354118, 'user:operator', 'agents.create', 'agent:01a20155-c2ba-74c3-b25e-cf059f60122c', 'ok', 1, '8e0a1071-1', x'7aaa56147018bc76d046bd357ec8478b9eb44cf2ae20ff95ab5123637cc238df', x'0dbbf2043c978976f3a4730698b15c4ce5227e270dfa730caa58ed69c17e26af');
INSERT INTO audit VALUES (4, 1795318727356071, 'user:operator', 'agents.token.issue', 'agent:01a20155-c2ba-74c3-b25e-cf059f60122c', 'ok', 1, '8e0a1071-2', x'0dbbf2043c978976f3a4730698b15c4ce5227e270dfa730caa58ed69c17e26af', x'561d22397cf59848d1203dd72123de760cf782fe7d0db2d289f1da1b8b207a5c');
INSERT INTO audit VALUES (5, 1795318727364164, 'user:operator', 'agents.create', 'agent:01a20155-c2c4-74e0-a1fe-2a39fa7e8fde', 'ok', 1, '8e0a1071-3', x'561d22397cf59848d1203dd72123de760cf782fe7d0db2d289f1da1b8b207a5c', x'1c64264a375a1c559e70430023cbf222fd6d3904fff7964e893fe4f62a00fe91');
INSERT INTO audit VALUES (6, 1795318727365703, 'user:operator', 'agents.token.issue', 'agent:01a20155-c2c4-74e0-a1fe-2a39fa7e8fde', 'ok', 1, '8e0a1071-4', x'1c64264a375a1c559e70430023cbf222fd6d3904fff7964e893fe4f62a00fe91', x'561c766e7e9cf9aa3f7ab5015f1217007515bab47bfac48711308ab8c3d00fee');
INSERT INTO audit VALUES (7, 1795318727367356, 'user:operator', 'agents.update', 'agent:01a20155-c2ba-74c3-b25e-cf059f60122c', 'ok', 1, '8e0a1071-5', x'561c766e7e9cf9aa3f7ab5015f1217007515bab47bfac48711308ab8c3d00fee', x'a4ee10706155de693d5e3d41cfa17c3e81cb78c0f9fc0bcd576835b56ebf4e20');
INSERT INTO audit VALUES (8, 1795318727369119, 'user:operator', 'agents.delete', 'agent:01a20155-c2c4-74e0-a1fe-2a39fa7e8fde', 'ok', 1, '8e0a1071-6', x'a4ee10706155de693d5e3d41cfa17c3e81cb78c0f9fc0bcd576835b56ebf4e20', x'b863d00876eb7d41c285d88e164b92e8fbb425e9fb45916dd98f35ced81ccf19');
INSERT INTO audit VALUES (9, 1795318727371301, 'user:operator', 'users.create', 'user:01a20155-c2cb-70b3-be87-59a0a9827ac9', 'ok', 1, '8e0a1071-7', x'b863d00876eb7d41c285d88e164b92e8fbb425e9fb45916dd98f35ced81ccf19', x'bdcc8423ea869007ff33196bb4fe85d1410ebbb2718ee48c69ca8068d7493205');
INSERT INTO audit VALUES (10, 1795318727372784, 'user:operator', 'users.token.issue', 'credential:01a20155-c2cc-74fd-a0a7-b31afd2e5aca', 'ok', 1, '8e0a1071-8', x'bdcc8423ea869007ff33196bb4fe85d1410ebbb2718ee48c69ca8068d7493205', x'2b24afabbc5a0b208944aae2fbaeb2648de5c444446de8c369f4c5ed7821dd06');
INSERT INTO audit VALUES (11, 1795318727375328, 'user:operator', 'grants.create', 'agent:01a20155-c2ba-74c3-b25e-cf059f60122c', 'ok', 1, '8e0a1071-a', x'2b24afabbc5a0b208944aae2fbaeb2648de5c444446de8c369f4c5ed7821dd06', x'1b157556728a48460b10e50db7b9e520393001e1e7a8fb316c875ef7b0f85054');
INSERT INTO audit VALUES (12, 1795318727376707, 'peer:127.0.0.1', 'agents.list', 'GET /api/agents', 'denied', 1, '8e0a1071-b', x'1b157556728a48460b10e50db7b9e520393001e1e7a8fb316c875ef7b0f85054', x'14ac5c7b4d34a08e0a33c528308c16f42afdb9e8790737a9d98b49845944c281');
CREATE INDEX audit_by_resource ON audit (resource, seq);
CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
BEGIN
    SELECT raise(ABORT, 'audit rows are never changed');
END;
COMMIT;
