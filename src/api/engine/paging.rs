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

/// The query parameter for the rows on a page.
pub const LIMIT: Field = Field::integer("limit", 1, PAGE_MAX as i64, "Rows on a page, 1 to 500; 100 if absent.");
/// The query parameter for the position of the page.
pub const CURSOR: Field =
    Field::text("cursor", 200, "Position in the list, from the Link header of the previous page.");

/// The characters of a query that must be escaped between `<` and `>` in a header.
const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'<').add(b'>').add(b'"');

/// Returns the page that the query asks for.
///
/// # Errors
/// `invalid_cursor` if this list did not issue the cursor.
pub fn page(input: &Input, list: &str) -> Result<Page, ApiError> {
    let limit = input.query.integer(&LIMIT).and_then(|n| u64::try_from(n).ok()).unwrap_or(PAGE_DEFAULT);
    let after = match input.query.text(&CURSOR) {
        None => None,
        Some(text) => Some(decode(text, list).ok_or(codes::INVALID_CURSOR)?),
    };
    Ok(Page { limit, after })
}

/// The maximum bytes of a page. The first row is exempt: otherwise a client could never get past a row that is too
/// large.
static BUDGET: AtomicUsize = AtomicUsize::new(1024 * 1024);

/// Sets the maximum bytes of a page.
pub fn set_page_bytes(bytes: u64) {
    BUDGET.store(usize::try_from(bytes).unwrap_or(usize::MAX), Ordering::Relaxed);
}

/// Returns the maximum bytes of a page.
pub fn page_bytes() -> usize {
    BUDGET.load(Ordering::Relaxed)
}

/// Returns the maximum bytes of a page for a request, which may have a lower bound of its own.
pub fn bytes_for(input: &Input) -> usize {
    input.page_bytes.map_or_else(page_bytes, |own| own.min(page_bytes()))
}

/// The layout of the rows in the body.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// A bare array.
    Array,
    /// An object with the rows under this key and, if `counted`, their number under `count`.
    Object { key: &'static str, counted: bool },
    /// Texts one after the other, with this content type.
    Text(&'static str),
}

/// A list that is being written into a reply. Each row is written as it is read, so neither the rows nor their JSON
/// values are ever in memory as a whole. The list ends at the page's rows or bytes, whichever comes first; its `Link`
/// leads to the rest. **Every list of every dialect is made with this.**
#[derive(Debug)]
pub struct Listing {
    list: &'static str,
    page: Page,
    budget: usize,
    shape: Shape,
    body: Vec<u8>,
    rows: u64,
    /// The rows in the body plus the rows passed over.
    seen: u64,
    last: Option<(Micros, String)>,
    more: bool,
    /// Whether the body contains the next page's cursor.
    tells_cursor: bool,
}

impl Listing {
    /// Creates a bare array, paged as the query asks.
    ///
    /// # Errors
    /// `invalid_cursor` if this list did not issue the cursor.
    pub fn of(input: &Input, list: &'static str) -> Result<Self, ApiError> {
        let mut listing = Self::new(list, page(input, list)?);
        listing.budget = bytes_for(input);
        Ok(listing)
    }

    /// Creates a bare array for a given page.
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

    /// Puts the array under a key of an object, as the aX clients want it.
    #[must_use]
    pub fn under(mut self, key: &'static str, counted: bool) -> Self {
        self.shape = Shape::Object { key, counted };
        self
    }

    /// Adds `next_cursor` to the object, beside the `Link`, if there is another page.
    #[must_use]
    pub fn telling_cursor(mut self) -> Self {
        self.tells_cursor = true;
        self
    }

    /// Makes the reply a text of this content type.
    #[must_use]
    pub fn of_texts(mut self, content_type: &'static str) -> Self {
        self.shape = Shape::Text(content_type);
        self
    }

    /// Returns the requested page.
    pub fn page(&self) -> Page {
        self.page.clone()
    }

    /// Sets the maximum number of rows.
    #[must_use]
    pub fn at_most(mut self, rows: u64) -> Self {
        self.page.limit = rows;
        self
    }

    /// True while no row was added.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds a row; `place` is its position in the list. False if the page is full; then the row belongs to the next
    /// page.
    pub fn push(&mut self, place: (Micros, String), row: &impl Serialize) -> bool {
        self.add(place, |body| serde_json::to_writer(body, row))
    }

    /// Adds a row of a list that is paged by number. `before` is the number of rows on earlier pages.
    pub fn push_next(&mut self, before: u64, row: &impl Serialize) -> bool {
        let place = i64::try_from(before.saturating_add(self.seen + 1)).unwrap_or(i64::MAX);
        self.push((Micros(place), String::new()), row)
    }

    /// Passes over a row that the caller may not see. False if the page is full, like [`Listing::push`].
    pub fn pass(&mut self, place: (Micros, String)) -> bool {
        if self.seen >= self.page.limit {
            self.more = true;
            return false;
        }
        self.seen += 1;
        self.last = Some(place);
        true
    }

    /// Adds a row of a text; see [`Listing::push`].
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
            // Does not happen: rows are texts, numbers and lists, which JSON can hold.
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

    /// Returns the reply, with a `Link` to the next page if there is one.
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
                // A cursor is base64url, so JSON needs no escapes.
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

/// Adds the `Link` to the page that begins at this cursor.
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

/// Returns the same request with another cursor: a relative URL that keeps the filters.
fn next_url(input: &Input, cursor: &str) -> String {
    let mut query: Vec<String> = input
        .head
        .query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("cursor=") && *pair != "cursor")
        // Escape what a header may not contain; existing escapes stay as they are.
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
