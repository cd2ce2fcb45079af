//! Pages of a list: `limit`, `cursor` and the `Link` to the next page (RFC 8288); bounded in rows and in bytes.

use std::sync::atomic::{AtomicUsize, Ordering};

use data_encoding::BASE64URL_NOPAD;
use hyper::header::LINK;
use hyper::http::StatusCode;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::store::page::Page;
use crate::time::Micros;

/// How many rows.
pub const LIMIT: Field = Field::integer("limit", 1, PAGE_MAX as i64, "Rows on a page, 1 to 500; 100 if absent.");
/// Where to go on.
pub const CURSOR: Field =
    Field::text("cursor", 200, "Position in the list, from the Link header of the previous page.");

/// What of a query may not stand as it is between `<` and `>` in a header.
const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'<').add(b'>').add(b'"');

/// The page that the query asks for.
///
/// # Errors
/// `invalid_cursor` for one that this list did not hand out.
pub fn page(input: &Input, list: &str) -> Result<Page, ApiError> {
    let limit = input.query.integer(&LIMIT).and_then(|n| u64::try_from(n).ok()).unwrap_or(PAGE_DEFAULT);
    let after = match input.query.text(&CURSOR) {
        None => None,
        Some(text) => Some(decode(text, list).ok_or(codes::INVALID_CURSOR)?),
    };
    Ok(Page { limit, after })
}

/// Bytes of a page at the most, the first row apart: without it nobody would ever come to the second.
static BUDGET: AtomicUsize = AtomicUsize::new(1024 * 1024);

/// Lets pages be so many bytes long from now on.
pub fn set_page_bytes(bytes: u64) {
    BUDGET.store(usize::try_from(bytes).unwrap_or(usize::MAX), Ordering::Relaxed);
}

/// Bytes of a page at the most, for the lists whose rows have places of their own.
pub fn page_bytes() -> usize {
    BUDGET.load(Ordering::Relaxed)
}

/// The same for a request that may have a bound of its own.
pub fn bytes_for(input: &Input) -> usize {
    input.page_bytes.map_or_else(page_bytes, |own| own.min(page_bytes()))
}

