//! The surface, told by itself: `GET /api` and `/openapi.json`, made from the table of routes.

use hyper::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::Handled;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::{Field, Type};
use crate::rest::input::Input;
use crate::rest::openapi;
use crate::rest::reply::Reply;
use crate::rest::route::{Access, Answer, BodyKind, Repeat, Route};

const fn text(name: &'static str, about: &'static str) -> Field {
    Field::text(name, usize::MAX, about).required()
}

/// The rows of the table.
pub const ROUTES: &[ApiRoute] = &[
    Route {
        method: Method::GET,
        path: "/api",
        dialect: Taos,
        access: Access::Public(index),
        id: "api_index",
        title: "List the routes",
        about: "Every route there is, with the action it needs.",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::None,
        example: "",
        answer: (
            200,
            Answer::Object(&[Field::of(
                "routes",
                Type::Objects(&[
                    text("method", "The method."),
                    text("path", "The path; {name} stands for one segment."),
                    text("prefix", "The path up to its first parameter."),
                    text("action", "The action it needs; public if none."),
                    text("title", "What it does."),
                    Field::flag("idempotent", "Whether it takes an Idempotency-Key.").required(),
                    text("dialect", "Which clients it speaks to."),
                    text("doc_url", "The page that explains it."),
                ]),
                "One row a route.",
            )
            .required()]),
        ),
        errors: &[],
        doc: "getting-started#discover",
    },
    Route {
        method: Method::GET,
        path: "/openapi.json",
        dialect: Taos,
        access: Access::Public(document),
        id: "openapi",
        title: "Read the surface as OpenAPI",
        about: "OpenAPI 3.1, made from the same table as GET /api.",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::None,
        example: "",
        answer: (200, Answer::Object(&[])),
        errors: &[],
        doc: "getting-started#discover",
    },
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

fn index(app: &App, _: Input) -> Handled {
    let rows: Vec<Value> = app.routes.iter().flat_map(|table| table.iter()).map(row).collect();
    Ok(Reply::ok(&json!({"routes": rows})).into())
}

fn document(app: &App, _: Input) -> Handled {
    Ok(Reply::typed(StatusCode::OK, "application/json", openapi::document(app.routes).to_string()).into())
}
