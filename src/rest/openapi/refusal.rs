//! The description of a refusal.

use serde_json::{Value, json};

use super::headers;
use crate::rest::codes::Code;
use crate::rest::error::{ApiError, Dialect};

/// Describes the refusal with one of these codes.
pub(super) fn refusal(status: u16, codes: &[&'static Code], dialect: Dialect, repeatable: bool) -> Value {
    let names: Vec<&str> = codes.iter().map(|code| code.slug).collect();
    let schema = match dialect {
        Dialect::Agentex => "AgentexError",
        Dialect::Mcp => "McpError",
        Dialect::Taos | Dialect::Ax | Dialect::OAuth | Dialect::Html => "Error",
    };
    json!({
        "description": names.join(", "),
        "headers": headers::of_refusal(status, codes, repeatable),
        "content": {"application/json": {
            "schema": {"$ref": format!("#/components/schemas/{schema}")},
            "example": ApiError::new(codes[0]).envelope(dialect),
        }},
    })
}
