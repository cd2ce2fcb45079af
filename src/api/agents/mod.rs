//! Agents: the registry's routes (taOS contract, section 2), as far as no container is involved.

pub mod archive;
mod containers;
pub mod create;
mod deploy;
mod lifecycle;
mod model;
pub mod name;
mod permissions;
mod read;
mod record;
mod routes;
mod settings;
mod transfer;

use hyper::http::Method;

pub use read::{find, seen_by, visible};
pub use routes::CONTAINER_ROUTES;

use super::paging::{CURSOR, LIMIT};
use super::slow::WAIT;
use super::table::ApiRoute;
use crate::access::Action;
use crate::http::codes::{self, Code};
use crate::http::error::Dialect::Taos;
use crate::http::field::{Field, Type};
use crate::http::route::{Access, Answer, BodyKind, Repeat, Route};
use crate::limits::TEXT_BYTES;

const STATUSES: &[&str] = &["registered", "deploying", "running", "stopped", "failed"];

const NAME: Field = Field::text("name", usize::MAX, "Name for people, 1 to 64 characters; the slug is made from it.");
const HOST: Field = Field::text("host", 255, "Where it runs; free text.");
const QMD_INDEX: Field = Field::text("qmd_index", 255, "Which index it reads; free text.");
const COLOR: Field = Field::text("color", 7, "Colour for people: #rrggbb; #888888 if absent.");
const EMOJI: Field = Field::text("emoji", 16, "Picture for people; an empty text clears it.");
const MEMORY: Field = Field::flag("can_read_user_memory", "Whether it may read its user's memory; false if absent.");
const MODEL: Field = Field::text("model", 128, "Model it uses.");
const FRAMEWORK: Field = Field::text("framework", 64, "What runs it; none if absent.").not_empty();
const SCOPE: Field = Field::of("scope", Type::Scopes, "Scopes its tokens get; the agent default if absent.");
const SOUL: Field = Field::text("soul_md", TEXT_BYTES, "Who it is, in Markdown; at most 64 KiB.");
const AGENT_MD: Field = Field::text("agent_md", TEXT_BYTES, "What it does, in Markdown; at most 64 KiB.");
const PERSONA: Field = Field::text("source_persona_id", 64, "Where the persona came from.");

/// What an export holds and an import takes.
const SETTINGS: &[Field] = &[
    Field::text("name", usize::MAX, "The slug.").required(),
    Field::text("display_name", 64, "Name for people."),
    HOST,
    QMD_INDEX,
    COLOR,
    EMOJI,
    MEMORY,
    FRAMEWORK,
    MODEL,
    Field::texts("fallback_models", 8, 128, "Models to fall back to."),
    Field::text("target_worker", 255, "Worker it is pinned to."),
    Field::word("on_worker_failure", &["pause", "fallback", "escalate-immediately"], "What to do when that fails."),
    SOUL,
    AGENT_MD,
    PERSONA,
    Field::word("memory_plugin", &["taosmd", "none"], "Memory plugin."),
    SCOPE,
];

const EMPTY_LISTS: [Field; 2] = [
    Field::of("channels", Type::EmptyList, "Kept for other versions; empty."),
    Field::of("groups", Type::EmptyList, "Kept for other versions; empty."),
];

const ARCHIVED: &[Field] = &[
    Field::text("id", usize::MAX, "The agent's id.").required(),
    Field::text("archived_slug", usize::MAX, "The slug it had.").required(),
    Field::text("display_name", usize::MAX, "Name for people.").required(),
    Field::text("archived_at", usize::MAX, "When it was archived.").required(),
    Field::text("snapshot_name", usize::MAX, "Its container's snapshot.").required().nullable(),
    Field::text("container", usize::MAX, "Its container's name.").required().nullable(),
    Field::text("owner", usize::MAX, "Its owner's username.").required(),
];

const fn id(name: &'static str, about: &'static str) -> Field {
    Field::text(name, usize::MAX, about).required()
}

const STATUS: Field = id("status", "What was done.");
const AGENT_ID: Field = id("id", "The agent's id.");
const SLUG: Field = id("name", "The agent's slug.");
const DISPLAY: Field = id("display_name", "Name for people.");
const REVISION: Field = Field::integer("revision", 1, i64::MAX, "The record's revision.").required();

