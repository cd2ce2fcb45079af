//! What holds between the fields of a body, for `/openapi.json`; the handlers check it in their own words.

/// The route's id, and keywords of JSON Schema that are added to its body's schema.
pub const RULES: &[(&str, &str)] = &[
    ("grants_create", GRANT),
    // Exactly one of the two ways to name an agent.
    ("agentex_keys_create", ONE_AGENT),
];

const GRANT: &str = r#"{"oneOf": [
    {"properties": {"resource": {"const": "agent:*"}, "role": {"const": "creator"}}},
    {"properties": {"resource": {"not": {"const": "agent:*"}}, "role": {"not": {"const": "creator"}}}}
]}"#;

const ONE_AGENT: &str = r#"{"oneOf": [
    {"required": ["agent_id"], "properties": {"agent_id": {"type": "string"}, "agent_name": {"type": "null"}}},
    {"required": ["agent_name"], "properties": {"agent_id": {"type": "null"}, "agent_name": {"type": "string"}}}
]}"#;
