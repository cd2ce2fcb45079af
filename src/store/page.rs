//! Keyset pages: a list continues after the (time, id) of the last row of the previous page, so that no row is skipped
//! or seen twice while others are added or deleted.

use rusqlite::{Params, Row, Statement};

use super::Result;
use crate::time::Micros;

/// Takes the rows of a list one by one, so that no list is ever in memory as a whole. Returns false to take no more.
pub type Take<'a, T> = &'a mut dyn FnMut(T) -> bool;

/// Passes the rows of a statement to `take`, until there are no more or `take` returns false.
pub(super) fn each<T>(
    statement: &mut Statement<'_>,
    values: impl Params,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    take: Take<'_, T>,
) -> Result<()> {
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        if !take(read(row)?) {
            break;
        }
    }
    Ok(())
}

/// The start and the length of a page.
#[derive(Debug, Clone)]
pub struct Page {
    /// The most rows of the page.
    pub limit: u64,
    /// The (time, id) of the last row of the previous page; `None` for the first page.
    pub after: Option<(Micros, String)>,
}

impl Page {
    /// Returns the (time, id) to start after, for a list whose oldest rows come first.
    pub(super) fn oldest_first(&self) -> (Micros, &str) {
        self.after.as_ref().map_or((Micros(i64::MIN), ""), |(at, id)| (*at, id))
    }

    /// Returns the (time, id) to start before, for a list whose newest rows come first. No id sorts after `~`.
    pub(super) fn newest_first(&self) -> (Micros, &str) {
        self.after.as_ref().map_or((Micros(i64::MAX), "~"), |(at, id)| (*at, id))
    }

    /// Returns the rows to read: one more than the page has, which shows whether there is another page.
    pub(super) fn fetch(&self) -> u64 {
        self.limit + 1
    }
}

/// A page by its offset, ordered by one column. Rows may move between pages while others are added or deleted.
#[derive(Debug, Clone)]
pub struct Numbered {
    /// The most rows of the page.
    pub limit: u64,
    /// Rows before the page.
    pub offset: u64,
    /// The name of the column in the request. Each list has its own names; an unknown name means its first column.
    pub by: String,
    /// Whether the largest value comes first.
    pub descending: bool,
}

impl Numbered {
    /// Returns the end of a statement for this page. It orders by the named column, then by `ties`, all in one
    /// direction, so that each direction is the exact reverse of the other. Bind `limit` to `?1` and `offset` to `?2`.
    pub(super) fn clause(&self, columns: &[(&str, &str)], ties: &[&str]) -> String {
        let named = columns.iter().find(|(name, _)| *name == self.by).or(columns.first());
        let direction = if self.descending { "DESC" } else { "ASC" };
        let column = named.map_or("", |(_, column)| *column);
        let order: Vec<String> = std::iter::once(&column)
            .chain(ties.iter().filter(|tie| **tie != column))
            .map(|column| format!("{column} {direction}"))
            .collect();
        format!("ORDER BY {} LIMIT ?1 OFFSET ?2", order.join(", "))
    }
}
