//! Times: parsing the value of `--since`, and showing times to people.

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use serde_json::Value;

use super::duration;

/// Seconds of a minute, an hour and a day.
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Parses a time as people write it: `90s`, `15m`, `2h`, `3d` or `1w` ago, `now`, `today`, `yesterday`, a date, or a
/// time.
pub fn parse(text: &str, now: Timestamp) -> Option<Timestamp> {
    let zone = TimeZone::system();
    let midnight = |date: civil::Date| date.to_zoned(zone.clone()).ok().map(|at| at.timestamp());
    let today = now.to_zoned(zone.clone()).date();
    match text {
        "now" => return Some(now),
        "today" => return midnight(today),
        "yesterday" => return midnight(today.yesterday().ok()?),
        _ => {}
    }
    if let Some(seconds) = duration::with_unit(text) {
        return Timestamp::from_second(now.as_second().checked_sub(seconds)?).ok();
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    if let Ok(at) = text.parse::<civil::DateTime>().or_else(|_| text.replacen(' ', "T", 1).parse()) {
        return at.to_zoned(zone).ok().map(|at| at.timestamp());
    }
    midnight(text.parse().ok()?)
}

/// The time in a field of a reply: a text, or a number of seconds.
pub fn of(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(n) => Timestamp::from_second(n.as_i64()?).ok(),
        _ => None,
    }
}

/// True if a field of this name is a time.
pub fn is_time(field: &str) -> bool {
    let last = field.rsplit('.').next().unwrap_or(field);
    matches!(last, "at" | "until") || last.ends_with("_at") || last.ends_with("_until")
}

/// The distance in time: `12 s ago`, `in 3 days`.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    let told = span(seconds.abs());
    match seconds {
        0 => "now".to_owned(),
        s if s > 0 => format!("{told} ago"),
        _ => format!("in {told}"),
    }
}

/// A length of time in its largest unit, such as `5 min`.
pub fn span(seconds: i64) -> String {
    let many = |n: i64, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    match seconds {
        s if s < MINUTE => format!("{s} s"),
        s if s < HOUR => format!("{} min", s / MINUTE),
        s if s < DAY => format!("{} h", s / HOUR),
        s if s < 60 * DAY => many(s / DAY, "day"),
        s if s < 730 * DAY => many(s / (30 * DAY), "month"),
        s => many(s / (365 * DAY), "year"),
    }
}

/// The time in this machine's time zone, to the second.
pub fn local(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_time_is_told_as_people_say_it() {
        let now = at(1_000_000_000);
        for (ago, told) in [
            (0, "now"),
            (1, "1 s ago"),
            (90, "1 min ago"),
            (7200, "2 h ago"),
            (86_400, "1 day ago"),
            (86_400 * 59, "59 days ago"),
            (86_400 * 90, "3 months ago"),
            (86_400 * 800, "2 years ago"),
            (-86_400 * 12, "in 12 days"),
        ] {
            assert_eq!(relative(at(1_000_000_000 - ago), now), told);
        }
    }

    #[test]
    fn a_time_is_written_in_many_ways() {
        let now = at(1_000_000_000);
        assert_eq!(parse("2h", now), Some(at(1_000_000_000 - 7200)));
        assert_eq!(parse("2001-09-09T01:46:40Z", now), Some(now));
        for good in ["now", "today", "yesterday", "2001-09-09", "2001-09-09 10:00", "2001-09-09T10:00:00"] {
            assert!(parse(good, now).is_some(), "{good}");
        }
        for bad in ["", "h", "2", "2y", "-2h", "soon", "2001-13-01", "99999999999d"] {
            assert_eq!(parse(bad, now), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,30}") {
            let _ = parse(&text, at(1_000_000_000));
        }
    }
}
