//! The system prompt: what a new agent reads about the box, assembled from whole documents.

use hyper::header::{ACCEPT, VARY};
use hyper::http::StatusCode;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::fields::{MAX_BYTES, SOURCE_FILTER};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::limits::KNOWLEDGE_ITEMS;
use crate::rest::reply::Reply;
use crate::store;
use crate::store::knowledge::{self, PromptPart};

const DEFAULT_BYTES: usize = 32 * 1024;
/// The most documents that the reply names, both of those in the prompt and of those left out. The list of items has
/// them all.
const NAMED: usize = KNOWLEDGE_ITEMS;
/// The separator between two documents.
const RULE: &str = "\n\n---\n\n";
/// The prompt if there are no documents.
const FALLBACK: &str = "You run on a taosd box. Its address is in TAOS_URL, your token in TAOS_TOKEN: send it as \
    `Authorization: Bearer $TAOS_TOKEN`.\n\nGET /api lists every route with the action it needs and the page that explains \
    it; GET /docs is the documentation; GET /api/auth/whoami says who you are and what you may do. Every error carries \
    `error`, `detail`, `fix` and `doc_url`: do what `fix` says.\n";

struct PromptDraft {
    text: String,
    items: Vec<Value>,
    omitted: Vec<Value>,
    /// The number of documents that did not fit, named or not.
    left_out: u64,
}

pub(crate) fn get(app: &App, call: Call) -> Handled {
    let query = &call.input.query;
    let most = query.integer(&MAX_BYTES).and_then(|n| usize::try_from(n).ok()).unwrap_or(DEFAULT_BYTES);
    let prompt = app.store.read(|conn| assemble(conn, query.text(&SOURCE_FILTER), most))?;
    let reply = if wants_markdown(call.input.header(&ACCEPT).unwrap_or("")) {
        Reply::typed(StatusCode::OK, "text/markdown; charset=utf-8", prompt.text)
    } else {
        Reply::ok(&json!({
            "prompt": prompt.text,
            "items": prompt.items,
            "omitted": prompt.omitted,
            "omitted_count": prompt.left_out,
            "truncated": prompt.left_out > 0,
        }))
    };
    Ok(reply.with(VARY, "Accept").into())
}

fn wants_markdown(accept: &str) -> bool {
    accept.split(',').any(|range| range.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("text/markdown"))
}

/// Adds every document that still fits, in order. A long one does not keep out a short one after it.
fn assemble(conn: &Connection, source_id: Option<&str>, most: usize) -> store::Result<PromptDraft> {
    let mut prompt = PromptDraft { text: String::new(), items: Vec::new(), omitted: Vec::new(), left_out: 0 };
    let mut failed = None;
    knowledge::parts(conn, source_id, &mut |part| {
        failed = add(conn, &mut prompt, &part, most).err();
        failed.is_none()
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    if prompt.items.is_empty() && prompt.left_out == 0 {
        FALLBACK.clone_into(&mut prompt.text);
    }
    Ok(prompt)
}

/// Adds a document if it fits, or names it among those that did not.
fn add(conn: &Connection, prompt: &mut PromptDraft, part: &PromptPart, most: usize) -> store::Result<()> {
    let shown = || json!({"id": part.id, "title": part.title});
    let rule = if prompt.text.is_empty() { "" } else { RULE };
    // A document that cannot fit is not read.
    let may_fit = prompt.text.len() + rule.len() + part.bytes.min(1) <= most && prompt.items.len() < NAMED;
    match (may_fit && part.bytes <= most).then(|| written(conn, part)).transpose()? {
        Some(text) if prompt.text.len() + rule.len() + text.len() <= most => {
            prompt.text.push_str(rule);
            prompt.text.push_str(&text);
            prompt.items.push(shown());
        }
        _ => {
            prompt.left_out += 1;
            if prompt.omitted.len() < NAMED {
                prompt.omitted.push(shown());
            }
        }
    }
    Ok(())
}

/// Returns a document as it is in the prompt: with its title, if it does not begin with one.
fn written(conn: &Connection, part: &PromptPart) -> store::Result<String> {
    let text = knowledge::text(conn, part)?;
    let text = text.trim();
    Ok(if text.starts_with("# ") { text.to_owned() } else { format!("# {}\n\n{text}", part.title) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fallback_fits_the_smallest_prompt() {
        assert!(FALLBACK.len() <= 1024);
    }
}
