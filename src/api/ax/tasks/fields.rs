//! The fields of the requests about tasks, each declared once.

use super::super::ID_CHARS;
use crate::limits::{LEASE_SECONDS, TASK_DEPENDENCIES, TASK_STATUS_CHARS, TASK_TITLE_CHARS, TASK_WAIT, TEXT_BYTES};
use crate::rest::field::{Field, Type};
use crate::store::tasks::Priority;

/// The task of the path, as an argument of a tool.
pub(super) const TASK_ID: Field = Field::text("task_id", ID_CHARS, "The task's id.");

pub(super) const TITLE: Field = Field::text("title", TASK_TITLE_CHARS, "The title, one line.").not_empty().visible();
pub(super) const DESCRIPTION: Field = Field::text("description", TEXT_BYTES, "The description of the work.");
pub(super) const PRIORITY: Field = Field::word("priority", Priority::SLUGS, "The urgency; medium if absent.");
pub(super) const ASSIGNEE: Field =
    Field::text("assignee_id", ID_CHARS, "The agent or user that should do the task; a member of the space.");

/// A field in `requirements`: the space of a task whose request names no space.
pub(super) const SPACE_HINT: Field = Field::text("space_id_hint", ID_CHARS, "The space of the task.");

pub(super) const REQUIREMENTS: Field =
    Field::of("requirements", Type::AnyObject, "Requirements, as free data of at most 16 KiB.");

/// The JSON Schema keywords of a deadline; an empty text removes the deadline.
pub(super) const DEADLINE_KEYWORDS: &str = r#"{"anyOf": [{"format": "date-time"}, {"maxLength": 0}]}"#;

pub(super) const DEADLINE: Field =
    Field::text("deadline", 40, "When the task should be done by, as RFC 3339.").told(DEADLINE_KEYWORDS);
pub(super) const DEPENDS_ON: Field =
    Field::texts("depends_on", TASK_DEPENDENCIES, ID_CHARS, "The tasks of the same space that must be finished first.");
pub(super) const MAX_ATTEMPTS: Field =
    Field::integer("max_attempts", 1, 100, "The number of ended leases that blocks the task; 5 if absent.");
pub(super) const STATUS: Field =
    Field::text("status", TASK_STATUS_CHARS, "The new status, as a word of a-z, digits, _ and -.")
        .not_empty()
        .told(STATUS_KEYWORDS);
pub(super) const STATUS_KEYWORDS: &str = r#"{"pattern": "^[a-z][a-z0-9_-]*$"}"#;
pub(super) const FENCE: Field = Field::integer("fence", 1, i64::MAX, "The fence of the caller's lease.");
pub(super) const SECONDS: Field =
    Field::integer("lease_seconds", LEASE_SECONDS.0, LEASE_SECONDS.1, "The lease in seconds; 300 if absent.");
pub(super) const FILTER: &[Field] = &[
    Field::text("status", TASK_STATUS_CHARS, "Only tasks with this status; not_started if absent.")
        .not_empty()
        .told(STATUS_KEYWORDS),
    Field::word("priority", Priority::SLUGS, "Only tasks of at least this urgency."),
];
pub(super) const FILTER_FIELD: Field = Field::of("filter", Type::Object(FILTER), "Which tasks may be claimed.");
pub(super) const WAIT: Field = Field::integer("wait", 0, TASK_WAIT, "Seconds to wait for a task; 0 if absent.");
