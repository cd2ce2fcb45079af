//! The daemon's representation of time: microseconds since the epoch, UTC. [`Clock`] decides whether the host's clock
//! is trusted.

mod clock;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

pub use clock::{Clock, FILE as CLOCK_FILE};

/// The earliest time that [`Micros::now`] may return, less the time since boot, in microseconds. It is set while the
/// host's clock is in doubt, from the last trusted time. [`i64::MIN`] while the clock is trusted.
static FLOOR: AtomicI64 = AtomicI64::new(i64::MIN);

/// A point in time, as stored: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

impl Micros {
    /// Microseconds of a second.
    pub const SECOND: i64 = 1_000_000;
    /// Microseconds of a day.
    pub const DAY: i64 = 86_400 * Self::SECOND;

    /// The time of the host's clock. While the clock is in doubt ([`Clock`]), at least the last trusted time plus the
    /// time that has passed since. So a clock that fell back neither revives expired credentials nor dates rows into
    /// the past.
    pub fn now() -> Self {
        let wall = Self::wall();
        match FLOOR.load(Ordering::Relaxed) {
            i64::MIN => wall,
            floor => wall.max(Self(floor.saturating_add(since_boot()))),
        }
    }

    /// The time of the host's clock, trusted or not.
    fn wall() -> Self {
        Self::of(SystemTime::now())
    }

    /// Converts a system time. A time before the epoch becomes the epoch.
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// Parses a time in RFC 3339.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<Timestamp>().ok().map(|time| Self(time.as_microsecond()))
    }

    /// This time plus `micros` (negative for an earlier time), clamped to what can be stored.
    #[must_use]
    pub fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// RFC 3339, UTC, milliseconds, `Z`: the taOS dialect's form.
    pub fn millis(self) -> String {
        self.format(3)
    }

    /// RFC 3339, UTC, microseconds, `Z`: the form of the aX and Agentex dialects.
    pub fn micros(self) -> String {
        self.format(6)
    }

    /// The time to the minute, for the text of a notification: `2026-11-30 14:46 UTC`.
    pub fn to_the_minute(self) -> String {
        self.timestamp().strftime("%Y-%m-%d %H:%M UTC").to_string()
    }

    fn format(self, digits: u8) -> String {
        // Truncated, never rounded: a time must not come out later than it is.
        format!("{:.*}", usize::from(digits), self.timestamp())
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_microsecond(self.0).unwrap_or(if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX })
    }
}

/// Microseconds since the machine started, including time in suspend. Nobody can set this clock.
fn since_boot() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec.saturating_mul(Micros::SECOND).saturating_add(time.tv_nsec / 1000)
}

impl ToSql for Micros {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Micros {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_truncated_and_fixed_width() {
        let time = Micros(1_700_000_000_123_999);
        assert_eq!(time.millis(), "2023-11-14T22:13:20.123Z");
        assert_eq!(time.micros(), "2023-11-14T22:13:20.123999Z");
        assert_eq!(time.to_the_minute(), "2023-11-14 22:13 UTC");
        assert_eq!(Micros(i64::MAX).to_the_minute().len(), 20);
        assert_eq!(Micros(0).millis(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Micros(i64::MAX).millis().len(), 24);
    }
}
