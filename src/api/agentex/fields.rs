//! The fields of the requests about agents, each declared once.

use crate::rest::field::Field;
use crate::store::registrations::{AcpType, InputType};

pub(super) const ACP_TYPE: Field =
    Field::word("acp_type", AcpType::SLUGS, "How the agent's server answers.").required();
pub(super) const ACP_URL: Field =
    Field::unbounded("acp_url", "The address of the agent's server: an absolute http or https URL.")
        .told(ADDRESS)
        .required();
pub(super) const DESCRIPTION: Field = Field::text("description", 65_536, "The agent's purpose; may be empty.");
pub(super) const INPUT: Field =
    Field::word("agent_input_type", InputType::SLUGS, "The kind of input that the agent takes.");
pub(super) const NAME: Field = Field::unbounded("name", "1 to 64 of a-z 0-9 -, a letter or digit first and last.")
    .told(r#"{"pattern": "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"}"#);
pub(super) const ORDER_BY: Field = Field::word(
    "order_by",
    &["updated_at", "created_at", "registered_at", "name", "id"],
    "Sorts by this field; updated_at if absent.",
);

/// The JSON Schema keywords of an address: a name, an IPv4 address or the IPv6 loopback, a port, a path. The daemon
/// accepts other forms too.
pub(super) const ADDRESS: &str = r#"{"maxLength": 2048, "pattern": "^https?://([a-z][a-z0-9-]{0,20}|127\\.0\\.0\\.1|(10|172|192)(\\.[1-9][0-9]?){3}|\\[::1\\])(:[1-9][0-9]{0,3})?(/[A-Za-z0-9_~-]*)*$"}"#;

pub(super) const AGENT_ID: Field =
    Field::unbounded("agent_id", "The agent to register; with another name it is renamed.");
