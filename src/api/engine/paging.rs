//! Pages of a list: `limit`, `cursor` and the `Link` to the next page (RFC 8288).

use data_encoding::BASE64URL_NOPAD;
use hyper::header::LINK;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::store::page::Page;
use crate::time::Micros;

/// How many rows.
pub const LIMIT: Field = Field::integer("limit", 1, PAGE_MAX as i64, "Rows of this page, 1 to 500; 100 if absent.");
/// Where to go on.
pub const CURSOR: Field = Field::text("cursor", 200, "Where to go on: taken from the Link header of the page before.");

/// What of a query may not stand as it is between `<` and `>` in a header.
const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'<').add(b'>').add(b'"');

/// The page that the query asks for.
///
/// # Errors
/// `invalid_cursor` for one that this list did not hand out.
pub fn page(input: &Input, list: &str) -> Result<Page, ApiError> {
    let limit = input.query.integer("limit").and_then(|n| u64::try_from(n).ok()).unwrap_or(PAGE_DEFAULT);
    let after = match input.query.text("cursor") {
        None => None,
        Some(text) => Some(decode(text, list).ok_or(codes::INVALID_CURSOR)?),
    };
    Ok(Page { limit, after })
}

/// The reply to a list: `rows` holds one more than the page if there is another one; `key` names a row's place.
pub fn reply<T>(
    input: &Input,
    list: &str,
    page: &Page,
    mut rows: Vec<T>,
    key: impl Fn(&T) -> (Micros, String),
    show: impl Fn(&T) -> Value,
) -> Reply {
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let body: Vec<Value> = rows.iter().map(show).collect();
    let reply = Reply::ok(&body);
    match rows.last() {
        Some(last) if more => {
            let (at, id) = key(last);
            reply.with(LINK, &format!("<{}>; rel=\"next\"", next_url(input, &encode(list, at, &id))))
        }
        _ => reply,
    }
}

pub(crate) fn encode(list: &str, at: Micros, id: &str) -> String {
    BASE64URL_NOPAD.encode(format!("{list}:{}:{id}", at.0).as_bytes())
}

pub(crate) fn decode(cursor: &str, list: &str) -> Option<(Micros, String)> {
    let text = String::from_utf8(BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?).ok()?;
    let mut parts = text.splitn(3, ':');
    if parts.next()? != list {
        return None;
    }
    let at = parts.next()?.parse().ok()?;
    Some((Micros(at), parts.next()?.to_owned()))
}

/// The same request with another cursor: a relative URL that keeps the filters.
fn next_url(input: &Input, cursor: &str) -> String {
    let mut query: Vec<String> = input
        .head
        .query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("cursor=") && *pair != "cursor")
        // What came in goes out again only as it may stand in a header; the escapes it has stay as they are.
        .map(|pair| utf8_percent_encode(pair, UNSAFE).to_string())
        .collect();
    query.push(format!("cursor={cursor}"));
    format!("{}?{}", input.head.raw_path, query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back_and_belongs_to_its_list(at in any::<i64>(), id in "[a-z0-9-]{1,40}") {
            let cursor = encode("agents", Micros(at), &id);
            prop_assert_eq!(decode(&cursor, "agents"), Some((Micros(at), id)));
            prop_assert_eq!(decode(&cursor, "users"), None);
        }

        #[test]
        fn any_cursor_is_read_without_panic(text in ".{0,60}") {
            let _ = decode(&text, "agents");
        }
    }
}