/// How the rows stand in the body.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// A bare array.
    Array,
    /// An object with the rows under this key and, where the client wants to know, their number under `count`.
    Object { key: &'static str, counted: bool },
    /// One text after the other.
    Text(&'static str),
}

/// A list on its way into a reply: each row is written as it is read, so that neither the rows nor what they become are
/// ever in memory as a whole. It ends at the page's rows or bytes, whichever comes first; what is left is behind its
/// `Link`. **Every list of every dialect is made with this.**
#[derive(Debug)]
pub struct Listing {
    list: &'static str,
    page: Page,
    budget: usize,
    shape: Shape,
    body: Vec<u8>,
    rows: u64,
    /// Rows that stand in it and those passed over.
    seen: u64,
    last: Option<(Micros, String)>,
    more: bool,
    /// Whether the body names the next page's cursor.
    tells_cursor: bool,
}

impl Listing {
    /// A bare array, paged as the query asks.
    ///
    /// # Errors
    /// `invalid_cursor` for one that this list did not hand out.
    pub fn of(input: &Input, list: &'static str) -> Result<Self, ApiError> {
        let mut listing = Self::new(list, page(input, list)?);
        listing.budget = bytes_for(input);
        Ok(listing)
    }

    /// A bare array for a page that is known.
    pub fn new(list: &'static str, page: Page) -> Self {
        let budget = page_bytes();
        let body = Vec::with_capacity(4096);
        Self {
            list,
            page,
            budget,
            shape: Shape::Array,
            body,
            rows: 0,
            seen: 0,
            last: None,
            more: false,
            tells_cursor: false,
        }
    }

    /// The same within an object, as the aX clients want it.
    #[must_use]
    pub fn under(mut self, key: &'static str, counted: bool) -> Self {
        self.shape = Shape::Object { key, counted };
        self
    }

    /// The same with `next_cursor` in the object, beside the `Link`, where there is another page.
    #[must_use]
    pub fn telling_cursor(mut self) -> Self {
        self.tells_cursor = true;
        self
    }

    /// The same as text of this type.
    #[must_use]
    pub fn of_texts(mut self, content_type: &'static str) -> Self {
        self.shape = Shape::Text(content_type);
        self
    }

    /// The page asked for.
    pub fn page(&self) -> Page {
        self.page.clone()
    }

    /// The same with another number of rows at the most.
    #[must_use]
    pub fn at_most(mut self, rows: u64) -> Self {
        self.page.limit = rows;
        self
    }

    /// True while no row stands in it.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds a row, whose place in the list is `place`. False: the page is full, and the row is on the next.
    pub fn push(&mut self, place: (Micros, String), row: &impl Serialize) -> bool {
        self.add(place, |body| serde_json::to_writer(body, row))
    }

    /// Adds a row of a list that is paged by number: its place is how many rows there are up to it.
    pub fn push_next(&mut self, before: u64, row: &impl Serialize) -> bool {
        let place = i64::try_from(before.saturating_add(self.seen + 1)).unwrap_or(i64::MAX);
        self.push((Micros(place), String::new()), row)
    }

    /// Passes over a row that the caller may not see. False as [`Listing::push`].
    pub fn pass(&mut self, place: (Micros, String)) -> bool {
        if self.seen >= self.page.limit {
            self.more = true;
            return false;
        }
        self.seen += 1;
        self.last = Some(place);
        true
    }

    /// Adds a row of a text.
    pub fn push_text(&mut self, place: (Micros, String), row: &str) -> bool {
        self.add(place, |body| {
            body.extend_from_slice(row.as_bytes());
            Ok(())
        })
    }

    fn add(&mut self, place: (Micros, String), write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>) -> bool {
        if self.seen >= self.page.limit {
            self.more = true;
            return false;
        }
        let before = self.body.len();
        match self.shape {
            Shape::Text(_) => {}
            Shape::Array | Shape::Object { .. } if self.rows > 0 => self.body.push(b','),
            Shape::Array => self.body.push(b'['),
            Shape::Object { key, .. } => self.body.extend_from_slice(format!("{{\"{key}\":[").as_bytes()),
        }
        if let Err(error) = write(&mut self.body) {
            // Texts, numbers and lists of them: nothing that JSON cannot hold.
            log::error!("a row could not be serialised: {error}");
        }
        if self.rows > 0 && self.body.len() > self.budget {
            self.body.truncate(before);
            self.more = true;
            return false;
        }
        self.rows += 1;
        self.seen += 1;
        self.last = Some(place);
        true
    }

    /// The reply, with a link to the next page if there is one.
    pub fn reply(mut self, input: &Input) -> Reply {
        let next = self.last.take().filter(|_| self.more).map(|(at, id)| encode(self.list, at, &id));
        let content_type = match self.shape {
            Shape::Text(content_type) => content_type,
            Shape::Array => {
                self.body.extend_from_slice(if self.rows == 0 { b"[]" } else { b"]" });
                "application/json"
            }
            Shape::Object { key, counted } => {
                let open = if self.rows == 0 { format!("{{\"{key}\":[") } else { String::new() };
                // Nothing in a cursor needs an escape.
                let told = next.as_ref().filter(|_| self.tells_cursor);
                let cursor = told.map_or_else(String::new, |next| format!(",\"next_cursor\":\"{next}\""));
                let count = if counted { format!(",\"count\":{}", self.rows) } else { String::new() };
                self.body.extend_from_slice(format!("{open}]{count}{cursor}}}").as_bytes());
                "application/json"
            }
        };
        self.body.shrink_to_fit();
        let reply = Reply::typed(StatusCode::OK, content_type, self.body);
        match next {
            Some(next) => with_next(reply, input, &next),
            None => reply,
        }
    }
}

/// The reply with the `Link` to the page that begins at this cursor.
fn with_next(reply: Reply, input: &Input, cursor: &str) -> Reply {
    reply.with(LINK, &format!("<{}>; rel=\"next\"", next_url(input, cursor)))
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
