//! The documentation, served from the binary: Markdown to `curl`, HTML to a browser.

use hyper::header::{ACCEPT, VARY};
use hyper::http::{Method, StatusCode};

use super::app::App;
use super::call::Handled;
use super::table::ApiRoute;
use crate::docs;
use crate::http::codes;
use crate::http::error::Dialect::Taos;
use crate::http::input::Input;
use crate::http::reply::Reply;
use crate::http::route::{Access, Answer, BodyKind, Repeat, Route};

const DOC: &str = "README";

/// The rows of the table.
pub const ROUTES: &[ApiRoute] = &[
    Route {
        method: Method::GET,
        path: "/docs",
        dialect: Taos,
        access: Access::Public(front),
        id: "docs_index",
        title: "Read the documentation's first page",
        about: "Markdown; HTML where the client accepts it.",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::None,
        example: "",
        answer: (200, Answer::Other(&["text/markdown", "text/html"])),
        errors: &[],
        doc: DOC,
    },
    Route {
        method: Method::GET,
        path: "/docs/style.css",
        dialect: Taos,
        access: Access::Public(style),
        id: "docs_style",
        title: "Read the documentation's style sheet",
        about: "For browsers.",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::None,
        example: "",
        answer: (200, Answer::Other("text/css")),
        errors: &[],
        doc: DOC,
    },
    Route {
        method: Method::GET,
        path: "/docs/{path...}",
        dialect: Taos,
        access: Access::Public(page),
        id: "docs_get",
        title: "Read a page of the documentation",
        about: "Markdown; HTML where the client accepts it. With or without .md.",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::None,
        example: "",
        answer: (200, Answer::Other(&["text/markdown", "text/html"])),
        errors: &[codes::DOC_NOT_FOUND],
        doc: DOC,
    },
];

fn front(_: &App, input: Input) -> Handled {
    serve(&input, "agents/README")
}

fn style(_: &App, _: Input) -> Handled {
    Ok(Reply::typed(StatusCode::OK, "text/css; charset=utf-8", docs::STYLE).into())
}

fn page(_: &App, input: Input) -> Handled {
    let path = input.param(0).to_owned();
    serve(&input, path.strip_suffix(".md").unwrap_or(&path))
}

fn serve(input: &Input, path: &str) -> Handled {
    let markdown = docs::page(path).ok_or(codes::DOC_NOT_FOUND)?;
    let reply = if wants_html(input.header(&ACCEPT).unwrap_or("")) {
        Reply::typed(StatusCode::OK, "text/html; charset=utf-8", docs::html(path, markdown))
    } else {
        Reply::typed(StatusCode::OK, "text/markdown; charset=utf-8", markdown)
    };
    Ok(reply.with(VARY, "Accept").into())
}

/// Browsers name `text/html`; `curl` says `*/*`.
fn wants_html(accept: &str) -> bool {
    accept.split(',').any(|range| range.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("text/html"))
}
