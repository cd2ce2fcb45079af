//! The documentation, served from the binary: Markdown to `curl`, HTML to a browser.

use hyper::header::{ACCEPT, VARY};
use hyper::http::{Method, StatusCode};

use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::Handled;
use crate::docs;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;

const DOC: &str = "README";
const Q: Field = Field::text("q", 200, "Words that one part of a page must contain.");

/// The routes for the documentation.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::public(Method::GET, "/docs", Taos, front)
        .described(
            "docs_index",
            "Read the documentation's first page",
            "Markdown, or HTML if the client accepts it. With q, the places that contain all of these words.",
            DOC,
        )
        .asking(&[Q])
        .answering(200, Answer::Other(&["text/markdown", "text/html"])),
    ApiRoute::public(Method::GET, "/docs/{path...}", Taos, page)
        .described(
            "docs_get",
            "Read a page of the documentation",
            "Markdown, or HTML if the client accepts it. The path may end in .md.",
            DOC,
        )
        .answering(200, Answer::Other(&["text/markdown", "text/html"]))
        .failing(&[codes::DOC_NOT_FOUND]),
];

fn front(app: &App, input: Input) -> Handled {
    let words = input.query.text(&Q).map(str::trim).filter(|words| !words.is_empty());
    let Some(words) = words else { return serve(app, &input, "agents/README") };
    let reply = if wants_html(input.header(&ACCEPT).unwrap_or("")) {
        (app.doc_page)(&input, &docs::DocsQuery::Search(words))
    } else {
        Reply::typed(StatusCode::OK, "text/markdown; charset=utf-8", found(words))
    };
    Ok(reply.with(VARY, "Accept, Accept-Encoding").into())
}

/// Returns what a search found, as a Markdown list of links.
fn found(words: &str) -> String {
    let line = |hit: docs::DocsHit| {
        let to = if hit.anchor.is_empty() { String::new() } else { format!("#{}", hit.anchor) };
        format!("- [{}: {}](/docs/{}.md{to}) {}\n", hit.title, hit.heading, hit.path, hit.snippet)
    };
    let list: String = docs::search(words).into_iter().map(line).collect();
    if list.is_empty() {
        "# Search\n\nNo page has all of these words.\n".to_owned()
    } else {
        format!("# Search\n\n{list}")
    }
}

fn page(app: &App, input: Input) -> Handled {
    let path = input.param(0).to_owned();
    serve(app, &input, path.strip_suffix(".md").unwrap_or(&path))
}

fn serve(app: &App, input: &Input, path: &str) -> Handled {
    let for_browser = wants_html(input.header(&ACCEPT).unwrap_or(""));
    let Some((path, markdown)) = docs::find(path) else {
        let error = ApiError::new(codes::DOC_NOT_FOUND);
        return if for_browser { Ok((app.refusal_page)(&error, &input.head).into()) } else { Err(error) };
    };
    let reply = if for_browser {
        (app.doc_page)(input, &docs::DocsQuery::Page(path, markdown))
    } else {
        Reply::typed(StatusCode::OK, "text/markdown; charset=utf-8", markdown)
    };
    Ok(reply.with(VARY, "Accept, Accept-Encoding").into())
}

/// Returns true if the client wants HTML. Browsers name `text/html`, `curl` sends `*/*`; if both kinds are named, the
/// preferred one counts.
pub(crate) fn wants_html(accept: &str) -> bool {
    prefers_html(accept, "text/markdown")
}

/// Returns true if the client names `text/html` and does not prefer the other media type.
pub(crate) fn prefers_html(accept: &str, other: &str) -> bool {
    let html = quality(accept, "text/html");
    html > 0.0 && html >= quality(accept, other)
}

/// Returns the quality of exactly this media type (RFC 9110, section 12.5.1); 0 if the client does not name it.
fn quality(accept: &str, wanted: &str) -> f32 {
    let named = accept.split(',').map(|range| range.split(';').map(str::trim)).find_map(|mut parts| {
        let media = parts.next().unwrap_or("");
        media.eq_ignore_ascii_case(wanted).then_some(parts)
    });
    let Some(mut parameters) = named else { return 0.0 };
    let given = parameters.find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
    given.map_or(1.0, |q| q.parse().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_goes_to_those_who_ask_for_it() {
        for browser in ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Text/HTML ; q=0.5"] {
            assert!(wants_html(browser), "{browser}");
        }
        let others =
            ["", "*/*", "text/*", "text/markdown, text/html;q=0.5", "text/html;q=0", "text/html;q=x", "text/htmlx"];
        for other in others {
            assert!(!wants_html(other), "{other}");
        }
    }
}
