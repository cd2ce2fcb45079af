//! The rows of the route table that need a container runtime.

use hyper::http::Method;

use super::container_fields::{
    CPU_LIMIT, ENV_FIELD, FOLLOW, IMAGE_FIELD, LINES, MEMORY_LIMIT, MOUNTS, ROOT_SIZE, STATUS_FIELD,
};
use super::fields::{
    AGENT_ID, AGENT_MD, COLOR, EMOJI, FRAMEWORK, HOST, MEMORY, MODEL, NAME, PERSONA, QMD_INDEX, SCOPE, SLUG, SOUL,
    STATUS,
};
use super::{containers, deploy, lifecycle, wake};
use crate::access::Action;
use crate::api::engine::api_route::{ApiRoute, CheckedHandler};
use crate::api::engine::slow::WAIT;
use crate::containers::LogSource;
use crate::rest::codes::{self, Code};
use crate::rest::error::Dialect::Taos;
use crate::rest::field::{Field, Type};
use crate::rest::route::{Answer, Repeat};
use crate::store::agents::{MemoryPlugin, OnWorkerFailure};

const SLOW_ERRORS: &[&Code] = &[
    codes::AGENT_NOT_FOUND,
    codes::FORBIDDEN,
    codes::AGENT_HAS_NO_CONTAINER,
    codes::AGENT_BUSY,
    codes::AGENT_FROZEN,
    codes::CONTAINER_FAILED,
    codes::CONTAINER_RUNTIME_UNAVAILABLE,
];
/// The errors of pausing and resuming, which need no container. Bulk requests name no agent, so they have only the
/// last.
const PAUSE_ERRORS: &[&Code] = &[
    codes::AGENT_NOT_FOUND,
    codes::FORBIDDEN,
    codes::AGENT_BUSY,
    codes::AGENT_FROZEN,
    codes::CONTAINER_FAILED,
    codes::CONTAINER_RUNTIME_UNAVAILABLE,
];
const BULK_ERRORS: &[&Code] = &[codes::CONTAINER_RUNTIME_UNAVAILABLE];
const DOC: &str = "recipes/managing-agents#lifecycle";

const fn lifecycle(
    path: &'static str,
    id: &'static str,
    title: &'static str,
    handler: CheckedHandler,
    repeat: Repeat,
    answer: &'static [Field],
    errors: &'static [&'static Code],
) -> ApiRoute {
    let mut row = ApiRoute::checked(Method::POST, path, Taos, Action::AgentsLifecycle, handler)
        .described(id, title, "Answers 202 with an operation, or with its result if it ends within wait.", DOC)
        .asking(&[WAIT])
        .taking(&[], "")
        .answering(200, Answer::Object(answer))
        .failing(errors);
    row.repeat = repeat;
    row
}

const CHANGED: &[Field] = &[STATUS, SLUG];
const PAUSED: &[Field] = &[STATUS, SLUG, Field::flag("paused", "True if the agent is paused now.").required()];
const BULK: &[Field] = &[
    Field::shown("action", "The action that was done."),
    Field::of("results", Type::AnyObject, "The outcome for each slug: success or error.").required(),
];

