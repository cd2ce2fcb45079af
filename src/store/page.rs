//! Keyset pages: a list goes on after the (time, id) of the last row of the page before, so that no row is skipped or
//! seen twice while others come and go.

use rusqlite::{Params, Row, Statement};

use super::Result;
use crate::time::Micros;

/// Takes the rows of a list one by one, so that no list is ever in memory as a whole. False: it wants no more.
pub type Take<'a, T> = &'a mut dyn FnMut(T) -> bool;

/// Hands the rows of a statement over, until there are no more or no more are wanted.
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

/// Where a page starts and how long it is.
#[derive(Debug, Clone)]
pub struct Page {
    /// Rows at the most.
    pub limit: u64,
    /// The last row of the page before.
    pub after: Option<(Micros, String)>,
}

impl Page {
    /// The time to start after, for a list whose oldest rows come first.
    pub(super) fn oldest_first(&self) -> (Micros, &str) {
        self.after.as_ref().map_or((Micros(i64::MIN), ""), |(at, id)| (*at, id))
    }

    /// The time to start before, for a list whose newest rows come first. No id sorts after `~`.
    pub(super) fn newest_first(&self) -> (Micros, &str) {
        self.after.as_ref().map_or((Micros(i64::MAX), "~"), |(at, id)| (*at, id))
    }

    /// One row more than asked tells whether there is another page.
    pub(super) fn fetch(&self) -> u64 {
        self.limit + 1
    }
}

/// A page by its number, in the order of one column: rows may move between pages while others come and go.
#[derive(Debug, Clone)]
pub struct Numbered {
    /// Rows at the most.
    pub limit: u64,
    /// Rows before the page.
    pub offset: u64,
    /// The wire's name of the column; each list has its own, and one it orders by where this is none of them.
    pub by: String,
    /// Whether the largest comes first.
    pub descending: bool,
}

impl Numbered {
    /// The end of a statement that gives this page: ordered by the column of this name, then by `ties`, all in one
    /// direction, so that one direction is the exact reverse of the other. Takes `limit` and `offset` as `?1` and `?2`.
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
