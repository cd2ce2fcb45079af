//! The table of routes: every noun's rows, in the order of the documentation.

use std::sync::OnceLock;

use super::engine::api_route::ApiRoute;

/// All routes. A route that is not here does not exist: the router, `GET /api`, `/openapi.json`, the tables in the
/// documentation and the coverage test are made from this.
pub fn routes() -> &'static [&'static [ApiRoute]] {
    static TABLES: OnceLock<Vec<&'static [ApiRoute]>> = OnceLock::new();
    TABLES.get_or_init(|| {
        vec![
            super::taos::agents::ROUTES,
            super::taos::agents::CONTAINER_ROUTES,
            super::taos::agents::CALLS_ROUTES,
            super::taos::freeze::ROUTES,
            super::taos::tripwires::ROUTES,
            super::taos::tokens::ROUTES,
            super::taos::users::ROUTES,
            super::taos::user_tokens::ROUTES,
            super::taos::channels::ROUTES,
            super::taos::grants::ROUTES,
            super::taos::whoami::ROUTES,
            super::taos::sessions::ROUTES,
            super::taos::user_sessions::ROUTES,
            super::taos::expiring::ROUTES,
            super::taos::jwks::ROUTES,
            super::taos::links::ROUTES,
            super::oauth::LOGIN,
            super::oauth::DISCOVERY,
            super::oauth::REGISTER,
            super::oauth::AUTHORIZE,
            super::oauth::CONSENT,
            super::oauth::FORMS,
            super::oauth::DEVICE,
            super::oauth::TOKEN,
            super::oauth::REVOKE,
            super::oauth::INTROSPECT,
            super::oauth::GRANTS,
            super::oauth::CLIENTS,
            super::ax::EXCHANGE,
            super::ax::ME,
            super::ax::SPACES,
            super::ax::MEMBERS,
            super::ax::AGENTS,
            super::ax::PRESENCE,
            super::ax::MESSAGES,
            super::ax::TASKS,
            super::ax::CONTEXT,
            super::ax::UPLOADS,
            super::ax::KEYS,
            super::agentex::AGENTS,
            super::agentex::DEPLOYMENTS,
            super::agentex::HISTORY,
            super::agentex::KEYS,
            super::agentex::FORWARD,
            super::agentex::LEFT_OUT,
            super::mcp::ROUTES,
            super::taos::operations::ROUTES,
            super::taos::requests::ROUTES,
            super::taos::joins::ROUTES,
            super::taos::ask::ROUTES,
            super::taos::events::ROUTES,
            super::taos::notify::ROUTES,
            super::taos::notifications::ROUTES,
            super::taos::knowledge::ROUTES,
            super::taos::audit::ROUTES,
            super::taos::backups::ROUTES,
            super::taos::database_check::ROUTES,
            super::taos::health::ROUTES,
            super::taos::the_box::ROUTES,
            super::taos::nodes::ROUTES,
            super::taos::index::ROUTES,
            super::taos::docs::ROUTES,
        ]
    })
}