/// The rows of the table.
pub const ROUTES: &[ApiRoute] = &[
    Route {
        method: Method::GET,
        path: "/api/agents",
        dialect: Taos,
        access: Access::Action(Action::AgentsList, read::list),
        id: "agents_list",
        title: "List agents",
        about: "The agents the caller may read, oldest first.",
        repeat: Repeat::Safe,
        query: &[
            Field::word("status", STATUSES, "Only agents in this status."),
            Field::text("q", 64, "Only agents whose name contains this, in any case."),
            LIMIT,
            CURSOR,
        ],
        body: BodyKind::None,
        example: "",
        answer: (200, Answer::List(record::FIELDS)),
        errors: &[codes::INVALID_CURSOR],
        doc: "recipes/managing-agents#list-agents",
    },
    Route {
        method: Method::POST,
        path: "/api/agents",
        dialect: Taos,
        access: Access::Action(Action::AgentsCreate, create::create),
        id: "agents_create",
        title: "Create an agent",
        about: "Makes a record; the slug is made from the name. Owner and origin are the caller's.",
        repeat: Repeat::Key,
        query: &[],
        body: BodyKind::Json(&[NAME.required(), HOST, QMD_INDEX, COLOR, EMOJI, MEMORY, MODEL, FRAMEWORK, SCOPE]),
        example: r##"{"name": "Atlas", "color": "#336699"}"##,
        answer: (200, Answer::Object(&[STATUS, AGENT_ID, SLUG, DISPLAY])),
        errors: &[
            codes::INVALID_AGENT_NAME,
            codes::CREATE_NOT_ALLOWED,
            codes::INVALID_SCOPE,
            codes::SCOPE_EXCEEDS_ISSUER,
            codes::SLUG_COLLISION_UNRESOLVABLE,
            codes::INVALID_MODEL,
            codes::MODEL_NOT_REACHABLE,
        ],
        doc: "recipes/managing-agents#create-agent",
    },
    Route {
        method: Method::GET,
        path: "/api/agents/archived",
        dialect: Taos,
        access: Access::Action(Action::AgentsList, archive::list),
        id: "agents_archived_list",
        title: "List archived agents",
        about: "The archived agents the caller owns, newest first; an admin sees all.",
        repeat: Repeat::Safe,
        query: &[LIMIT, CURSOR],
        body: BodyKind::None,
        example: "",
        answer: (200, Answer::List(ARCHIVED)),
        errors: &[codes::INVALID_CURSOR],
        doc: "recipes/managing-agents#restore-agent",
    },
    Route {
        method: Method::POST,
        path: "/api/agents/archived/{id}/restore",
        dialect: Taos,
        access: Access::Action(Action::AgentsRestore, archive::restore),
        id: "agents_restore",
        title: "Restore an archived agent",
        about: "The agent comes back with its id, under a free slug. No old token lives again.",
        repeat: Repeat::Key,
        query: &[WAIT],
        body: BodyKind::Json(&[]),
        example: "",
        answer: (
            200,
            Answer::Object(&[
                STATUS,
                AGENT_ID,
                SLUG,
                DISPLAY,
                Field::flag("container_renamed", "Whether its container has its name again.").required(),
            ]),
        ),
        errors: &[
            codes::ARCHIVED_AGENT_NOT_FOUND,
            codes::SLUG_COLLISION_UNRESOLVABLE,
            codes::AGENT_BUSY,
            codes::DELIVERY_FAILED,
            codes::CONTAINER_FAILED,
            codes::CONTAINER_RUNTIME_UNAVAILABLE,
        ],
        doc: "recipes/managing-agents#restore-agent",
    },
    Route {
        method: Method::DELETE,
        path: "/api/agents/archived/{id}",
        dialect: Taos,
        access: Access::Action(Action::AgentsPurge, archive::purge),
        id: "agents_purge",
        title: "Remove an archived agent for good",
        about: "Removes the record. There is no way back.",
        repeat: Repeat::Safe,
        query: &[WAIT],
        body: BodyKind::None,
        example: "",
        answer: (200, Answer::Object(&[STATUS, AGENT_ID])),
        errors: &[
            codes::ARCHIVED_AGENT_NOT_FOUND,
            codes::AGENT_BUSY,
            codes::CONTAINER_FAILED,
            codes::CONTAINER_RUNTIME_UNAVAILABLE,
        ],
        doc: "recipes/managing-agents#purge-agent",
    },
    Route {
        method: Method::POST,
        path: "/api/agents/import",
        dialect: Taos,
        access: Access::Action(Action::AgentsCreate, transfer::import),
        id: "agents_import",
        title: "Import an agent",
        about: "Makes an agent from an export, under exactly its name.",
        repeat: Repeat::Key,
        query: &[],
        body: BodyKind::Json(&[
            Field::integer("version", i64::MIN, i64::MAX, "The export's version: 1.").required(),
            Field::of("agent", Type::Object(SETTINGS), "The settings.").required(),
            EMPTY_LISTS[0],
            EMPTY_LISTS[1],
        ]),
        example: r#"{"version": 1, "agent": {"name": "hermes", "display_name": "Hermes"}, "channels": [], "groups": []}"#,
        answer: (200, Answer::Object(&[STATUS, AGENT_ID, SLUG])),
        errors: &[
            codes::INVALID_EXPORT_DATA,
            codes::INVALID_AGENT_NAME,
            codes::AGENT_EXISTS,
            codes::CREATE_NOT_ALLOWED,
            codes::INVALID_SCOPE,
            codes::SCOPE_EXCEEDS_ISSUER,
            codes::INVALID_MODEL,
            codes::MODEL_NOT_REACHABLE,
            codes::MODEL_NOT_ON_WORKER,
        ],
        doc: "recipes/managing-agents#import-agent",
    },
    Route {
        method: Method::GET,
        path: "/api/agents/{name}",
        dialect: Taos,
        access: Access::Action(Action::AgentsRead, read::get),
        id: "agents_get",
        title: "Read an agent",
        about: "The record; its revision is the ETag.",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::None,
        example: "",
        answer: (200, Answer::Object(record::FIELDS)),
        errors: &[codes::AGENT_NOT_FOUND],
        doc: "recipes/managing-agents#list-agents",
    },
    Route {
        method: Method::PUT,
        path: "/api/agents/{name}",
        dialect: Taos,
        access: Access::Action(Action::AgentsUpdate, settings::update),
        id: "agents_update",
        title: "Change an agent's settings",
        about: "What is not sent stays as it is. If-Match takes the revision.",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::Json(&[
            Field::text("display_name", 64, "Name for people."),
            HOST,
            QMD_INDEX,
            COLOR,
            EMOJI,
            MEMORY,
        ]),
        example: r##"{"display_name": "Atlas II", "color": "#112233"}"##,
        answer: (200, Answer::Object(&[STATUS, SLUG, REVISION])),
        errors: &[codes::AGENT_NOT_FOUND, codes::FORBIDDEN, codes::PRECONDITION_FAILED],
        doc: "recipes/managing-agents#update-agent",
    },
    Route {
        method: Method::DELETE,
        path: "/api/agents/{name}",
        dialect: Taos,
        access: Access::Action(Action::AgentsDelete, archive::archive),
        id: "agents_delete",
        title: "Archive an agent",
        about: "Ends every credential and grant of the agent; its name is free. The record can be restored.",
        repeat: Repeat::Safe,
        query: &[WAIT],
        body: BodyKind::None,
        example: "",
        answer: ARCHIVE_ANSWER,
        errors: ARCHIVE_ERRORS,
        doc: "recipes/managing-agents#delete-agent",
    },
    Route {
        method: Method::DELETE,
        path: "/api/agents/{name}/destroy",
        dialect: Taos,
        access: Access::Action(Action::AgentsDelete, archive::archive),
        id: "agents_destroy",
        title: "Archive an agent, by its older path",
        about: "The same as DELETE /api/agents/{name}.",
        repeat: Repeat::Safe,
        query: &[WAIT],
        body: BodyKind::None,
        example: "",
        answer: ARCHIVE_ANSWER,
        errors: ARCHIVE_ERRORS,
        doc: "recipes/managing-agents#delete-agent",
    },
    Route {
        method: Method::PUT,
        path: "/api/agents/{name}/permissions",
        dialect: Taos,
        access: Access::Action(Action::AgentsPermissions, permissions::update),
        id: "agents_permissions",
        title: "Change what an agent may do",
        about: "A new scope becomes that of the agent's live token at once.",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::Json(&[MEMORY, SCOPE]),
        example: r#"{"scope": ["agents.read", "ui.notify"]}"#,
        answer: (
            200,
            Answer::Object(&[
                STATUS,
                SLUG,
                Field::of(
                    "permissions",
                    Type::Object(&[MEMORY.required(), Field::of("scope", Type::Scopes, "Its scopes.").required()]),
                    "What it may do now.",
                )
                .required(),
            ]),
        ),
        errors: &[
            codes::AGENT_NOT_FOUND,
            codes::FORBIDDEN,
            codes::PRECONDITION_FAILED,
            codes::INVALID_SCOPE,
            codes::SCOPE_EXCEEDS_ISSUER,
        ],
        doc: "recipes/managing-agents#update-agent",
    },
    Route {
        method: Method::PATCH,
        path: "/api/agents/{name}/persona",
        dialect: Taos,
        access: Access::Action(Action::AgentsUpdate, settings::persona),
        id: "agents_persona",
        title: "Change an agent's persona",
        about: "What is not sent stays as it is.",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::Json(&[SOUL, AGENT_MD, PERSONA]),
        example: r##"{"soul_md": "# Atlas\nCalm and exact."}"##,
        answer: OK_AGENT,
        errors: &[codes::AGENT_NOT_FOUND, codes::FORBIDDEN, codes::PRECONDITION_FAILED],
        doc: "recipes/managing-agents#update-agent",
    },
    Route {
        method: Method::PATCH,
        path: "/api/agents/{name}/memory",
        dialect: Taos,
        access: Access::Action(Action::AgentsUpdate, settings::memory),
        id: "agents_memory",
        title: "Choose an agent's memory plugin",
        about: "taosmd or none.",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::Json(&[Field::text("memory_plugin", usize::MAX, "taosmd or none.").required()]),
        example: r#"{"memory_plugin": "taosmd"}"#,
        answer: OK_AGENT,
        errors: &[codes::AGENT_NOT_FOUND, codes::FORBIDDEN, codes::PRECONDITION_FAILED, codes::INVALID_MEMORY_PLUGIN],
        doc: "recipes/managing-agents#update-agent",
    },
    Route {
        method: Method::POST,
        path: "/api/agents/{name}/model",
        dialect: Taos,
        access: Access::Action(Action::AgentsUpdate, settings::model),
        id: "agents_model",
        title: "Choose an agent's model",
        about: "Also resumes an agent that was paused.",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::Json(&[MODEL.required()]),
        example: r#"{"model": "qwen2.5:7b"}"#,
        answer: (
            200,
            Answer::Object(&[
                STATUS,
                SLUG,
                Field::text("model", usize::MAX, "The model.").required(),
                Field::word("location", &["controller", "cloud", "worker"], "Where it runs; null if not checked.")
                    .required()
                    .nullable(),
                Field::flag("resumed", "Whether the agent was paused before.").required(),
            ]),
        ),
        errors: &[
            codes::AGENT_NOT_FOUND,
            codes::FORBIDDEN,
            codes::PRECONDITION_FAILED,
            codes::INVALID_MODEL,
            codes::MODEL_NOT_REACHABLE,
            codes::MODEL_NOT_ON_WORKER,
        ],
        doc: "recipes/managing-agents#update-agent",
    },
    Route {
        method: Method::GET,
        path: "/api/agents/{name}/export",
        dialect: Taos,
        access: Access::Action(Action::AgentsExport, transfer::export),
        id: "agents_export",
        title: "Export an agent's settings",
        about: "Never a secret. An import takes it as it is.",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::None,
        example: "",
        answer: (
            200,
            Answer::Object(&[
                Field::integer("version", 1, 1, "Always 1.").required(),
                Field::of("agent", Type::Object(transfer::EXPORTED), "The settings.").required(),
                EMPTY_LISTS[0].required(),
                EMPTY_LISTS[1].required(),
            ]),
        ),
        errors: &[codes::AGENT_NOT_FOUND],
        doc: "recipes/managing-agents#import-agent",
    },
];

const ARCHIVE_ERRORS: &[&Code] = &[
    codes::AGENT_NOT_FOUND,
    codes::FORBIDDEN,
    codes::AGENT_BUSY,
    codes::CONTAINER_FAILED,
    codes::CONTAINER_RUNTIME_UNAVAILABLE,
];

const ARCHIVE_ANSWER: (u16, Answer) = (
    200,
    Answer::Object(&[
        STATUS,
        AGENT_ID,
        SLUG,
        id("archived_at", "When."),
        Field::text("snapshot_name", usize::MAX, "Its container's snapshot.").required().nullable(),
    ]),
);

const OK_AGENT: (u16, Answer) =
    (200, Answer::Object(&[STATUS, Field::of("agent", Type::Object(record::FIELDS), "The record.").required()]));
