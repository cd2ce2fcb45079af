//! A statement's conditions, put together from what is asked: what is not asked does not stand in it, so that SQLite can
//! choose an index for what is.

use rusqlite::types::Value;
use rusqlite::{ParamsFromIter, params_from_iter};

/// Conditions and the values of their parameters.
#[derive(Debug, Default)]
pub(super) struct Clauses {
    text: String,
    values: Vec<Value>,
}

impl Clauses {
    /// The next parameter, with this value, as it stands in a statement.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    /// Adds a condition.
    pub(super) fn and(&mut self, condition: &str) {
        self.text.push_str(if self.text.is_empty() { "WHERE " } else { " AND " });
        self.text.push_str(condition);
    }

    /// Adds a condition on a value, which stands as `?` in it, where there is one.
    pub(super) fn and_if(&mut self, condition: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            let parameter = self.bind(value);
            self.and(&condition.replace('?', &parameter));
        }
    }

    /// All of them, with `WHERE` before the first.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The values, for a statement that has every parameter.
    pub(super) fn values(&self) -> ParamsFromIter<&[Value]> {
        params_from_iter(&self.values)
    }
}
