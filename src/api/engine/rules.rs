//! Rules between the fields of a body, for `/openapi.json`. The handlers check the same rules in code.

/// Pairs of a route's id and the JSON Schema keywords that are added to its body's schema.
pub const RULES: &[(&str, &str)] = &[
    ("grants_create", GRANT),
    // Exactly one of the two ways to name an agent.
    ("agentex_keys_create", ONE_AGENT),
    // Exactly one of the two ways to say who logs in.
    ("sessions_open", TOKEN_OR_LINK),
    // Each kind of channel has its own form of address, and all but ntfy have a secret.
    ("channels_create", CHANNEL),
];

const GRANT: &str = r#"{"oneOf": [
    {"properties": {"resource": {"const": "agent:*"}, "role": {"const": "creator"}}},
    {"properties": {"resource": {"not": {"const": "agent:*"}}, "role": {"not": {"const": "creator"}}}}
]}"#;

const TOKEN_OR_LINK: &str = r#"{"oneOf": [
    {"required": ["token"], "properties": {"token": {"type": "string"}, "link": {"type": "null"}}},
    {"required": ["link"], "properties": {"token": {"type": "null"}, "link": {"type": "string"}}}
]}"#;

const CHANNEL: &str = r#"{"oneOf": [
    {"properties": {"kind": {"const": "ntfy"},
        "url": {"pattern": "^https://[a-z0-9][a-z0-9.-]*[.][a-z]{2,}/[A-Za-z0-9_-]+$"}}},
    {"required": ["secret"], "properties": {"kind": {"enum": ["webhook", "gotify"]},
        "secret": {"type": "string", "minLength": 16}}},
    {"required": ["secret"], "properties": {"kind": {"const": "telegram"},
        "secret": {"type": "string", "minLength": 1},
        "url": {"pattern": "^https://[a-z0-9][a-z0-9.-]*[.][a-z]{2,}/[?]chat_id=[0-9]+$"}}}
]}"#;

const ONE_AGENT: &str = r#"{"oneOf": [
    {"required": ["agent_id"], "properties": {"agent_id": {"type": "string"}, "agent_name": {"type": "null"}}},
    {"required": ["agent_name"], "properties": {"agent_id": {"type": "null"}, "agent_name": {"type": "string"}}}
]}"#;
