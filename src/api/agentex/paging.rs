//! Pages by number, as Agentex clients ask for them (Agentex contract, section 4).

use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::store::page::Numbered;

/// How many rows.
pub const LIMIT: Field = Field::integer("limit", 1, PAGE_MAX as i64, "Rows of this page, 1 to 500; 100 if absent.");
/// Which page.
pub const PAGE_NUMBER: Field = Field::integer("page_number", 1, i64::MAX, "Which page; the first if absent.");
/// Which way round.
pub const DIRECTION: Field = Field::text("order_direction", 8, "asc or desc, in any case.");

/// The page that the query asks for; `by` and `descending` are the list's own order.
///
/// # Errors
/// `validation_error`.
pub fn page(input: &Input, by: &str, descending: bool) -> Result<Numbered, ApiError> {
    let number = |name: &str| input.query.integer(name).and_then(|n| u64::try_from(n).ok());
    let limit = number("limit").unwrap_or(PAGE_DEFAULT);
    let before = number("page_number").unwrap_or(1).saturating_sub(1).saturating_mul(limit);
    let descending = match input.query.text("order_direction").map(str::to_ascii_lowercase).as_deref() {
        None => descending,
        Some("asc") => false,
        Some("desc") => true,
        Some(_) => return Err(ApiError::field("order_direction", "must be one of asc, desc")),
    };
    Ok(Numbered {
        limit,
        // The database counts in signed numbers.
        offset: before.min(i64::MAX.unsigned_abs()),
        by: input.query.text("order_by").unwrap_or(by).to_owned(),
        descending,
    })
}
