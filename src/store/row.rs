//! Rows: a record's columns and how they are read are declared once, so that the two cannot differ.

use rusqlite::Row;
use rusqlite::types::FromSql;

/// Reads a row's columns one after the other.
pub(crate) struct Columns<'a, 'b> {
    row: &'a Row<'b>,
    next: usize,
}

impl<'a, 'b> Columns<'a, 'b> {
    /// Starts at the first column.
    pub(crate) fn of(row: &'a Row<'b>) -> Self {
        Self { row, next: 0 }
    }

    /// Returns the value of the next column.
    ///
    /// # Errors
    /// An error of `rusqlite` if the value has another type.
    pub(crate) fn next<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        let value = self.row.get(self.next)?;
        self.next += 1;
        Ok(value)
    }
}

/// Declares a record with the SQL expression of each field: `pub id: String = "s.id",`.
///
/// Gives the struct, `SELECT` (`SELECT <columns> FROM <from>`), `one` and `all`, which add a statement's own clauses to
/// it, and `read(row)`. A statement that selects more columns writes `COLUMNS` itself. It reads the record with `take`
/// and the other columns with [`Columns::next`].
macro_rules! record {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident from $from:literal {
            $(#[$first_meta:meta])* $first_vis:vis $first:ident: $first_type:ty = $first_sql:literal,
            $( $(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty = $sql:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        $vis struct $name {
            $(#[$first_meta])* $first_vis $first: $first_type,
            $( $(#[$field_meta])* $field_vis $field: $type, )*
        }

        #[allow(dead_code, reason = "every record has the same, whichever of them its statements use")]
        impl $name {
            /// The record's columns, in the order of its fields.
            pub(in crate::store) const COLUMNS: &'static str = concat!($first_sql, $( ", ", $sql, )*);
            /// The statement before its condition.
            pub(in crate::store) const SELECT: &'static str = concat!("SELECT ", $first_sql, $( ", ", $sql, )* " FROM ", $from);

            /// Reads the record from the next columns, which are [`Self::COLUMNS`].
            pub(in crate::store) fn take(columns: &mut $crate::store::row::Columns<'_, '_>) -> rusqlite::Result<Self> {
                Ok(Self { $first: columns.next()?, $( $field: columns.next()?, )* })
            }

            /// Reads the record from a row of [`Self::SELECT`].
            pub(in crate::store) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
                Self::take(&mut $crate::store::row::Columns::of(row))
            }

            /// Returns the record that `SELECT` with these clauses finds; `None` if there is none.
            pub(in crate::store) fn one(
                conn: &rusqlite::Connection,
                clauses: &str,
                params: impl rusqlite::Params,
            ) -> $crate::store::Result<Option<Self>> {
                let sql = format!("{} {clauses}", Self::SELECT);
                let found = conn.prepare_cached(&sql)?.query_row(params, Self::read);
                Ok(rusqlite::OptionalExtension::optional(found)?)
            }

            /// Returns all records that `SELECT` with these clauses finds. For bounded lists only.
            pub(in crate::store) fn all(
                conn: &rusqlite::Connection,
                clauses: &str,
                params: impl rusqlite::Params,
            ) -> $crate::store::Result<Vec<Self>> {
                let sql = format!("{} {clauses}", Self::SELECT);
                let mut statement = conn.prepare_cached(&sql)?;
                let rows = statement.query_map(params, Self::read)?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            }
        }
    };
}
pub(crate) use record;
