//! Every error code the daemon can answer with, in one table: status, what it means, how to fix it.
//!
//! A code always has the same status and the same `fix`; what is particular to a case goes into `detail`. The page
//! `docs/agents/errors.md` is generated from this table, one heading a code.

/// A stable error code.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// The slug a client switches on.
    pub slug: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// When it happens: one sentence for people, the first part of the documentation.
    pub about: &'static str,
    /// What to do: one imperative sentence.
    pub fix: &'static str,
    /// The page that explains it, where a recipe fits better than the list of codes.
    pub doc: Option<&'static str>,
}

impl Code {
    /// The path of the page that explains this code, anchor included.
    pub fn doc_url(&self) -> String {
        match self.doc {
            Some(page) => format!("/docs/agents/{page}"),
            None => format!("/docs/agents/errors#{}", self.slug),
        }
    }
}

macro_rules! codes {
    ($( $name:ident $status:literal $slug:literal $about:literal $fix:literal $(in $doc:literal)? ;)*) => {
        $(
            #[doc = $about]
            pub const $name: &Code = &Code {
                slug: $slug, status: $status, about: $about, fix: $fix, doc: codes!(@doc $($doc)?),
            };
        )*
        /// All codes, in the order of the documentation.
        pub const ALL: &[&Code] = &[ $( $name, )* ];
    };
    (@doc) => { None };
    (@doc $doc:literal) => { Some($doc) };
}

