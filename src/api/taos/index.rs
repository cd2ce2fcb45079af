//! The API's own description: `GET /api` and `/openapi.json`, made from the route table.

use std::sync::OnceLock;

use hyper::header::{ACCEPT, LOCATION, VARY};
use hyper::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::docs::prefers_html;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::Handled;
use crate::api::engine::rules::RULES;
use crate::rest::document::Document;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::{Field, Type};
use crate::rest::input::Input;
use crate::rest::openapi;
use crate::rest::reply::Reply;
use crate::rest::route::{Answer, Repeat};

/// The routes for the API's own description.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::public(Method::GET, "/", Taos, front)
        .described(
            "front",
            "Find the way in",
            "Links to the documentation and the routes. A browser is redirected to the console.",
            "getting-started#discover",
        )
        .answering(
            200,
            Answer::OrSeeOther(&Answer::Object(&[
                Field::shown("name", "Always taosd."),
                Field::shown("version", "The running version."),
                Field::shown("api", "The path of the list of routes."),
                Field::shown("docs", "The path of the documentation."),
                Field::shown("openapi", "The path of the OpenAPI document."),
            ])),
        ),
    ApiRoute::public(Method::GET, "/api", Taos, index)
        .described(
            "api_index",
            "List the routes",
            "All routes, with the action that each needs.",
            "getting-started#discover",
        )
        .answering(
            200,
            Answer::Fixed(&Answer::Object(&[Field::of(
                "routes",
                Type::Objects(&[
                    Field::shown("method", "The method."),
                    Field::shown("path", "The path; {name} stands for one segment."),
                    Field::shown("prefix", "The path up to its first parameter."),
                    Field::shown("action", "The action it needs; public if none."),
                    Field::shown("title", "What the route does."),
                    Field::flag("idempotent", "True if the route takes an Idempotency-Key.").required(),
                    Field::shown("dialect", "The family of clients that the route is for."),
                    Field::shown("doc_url", "The page that explains it."),
                ]),
                "One row a route.",
            )
            .required()])),
        ),
    ApiRoute::public(Method::GET, "/openapi.json", Taos, document)
        .described(
            "openapi",
            "Read the surface as OpenAPI",
            "OpenAPI 3.1, generated from the same table as GET /api.",
            "getting-started#discover",
        )
        .answering(200, Answer::Fixed(&Answer::Object(&[]))),
];

fn row(route: &ApiRoute) -> Value {
    json!({
        "method": route.method.as_str(),
        "path": route.path,
        "prefix": route.prefix(),
        "action": route.action().map_or("public", |action| action.slug()),
        "title": route.title,
        "idempotent": route.repeat == Repeat::Key,
        "dialect": route.dialect.name(),
        "doc_url": format!("/docs/agents/{}", route.doc),
    })
}

/// The path that browsers are redirected to.
const PEOPLE: &str = "/ui/";

fn front(_: &App, input: Input) -> Handled {
    let reply = if prefers_html(input.header(&ACCEPT).unwrap_or(""), "application/json") {
        Reply::empty(StatusCode::SEE_OTHER).with(LOCATION, PEOPLE)
    } else {
        Reply::ok(&json!({
            "name": "taosd",
            "version": env!("CARGO_PKG_VERSION"),
            "api": "/api",
            "docs": "/docs",
            "openapi": "/openapi.json",
        }))
    };
    Ok(reply.with(VARY, "Accept").into())
}

fn index(app: &App, input: Input) -> Handled {
    static INDEX: OnceLock<Document> = OnceLock::new();
    let index = INDEX.get_or_init(|| {
        let rows: Vec<Value> = app.routes.iter().flat_map(|table| table.iter()).map(row).collect();
        Document::new("application/json", json!({"routes": rows}).to_string())
    });
    Ok(index.reply(&input.head.headers).into())
}

/// Returns the OpenAPI document of these route tables.
pub fn surface(tables: &[&'static [ApiRoute]]) -> Value {
    openapi::document(tables, RULES)
}

fn document(app: &App, input: Input) -> Handled {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| Document::new("application/json", surface(app.routes).to_string()));
    Ok(document.reply(&input.head.headers).into())
}
