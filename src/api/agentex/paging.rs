//! Pages by number, as Agentex clients ask for them (Agentex contract, section 4).

use super::fields::ORDER_BY;
use crate::api::engine::paging::{self, Listing};
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::store::page::{Numbered, Page};

pub use crate::api::engine::paging::CURSOR;

/// How many rows.
pub const LIMIT: Field = Field::integer("limit", 1, PAGE_MAX as i64, "Rows on a page, 1 to 500; 100 if absent.");
/// Which page.
pub const PAGE_NUMBER: Field =
    Field::integer("page_number", 1, i64::MAX, "The number of the page, from 1; 1 if absent.");
/// Which way round.
pub const DIRECTION: Field = Field::text("order_direction", 8, "asc or desc, in any case.")
    .told(r#"{"pattern": "^([Aa][Ss][Cc]|[Dd][Ee][Ss][Cc])$"}"#);

/// The page that the query asks for, and the list to put it in; `by` and `descending` are the list's own order.
///
/// A page of long rows ends before its number of rows does. What is left of it is behind its `Link`, whose cursor says
/// how many rows there were: the pages that follow have the numbers they always had.
///
/// # Errors
/// `validation_error`, or `invalid_cursor` for one that was not handed out for this page.
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
        // The database counts in signed numbers.
        offset: before.min(i64::MAX.unsigned_abs()),
        by: input.query.text(&ORDER_BY).unwrap_or(by).to_owned(),
        descending,
    };
    Ok((page, Listing::new(list, Page { limit, after: None })))
}
