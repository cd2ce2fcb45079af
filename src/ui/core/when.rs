//! Times for people.

use std::fmt;

use askama::filters::Safe;

use crate::time::Micros;

/// A time from the API in microseconds; `None` if the text is not a time.
pub(crate) fn parsed(text: &str) -> Option<i64> {
    Micros::parse(text).map(|at| at.0)
}

/// A time as markup: the relative time, with the exact time as its title.
pub(crate) fn relative(text: &str) -> Safe<String> {
    let Some(at) = parsed(text) else { return Safe(String::new()) };
    let exact = exact(at);
    // Safe, because no part of it comes from a user.
    Safe(format!(
        "<time datetime=\"{exact}\" title=\"{}\">{}</time>",
        exact.replace('T', " "),
        Ago(at, Micros::now().0)
    ))
}

fn exact(at: i64) -> String {
    jiff::Timestamp::from_microsecond(at).map_or_else(|_| String::new(), |at| format!("{at:.0}"))
}

/// A time relative to another, both in microseconds.
struct Ago(i64, i64);

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = (self.1 - self.0) / Micros::SECOND;
        let span = Span(seconds.unsigned_abs());
        match seconds {
            -4..=4 => f.write_str("now"),
            5.. => write!(f, "{span} ago"),
            _ => write!(f, "in {span}"),
        }
    }
}

/// A span of seconds, shown in its largest unit.
pub(crate) struct Span(pub u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..60 => write!(f, "{} s", self.0),
            60..3600 => write!(f, "{} min", self.0 / 60),
            3600..172_800 => write!(f, "{} h", self.0 / 3600),
            _ => write!(f, "{} d", self.0 / 86_400),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_in_its_largest_unit() {
        let from = |seconds: i64| Ago(0, seconds * Micros::SECOND).to_string();
        assert_eq!(
            [from(2), from(59), from(60), from(7200), from(200_000)],
            ["now", "59 s ago", "1 min ago", "2 h ago", "2 d ago"]
        );
        assert_eq!(from(-3700), "in 1 h");
        assert!(relative("2026-01-02T03:04:05.678Z").0.starts_with("<time datetime=\"2026-01-02T03:04:05Z\""));
        assert_eq!(relative("soon<").0, "");
    }
}
