//! Every error code that the daemon can reply with, in one table: its status, its meaning and its fix.
//!
//! A code always has the same status and the same `fix`; `detail` has the particulars of a case. The page
//! `docs/agents/errors.md` is generated from this table, with one heading per code.

use super::error::Dialect;

/// A stable error code.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// The slug that a client compares.
    pub slug: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// When it happens, as one sentence for people: the first part of the documentation.
    pub about: &'static str,
    /// The remedy, as one imperative sentence.
    pub fix: &'static str,
    /// The page that explains it, if a recipe fits better than the list of codes.
    pub doc: Option<&'static str>,
}

impl Code {
    /// The status in a dialect. OAuth has another one for some codes that it shares with the others (RFC 6749, section
    /// 5.2).
    pub fn status_in(&self, dialect: Dialect) -> u16 {
        match dialect {
            Dialect::OAuth if self == INVALID_REQUEST || self == INVALID_SCOPE => 400,
            _ => self.status,
        }
    }

    /// The path of the page that explains this code, anchor included.
    pub fn doc_url(&self) -> String {
        match self.doc {
            Some(page) => format!("/docs/agents/{page}"),
            None => format!("/docs/agents/errors#{}", self.slug),
        }
    }

    /// The same path for a caller of this dialect. Joins share codes with OAuth, but have a page of their own.
    pub fn doc_url_in(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Taos if OF_JOINS.contains(&self) => "/docs/agents/recipes/joining#fetch-the-key".to_owned(),
            _ => self.doc_url(),
        }
    }
}

