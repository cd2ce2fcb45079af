//! The fields that requests about agents, keys and tokens share, each declared once.

use super::ID_CHARS;
use crate::rest::field::Field;
use crate::store::agents::AgentOrigin;

pub(super) const SPACE_ID: Field =
    Field::text("space_id", super::ID_CHARS, "The space; the caller's default if absent.");
pub(super) const ORIGIN: Field =
    Field::word("origin", AgentOrigin::SLUGS, "How the agent came to the box; mcp if absent.");
pub(super) const PINNED: Field = Field::flag("pinned", "True if the agent stays at the top of the space's list.");

pub(super) const NAME: Field = Field::text("name", 64, "The name of the key.").line();

pub(super) const AUDIENCE: Field = Field::text(
    "audience",
    64,
    "ax-api for the routes of this daemon, ax-mcp for its MCP endpoint and other services; ax-api if absent.",
);
pub(super) const AGENT_ID: Field = Field::text("agent_id", ID_CHARS, "The agent the key is bound to.");
