//! Tasks: create, list and change them (aX contract, section 10), claim and release them (workspace contract, section
//! 3).

mod change;
mod create;
mod fields;
mod lease;
mod next;
mod read;
mod show;

use fields::{
    ASSIGNEE, DEADLINE, DEPENDS_ON, DESCRIPTION, FENCE, FILTER_FIELD, MAX_ATTEMPTS, PRIORITY, REQUIREMENTS, SECONDS,
    STATUS, TASK_ID, TITLE, WAIT,
};
use hyper::http::Method;

use super::context::SPACE;
use super::{ID_CHARS, checked};
use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::paging;
use crate::limits::{PAGE_MAX, TASK_STATUS_CHARS, TOOL_WAIT};
use crate::rest::class::UA_AG;
use crate::rest::codes::{self, Code};
use crate::rest::field::{Field, Type};
use crate::rest::route::Answer;
use crate::rest::tool::{Effect, Tool};
use crate::store::tasks::Priority;

pub use show::ended;

const DOC: &str = "recipes/working-off-a-queue#tasks";
const DOC_CLAIM: &str = "recipes/working-off-a-queue#claim";
const DOC_FENCES: &str = "recipes/working-off-a-queue#fences";

const PERSON: &[Field] = &[
    Field::shown("id", "The id."),
    Field::word("type", &["agent", "user"], "What it is.").required(),
    Field::shown("name", "The name."),
];

const LEASE: &[Field] = &[
    Field::of("holder", Type::Object(PERSON), "The member that holds the lease.").required(),
    Field::integer("fence", 1, i64::MAX, "The fence of the lease. It grows with every claim.").required(),
    Field::shown("until", "When the lease ends."),
];

const TASK: &[Field] = &[
    Field::shown("id", "The id."),
    Field::shown("space_id", "The space's id."),
    Field::shown("title", "The title, one line."),
    Field::shown("description", "The description of the work."),
    Field::shown("status", "The status: not_started, in_progress, blocked, done, cancelled, or the space's own word."),
    Field::word("priority", Priority::SLUGS, "The urgency.").required(),
    Field::shown("assignee_id", "The agent or user that should do the task.").nullable(),
    Field::of("requirements", Type::AnyObject, "Requirements from the creator, as free data.").required().nullable(),
    Field::shown("deadline", "When the task should be done by.").nullable(),
    Field::unbounded_texts("depends_on", "The tasks that must be finished first.").required(),
    Field::integer("waiting_on", 0, i64::MAX, "The number of those that are not finished.").required(),
    Field::integer("attempts", 0, i64::MAX, "The number of leases that ended before the task was finished.").required(),
    Field::integer("max_attempts", 1, 100, "The number of ended leases that blocks the task.").required(),
    Field::of("created_by", Type::Object(PERSON), "The creator of the task.").required(),
    Field::of("lease", Type::Object(LEASE), "The current lease; null if the task is free.").required().nullable(),
    Field::shown("created_at", "When the task was created."),
    Field::shown("updated_at", "When the task was last changed."),
    Field::shown("finished_at", "When the task was done or cancelled.").nullable(),
];

const NEW: &[Field] =
    &[TITLE.required(), SPACE, DESCRIPTION, PRIORITY, ASSIGNEE, REQUIREMENTS, DEADLINE, DEPENDS_ON, MAX_ATTEMPTS];
const NEW_EXAMPLE: &str = r#"{"title": "Read the log of last night", "priority": "high"}"#;
const CHANGE: &[Field] =
    &[STATUS, PRIORITY, ASSIGNEE, TITLE, DESCRIPTION, REQUIREMENTS, DEADLINE, DEPENDS_ON, MAX_ATTEMPTS, FENCE];
const CLAIMED: &[Field] = &[
    Field::of("task", Type::Object(TASK), "The task.").required(),
    Field::of("lease", Type::Object(LEASE), "The caller's lease.").required(),
];
const NEXT: &[Field] = &[
    Field::of("task", Type::Object(TASK), "The task; null if there is none.").required().nullable(),
    Field::of("lease", Type::Object(LEASE), "The caller's lease."),
];
const CHANGED: &[Field] = &[
    Field::shown("at", "When."),
    Field::shown("actor", "Who made the change, as user:ID or agent:ID; taosd for the daemon itself."),
    Field::shown("field", "The field that changed."),
    Field::shown("from", "The value before.").nullable(),
    Field::shown("to", "The value after.").nullable(),
];

