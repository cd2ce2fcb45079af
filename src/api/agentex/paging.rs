//! Pages by number, as Agentex clients request them (Agentex contract, section 4).

use super::fields::ORDER_BY;
use crate::api::engine::paging::{self, Listing};
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::store::page::{Numbered, Page};

pub use crate::api::engine::paging::CURSOR;

/// The query parameter for the rows on a page.
pub const LIMIT: Field = Field::integer("limit", 1, PAGE_MAX as i64, "Rows on a page, 1 to 500; 100 if absent.");
/// The query parameter for the number of the page.
pub const PAGE_NUMBER: Field =
    Field::integer("page_number", 1, i64::MAX, "The number of the page, from 1; 1 if absent.");
/// The query parameter for the direction of the order.
pub const DIRECTION: Field = Field::text("order_direction", 8, "asc or desc, in any case.")
    .told(r#"{"pattern": "^([Aa][Ss][Cc]|[Dd][Ee][Ss][Cc])$"}"#);

/// Returns the page that the query asks for, and the list for its rows. `by` and `descending` are the list's default
/// order.
///
/// A page of long rows may end before its number of rows. Its `Link` leads to the rest of the page; the cursor holds
/// the number of rows so far. So the following pages keep their numbers.
///
/// # Errors
/// `validation_error`, or `invalid_cursor` for a cursor that was not issued for this page.
pub fn page(input: &Input, list: &'static str, by: &str, descending: bool) -> Result<(Numbered, Listing), ApiError> {
    let number = |field: &Field| input.query.integer(field).and_then(|n| u64::try_from(n).ok());
    let limit = number(&LIMIT).unwrap_or(PAGE_DEFAULT);
    let begin = number(&PAGE_NUMBER).unwrap_or(1).saturating_sub(1).saturating_mul(limit);
    let descending = match input.query.text(&DIRECTION).map(str::to_ascii_lowercase).as_deref() {
        None => descending,
        Some("asc") => false,
        Some("desc") => true,
        Some(_) => return Err(ApiError::field("order_direction", "must be one of asc, desc")),
    };
    let before = match paging::page(input, list)?.after {
        None => begin,
        Some((place, _)) => u64::try_from(place.0)
            .ok()
            .filter(|before| (begin..begin.saturating_add(limit)).contains(before))
            .ok_or(codes::INVALID_CURSOR)?,
    };
    let limit = begin.saturating_add(limit) - before;
    let page = Numbered {
        limit,
        // SQLite's integers are signed.
        offset: before.min(i64::MAX.unsigned_abs()),
        by: input.query.text(&ORDER_BY).unwrap_or(by).to_owned(),
        descending,
    };
    Ok((page, Listing::new(list, Page { limit, after: None })))
}