/// The routes for agents in containers.
pub const CONTAINER_ROUTES: &[ApiRoute] = &[
    lifecycle(
        "/api/agents/bulk/start",
        "agents_bulk_start",
        "Start every agent the caller edits",
        lifecycle::bulk_start,
        Repeat::Key,
        BULK,
        BULK_ERRORS,
    ),
    lifecycle(
        "/api/agents/bulk/stop",
        "agents_bulk_stop",
        "Stop every agent the caller edits",
        lifecycle::bulk_stop,
        Repeat::Key,
        BULK,
        BULK_ERRORS,
    ),
    lifecycle(
        "/api/agents/bulk/restart",
        "agents_bulk_restart",
        "Restart every agent the caller edits",
        lifecycle::bulk_restart,
        Repeat::Key,
        BULK,
        BULK_ERRORS,
    ),
    ApiRoute::checked(Method::PATCH, "/api/agents/{name}/wake", Taos, Action::AgentsLifecycle, wake::update)
        .described(
            "agents_wake",
            "Choose how an agent sleeps and wakes",
            "News (a mention, a direct message, a reply, a task assigned to it) wakes it if it is not listening. \
                Fields that are not sent stay unchanged.",
            "recipes/an-agent-that-sleeps#wake",
        )
        .taking(wake::FIELDS, r#"{"wake": "start", "idle_stop_minutes": 30}"#)
        .answering(200, Answer::Object(wake::ANSWER))
        .failing(&[
            codes::AGENT_NOT_FOUND,
            codes::FORBIDDEN,
            codes::PRECONDITION_FAILED,
            codes::AGENT_HAS_NO_CONTAINER,
        ]),
    lifecycle(
        "/api/agents/{name}/start",
        "agents_start",
        "Start an agent",
        lifecycle::start,
        Repeat::Key,
        CHANGED,
        SLOW_ERRORS,
    ),
    lifecycle(
        "/api/agents/{name}/stop",
        "agents_stop",
        "Stop an agent",
        lifecycle::stop,
        Repeat::Key,
        CHANGED,
        SLOW_ERRORS,
    ),
    lifecycle(
        "/api/agents/{name}/restart",
        "agents_restart",
        "Restart an agent",
        lifecycle::restart,
        Repeat::Key,
        CHANGED,
        SLOW_ERRORS,
    ),
    lifecycle(
        "/api/agents/{name}/pause",
        "agents_pause",
        "Pause an agent",
        lifecycle::pause,
        Repeat::Safe,
        PAUSED,
        PAUSE_ERRORS,
    ),
    lifecycle(
        "/api/agents/{name}/resume",
        "agents_resume",
        "Resume an agent",
        lifecycle::resume,
        Repeat::Safe,
        PAUSED,
        PAUSE_ERRORS,
    ),
    ApiRoute::checked(Method::GET, "/api/agents/{name}/logs", Taos, Action::AgentsLogs, containers::logs)
        .described(
            "agents_logs",
            "Read the end of an agent's log",
            "The journal if systemd runs in the container, else the console; at most 1 MiB, without control \
                characters. With follow, Server-Sent Events: line for each line, gap if a slow reader has lost lines, \
                end when the container is gone.",
            "recipes/managing-agents#logs",
        )
        .asking(&[
            LINES,
            Field::word(
                "source",
                LogSource::WORDS,
                "The log to read; if absent, the journal, or the console where there is no journal.",
            ),
            FOLLOW,
        ])
        .answering(
            200,
            Answer::Or(
                &Answer::Object(&[
                    SLUG,
                    Field::shown("logs", "The lines as one text."),
                    Field::integer("lines", 0, 2000, "The number of lines.").required(),
                    Field::flag("truncated", "True if there are more lines.").required(),
                    Field::word("source", LogSource::WORDS, "The log that was read.").required(),
                ]),
                &["text/event-stream"],
            ),
        )
        .failing(&[
            codes::AGENT_NOT_FOUND,
            codes::AGENT_HAS_NO_CONTAINER,
            codes::NO_JOURNAL,
            codes::TOO_MANY_STREAMS,
            codes::CONTAINER_FAILED,
            codes::CONTAINER_RUNTIME_UNAVAILABLE,
        ]),
    ApiRoute::checked(Method::GET, "/api/agents/containers", Taos, Action::AgentsList, containers::list)
        .described(
            "agents_containers",
            "List the agents' containers",
            "The current state in the container runtime of this box and of every node. Without a runtime the list is \
                empty. A node that does not answer within 5 seconds is away, and so are its containers.",
            DOC,
        )
        .answering(
            200,
            Answer::List(&[
                Field::shown("name", "The container's name."),
                Field::shown("agent_name", "The agent's slug."),
                Field::shown("node", "The node that the container is on; null on this box.").nullable(),
                Field::shown("status", "The state: running, frozen, stopped, error, changing, or away with its node."),
                Field::shown("ip", "The IP address of the container.").nullable(),
                Field::integer("memory_mb", 0, i64::MAX, "The memory in use, in MiB.").required().nullable(),
                Field::integer("cpu_cores", 0, i64::MAX, "The number of processors that it may use.")
                    .required()
                    .nullable(),
            ]),
        )
        .failing(&[codes::CONTAINER_FAILED, codes::CONTAINER_RUNTIME_UNAVAILABLE]),
    ApiRoute::checked(Method::POST, "/api/agents/deploy", Taos, Action::AgentsDeploy, deploy::deploy)
        .described(
            "agents_deploy",
            "Deploy an agent into a container",
            "Creates the record and the container, delivers the token and starts the container. If a step fails, \
                everything but the record is undone. If the runtime is not available, nothing is created.",
            "recipes/deploying#deploy",
        )
        .asking(&[WAIT])
        .taking(
            &[
                NAME.required(),
                HOST,
                QMD_INDEX,
                COLOR,
                EMOJI,
                MEMORY,
                MODEL,
                FRAMEWORK,
                SCOPE,
                SOUL,
                AGENT_MD,
                PERSONA,
                Field::word("memory_plugin", MemoryPlugin::SLUGS, "Memory plugin."),
                Field::text(
                    "target_worker",
                    255,
                    "The node to deploy on, NODE/@GROUP where it is a cluster, or auto for the machine with the most \
                        free memory; this box if absent. Without nodes: the worker that the agent is pinned to.",
                ),
                Field::word(
                    "on_worker_failure",
                    OnWorkerFailure::SLUGS,
                    "What to do if that worker fails; pause if absent.",
                ),
                Field::texts("fallback_models", 8, 128, "The models to try if the first one is not available."),
                IMAGE_FIELD,
                MEMORY_LIMIT,
                CPU_LIMIT,
                ROOT_SIZE,
                ENV_FIELD,
                MOUNTS,
            ],
            r#"{"name": "Hermes", "image": "debian12", "memory_limit": "512M", "cpu_limit": 1}"#,
        )
        .repeatable()
        .answering(
            202,
            Answer::Object(&[STATUS, SLUG, AGENT_ID, Field::shown("operation_id", "The operation that deploys it.")]),
        )
        .failing(&[
            codes::INVALID_AGENT_NAME,
            codes::CREATE_NOT_ALLOWED,
            codes::INVALID_SCOPE,
            codes::SCOPE_EXCEEDS_ISSUER,
            codes::SLUG_COLLISION_UNRESOLVABLE,
            codes::INVALID_MODEL,
            codes::MODEL_NOT_REACHABLE,
            codes::MODEL_NOT_ON_WORKER,
            codes::UNKNOWN_FRAMEWORK,
            codes::UNKNOWN_IMAGE,
            codes::NODE_NOT_FOUND,
            codes::NODE_NEEDS_PUBLIC_URL,
            codes::DELIVERY_FAILED,
            codes::CONTAINER_FAILED,
            codes::CONTAINER_RUNTIME_UNAVAILABLE,
        ]),
    ApiRoute::checked(Method::GET, "/api/agents/{name}/deploy-status", Taos, Action::AgentsRead, deploy::status)
        .described(
            "agents_deploy_status",
            "Show the status of a deployment",
            "The status of the agent's latest deployment.",
            "recipes/deploying#deploy",
        )
        .answering(
            200,
            Answer::Object(&[
                SLUG,
                STATUS_FIELD,
                Field::shown("operation_id", "The operation."),
                Field::shown("step", "The current step."),
                Field::of("error", Type::AnyObject, "The error, if it failed.").required().nullable(),
            ]),
        )
        .failing(&[codes::AGENT_NOT_FOUND, codes::DEPLOY_TASK_NOT_FOUND]),
];