/// Codes that OAuth and joins share: a program waits for a person's decision.
const OF_JOINS: &[&Code] = &[AUTHORIZATION_PENDING, SLOW_DOWN, ACCESS_DENIED, EXPIRED_TOKEN];

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
    // Refusals of the edge.
    BAD_REQUEST 400 "bad_request" "The request is not well-formed HTTP."
        "Send a well-formed HTTP/1.1 request with one Host header." ;
    INVALID_PATH 400 "invalid_path" "The path has dot segments, empty segments, backslashes, control characters or broken percent-escapes."
        "Send a plain path without dot segments, empty segments or encoded separators." ;
    REQUEST_TIMEOUT 408 "request_timeout" "The whole request did not arrive within its time limit."
        "Send the whole request again, without long pauses." ;
    BODY_TOO_LARGE 413 "body_too_large" "The body is larger than this route allows."
        "Send a smaller body, or send a credential in a header: without one the limit is lower." ;
    TARGET_TOO_LONG 414 "target_too_long" "The request target is too long."
        "Shorten the path and the query." ;
    EXPECTATION_FAILED 417 "expectation_failed" "The Expect header asks for something other than 100-continue."
        "Leave the Expect header out, or send Expect: 100-continue." ;
    HEADERS_TOO_LARGE 431 "headers_too_large" "The request's headers are too many or too long."
        "Send fewer or shorter headers." ;
    TRANSFER_ENCODING_UNSUPPORTED 501 "transfer_encoding_unsupported" "The Transfer-Encoding is not exactly chunked."
        "Send the body with a Content-Length or with Transfer-Encoding: chunked alone." ;
    HTTP_VERSION_UNSUPPORTED 505 "http_version_unsupported" "The request is not HTTP/1.0 or HTTP/1.1."
        "Send HTTP/1.1." ;
    TOO_MANY_CONNECTIONS 503 "too_many_connections" "This peer, or all peers together, have the maximum number of connections."
        "Close unused connections and try again after the seconds in Retry-After." ;
    BUSY 503 "busy" "The queue of waiting requests is full."
        "Try again after the seconds in Retry-After." ;
    READ_TOO_SLOW 503 "read_too_slow" "The request read the database for longer than read_timeout_ms."
        "Ask for less, with fewer words, a filter or a smaller limit, or repeat a small request after the seconds in Retry-After." ;
    SHUTTING_DOWN 503 "shutting_down" "The daemon is stopping."
        "Repeat the request when the daemon runs again." ;
    HOST_NOT_ALLOWED 403 "host_not_allowed" "The Host header is not a name of this machine, and the request has no valid credential in a header."
        "Use one of this machine's names, send a valid credential in a header, or add the name to allowed_hosts in taosd.toml." ;

    // Refusals of every route.
    NOT_FOUND 404 "not_found" "There is no such path."
        "List the routes with GET /api." in "getting-started#discover" ;
    METHOD_NOT_ALLOWED 405 "method_not_allowed" "The path exists, but not with this method."
        "Use one of the methods in the Allow header." in "getting-started#discover" ;
    AUTH_REQUIRED 401 "auth_required" "The route needs a credential, and the request has none."
        "Send the header Authorization: Bearer TOKEN." in "getting-started#auth" ;
    INVALID_TOKEN 401 "invalid_token" "The credential is unknown, expired or revoked, or its owner is disabled or deleted."
        "Get a new token and send it as Authorization: Bearer TOKEN." in "recipes/tokens-and-rotation#rotate" ;
    RATE_LIMITED 429 "rate_limited" "The principal has sent too many requests or written too much, or the peer has too many failed logins."
        "Wait for the seconds in Retry-After, then send requests and write data at a lower rate." ;
    SCOPE_DENIED 403 "scope_denied" "The credential's scopes do not cover this route's action."
        "Use a credential whose scopes cover the action; as an agent, post the object `request` of this reply to /api/requests and wait for your owner." in "recipes/asking-for-access#refused" ;
    FORBIDDEN 403 "forbidden" "The caller may read this, but its role is too low for the action."
        "Ask an owner or an admin to grant the role named in the error; as an agent, post the object `request` of this reply to /api/requests." in "concepts/permissions#roles" ;
    ORIGIN_NOT_ALLOWED 403 "origin_not_allowed" "The request's Origin is not a page of this daemon."
        "Leave the Origin header out, or use one of this machine's names and its scheme in it." ;
    NOT_ACCEPTABLE 406 "not_acceptable" "The Accept header excludes the type of the answer."
        "Send Accept: application/json, text/event-stream." in "recipes/mcp#protocol" ;
    BROWSER_REFUSED 403 "browser_refused" "The request came over the operator's Unix socket with an Origin or Cookie header."
        "Leave the Origin and Cookie headers out." ;
    UNSUPPORTED_MEDIA_TYPE 415 "unsupported_media_type" "The body, or a file in it, has a content type that this route does not accept, or it is compressed."
        "Send the body without Content-Encoding and with the type that the error names, usually Content-Type: application/json." in "getting-started#request-shape" ;
    INVALID_JSON 400 "invalid_json" "The body is not valid JSON, has a duplicate key, or is nested too deep."
        "Send one well-formed JSON object in UTF-8." in "getting-started#request-shape" ;
    VALIDATION_ERROR 422 "validation_error" "A field or query parameter is missing, unknown, of the wrong type or out of bounds."
        "Correct the fields listed under fields." in "getting-started#request-shape" ;
    LIMIT_REACHED 409 "limit_reached" "The maximum number of records of this kind is reached; the error says which kind and how many."
        "Delete or revoke records that you do not need, then try again." ;
    INVALID_CURSOR 400 "invalid_cursor" "The cursor does not come from this list."
        "Follow the Link header of the previous page, or start again without a cursor." ;
    INVALID_IDEMPOTENCY_KEY 400 "invalid_idempotency_key" "The Idempotency-Key is empty, longer than 255 characters, sent twice or not visible ASCII."
        "Send one Idempotency-Key of 1 to 255 visible ASCII characters." in "getting-started#idempotency" ;
    IDEMPOTENCY_IN_FLIGHT 409 "idempotency_in_flight" "The first request with this Idempotency-Key is still running."
        "Repeat the same request after the seconds in Retry-After." in "getting-started#idempotency" ;
    IDEMPOTENCY_KEY_REUSED 422 "idempotency_key_reused" "An earlier request with this Idempotency-Key had another body."
        "Use a new Idempotency-Key for a new request." in "getting-started#idempotency" ;
    PRECONDITION_FAILED 412 "precondition_failed" "No tag in If-Match is the current revision of the record."
        "Read the record again and repeat the change with its current revision in If-Match." ;
    INTERNAL 500 "internal" "The daemon failed; the cause is in its log under the request id."
        "Repeat the request; if it fails again, give the operator the X-Request-Id." in "recipes/troubleshooting#internal" ;
    STORAGE_FULL 503 "storage_full" "The disk is full: the daemon cannot write until there is free space. Reads still work."
        "Free space on the data directory's file system and repeat the request." in "recipes/troubleshooting#disk" ;
    STORAGE_READ_ONLY 503 "storage_read_only" "The file system of the data directory is read-only. Reads still work."
        "Make the data directory's file system writable and repeat the request." in "recipes/troubleshooting#disk" ;
    STORAGE_DAMAGED 503 "storage_damaged" "The database file is damaged."
        "Stop the daemon, run taosd check and restore a backup." in "recipes/troubleshooting#damaged" ;
    STORAGE_GONE 503 "storage_gone" "The database file was removed or replaced while the daemon runs: the daemon refuses writes. Reads still work."
        "Put the file back, or stop the daemon and restore a backup." in "recipes/troubleshooting#damaged" ;
    NOT_READY 503 "not_ready" "A part of the daemon does not work; checks says which."
        "Read checks and the daemon's log, remove the cause and repeat the request." in "recipes/troubleshooting#not-ready" ;

    // Agents.
    AGENT_NOT_FOUND 404 "agent_not_found" "There is no such agent, or the caller may not see it."
        "List the agents you can see with GET /api/agents." in "recipes/managing-agents#list-agents" ;
    ARCHIVED_AGENT_NOT_FOUND 404 "archived_agent_not_found" "There is no such archived agent, or the caller may not see it."
        "List the archived agents with GET /api/agents/archived." in "recipes/managing-agents#restore-agent" ;
    INVALID_AGENT_NAME 400 "invalid_agent_name" "The name is empty, longer than 64 characters or without a letter a-z or digit."
        "Send a name of 1 to 64 characters with at least one of a-z or 0-9." in "recipes/managing-agents#create-agent" ;
    SLUG_COLLISION_UNRESOLVABLE 409 "slug_collision_unresolvable" "The slug is taken, and so are all slugs from -2 to -9999."
        "Choose another name." in "recipes/managing-agents#create-agent" ;
    AGENT_EXISTS 409 "agent_exists" "An agent with this name already exists."
        "Change the name in the export, or archive the existing agent first." in "recipes/managing-agents#import-agent" ;
    INVALID_EXPORT_DATA 400 "invalid_export_data" "The daemon does not support the version of this export."
        "Send an export of version 1 from GET /api/agents/NAME/export." in "recipes/managing-agents#import-agent" ;
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
        "Run the command in mend as root, or name the runtime's socket with --containers-socket." in "recipes/deploying#runtime" ;
    NODE_NOT_FOUND 404 "node_not_found" "The settings name no node of this name."
        "Use a name of GET /api/nodes, or add [nodes.NAME] to taosd.toml and reload the daemon." in "operations/second-box#deploy" ;
    NODE_NEEDS_PUBLIC_URL 409 "node_needs_public_url" "An agent on another machine would not find this box: public_url is not set."
        "Set public_url to the https address under which that machine reaches this box, and reload the daemon." in "operations/second-box#public-url" ;
    DELIVERY_FAILED 502 "delivery_failed" "The token could not be put into the container; the previous token stays valid."
        "Read token_delivery_error, repair the container and issue the token again." in "recipes/tokens-and-rotation#delivery" ;
    WRONG_CHANNEL 403 "wrong_channel" "A credential of one agent came over the socket of another agent's container."
        "Use the token that this container was given, in its environment as TAOS_TOKEN." in "concepts/identity#channels" ;
    UNKNOWN_FRAMEWORK 400 "unknown_framework" "There is no such framework; known lists the existing ones."
        "Use one of the frameworks listed under known." in "recipes/deploying#frameworks" ;
    UNKNOWN_IMAGE 400 "unknown_image" "The container runtime has no such image; known lists existing ones."
        "Use one of the images listed under known, or import the image into the runtime." in "recipes/deploying#images" ;
    DEPLOY_TASK_NOT_FOUND 404 "deploy_task_not_found" "The agent was never deployed."
        "Deploy it with POST /api/agents/deploy." in "recipes/deploying#deploy" ;
    OPERATION_NOT_FOUND 404 "operation_not_found" "There is no such operation, or the caller may not see it."
        "List the operations with GET /api/operations." in "concepts/operations#follow" ;
    OPERATION_FINISHED 409 "operation_finished" "The operation has already ended."
        "Read its result with GET /api/operations/ID." in "concepts/operations#cancel" ;
    NOT_CANCELLABLE 409 "not_cancellable" "An operation of this kind cannot be cancelled once it runs."
        "Wait for it to end." in "concepts/operations#cancel" ;
    INTERRUPTED 500 "interrupted" "The daemon ended during this operation; the next start finished or undid its work."
        "Check the agent and start the operation again." in "concepts/operations#crash" ;
    CANCELLED 409 "cancelled" "The operation was cancelled, and its work was undone."
        "Start the operation again if you still need it." in "concepts/operations#cancel" ;

    // Freezing.
    AGENT_FROZEN 409 "agent_frozen" "The agent is frozen. Its credentials get 401. Requests to start or stop it, or to give it a credential, get 409."
        "Ask the agent's owner to thaw it with POST /api/agents/NAME/thaw." in "recipes/freezing#thaw" ;
    CHANNEL_NOT_FOUND 404 "channel_not_found" "The user has no such channel, or the channel is set in taosd.toml."
        "List the user's channels with GET /api/users/NAME/channels." in "recipes/notifications-on-your-phone#try-it" ;
    CHANNEL_NOT_FIT 422 "channel_not_fit" "The channel's address or secret does not fit its kind, or users' channels may not use its host."
        "Correct what the detail names; to use a host in your own network, add it to channel_hosts in taosd.toml." in "recipes/notifications-on-your-phone#hosts" ;
    TRIPWIRE_NOT_FOUND 404 "tripwire_not_found" "The agent has no such tripwire."
        "List the agent's tripwires with GET /api/agents/NAME/tripwires." in "recipes/freezing#tripwires" ;
    TRIPWIRE_EXISTS 409 "tripwire_exists" "The agent already has a tripwire at this path."
        "Choose another path, or remove that tripwire first." in "recipes/freezing#tripwires" ;

    // Tokens, users, grants.
    INVALID_SCOPE 422 "invalid_scope" "A scope is not *, noun.* or an action, or the list is too long."
        "Send at most 32 scopes, each *, a prefix like agents.* or an action like agents.read." in "concepts/permissions#scopes" ;
    SCOPE_EXCEEDS_ISSUER 403 "scope_exceeds_issuer" "The requested scopes exceed the caller's own."
        "Request only scopes that your own credential covers." in "concepts/permissions#scopes" ;
    USER_NOT_FOUND 404 "user_not_found" "There is no such user, or the caller may not see it."
        "List the users with GET /api/users." in "recipes/users-and-tokens#users" ;
    USERNAME_TAKEN 409 "username_taken" "A user with this name already exists."
        "Choose another username." in "recipes/users-and-tokens#users" ;
    LAST_ADMIN 409 "last_admin" "The change would leave no enabled admin."
        "Give another user the role admin first, with PATCH /api/users/NAME." in "recipes/users-and-tokens#users" ;
    USER_OWNS_AGENTS 409 "user_owns_agents" "The user owns agents, archived ones included."
        "Purge the user's agents, or disable the user instead." in "recipes/users-and-tokens#users" ;
    CANNOT_DELETE_SELF 409 "cannot_delete_self" "A user cannot delete itself."
        "Ask another admin to delete the user." in "recipes/users-and-tokens#users" ;
    TOKEN_NOT_FOUND 404 "token_not_found" "The user has no such token."
        "List the user's tokens with GET /api/users/NAME/tokens." in "recipes/users-and-tokens#tokens" ;
    PRINCIPAL_NOT_FOUND 404 "principal_not_found" "The principal of the grant does not exist, or the caller may not see it."
        "Name an existing user as user:NAME or an agent as agent:NAME." in "concepts/permissions#grants" ;
    GRANT_NOT_FOUND 404 "grant_not_found" "There is no such grant, or the caller may not give it."
        "List the grants with GET /api/grants, or those of programs with GET /api/oauth/grants." in "concepts/permissions#grants" ;

    // Keys, short-lived tokens and sessions.
    NOT_AUTHENTICATED 401 "not_authenticated" "The route needs a credential, and the request has none."
        "Exchange your key at POST /auth/exchange and send the token as Authorization: Bearer TOKEN." in "concepts/authentication#exchange" ;
    INVALID_CREDENTIAL 401 "invalid_credential" "The key, or the key of the token, is unknown, revoked or expired, or its agent no longer exists."
        "Ask the owner for a new key and exchange it at POST /auth/exchange." in "concepts/authentication#when-a-credential-dies" ;
    TOKEN_EXPIRED 401 "token_expired" "The short-lived token has expired."
        "Exchange your key again at POST /auth/exchange." in "concepts/authentication#exchange" ;
    PAT_NOT_ALLOWED 403 "pat_not_allowed" "The route accepts tokens, and the request has a key."
        "Exchange the key at POST /auth/exchange and send the token from the reply, or use a taos_agent_ or taos_user_ token." in "concepts/authentication#exchange" ;
    ADMIN_REQUIRED 403 "admin_required" "The route accepts only tokens of the class user_admin."
        "Exchange a user's key at POST /auth/exchange for the class user_admin." in "concepts/authentication#classes" ;
    USER_REQUIRED 403 "user_required" "The route is only for users, and an agent called it."
        "Send a user's credential." in "concepts/authentication#classes" ;
    INSUFFICIENT_SCOPE 403 "insufficient_scope" "The scope words of the token, or the scopes of its key, do not cover the route."
        "Exchange a key that has the scope named in the error, and request that scope." in "concepts/authentication#scope-words" ;
    CLASS_NOT_ALLOWED 422 "class_not_allowed" "The key cannot be exchanged for this class of token."
        "Request a class that fits the key: user_access or user_admin for users, agent_access for agents." in "concepts/authentication#classes" ;
    AUDIENCE_NOT_ALLOWED 400 "audience_not_allowed" "The key or token is for another audience."
        "Use a key whose audience is cli or both for ax-api, mcp or both for ax-mcp." in "concepts/authentication#audiences" ;
    SCOPE_NOT_ALLOWED 400 "scope_not_allowed" "A scope word does not belong to this class or to this key, or no scope word remains."
        "Request only words that the error lists under allowed." in "concepts/authentication#scope-words" ;
    AGENT_NAME_REQUIRED 422 "agent_name_required" "The enrollment is not bound to an agent yet, and the exchange names no agent."
        "Send agent_name with the first exchange of the enrollment." in "concepts/authentication#enrollment" ;
    BINDING_NOT_ALLOWED 403 "binding_not_allowed" "The key is bound to another agent."
        "Leave agent_id and agent_name out, or name the agent the key is bound to." in "concepts/authentication#enrollment" ;
    NAME_CONFLICT 409 "name_conflict" "The name is taken."
        "Choose another name." in "recipes/bootstrap#create-an-agent" ;
    INVALID_REQUEST 422 "invalid_request" "The body is not JSON, or a field is missing, of the wrong type or out of bounds."
        "Correct the fields that the error names." in "getting-started#request-shape" ;
    CLEANUP_REQUIRED 409 "cleanup_required" "The maximum number of active keys is reached."
        "Revoke keys that you do not use with DELETE /credentials/ID, then issue again." in "concepts/authentication#how-many-keys" ;
    CREDENTIAL_NOT_FOUND 404 "credential_not_found" "There is no such credential, or the caller may not see it."
        "List the credentials with GET /credentials." in "concepts/authentication#keys" ;
    FINGERPRINT_MISMATCH 422 "fingerprint_mismatch" "The fingerprint does not match the credential."
        "Use the key where it was first used, or issue a new one." in "concepts/authentication#fingerprints" ;
    SPACE_NOT_FOUND 404 "space_not_found" "There is no such space, or the caller may not see it."
        "List the spaces with GET /api/v1/spaces." in "recipes/bootstrap#spaces" ;
    SPACE_FORBIDDEN 403 "space_forbidden" "The caller may not use this space."
        "Use one of the spaces that GET /api/v1/spaces lists; as an agent you may ask for this one: post the object `request` of this reply to /api/requests." in "recipes/bootstrap#spaces" ;
    TOO_MANY_MEMBERS 409 "too_many_members" "The space has the maximum number of members."
        "Remove a member that the space does not need." in "concepts/workspace#members" ;
    MEMBER_NOT_FOUND 404 "member_not_found" "The space has no such member."
        "List the members with GET /api/v1/spaces/ID/members." in "concepts/workspace#members" ;
    MEMBER_AT_HOME 409 "member_at_home" "The member owns the space, or is an agent that has no other space."
        "Put the agent into another space first." in "concepts/workspace#members" ;
    // Requests.
    AGENT_REQUIRED 403 "agent_required" "The route is only for agents, and a user called it."
        "Send an agent's credential; only agents can ask." in "recipes/asking-for-access#ask" ;
    REQUEST_NOT_FOUND 404 "request_not_found" "There is no such request, or the caller may not see it."
        "List the requests with GET /api/requests." in "recipes/asking-for-access#ask" ;
    REQUEST_DECIDED 409 "request_decided" "The request is no longer pending."
        "Read the request with GET /api/requests/ID." in "recipes/deciding-requests#decide" ;
    REQUEST_NOT_IN_FORCE 409 "request_not_in_force" "The request gives nothing that can be revoked."
        "List what is in force with GET /api/requests?state=approved." in "recipes/deciding-requests#revoke" ;
    RECENTLY_DENIED 409 "recently_denied" "The same thing was denied less than ten minutes ago."
        "Go on without it, or ask again after ten minutes with a better reason." in "recipes/asking-for-access#denied" ;
    TOO_MANY_REQUESTS_PENDING 409 "too_many_requests_pending" "The agent has the maximum number of pending requests."
        "Wait for a decision, or withdraw a request with POST /api/requests/ID/withdraw." in "recipes/asking-for-access#ask" ;
    TOO_MANY_QUESTIONS 409 "too_many_questions" "The agent has the maximum number of open questions."
        "Wait for an answer, or withdraw a question with POST /api/requests/ID/withdraw." in "recipes/asking-for-access#question" ;
    QUESTION_NOT_FOUND 404 "question_not_found" "The agent has asked no such question."
        "Use the question_id that POST /api/ui/ask returned." in "recipes/asking-for-access#question" ;
    USER_TOKEN_REQUIRED 403 "user_token_required" "The credential cannot open a web session: only a user's token can."
        "Send a token that starts with taos_user_." in "concepts/authentication#web-sessions" ;
    LINK_INVALID 401 "link_invalid" "The login link is unknown, was used before, or is older than 5 minutes."
        "Make a new one with taosctl open, and open it once." in "recipes/logging-in#by-link" ;
    TLS_REQUIRED 403 "tls_required" "People log in under a loopback name or over https, and the request came under another name."
        "Open a tunnel with ssh -L 6969:127.0.0.1:6969 BOX and use http://127.0.0.1:6969, or set public_url to an https address." in "recipes/logging-in#from-a-laptop" ;
    // Programs that log in.
    INVALID_CLIENT 401 "invalid_client" "The client is unknown, or its secret is wrong."
        "Register the program again at /oauth/register, or with taosctl oauth clients add." in "recipes/letting-programs-log-in#register" ;
    INVALID_GRANT 400 "invalid_grant" "The code, refresh token or other proof is unknown, used, expired or revoked, or belongs to another client."
        "Start the login again and let the person consent once more." in "recipes/letting-programs-log-in#get-tokens" ;
    UNAUTHORIZED_CLIENT 400 "unauthorized_client" "The client may not do this."
        "Use the client that the token was issued to, and only grant types that it has registered." in "recipes/letting-programs-log-in#get-tokens" ;
    UNSUPPORTED_GRANT_TYPE 400 "unsupported_grant_type" "The token endpoint does not know this grant_type."
        "Use one of the grant_types_supported of /.well-known/oauth-authorization-server." in "recipes/letting-programs-log-in#get-tokens" ;
    INVALID_TARGET 400 "invalid_target" "The resource is not on this box and not in its settings."
        "Send the address of the box, that address with /mcp, or leave resource out." in "recipes/letting-programs-log-in#get-tokens" ;
    INVALID_REDIRECT_URI 400 "invalid_redirect_uri" "A redirect URI is missing or not allowed."
        "Use http on a loopback address, https, or a scheme of oauth.redirect_schemes, without user, fragment, * and dot segments." in "recipes/letting-programs-log-in#register" ;
    INVALID_CLIENT_METADATA 400 "invalid_client_metadata" "A field of the registration is missing, wrong or too long."
        "Correct the field that the error names." in "recipes/letting-programs-log-in#register" ;
    AUTHORIZATION_PENDING 400 "authorization_pending" "The person has not decided yet."
        "Send the request again after interval seconds." ;
    SLOW_DOWN 400 "slow_down" "The program asked again before the interval was over."
        "From now on wait 5 seconds longer between two requests." ;
    ACCESS_DENIED 400 "access_denied" "The person has refused."
        "Start the login or the join again if that was a mistake." ;
    EXPIRED_TOKEN 400 "expired_token" "The device code is unknown, used, or older than 10 minutes."
        "Start the login or the join again: the person gets a new code." ;
    USER_CODE_NOT_FOUND 404 "user_code_not_found" "No program is waiting with this code."
        "Compare the code with the one that the program shows, or start the login again in the program." in "recipes/letting-programs-log-in#without-a-browser" ;
    OAUTH_CLIENT_NOT_FOUND 404 "oauth_client_not_found" "No such program is registered."
        "List the programs with GET /api/oauth/clients." in "recipes/letting-programs-log-in#register-by-hand" ;
    AUTHORIZATION_EXPIRED 404 "authorization_expired" "The program's request to log in is unknown, answered, or older than 10 minutes."
        "Start the login again in the program." in "recipes/letting-programs-log-in#consent" ;
    SESSION_NOT_FOUND 404 "session_not_found" "The user has no such session."
        "List the sessions with GET /api/sessions." in "concepts/authentication#web-sessions" ;
    CSRF_REFUSED 403 "csrf_refused" "The request uses the cookie to change something, but does not come from a page of this daemon."
        "Send the request from the daemon's own page, or with an Authorization header." in "concepts/authentication#web-sessions" ;

    // Notifications and knowledge.
    INVALID_PRIORITY 400 "invalid_priority" "The priority is not low, normal or high."
        "Send low, normal or high, or leave priority out." in "recipes/notifying-the-user#notify" ;
    INVALID_ACTION_URL 400 "invalid_action_url" "The action_url is neither a plain http(s) URL nor a path on this box."
        "Send an http or https URL with a host and without a user, or a path that starts with one slash." in "recipes/notifying-the-user#notify" ;
    NOTIFICATION_NOT_FOUND 404 "notification_not_found" "There is no such notification, or the caller may not see it."
        "List the notifications you can see with GET /api/notifications." in "recipes/notifying-the-user#read" ;
    TOO_MANY_STREAMS 429 "too_many_streams" "The principal has the maximum number of event streams."
        "Close a stream that you do not need and try again." in "recipes/notifying-the-user#watch" ;
    KNOWLEDGE_ITEM_NOT_FOUND 404 "knowledge_item_not_found" "There is no such item."
        "List the items with GET /api/knowledge/items, or search for it." in "recipes/reading-knowledge#read" ;
    SOURCE_NOT_FOUND 404 "source_not_found" "There is no such source of knowledge."
        "List the sources with GET /api/knowledge/sources." in "recipes/reading-knowledge#sources" ;
    SOURCE_RESERVED 403 "source_reserved" "Only the daemon can write the source taos-core."
        "Write to a source of your own, such as app:NAME." in "concepts/knowledge#sources" ;
    TOO_MANY_SOURCES 409 "too_many_sources" "The daemon or the owner has the maximum number of knowledge sources, or the maximum amount of text in them."
        "Delete a source that you do not need with DELETE /api/knowledge/sources/ID." in "concepts/knowledge#sources" ;
    SOURCE_FORBIDDEN 403 "source_forbidden" "The source belongs to somebody else."
        "Write to a source of your own, or ask its owner or an admin." in "concepts/knowledge#sources" ;

    // The workspace: messages.
    MESSAGE_NOT_FOUND 404 "message_not_found" "There is no such message, or the caller may not see it."
        "List the messages with GET /api/v1/messages." in "recipes/talking-to-another-agent#read" ;
    TOO_MANY_PINNED 409 "too_many_pinned" "The space has the maximum number of pinned messages."
        "Unpin a message that you do not need." in "recipes/talking-to-another-agent#change" ;
    TOO_MANY_REACTIONS 409 "too_many_reactions" "The message has the maximum number of reactions, in total or from the caller."
        "Reply to the message instead." in "recipes/talking-to-another-agent#reactions" ;

    // The workspace: tasks, context, files.
    TASK_NOT_FOUND 404 "task_not_found" "There is no such task, or the caller may not see it."
        "List the tasks with GET /api/v1/tasks." in "recipes/working-off-a-queue#tasks" ;
    TASK_CLAIMED 409 "task_claimed" "Another principal has the lease of this task; the error says who, and until when."
        "Take another task with POST /api/v1/tasks/next, or wait until the lease ends." in "recipes/working-off-a-queue#claim" ;
    TASK_NOT_FREE 409 "task_not_free" "The task is finished, blocked, for somebody else, or waits for other tasks."
        "Take another task with POST /api/v1/tasks/next." in "recipes/working-off-a-queue#claim" ;
    LEASE_LOST 409 "lease_lost" "The lease with this fence has ended, or the fence is missing, so the change is not accepted."
        "Discard the work, and claim the task again if it is still open." in "recipes/working-off-a-queue#fences" ;
    TOO_MANY_TASKS 409 "too_many_tasks" "The space has the maximum number of open tasks."
        "Finish or cancel tasks, or raise workspace.open_tasks in taosd.toml." in "concepts/tasks-context-files#bounds" ;
    CONTEXT_NOT_FOUND 404 "context_not_found" "There is no such key in this space, or it has expired."
        "List the keys with GET /api/v1/context." in "recipes/sharing-a-file#context" ;
    BACKUP_NOT_FOUND 404 "backup_not_found" "There is no backup with this name."
        "List the backups with taosctl backups." in "recipes/backup#download-one" ;
    UPLOAD_NOT_FOUND 404 "upload_not_found" "There is no such file, or the caller may not see it."
        "Use the address from the reply to the upload." in "recipes/sharing-a-file#download" ;
    QUOTA_EXCEEDED 413 "quota_exceeded" "The space or the box has used all its storage."
        "Delete data that you do not need, or raise the setting that the error names in taosd.toml." in "concepts/tasks-context-files#bounds" ;
    PAYLOAD_TOO_LARGE 413 "payload_too_large" "The upload or the value is too large."
        "Send a smaller one, or split it into parts." in "concepts/tasks-context-files#bounds" ;
    ALLOWANCE_USED 429 "allowance_used" "The agent has reached the maximum amount of data that it may add in a day."
        "Wait until the time in opens_at, or raise the setting that the error names in taosd.toml." in "concepts/tasks-context-files#bounds" ;

    // Builds, deployments, agents' keys and forwarding.
    UNAUTHENTICATED 401 "unauthenticated" "The request has no credential, or an unknown, expired or revoked one."
        "Send a user's token or an agent's token as Authorization: Bearer, or an agent's key as x-agent-api-key." in "concepts/agentex#credentials" ;
    TWO_CREDENTIALS 400 "two_credentials" "The request carries more than one credential."
        "Send exactly one header, Authorization or x-agent-api-key." in "concepts/agentex#credentials" ;
    NAME_UNAVAILABLE 403 "name_unavailable" "The name belongs to an agent that the caller may not use."
        "Choose another name, or ask the agent's owner for a role on it." in "concepts/agentex#names" ;
    NAME_TAKEN 409 "name_taken" "Another live agent has this name."
        "Choose another name, or archive the other agent first." in "concepts/agentex#names" ;
    DEPLOYMENT_NOT_FOUND 404 "deployment_not_found" "There is no such deployment, or the caller may not see it."
        "List the deployments with GET /agents/ID/deployments." in "concepts/agentex#deployments" ;
    DEPLOYMENT_NOT_READY 400 "deployment_not_ready" "The deployment has not registered yet."
        "Register the agent with registration_metadata.deployment_id, then promote." in "concepts/agentex#deployments" ;
    DEPLOYMENT_IN_PRODUCTION 400 "deployment_in_production" "The deployment is in production and cannot be deleted."
        "Promote another deployment first." in "concepts/agentex#deployments" ;
    TOO_MANY_DEPLOYMENTS 409 "too_many_deployments" "The agent has the maximum number of deployments, deleted ones included."
        "Register with the id of an existing deployment." in "concepts/agentex#deployments" ;
    AGENT_IDENTIFIER 400 "agent_identifier" "The request has neither agent_id nor agent_name, or both."
        "Send exactly one of agent_id and agent_name." in "concepts/agentex#keys" ;
    API_KEY_NOT_FOUND 404 "api_key_not_found" "There is no such key, or the caller may not see it."
        "List the keys with GET /agent_api_keys?agent_name=NAME." in "concepts/agentex#keys" ;
    KEY_TYPE_NOT_SUPPORTED 400 "key_type_not_supported" "Keys of this type need a secret in plain text, which the daemon never stores."
        "Use the type internal or external." in "concepts/agentex#keys" ;
    KEY_EXISTS 409 "key_exists" "The agent already has a live key with this name and type."
        "Choose another name, or delete that key first." in "concepts/agentex#keys" ;
    TOO_MANY_KEYS 409 "too_many_keys" "The agent has the maximum number of live keys."
        "Delete a key that you do not use with DELETE /agent_api_keys/ID." in "concepts/agentex#keys" ;
    NO_ACP_URL 404 "no_acp_url" "The agent has not registered an address."
        "Register the agent with an acp_url, or promote a deployment that has one." in "concepts/agentex#forwarding" ;
    ACP_URL_NOT_ALLOWED 409 "acp_url_not_allowed" "The daemon does not forward requests to the agent's address."
        "Register an http address of the agent's own container, or of this machine if the agent has no container." in "concepts/agentex#forwarding" ;
    FORWARD_FAILED 502 "forward_failed" "The daemon could not reach the agent, or the agent's reply was too large or not HTTP."
        "Check that the agent runs and answers at its acp_url." in "concepts/agentex#forwarding" ;
    FORWARD_TIMEOUT 504 "forward_timeout" "The agent did not answer in time."
        "Try again, or read the agent's logs." in "concepts/agentex#forwarding" ;
    NOT_SUPPORTED 501 "not_supported" "This daemon does not support the request."
        "Use one of the routes that GET /api lists." in "concepts/agentex#left-out" ;

    // Documentation.
    DOC_NOT_FOUND 404 "doc_not_found" "There is no such page."
        "Open /docs and follow the links." ;
}

/// Finds the code with this slug.
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
