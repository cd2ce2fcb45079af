//! The fields of requests and of decisions, for all dialects.

use crate::limits::{
    ANSWER_CHARS, NAME_CHARS, QUESTION_CHARS, QUESTION_OPTIONS, REASON_CHARS, REQUEST_DURATION, REQUEST_LIFE,
    REQUEST_SCOPES, SCOPE_CHARS,
};
use crate::rest::field::Field;
use crate::store::requests::RequestKind;

/// The roles that can be asked for.
const ROLES: &[&str] = &["viewer", "editor", "owner"];

/// The kind of request.
pub const KIND: Field = Field::word("kind", RequestKind::SLUGS, "The kind of request: scope, grant or confirm.");
/// The reason for the request.
pub const REASON: Field = Field::text("reason", REASON_CHARS, "The reason. The decider reads it.").not_empty();
/// The scopes that the agent asks for.
pub const SCOPE: Field = Field::texts("scope", REQUEST_SCOPES, SCOPE_CHARS, "kind scope: the scopes.").told(SCOPES);
/// The schema of one scope, for the OpenAPI document.
const SCOPES: &str = r##"{"items": {"$ref": "#/components/schemas/Scope"}}"##;
/// The agent or space that a role is asked on.
pub const RESOURCE: Field =
    Field::text("resource", 128, "kind grant: agent:NAME or space:NAME; an id may stand for the name.")
        .told(r#"{"pattern": "^(agent|space):."}"#);
/// The role that the agent asks for.
pub const ROLE: Field = Field::word("role", ROLES, "kind grant: the role.");
/// The text of the question.
pub const QUESTION: Field = Field::text("question", QUESTION_CHARS.0, "kind confirm: the question.");
/// The answers to choose from.
pub const OPTIONS: Field = Field::texts(
    "options",
    QUESTION_OPTIONS[0].1,
    QUESTION_OPTIONS[0].2,
    "kind confirm: 2 to 6 answers to choose from; yes and no if absent.",
);
/// Whether a free text is an answer too.
pub const FREE_TEXT: Field = Field::flag("free_text", "kind confirm: whether a free text is also an answer.");
/// The seconds that the right lasts.
pub const DURATION: Field = Field::integer(
    "duration_seconds",
    REQUEST_DURATION.0,
    REQUEST_DURATION.1,
    "kinds scope and grant: seconds that the right lasts; without an end if absent.",
);
/// The seconds until the request expires.
pub const LIFE: Field = Field::integer(
    "expires_in_seconds",
    REQUEST_LIFE.0,
    REQUEST_LIFE.1,
    "Seconds until the request expires; 24 h if absent.",
);

/// For a decision: fewer or narrower scopes.
pub const LESS_SCOPE: Field =
    Field::texts("scope", REQUEST_SCOPES, SCOPE_CHARS, "kind scope: fewer or narrower scopes than asked for.")
        .told(SCOPES);
/// For a decision: a smaller role.
pub const LESS_ROLE: Field = Field::word("role", ROLES, "kind grant: a smaller role than asked for.");
/// For a decision: a shorter time, in seconds.
pub const LESS_TIME: Field = Field::integer(
    "duration_seconds",
    REQUEST_DURATION.0,
    REQUEST_DURATION.1,
    "kinds scope and grant: a shorter time than asked for.",
);
/// For a decision: the chosen option, counted from 0.
pub const OPTION: Field =
    Field::integer("option", 0, 16, "kind confirm: the number of the chosen option, counted from 0.");
/// For a decision: the answer as free text.
pub const TEXT: Field = Field::text("text", ANSWER_CHARS, "kind confirm: the answer as free text.");
/// The decider's note.
pub const NOTE: Field = Field::text("note", REASON_CHARS, "A note from the decider.");
/// For a join: a new agent, or the same again.
pub const AS: Field = Field::word("as", &["new", "same"], "kind join: a new agent, or the same again.");
/// For a join: another name.
pub const NAME: Field = Field::text("name", NAME_CHARS, "kind join: another name.");
/// For a join: the hours that the old credentials stay valid.
pub const KEEP_OLD: Field =
    Field::integer("keep_old_hours", 0, 24, "kind join: hours that the old credentials stay valid.");
