//! The rows of the route table for the registry itself.

use hyper::http::Method;

use super::fields::AGENT;
use super::fields::{
    AGENT_ID, AGENT_MD, ARCHIVED, COLOR, DISPLAY, EMOJI, EMPTY_LISTS, FRAMEWORK, HOST, MEMORY, MEMORY_PLUGIN, MODEL,
    NAME, PERSONA, QMD_INDEX, REVISION, SCOPE, SLUG, SOUL, STATUS, id,
};
use super::fields::{Q, VERSION};
use super::{archive, create, permissions, read, record, settings, transfer};
use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::paging::{CURSOR, LIMIT};
use crate::api::engine::slow::WAIT;
use crate::rest::codes::{self, Code};
use crate::rest::error::Dialect::Taos;
use crate::rest::field::{Field, Type};
use crate::rest::route::Answer;
use crate::rest::tool::{Effect, Tool};
use crate::store::agents::AgentStatus;

/// The routes for the registry itself.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::GET, "/api/agents", Taos, Action::AgentsList, read::list)
        .described(
            "agents_list",
            "List agents",
            "The agents the caller may read, oldest first.",
            "recipes/managing-agents#list-agents",
        )
        .asking(&[
            Field::word(
                "status",
                AgentStatus::SLUGS,
                "Only agents in this state; a paused or frozen agent counts under the state of its container.",
            ),
            Q,
            LIMIT,
            CURSOR,
        ])
        .answering(200, Answer::List(record::FIELDS))
        .failing(&[codes::INVALID_CURSOR])
        .offering(
            Tool::new(
                "agents_list",
                Effect::Reads,
                "List the agents you may see on this box, oldest first. Use q to find one by a part of its name. With \
                    next_cursor in the result there are more: call again with it as cursor.",
            )
            .leaving_out(&["soul_md", "agent_md"]),
        ),
    ApiRoute::checked(Method::POST, "/api/agents", Taos, Action::AgentsCreate, create::create)
        .described(
            "agents_create",
            "Create an agent",
            "Creates a record. The daemon makes the slug from the name. Owner and origin come from the caller.",
            "recipes/managing-agents#create-agent",
        )
        .taking(
            &[NAME.required(), HOST, QMD_INDEX, COLOR, EMOJI, MEMORY, MODEL, FRAMEWORK, SCOPE],
            r##"{"name": "Atlas", "color": "#336699"}"##,
        )
        .repeatable()
        .answering(200, Answer::Made(&[STATUS, AGENT_ID, SLUG, DISPLAY]))
        .failing(&[
            codes::INVALID_AGENT_NAME,
            codes::CREATE_NOT_ALLOWED,
            codes::LIMIT_REACHED,
            codes::INVALID_SCOPE,
            codes::SCOPE_EXCEEDS_ISSUER,
            codes::SLUG_COLLISION_UNRESOLVABLE,
            codes::INVALID_MODEL,
            codes::MODEL_NOT_REACHABLE,
        ]),
    ApiRoute::checked(Method::GET, "/api/agents/archived", Taos, Action::AgentsList, archive::list)
        .described(
            "agents_archived_list",
            "List archived agents",
            "The archived agents the caller owns, newest first; an admin sees all.",
            "recipes/managing-agents#restore-agent",
        )
        .asking(&[LIMIT, CURSOR])
        .answering(200, Answer::List(ARCHIVED))
        .failing(&[codes::INVALID_CURSOR]),
    ApiRoute::checked(Method::POST, "/api/agents/archived/{id}/restore", Taos, Action::AgentsRestore, archive::restore)
        .described(
            "agents_restore",
            "Restore an archived agent",
            "The agent keeps its id and gets a free slug. Old tokens stay revoked.",
            "recipes/managing-agents#restore-agent",
        )
        .asking(&[WAIT])
        .taking(&[], "")
        .repeatable()
        .answering(
            200,
            Answer::Object(&[
                STATUS,
                AGENT_ID,
                SLUG,
                DISPLAY,
                Field::flag("container_renamed", "True if the container has its former name again.").required(),
            ]),
        )
        .failing(&[
            codes::ARCHIVED_AGENT_NOT_FOUND,
            codes::SLUG_COLLISION_UNRESOLVABLE,
            codes::AGENT_BUSY,
            codes::DELIVERY_FAILED,
            codes::CONTAINER_FAILED,
            codes::CONTAINER_RUNTIME_UNAVAILABLE,
        ]),
    ApiRoute::checked(Method::DELETE, "/api/agents/archived/{id}", Taos, Action::AgentsPurge, archive::purge)
        .described(
            "agents_purge",
            "Delete an archived agent permanently",
            "Deletes the record permanently.",
            "recipes/managing-agents#purge-agent",
        )
        .asking(&[WAIT])
        .answering(200, Answer::Object(&[STATUS, AGENT_ID]))
        .failing(&[
            codes::ARCHIVED_AGENT_NOT_FOUND,
            codes::AGENT_BUSY,
            codes::CONTAINER_FAILED,
            codes::CONTAINER_RUNTIME_UNAVAILABLE,
        ]),
    ApiRoute::checked(Method::POST, "/api/agents/import", Taos, Action::AgentsCreate, transfer::import)
        .described(
            "agents_import",
            "Import an agent",
            "Creates an agent from an export, with exactly the name in the export.",
            "recipes/managing-agents#import-agent",
        )
        .taking(
            &[VERSION, AGENT, EMPTY_LISTS[0], EMPTY_LISTS[1]],
            r#"{"version": 1, "agent": {"name": "hermes", "display_name": "Hermes"}, "channels": [], "groups": []}"#,
        )
        .repeatable()
        .answering(200, Answer::Object(&[STATUS, AGENT_ID, SLUG]))
        .failing(&[
            codes::INVALID_EXPORT_DATA,
            codes::INVALID_AGENT_NAME,
            codes::LIMIT_REACHED,
            codes::AGENT_EXISTS,
            codes::CREATE_NOT_ALLOWED,
            codes::INVALID_SCOPE,
            codes::SCOPE_EXCEEDS_ISSUER,
            codes::INVALID_MODEL,
            codes::MODEL_NOT_REACHABLE,
            codes::MODEL_NOT_ON_WORKER,
        ]),
    ApiRoute::checked(Method::GET, "/api/agents/{name}", Taos, Action::AgentsRead, read::get)
        .described(
            "agents_get",
            "Read an agent",
            "The record; its revision is the ETag.",
            "recipes/managing-agents#list-agents",
        )
        .answering(200, Answer::Tagged(record::FIELDS))
        .failing(&[codes::AGENT_NOT_FOUND])
        .offering(
            Tool::new(
                "agents_get",
                Effect::Reads,
                "Read the record of one agent by its name (the slug): what it is for, its status, its scope and how \
                    its token was delivered. Never shows a token.",
            )
            .with_path(&[Field::text("name", 64, "The agent's name, as agents_list shows it.")]),
        ),
    ApiRoute::checked(Method::PUT, "/api/agents/{name}", Taos, Action::AgentsUpdate, settings::update)
        .described(
            "agents_update",
            "Change an agent's settings",
            "Fields that are not sent stay unchanged. If-Match takes the revision.",
            "recipes/managing-agents#update-agent",
        )
        .taking(
            &[Field::text("display_name", 64, "The display name.").visible(), HOST, QMD_INDEX, COLOR, EMOJI, MEMORY],
            r##"{"display_name": "Atlas II", "color": "#112233"}"##,
        )
        .answering(200, Answer::Object(&[STATUS, SLUG, REVISION]))
        .failing(&[codes::AGENT_NOT_FOUND, codes::FORBIDDEN, codes::PRECONDITION_FAILED]),
    ApiRoute::checked(Method::DELETE, "/api/agents/{name}", Taos, Action::AgentsDelete, archive::archive)
        .described(
            "agents_delete",
            "Archive an agent",
            "Ends every credential and grant of the agent and frees its name. The record can be restored.",
            "recipes/managing-agents#delete-agent",
        )
        .asking(&[WAIT])
        .answering(200, ARCHIVE_ANSWER)
        .failing(ARCHIVE_ERRORS),
    ApiRoute::checked(Method::DELETE, "/api/agents/{name}/destroy", Taos, Action::AgentsDelete, archive::archive)
        .described(
            "agents_destroy",
            "Archive an agent, by its older path",
            "The same as DELETE /api/agents/{name}.",
            "recipes/managing-agents#delete-agent",
        )
        .asking(&[WAIT])
        .answering(200, ARCHIVE_ANSWER)
        .failing(ARCHIVE_ERRORS),
    ApiRoute::checked(
        Method::PUT,
        "/api/agents/{name}/permissions",
        Taos,
        Action::AgentsPermissions,
        permissions::update,
    )
    .described(
        "agents_permissions",
        "Change what an agent may do",
        "A new scope applies to the agent's active token at once.",
        "recipes/managing-agents#update-agent",
    )
    .taking(&[MEMORY, SCOPE], r#"{"scope": ["agents.read", "ui.notify"]}"#)
    .answering(
        200,
        Answer::Object(&[
            STATUS,
            SLUG,
            Field::of(
                "permissions",
                Type::Object(&[
                    MEMORY.required(),
                    Field::of("scope", Type::Scopes, "The scopes of the agent's tokens.").required(),
                ]),
                "What it may do now.",
            )
            .required(),
        ]),
    )
    .failing(&[
        codes::AGENT_NOT_FOUND,
        codes::FORBIDDEN,
        codes::PRECONDITION_FAILED,
        codes::INVALID_SCOPE,
        codes::SCOPE_EXCEEDS_ISSUER,
    ]),
    ApiRoute::checked(Method::PATCH, "/api/agents/{name}/persona", Taos, Action::AgentsUpdate, settings::persona)
        .described(
            "agents_persona",
            "Change an agent's persona",
            "Fields that are not sent stay unchanged.",
            "recipes/managing-agents#update-agent",
        )
        .taking(&[SOUL, AGENT_MD, PERSONA], r##"{"soul_md": "# Atlas\nCalm and exact."}"##)
        .answering(200, OK_AGENT)
        .failing(&[codes::AGENT_NOT_FOUND, codes::FORBIDDEN, codes::PRECONDITION_FAILED]),
    ApiRoute::checked(Method::PATCH, "/api/agents/{name}/memory", Taos, Action::AgentsUpdate, settings::memory)
        .described(
            "agents_memory",
            "Choose an agent's memory plugin",
            "The plugin is taosmd or none.",
            "recipes/managing-agents#update-agent",
        )
        .taking(&[MEMORY_PLUGIN], r#"{"memory_plugin": "taosmd"}"#)
        .answering(200, OK_AGENT)
        .failing(&[codes::AGENT_NOT_FOUND, codes::FORBIDDEN, codes::PRECONDITION_FAILED, codes::INVALID_MEMORY_PLUGIN]),
    ApiRoute::checked(Method::POST, "/api/agents/{name}/model", Taos, Action::AgentsUpdate, settings::model)
        .described(
            "agents_model",
            "Choose an agent's model",
            "Also resumes a paused agent that has no container and is not frozen. One with a container: resume it.",
            "recipes/managing-agents#update-agent",
        )
        .taking(&[MODEL.required()], r#"{"model": "qwen2.5:7b"}"#)
        .answering(
            200,
            Answer::Object(&[
                STATUS,
                SLUG,
                Field::unbounded("model", "The model.").required(),
                Field::word("location", &["controller", "cloud", "worker"], "Where it runs; null if not checked.")
                    .required()
                    .nullable(),
                Field::flag("resumed", "True if the agent was paused and is no more.").required(),
            ]),
        )
        .failing(&[
            codes::AGENT_NOT_FOUND,
            codes::FORBIDDEN,
            codes::PRECONDITION_FAILED,
            codes::INVALID_MODEL,
            codes::MODEL_NOT_REACHABLE,
            codes::MODEL_NOT_ON_WORKER,
        ]),
    ApiRoute::checked(Method::GET, "/api/agents/{name}/export", Taos, Action::AgentsExport, transfer::export)
        .described(
            "agents_export",
            "Export an agent's settings",
            "Contains no secret. An import accepts it unchanged.",
            "recipes/managing-agents#import-agent",
        )
        .answering(
            200,
            Answer::Object(&[
                Field::integer("version", 1, 1, "Always 1.").required(),
                Field::of("agent", Type::Object(transfer::EXPORTED), "The settings.").required(),
                EMPTY_LISTS[0].required(),
                EMPTY_LISTS[1].required(),
            ]),
        )
        .failing(&[codes::AGENT_NOT_FOUND]),
];

const ARCHIVE_ERRORS: &[&Code] = &[
    codes::AGENT_NOT_FOUND,
    codes::FORBIDDEN,
    codes::AGENT_BUSY,
    codes::CONTAINER_FAILED,
    codes::CONTAINER_RUNTIME_UNAVAILABLE,
];

const ARCHIVE_ANSWER: Answer = Answer::Object(&[
    STATUS,
    AGENT_ID,
    SLUG,
    id("archived_at", "When the agent was archived."),
    Field::unbounded("snapshot_name", "The snapshot of the agent's container.").required().nullable(),
]);

const OK_AGENT: Answer =
    Answer::Object(&[STATUS, Field::of("agent", Type::Object(record::FIELDS), "The record.").required()]);
