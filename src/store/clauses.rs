//! The conditions of a statement, made from the filters that are set. A filter that is not set adds no condition, so
//! that SQLite can choose an index for those that are.

use rusqlite::types::Value;
use rusqlite::{ParamsFromIter, params_from_iter};

/// Conditions and the values of their parameters.
#[derive(Debug, Default)]
pub(super) struct Clauses {
    text: String,
    values: Vec<Value>,
}

impl Clauses {
    /// Adds a value and returns its parameter, such as `?1`.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    /// Adds a condition.
    pub(super) fn and(&mut self, condition: &str) {
        self.text.push_str(if self.text.is_empty() { "WHERE " } else { " AND " });
        self.text.push_str(condition);
    }

    /// If there is a value, adds a condition in which each `?` stands for it.
    pub(super) fn and_if(&mut self, condition: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            let parameter = self.bind(value);
            self.and(&condition.replace('?', &parameter));
        }
    }

    /// Returns all conditions, with `WHERE` before the first.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the values, for a statement that has all the parameters.
    pub(super) fn values(&self) -> ParamsFromIter<&[Value]> {
        params_from_iter(&self.values)
    }
}
