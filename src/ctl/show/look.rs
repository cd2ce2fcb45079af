//! The reader of the output: the width of the terminal, colours, and readable forms of raw values.

use std::io::{self, IsTerminal};

use jiff::Timestamp;
use serde_json::Value;

use crate::ctl::core::format::Format;
use crate::ctl::core::text::plain;
use crate::ctl::core::when;
use crate::say;

/// How output for people is made.
#[derive(Debug, Clone)]
pub struct Look {
    /// The value of `-o`.
    pub format: Format,
    /// The columns of the terminal; `None` for a file or a pipe, which has no limit.
    pub width: Option<usize>,
    /// True if a person reads it: relative times, readable sizes, marks.
    pub is_person: bool,
    /// True if states have a colour.
    pub colour: bool,
    /// The time that relative times refer to.
    pub now: Timestamp,
}

impl Look {
    /// The look of standard output.
    pub fn of_stdout() -> Self {
        let is_person = io::stdout().is_terminal();
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let colour = is_person && set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb");
        let told = || is_person.then(|| say::terminal_width().unwrap_or(say::WIDTH));
        let width = say::asked_width().or_else(told);
        Self { format: Format::chosen(), width, is_person, colour, now: Timestamp::now() }
    }

    /// A value in a list, not yet cleaned. A person gets a readable form.
    pub fn cell(&self, field: &str, value: &Value) -> String {
        if !self.is_person {
            return plain(value);
        }
        match value {
            _ if when::is_time(field) => {
                when::of(value).map_or_else(|| plain(value), |at| when::relative(at, self.now))
            }
            Value::Number(n) if is_size(field) => n.as_u64().map_or_else(|| plain(value), size),
            Value::String(word) if is_state(field) => format!("{} {word}", mood(word).mark()),
            _ => plain(value),
        }
    }

    /// A value in a record, not yet cleaned. A person gets the exact value and a readable form.
    pub fn line(&self, field: &str, value: &Value) -> String {
        let told = plain(value);
        if !self.is_person {
            return told;
        }
        match value {
            _ if when::is_time(field) => {
                when::of(value).map_or(told, |at| format!("{} ({})", when::local(at), when::relative(at, self.now)))
            }
            Value::Number(n) if is_size(field) => match n.as_u64() {
                Some(n) if n >= 1024 => format!("{told} ({})", size(n)),
                _ => told,
            },
            Value::String(word) if is_state(field) => format!("{} {word}", mood(word).mark()),
            _ => told,
        }
    }

    /// A finished text of this field, in the colour of its state.
    pub fn coloured(&self, field: &str, value: &Value, text: &str) -> String {
        match value {
            Value::String(word) if self.colour && is_state(field) => {
                let (before, after) = mood(word).colour();
                format!("{before}{text}{after}")
            }
            _ => text.to_owned(),
        }
    }

    /// A text that stands out, such as a heading.
    pub fn strong(&self, text: &str) -> String {
        if self.colour { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// True if a field of this name is a number of bytes.
fn is_size(field: &str) -> bool {
    let last = field.rsplit('.').next().unwrap_or(field);
    last == "bytes" || last == "size" || last.ends_with("_bytes")
}

/// True if a field of this name is a state.
fn is_state(field: &str) -> bool {
    matches!(field, "status" | "state" | "lifecycle_state" | "outcome" | "verdict" | "health")
}

/// A number of bytes in a readable unit, such as `1.5 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut rest, mut unit) = (bytes as f64, 0);
    while rest >= 1024.0 && unit + 1 < UNITS.len() {
        rest /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{rest:.1} {}", UNITS[unit]) }
}

/// The meaning of a state for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// All is well.
    Good,
    /// Work is in progress, or waits for something.
    Busy,
    /// Something is wrong.
    Bad,
    /// Nothing happens.
    Still,
}

/// The mood of the word for a state.
pub fn mood(word: &str) -> Mood {
    match word {
        "running" | "active" | "ok" | "success" | "succeeded" | "done" | "delivered" | "healthy" | "ready"
        | "Ready" | "completed" | "approved" | "granted" | "read" => Mood::Good,
        "paused" | "queued" | "pending" | "deploying" | "starting" | "stopping" | "grace" | "rotation_window"
        | "in_progress" | "waiting" | "Building" | "blocked" | "frozen" | "warning" => Mood::Busy,
        "failed" | "denied" | "error" | "revoked" | "expired" | "unhealthy" | "cleanup_required" | "Failed"
        | "cancelled" => Mood::Bad,
        _ => Mood::Still,
    }
}

impl Mood {
    /// A mark that shows the mood without a colour.
    pub const fn mark(self) -> char {
        match self {
            Self::Good => '●',
            Self::Busy => '◐',
            Self::Bad => '✗',
            Self::Still => '○',
        }
    }

    /// The escape sequences that switch the colour on and off.
    const fn colour(self) -> (&'static str, &'static str) {
        match self {
            Self::Good => ("\u{1b}[32m", "\u{1b}[0m"),
            Self::Busy => ("\u{1b}[33m", "\u{1b}[0m"),
            Self::Bad => ("\u{1b}[31m", "\u{1b}[0m"),
            Self::Still => ("\u{1b}[2m", "\u{1b}[0m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn person() -> Look {
        let now = Timestamp::from_second(1_000_000_000).unwrap();
        Look { format: Format::Table, width: Some(80), is_person: true, colour: true, now }
    }

    #[test]
    fn a_person_is_told_times_sizes_and_states_and_a_program_the_values() {
        let (person, at) = (person(), json!("2001-09-09T01:45:40Z"));
        let program = Look { is_person: false, colour: false, ..person.clone() };
        assert_eq!(person.cell("created_at", &at), "1 min ago");
        assert_eq!(program.cell("created_at", &at), "2001-09-09T01:45:40Z");
        assert_eq!(person.cell("bytes", &json!(5_242_880)), "5.0 MiB");
        assert_eq!(person.cell("status", &json!("running")), "● running");
        assert_eq!(person.coloured("status", &json!("failed"), "x"), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(program.coloured("status", &json!("failed"), "x"), "x");
        assert!(person.line("expires_at", &at).ends_with("(1 min ago)"));
        assert_eq!(person.line("bytes", &json!(2048)), "2048 (2.0 KiB)");
    }

    #[test]
    fn a_size_has_the_unit_that_fits() {
        for (bytes, told) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (u64::MAX, "16777216.0 TiB")]
        {
            assert_eq!(size(bytes), told);
        }
    }
}