const CREATE_ERRORS: &[&Code] =
    &[codes::SPACE_FORBIDDEN, codes::FORBIDDEN, codes::TOO_MANY_TASKS, codes::ALLOWANCE_USED];
const LEASE_ERRORS: &[&Code] = &[codes::TASK_NOT_FOUND, codes::FORBIDDEN, codes::LEASE_LOST];

/// The tasks' rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::POST, "/api/v1/tasks", UA_AG, Action::TasksCreate, create::create)
        .described("tasks_create", "Create a task", "The space must be one of the caller's.", DOC)
        .taking(NEW, NEW_EXAMPLE)
        .answering(201, Answer::Object(TASK))
        .repeatable()
        .failing(CREATE_ERRORS)
        .offering(Tool::new(
            "tasks_create",
            Effect::Adds,
            "Create a task in a space, for anybody or for the member that assignee_id names. depends_on holds it back \
                until other tasks are done.",
        )),
    checked(Method::POST, "/api/tasks", UA_AG, Action::TasksCreate, create::create)
        .described(
            "tasks_create_here",
            "Create a task where the caller works",
            "Uses the caller's default space, or the one that requirements.space_id_hint names.",
            DOC,
        )
        .taking(NEW, NEW_EXAMPLE)
        .answering(201, Answer::Object(TASK))
        .repeatable()
        .failing(CREATE_ERRORS),
    checked(Method::GET, "/api/v1/tasks", UA_AG, Action::TasksList, read::list)
        .described(
            "tasks_list",
            "List tasks",
            "The tasks of one space, newest first. Filter by status or by assignee, not both. If there are more, \
                next_cursor leads to them.",
            DOC,
        )
        .asking(&[
            Field::integer("limit", 1, PAGE_MAX as i64, "Maximum number of tasks; 100 if absent."),
            SPACE,
            Field::text("status", TASK_STATUS_CHARS, "Only tasks with this status."),
            Field::text("assignee_id", ID_CHARS, "Only tasks assigned to this agent or user."),
            paging::CURSOR,
        ])
        .answering(
            200,
            Answer::Object(&[
                Field::of("tasks", Type::Objects(TASK), "The tasks.").required(),
                Field::unbounded("next_cursor", "The position of the next page."),
            ]),
        )
        .failing(&[codes::SPACE_NOT_FOUND, codes::INVALID_CURSOR])
        .offering(
            Tool::new(
                "tasks_list",
                Effect::Reads,
                "List the tasks of a space, newest first, by status or by assignee. To take work use tasks_next.",
            )
            .narrowed(&[Field::integer("limit", 1, 100, "Maximum number of tasks; 20 if absent.")])
            .preset(&[("limit", 20)]),
        ),
    checked(Method::POST, "/api/v1/tasks/next", UA_AG, Action::TasksUpdate, next::next)
        .described(
            "tasks_next",
            "Claim the next task",
            "Gives the most urgent free task, or the oldest of these; no two callers get the same one. If there is \
                none, the reply waits for one, at most wait seconds.",
            DOC_CLAIM,
        )
        .taking(&[SPACE, FILTER_FIELD, SECONDS, WAIT], r#"{"lease_seconds": 300, "wait": 0}"#)
        .answering(200, Answer::Object(NEXT))
        .repeatable()
        .failing(&[codes::SPACE_FORBIDDEN, codes::FORBIDDEN])
        .offering(
            Tool::new(
                "tasks_next",
                Effect::Adds,
                "Claim the most urgent free task of a space for yourself; no two callers get the same one. The result \
                    has the lease: give its fence to tasks_update and tasks_renew, and renew before until. task is \
                    null if there is none; wait holds the call until there is one.",
            )
            .narrowed(&[Field::integer("wait", 0, TOOL_WAIT, "Seconds to wait for a task; 0 if absent.")]),
        ),
    checked(Method::GET, "/api/v1/tasks/{task}", UA_AG, Action::TasksRead, read::get)
        .described("tasks_read", "Read a task", "The task must be in one of the caller's spaces.", DOC)
        .answering(200, Answer::Object(TASK))
        .failing(&[codes::TASK_NOT_FOUND])
        .offering(Tool::new("tasks_get", Effect::Reads, "Read one task by its id.").with_path(&[TASK_ID])),
    checked(Method::PATCH, "/api/v1/tasks/{task}", UA_AG, Action::TasksUpdate, change::update)
        .described(
            "tasks_update",
            "Change a task",
            "To change a claimed task, an agent needs the fence of its own lease. An empty assignee_id or deadline \
                removes it.",
            DOC_FENCES,
        )
        .taking(CHANGE, r#"{"status": "done"}"#)
        .answering(200, Answer::Object(TASK))
        .repeatable()
        .failing(&[
            codes::TASK_NOT_FOUND,
            codes::FORBIDDEN,
            codes::LEASE_LOST,
            codes::TOO_MANY_TASKS,
            codes::ALLOWANCE_USED,
        ])
        .offering(
            Tool::new(
                "tasks_update",
                Effect::Changes,
                "Change a task: its status, its assignee, its text. A task that you have claimed needs the fence of \
                    your lease; set status to done when you have finished it.",
            )
            .with_path(&[TASK_ID]),
        ),
    checked(Method::GET, "/api/v1/tasks/{task}/history", UA_AG, Action::TasksRead, read::history)
        .described("tasks_history", "Read the history of a task", "The last 200 changes, oldest first.", DOC)
        .answering(200, Answer::Object(&[Field::of("history", Type::Objects(CHANGED), "The changes.").required()]))
        .failing(&[codes::TASK_NOT_FOUND]),
    checked(Method::POST, "/api/v1/tasks/{task}/claim", UA_AG, Action::TasksUpdate, lease::claim)
        .described(
            "tasks_claim",
            "Claim a task",
            "Gives the caller a lease. Nobody else can claim the task until it ends.",
            DOC_CLAIM,
        )
        .taking(&[SECONDS], r#"{"lease_seconds": 300}"#)
        .answering(200, Answer::Object(CLAIMED))
        .repeatable()
        .failing(&[codes::TASK_NOT_FOUND, codes::FORBIDDEN, codes::TASK_CLAIMED, codes::TASK_NOT_FREE])
        .offering(
            Tool::new(
                "tasks_claim",
                Effect::Adds,
                "Claim this one task for yourself for lease_seconds. The result has the lease with its fence.",
            )
            .with_path(&[TASK_ID]),
        ),
    checked(Method::POST, "/api/v1/tasks/{task}/renew", UA_AG, Action::TasksUpdate, lease::renew)
        .described(
            "tasks_renew",
            "Renew the lease of a task",
            "The lease lasts for lease_seconds from now.",
            DOC_FENCES,
        )
        .taking(&[FENCE.required(), SECONDS], r#"{"fence": 1, "lease_seconds": 300}"#)
        .answering(200, Answer::Object(CLAIMED))
        .failing(LEASE_ERRORS)
        .offering(
            Tool::new("tasks_renew", Effect::Marks, "Renew your lease of a task before it ends.").with_path(&[TASK_ID]),
        ),
    checked(Method::POST, "/api/v1/tasks/{task}/release", UA_AG, Action::TasksUpdate, lease::release)
        .described(
            "tasks_release",
            "Give a task back",
            "The task is free again. A user who may write in the space needs no fence, and can so take a task from an \
                agent.",
            DOC_FENCES,
        )
        .taking(&[FENCE], r#"{"fence": 1}"#)
        .answering(200, Answer::Object(&[Field::of("task", Type::Object(TASK), "The task.").required()]))
        .repeatable()
        .failing(LEASE_ERRORS)
        .offering(
            Tool::new(
                "tasks_release",
                Effect::Changes,
                "Give a task back that you have claimed and cannot finish, so that another can take it.",
            )
            .with_path(&[TASK_ID]),
        ),
];