codes! {
    // What the edge refuses.
    BAD_REQUEST 400 "bad_request" "The request is not well-formed HTTP."
        "Send a well-formed HTTP/1.1 request with one Host header." ;
    INVALID_PATH 400 "invalid_path" "The path has dot segments, empty segments, backslashes, control characters or broken percent-escapes."
        "Send a plain path without dot segments, empty segments or encoded separators." ;
    REQUEST_TIMEOUT 408 "request_timeout" "The request did not arrive whole within its deadline."
        "Send the whole request without long pauses." ;
    BODY_TOO_LARGE 413 "body_too_large" "The body is larger than this route takes."
        "Send a smaller body, or send a credential in the head: without one the limit is lower." ;
    TARGET_TOO_LONG 414 "target_too_long" "The request target is too long."
        "Shorten the path and the query." ;
    EXPECTATION_FAILED 417 "expectation_failed" "The Expect header asks for something other than 100-continue."
        "Leave the Expect header out, or send Expect: 100-continue." ;
    HEADERS_TOO_LARGE 431 "headers_too_large" "The request's headers are too many or too long."
        "Send fewer or shorter headers." ;
    TRANSFER_ENCODING_UNSUPPORTED 501 "transfer_encoding_unsupported" "The Transfer-Encoding is not exactly chunked."
        "Send the body with a Content-Length or with Transfer-Encoding: chunked alone." ;
    HTTP_VERSION_UNSUPPORTED 505 "http_version_unsupported" "The request is not HTTP/1.0 or HTTP/1.1."
        "Speak HTTP/1.1 to this daemon." ;
    TOO_MANY_CONNECTIONS 503 "too_many_connections" "This peer, or all together, hold as many connections as the daemon allows."
        "Close connections that are not in use and try again after the seconds in Retry-After." ;
    BUSY 503 "busy" "More requests are waiting than the daemon queues."
        "Try again after the seconds in Retry-After." ;
    READ_TOO_SLOW 503 "read_too_slow" "Reading took longer than one request may take."
        "Ask for less: fewer words, a filter, a smaller limit. If it was a small question, try again after the seconds in Retry-After." ;
    SHUTTING_DOWN 503 "shutting_down" "The daemon is stopping."
        "Try again when the daemon has started again." ;
    HOST_NOT_ALLOWED 403 "host_not_allowed" "A request that no credential in a header vouched for named a host that is not this machine."
        "Use one of this machine's names, send a good credential in a header, or add the name to allowed_hosts in taosd.toml." ;

    // What every route may refuse.
    NOT_FOUND 404 "not_found" "There is no such path."
        "Look up the routes with GET /api." in "getting-started#discover" ;
    METHOD_NOT_ALLOWED 405 "method_not_allowed" "The path exists, but not with this method."
        "Use one of the methods in the Allow header." in "getting-started#discover" ;
    AUTH_REQUIRED 401 "auth_required" "The route needs a credential and none was sent."
        "Send the header Authorization: Bearer TOKEN." in "getting-started#auth" ;
    INVALID_TOKEN 401 "invalid_token" "The credential is unknown, expired or revoked, or its owner is gone."
        "Get a fresh token and send it as Authorization: Bearer TOKEN." in "recipes/tokens-and-rotation#rotate" ;
    RATE_LIMITED 429 "rate_limited" "The principal's requests, what it may write in an hour or a day, or the peer's failed logins are used up."
        "Wait the seconds in Retry-After, then send and write less at a time." ;
    SCOPE_DENIED 403 "scope_denied" "The credential's scopes do not cover this route's action."
        "Use a credential whose scopes cover the action named in the error." in "concepts/permissions#scopes" ;
    FORBIDDEN 403 "forbidden" "The caller may read this, but its role is too small to do that."
        "Ask an owner or an admin to grant the role named in the error." in "concepts/permissions#roles" ;
    BROWSER_REFUSED 403 "browser_refused" "The operator's Unix socket takes no request with an Origin or Cookie header."
        "Leave the Origin and Cookie headers out." ;
    UNSUPPORTED_MEDIA_TYPE 415 "unsupported_media_type" "The body, or a file in it, is not of a content type that this route takes, or it is compressed."
        "Send the body in the type that the error names: mostly plain JSON with Content-Type: application/json and without Content-Encoding." in "getting-started#request-shape" ;
    INVALID_JSON 400 "invalid_json" "The body is not JSON, has a key twice, or is nested too deep."
        "Send one well-formed JSON object in UTF-8." in "getting-started#request-shape" ;
    VALIDATION_ERROR 422 "validation_error" "A field or query parameter is missing, unknown, of the wrong type or out of bounds."
        "Correct the fields listed under fields." in "getting-started#request-shape" ;
    LIMIT_REACHED 409 "limit_reached" "There are as many of these as the daemon keeps for one holder; the error says of what and how many."
        "Delete or revoke what is not in use, then try again." ;
    INVALID_CURSOR 400 "invalid_cursor" "The cursor is not one that this list handed out."
        "Follow the Link header of the previous page, or start again without a cursor." ;
    INVALID_IDEMPOTENCY_KEY 400 "invalid_idempotency_key" "The Idempotency-Key is empty, longer than 255 characters, sent twice or not visible ASCII."
        "Send one Idempotency-Key of 1 to 255 visible ASCII characters." in "getting-started#idempotency" ;
    IDEMPOTENCY_IN_FLIGHT 409 "idempotency_in_flight" "The first request with this Idempotency-Key is still being worked on."
        "Repeat the same request after the seconds in Retry-After." in "getting-started#idempotency" ;
    IDEMPOTENCY_KEY_REUSED 422 "idempotency_key_reused" "This Idempotency-Key was sent before with another body."
        "Use a fresh Idempotency-Key for a new request." in "getting-started#idempotency" ;
    PRECONDITION_FAILED 412 "precondition_failed" "None of the tags in If-Match is the record's present revision."
        "Read the record again and repeat the change on its present revision." ;
    INTERNAL 500 "internal" "The daemon failed; the cause is in its log under the request id."
        "Repeat the request; if it fails again, give the operator the X-Request-Id." in "recipes/troubleshooting#internal" ;
    STORAGE_FULL 503 "storage_full" "The disk is full: nothing can be written until there is room. Reads go on."
        "Free space on the data directory's file system and repeat the request." in "recipes/troubleshooting#disk" ;
    STORAGE_READ_ONLY 503 "storage_read_only" "The data directory cannot be written: its file system is read-only. Reads go on."
        "Make the data directory's file system writable and repeat the request." in "recipes/troubleshooting#disk" ;
    STORAGE_DAMAGED 503 "storage_damaged" "The database file is damaged."
        "Stop the daemon, run taosd check and restore a backup." in "recipes/troubleshooting#damaged" ;
    STORAGE_GONE 503 "storage_gone" "The database file was removed or replaced while the daemon runs: nothing can be written. Reads go on."
        "Put the file back, or stop the daemon and restore a backup." in "recipes/troubleshooting#damaged" ;
    NOT_READY 503 "not_ready" "A part of the daemon is not able to work; checks says which."
        "Read checks and the daemon's log, mend the cause and ask again." in "recipes/troubleshooting#not-ready" ;

    // Agents.
    AGENT_NOT_FOUND 404 "agent_not_found" "There is no such agent, or the caller may not see it."
        "List the agents you can see with GET /api/agents." in "recipes/managing-agents#list-agents" ;
    ARCHIVED_AGENT_NOT_FOUND 404 "archived_agent_not_found" "There is no such archived agent, or the caller may not see it."
        "List the archived agents with GET /api/agents/archived." in "recipes/managing-agents#restore-agent" ;
    INVALID_AGENT_NAME 400 "invalid_agent_name" "The name is empty, longer than 64 characters or without a letter a-z or digit."
        "Send a name of 1 to 64 characters with at least one of a-z or 0-9." in "recipes/managing-agents#create-agent" ;
    SLUG_COLLISION_UNRESOLVABLE 409 "slug_collision_unresolvable" "All names made from this one, -2 to -9999, are taken."
        "Choose another name." in "recipes/managing-agents#create-agent" ;
    AGENT_EXISTS 409 "agent_exists" "An agent of this name exists already."
        "Change the name in the export, or archive the existing agent first." in "recipes/managing-agents#import-agent" ;
    INVALID_EXPORT_DATA 400 "invalid_export_data" "The export is not of a version this daemon reads."
        "Send an export of version 1 as GET /api/agents/NAME/export gives it." in "recipes/managing-agents#import-agent" ;
    INVALID_MEMORY_PLUGIN 400 "invalid_memory_plugin" "There is no such memory plugin."
        "Use taosmd or none." in "recipes/managing-agents#update-agent" ;
    INVALID_MODEL 400 "invalid_model" "The model's name is blank."
        "Send the name of a model." in "recipes/managing-agents#update-agent" ;
    MODEL_NOT_REACHABLE 409 "model_not_reachable" "No host in the models table serves this model."
        "Use one of the models in the table, or add it to [models] in taosd.toml." in "recipes/managing-agents#update-agent" ;
    MODEL_NOT_ON_WORKER 409 "model_not_on_worker" "The agent is pinned to a worker that does not serve this model."
        "Use a model that the pinned worker serves, or unpin the agent." in "recipes/managing-agents#update-agent" ;
    CREATE_NOT_ALLOWED 403 "create_not_allowed" "Creating agents needs the creator grant."
        "Ask an admin for the role creator on agent:*." in "concepts/permissions#roles" ;
    AGENT_HAS_NO_CONTAINER 409 "agent_has_no_container" "The agent is a record only: it has no container."
        "Deploy an agent with a container, or leave out what needs one." in "recipes/deploying#no-container" ;
    NO_JOURNAL 409 "no_journal" "The agent's container has no journal: it does not run, or systemd does not run in it."
        "Start the agent, or leave out source." in "recipes/managing-agents#logs" ;
    AGENT_BUSY 409 "agent_busy" "Another operation on this agent has not ended; operation_id says which."
        "Wait for that operation to end, or cancel it." in "concepts/operations#busy" ;
    CONTAINER_FAILED 502 "container_failed" "The container runtime did not do what was asked."
        "Read the detail and the agent's logs, then try again." in "recipes/deploying#failures" ;
    CONTAINER_RUNTIME_UNAVAILABLE 503 "container_runtime_unavailable" "This host has no container runtime, or it does not answer."
        "Start the container runtime, or name its socket with --containers-socket." in "recipes/deploying#runtime" ;
    DELIVERY_FAILED 502 "delivery_failed" "The token could not be put into the container; the one before goes on working."
        "Look at token_delivery_error, mend the container and issue the token again." in "recipes/tokens-and-rotation#delivery" ;
    WRONG_CHANNEL 403 "wrong_channel" "A credential of one agent came over the socket of another agent's container."
        "Use the token that this container was given, in its environment as TAOS_TOKEN." in "concepts/identity#channels" ;
    UNKNOWN_FRAMEWORK 400 "unknown_framework" "There is no such framework; known lists those there are."
        "Use one of the frameworks listed under known." in "recipes/deploying#frameworks" ;
    DEPLOY_TASK_NOT_FOUND 404 "deploy_task_not_found" "The agent was never deployed."
        "Deploy it with POST /api/agents/deploy." in "recipes/deploying#deploy" ;
    OPERATION_NOT_FOUND 404 "operation_not_found" "There is no such operation, or the caller may not see it."
        "List the operations with GET /api/operations." in "concepts/operations#follow" ;
    OPERATION_FINISHED 409 "operation_finished" "The operation has ended already."
        "Read its result with GET /api/operations/ID." in "concepts/operations#cancel" ;
    NOT_CANCELLABLE 409 "not_cancellable" "An operation of this kind cannot be stopped half-way."
        "Wait for it to end." in "concepts/operations#cancel" ;
    INTERRUPTED 500 "interrupted" "The daemon ended in the middle of this operation; what it had done was taken back or finished."
        "Look at the agent and start the operation again." in "concepts/operations#crash" ;
    CANCELLED 409 "cancelled" "The operation was cancelled; what it had done was taken back."
        "Start it again if it is still wanted." in "concepts/operations#cancel" ;

    // Tokens, users, grants.
    INVALID_SCOPE 422 "invalid_scope" "A scope is not *, noun.* or an action, or the list is too long."
        "Send at most 32 scopes, each *, a prefix like agents.* or an action like agents.read." in "concepts/permissions#scopes" ;
    SCOPE_EXCEEDS_ISSUER 403 "scope_exceeds_issuer" "The scopes asked for go beyond the caller's own."
        "Ask for scopes that your own credential covers." in "concepts/permissions#scopes" ;
    USER_NOT_FOUND 404 "user_not_found" "There is no such user, or the caller may not see it."
        "List the users with GET /api/users." in "recipes/users-and-tokens#users" ;
    USERNAME_TAKEN 409 "username_taken" "A user of this name exists already."
        "Choose another username." in "recipes/users-and-tokens#users" ;
    LAST_ADMIN 409 "last_admin" "The change would leave no enabled admin."
        "Make another user admin first." in "recipes/users-and-tokens#users" ;
    USER_OWNS_AGENTS 409 "user_owns_agents" "The user owns agents, archived ones included."
        "Purge the user's agents, or disable the user instead." in "recipes/users-and-tokens#users" ;
    CANNOT_DELETE_SELF 409 "cannot_delete_self" "A user cannot delete itself."
        "Ask another admin." in "recipes/users-and-tokens#users" ;
    TOKEN_NOT_FOUND 404 "token_not_found" "The user has no such token."
        "List the user's tokens with GET /api/users/NAME/tokens." in "recipes/users-and-tokens#tokens" ;
    PRINCIPAL_NOT_FOUND 404 "principal_not_found" "The principal of the grant does not exist, or the caller may not see it."
        "Name an existing user as user:NAME or an agent as agent:NAME." in "concepts/permissions#grants" ;
    GRANT_NOT_FOUND 404 "grant_not_found" "There is no such grant, or the caller may not give it."
        "List the grants with GET /api/grants." in "concepts/permissions#grants" ;

    // Keys, short-lived tokens and sessions.
    NOT_AUTHENTICATED 401 "not_authenticated" "The route needs a credential and none was sent."
        "Exchange your key at POST /auth/exchange and send the token as Authorization: Bearer TOKEN." in "concepts/authentication#exchange" ;
    INVALID_CREDENTIAL 401 "invalid_credential" "The key, or the key behind the token, is unknown, revoked or expired, or its agent is gone."
        "Ask the owner for a new key and exchange that." in "concepts/authentication#when-a-credential-dies" ;
    TOKEN_EXPIRED 401 "token_expired" "The short-lived token is past its end."
        "Exchange your key again." in "concepts/authentication#exchange" ;
    PAT_NOT_ALLOWED 403 "pat_not_allowed" "A key was sent where only tokens are taken."
        "Exchange the key at POST /auth/exchange and send the token you get." in "concepts/authentication#exchange" ;
    ADMIN_REQUIRED 403 "admin_required" "The route is for managing and takes user_admin tokens only."
        "Exchange a user's key for the class user_admin." in "concepts/authentication#classes" ;
    USER_REQUIRED 403 "user_required" "The route is for users; an agent called it."
        "Call it with a user's credential." in "concepts/authentication#classes" ;
    INSUFFICIENT_SCOPE 403 "insufficient_scope" "The token's scope words, or the key behind it, do not cover the route."
        "Exchange a key that holds the scope named in the error, and ask for that scope." in "concepts/authentication#scope-words" ;
    CLASS_NOT_ALLOWED 422 "class_not_allowed" "The key cannot be exchanged for this class of token."
        "Ask for a class that fits the key: user_access or user_admin for users, agent_access for agents." in "concepts/authentication#classes" ;
    AUDIENCE_NOT_ALLOWED 400 "audience_not_allowed" "The key, or the token, is not for this audience."
        "Use a key whose audience is cli or both for ax-api, mcp or both for ax-mcp." in "concepts/authentication#audiences" ;
    SCOPE_NOT_ALLOWED 400 "scope_not_allowed" "A scope word is not of this class or not of this key, or none is left."
        "Ask for words listed under allowed." in "concepts/authentication#scope-words" ;
    AGENT_NAME_REQUIRED 422 "agent_name_required" "The enrollment is not bound yet and the exchange names no agent."
        "Send agent_name with the first exchange." in "concepts/authentication#enrollment" ;
    BINDING_NOT_ALLOWED 403 "binding_not_allowed" "The key is bound to another agent."
        "Leave agent_id and agent_name out, or name the agent the key is bound to." in "concepts/authentication#enrollment" ;
    NAME_CONFLICT 409 "name_conflict" "The name is taken."
        "Choose another name." in "recipes/bootstrap#create-an-agent" ;
    INVALID_REQUEST 422 "invalid_request" "The body is not JSON, or a field is missing, of the wrong type or out of bounds."
        "Correct the fields named in the error." in "getting-started#request-shape" ;
    CLEANUP_REQUIRED 409 "cleanup_required" "There are as many active keys as the policy allows."
        "Revoke keys that are not in use, then issue again." in "concepts/authentication#how-many-keys" ;
    CREDENTIAL_NOT_FOUND 404 "credential_not_found" "There is no such credential, or the caller may not see it."
        "List the credentials with GET /credentials." in "concepts/authentication#keys" ;
    FINGERPRINT_MISMATCH 422 "fingerprint_mismatch" "The fingerprint is not that of the credential presented."
        "Use the key from where it was first used, or issue a new one." in "concepts/authentication#fingerprints" ;
    SPACE_NOT_FOUND 404 "space_not_found" "There is no such space, or the caller may not see it."
        "List the spaces with GET /api/v1/spaces." in "recipes/bootstrap#spaces" ;
    SPACE_FORBIDDEN 403 "space_forbidden" "The space is not the caller's."
        "Use one of the spaces that GET /api/v1/spaces lists." in "recipes/bootstrap#spaces" ;
    TOO_MANY_MEMBERS 409 "too_many_members" "The space has as many members as one may have."
        "Remove a member who is no longer needed." in "concepts/workspace#members" ;
    MEMBER_NOT_FOUND 404 "member_not_found" "The space has no such member."
        "List the members with GET /api/v1/spaces/ID/members." in "concepts/workspace#members" ;
    MEMBER_AT_HOME 409 "member_at_home" "The member cannot be removed: it owns the space, or it is an agent that has no other."
        "Put the agent into another space first." in "concepts/workspace#members" ;
    USER_TOKEN_REQUIRED 403 "user_token_required" "A web session is opened with a user's token."
        "Send a token that starts with taos_user_." in "concepts/authentication#web-sessions" ;
    SESSION_NOT_FOUND 404 "session_not_found" "The user has no such session."
        "List the sessions with GET /api/sessions." in "concepts/authentication#web-sessions" ;
    CSRF_REFUSED 403 "csrf_refused" "A request by cookie would change something and does not come from a page of this daemon."
        "Send the request from the daemon's own page, or with an Authorization header." in "concepts/authentication#web-sessions" ;

    // Notifications and knowledge.
    INVALID_PRIORITY 400 "invalid_priority" "The priority is not low, normal or high."
        "Send low, normal or high, or leave priority out." in "recipes/notifying-the-user#notify" ;
    INVALID_ACTION_URL 400 "invalid_action_url" "The action_url is neither a plain http(s) URL nor a path on this box."
        "Send an http or https URL with a host and without a user, or a path that starts with one slash." in "recipes/notifying-the-user#notify" ;
    NOTIFICATION_NOT_FOUND 404 "notification_not_found" "There is no such notification, or the caller may not see it."
        "List the notifications you can see with GET /api/notifications." in "recipes/notifying-the-user#read" ;
    TOO_MANY_STREAMS 429 "too_many_streams" "The principal holds as many event streams as one may."
        "Close a stream that is not in use and try again." in "recipes/notifying-the-user#watch" ;
    KNOWLEDGE_ITEM_NOT_FOUND 404 "knowledge_item_not_found" "There is no such item."
        "List the items with GET /api/knowledge/items, or search for it." in "recipes/reading-knowledge#read" ;
    SOURCE_NOT_FOUND 404 "source_not_found" "There is no such source of knowledge."
        "List the sources with GET /api/knowledge/sources." in "recipes/reading-knowledge#sources" ;
    SOURCE_RESERVED 403 "source_reserved" "The source taos-core is written by the daemon alone."
        "Write to a source of your own, such as app:NAME." in "concepts/knowledge#sources" ;
    TOO_MANY_SOURCES 409 "too_many_sources" "There are as many sources of knowledge, or as much text in them, as the daemon or their owner may have."
        "Delete a source that is not in use." in "concepts/knowledge#sources" ;
    SOURCE_FORBIDDEN 403 "source_forbidden" "The source belongs to somebody else."
        "Write to a source of your own, or ask its owner or an admin." in "concepts/knowledge#sources" ;

    // The workspace: messages.
    MESSAGE_NOT_FOUND 404 "message_not_found" "There is no such message, or the caller may not see it."
        "List the messages with GET /api/v1/messages." in "recipes/talking-to-another-agent#read" ;
    TOO_MANY_PINNED 409 "too_many_pinned" "The space has as many pinned messages as it may."
        "Unpin a message that need not stay." in "recipes/talking-to-another-agent#change" ;
    TOO_MANY_REACTIONS 409 "too_many_reactions" "The message has as many reactions as it may, or as many of the caller's."
        "Reply to the message instead." in "recipes/talking-to-another-agent#reactions" ;

    // The workspace: tasks, context, files.
    TASK_NOT_FOUND 404 "task_not_found" "There is no such task, or the caller may not see it."
        "List the tasks with GET /api/v1/tasks." in "recipes/working-off-a-queue#tasks" ;
    TASK_CLAIMED 409 "task_claimed" "Somebody else is at this task; the error says who, and until when."
        "Take another task with POST /api/v1/tasks/next, or wait until the lease ends." in "recipes/working-off-a-queue#claim" ;
    TASK_NOT_FREE 409 "task_not_free" "The task is finished, blocked, for somebody else, or waits for other tasks."
        "Take another task with POST /api/v1/tasks/next." in "recipes/working-off-a-queue#claim" ;
    LEASE_LOST 409 "lease_lost" "The lease with this fence is over, or the fence is missing: what this worker did late must not count."
        "Drop the work, and claim the task again if it is still to be done." in "recipes/working-off-a-queue#fences" ;
    TOO_MANY_TASKS 409 "too_many_tasks" "The space has as many open tasks as it may."
        "Finish or cancel tasks, or raise workspace.open_tasks in taosd.toml." in "concepts/tasks-context-files#bounds" ;
    CONTEXT_NOT_FOUND 404 "context_not_found" "There is no such key in this space, or it has expired."
        "List the keys with GET /api/v1/context." in "recipes/sharing-a-file#context" ;
    UPLOAD_NOT_FOUND 404 "upload_not_found" "There is no such file, or the caller may not see it."
        "Ask for the address that the upload answered with." in "recipes/sharing-a-file#download" ;
    QUOTA_EXCEEDED 413 "quota_exceeded" "The space, or the box, holds as much as it may."
        "Delete what is not needed, or raise the setting named in the error in taosd.toml." in "concepts/tasks-context-files#bounds" ;
    PAYLOAD_TOO_LARGE 413 "payload_too_large" "The upload, or the value, is larger than one may be."
        "Send a smaller one, or cut it into parts." in "concepts/tasks-context-files#bounds" ;
    ALLOWANCE_USED 429 "allowance_used" "The agent has added as much as it may on one day."
        "Wait until the time in opens_at, or raise the setting named in the error in taosd.toml." in "concepts/tasks-context-files#bounds" ;

    // Builds, deployments, agents' keys and forwarding.
    UNAUTHENTICATED 401 "unauthenticated" "No good credential was sent: none, or one that is unknown, expired or revoked."
        "Send a user's token or an agent's token as Authorization: Bearer, or an agent's key as x-agent-api-key." in "concepts/agentex#credentials" ;
    TWO_CREDENTIALS 400 "two_credentials" "The request carries more than one credential."
        "Send either Authorization or x-agent-api-key, once." in "concepts/agentex#credentials" ;
    NAME_UNAVAILABLE 403 "name_unavailable" "The name belongs to an agent that is not the caller's to use."
        "Choose another name, or ask the agent's owner for a role on it." in "concepts/agentex#names" ;
    NAME_TAKEN 409 "name_taken" "Another live agent has this name."
        "Choose another name, or archive the other agent first." in "concepts/agentex#names" ;
    DEPLOYMENT_NOT_FOUND 404 "deployment_not_found" "There is no such deployment, or the caller may not see it."
        "List the deployments with GET /agents/ID/deployments." in "concepts/agentex#deployments" ;
    DEPLOYMENT_NOT_READY 400 "deployment_not_ready" "The deployment has not registered yet."
        "Register the agent with registration_metadata.deployment_id, then promote." in "concepts/agentex#deployments" ;
    DEPLOYMENT_IN_PRODUCTION 400 "deployment_in_production" "The deployment is the one in production."
        "Promote another deployment first." in "concepts/agentex#deployments" ;
    TOO_MANY_DEPLOYMENTS 409 "too_many_deployments" "The agent has had as many deployments as one may have."
        "Register with the id of a deployment that there is." in "concepts/agentex#deployments" ;
    AGENT_IDENTIFIER 400 "agent_identifier" "The request names its agent not at all, or twice."
        "Send exactly one of agent_id and agent_name." in "concepts/agentex#keys" ;
    API_KEY_NOT_FOUND 404 "api_key_not_found" "There is no such key, or the caller may not see it."
        "List the keys with GET /agent_api_keys?agent_name=NAME." in "concepts/agentex#keys" ;
    KEY_TYPE_NOT_SUPPORTED 400 "key_type_not_supported" "Keys of this type sign with a secret in plain text, which the daemon never keeps."
        "Use the type internal or external." in "concepts/agentex#keys" ;
    KEY_EXISTS 409 "key_exists" "The agent has a live key of this name and type."
        "Choose another name, or delete that key first." in "concepts/agentex#keys" ;
    TOO_MANY_KEYS 409 "too_many_keys" "The agent has as many live keys as one may have."
        "Delete a key that is not in use." in "concepts/agentex#keys" ;
    NO_ACP_URL 404 "no_acp_url" "The agent has not said where it answers."
        "Register the agent with an acp_url, or promote a deployment that has one." in "concepts/agentex#forwarding" ;
    ACP_URL_NOT_ALLOWED 409 "acp_url_not_allowed" "The agent's address is not one that requests are sent on to."
        "Register an http address of the agent's own container, or of this machine where it has none." in "concepts/agentex#forwarding" ;
    FORWARD_FAILED 502 "forward_failed" "The agent could not be reached, or its answer was too large or no HTTP."
        "See that the agent runs and answers at its acp_url." in "concepts/agentex#forwarding" ;
    FORWARD_TIMEOUT 504 "forward_timeout" "The agent did not answer in time."
        "Try again, or look at what the agent is doing." in "concepts/agentex#forwarding" ;
    NOT_SUPPORTED 501 "not_supported" "This daemon does not do that."
        "Use what GET /api lists." in "concepts/agentex#left-out" ;

    // Documentation.
    DOC_NOT_FOUND 404 "doc_not_found" "There is no such page."
        "Start at /docs and follow the links." ;
}

/// The code of this slug.
pub fn by_slug(slug: &str) -> Option<&'static Code> {
    ALL.iter().copied().find(|code| code.slug == slug)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_is_unique_an_error_and_has_a_one_sentence_fix() {
        let mut seen = HashSet::new();
        for code in ALL {
            assert!(seen.insert(code.slug), "{} twice", code.slug);
            assert!((400..600).contains(&code.status), "{}", code.slug);
            assert!(code.fix.ends_with('.') && code.about.ends_with('.'), "{}", code.slug);
            assert!(code.slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", code.slug);
        }
    }
}
