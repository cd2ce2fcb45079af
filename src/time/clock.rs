//! Decides whether the host's clock is trusted (DESIGN D20). A board without a battery starts in the past. A bad time
//! server or a typing mistake can put a clock a lifetime ahead. Rows are deleted for their age only by a trusted clock.
//!
//! The clock is trusted while it agrees with the time since boot, which nobody can set. After a jump it is in doubt
//! until it jumps back, a time server confirms it, or it has run evenly for an hour.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard};

use serde_json::{Value, json};

use super::{FLOOR, Micros, since_boot};
use crate::closed_set::closed_set;
use crate::threads::lock;

/// The file in the data directory with the state of the clock, for the next start.
pub const FILE: &str = "clock.json";
/// The kernel's id of the machine's present boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// The most bytes of the state file that are read; it has about 300.
const FILE_BYTES: u64 = 4096;
/// The largest difference that is not a jump. A clock that is being slewed drifts by 43 s a day.
const TOLERANCE: i64 = 60 * Micros::SECOND;
/// How long a clock must run evenly to be trusted without a time server.
const STEADY: i64 = 3600 * Micros::SECOND;
/// How long the machine may have been off before its clock needs confirmation.
const AWAY: i64 = Micros::DAY;
/// How often the file is written while nothing changes.
const RENEWED: i64 = 12 * 3600 * Micros::SECOND;
/// A lower bound for the time: the clock cannot be right if it is earlier than this program. 2025-11-01, or the time in
/// the build's `SOURCE_DATE_EPOCH`.
const BUILT: i64 = match option_env!("SOURCE_DATE_EPOCH") {
    Some(text) => seconds_of(text.as_bytes()) * Micros::SECOND,
    None => 1_761_955_200 * Micros::SECOND,
};

/// Reads decimal digits; 0 for anything else.
const fn seconds_of(text: &[u8]) -> i64 {
    let (mut nth, mut seconds) = (0, 0);
    while nth < text.len() {
        if !text[nth].is_ascii_digit() || nth > 11 {
            return 0;
        }
        seconds = seconds * 10 + (text[nth] - b'0') as i64;
        nth += 1;
    }
    seconds
}

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ClockReading {
    wall: Micros,
    /// Microseconds since boot.
    boot: i64,
}

impl ClockReading {
    fn take() -> Self {
        Self { wall: Micros::wall(), boot: since_boot() }
    }

    /// How far the wall clock is from where it should be: at `earlier` plus the time since then.
    fn off(self, earlier: Self) -> i64 {
        let passed = self.boot.saturating_sub(earlier.boot);
        self.wall.0.saturating_sub(earlier.wall.0).saturating_sub(passed)
    }

    fn agrees(self, earlier: Self) -> bool {
        self.off(earlier).saturating_abs() <= TOLERANCE
    }
}

closed_set! {
    /// Why the clock is in doubt.
    enum Why {
        Ahead "ahead" "It went forward against the time since boot.";
        Back "back" "It went back against the time since boot.";
        Early "early" "The machine started with a clock that is earlier than what is known.";
        Away "away" "The machine was off for more than a day, or its clock is wrong.";
    }
}

/// The state of a clock in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Doubt {
    why: Why,
    /// The first reading since the last jump.
    since: ClockReading,
    /// A confirmation before this time, by the clock as it runs now, does not count.
    from: Micros,
}

/// A change that a look at the clock has found.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ClockTurn {
    Doubted(Why),
    /// The clock is again where it was before the jump.
    Undone,
    /// The clock is trusted as it is; the text is the reason.
    Confirmed(&'static str),
}

/// The decision logic. It reads no clock itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Judge {
    /// The last trusted reading.
    good: ClockReading,
    /// True if `good` was read since the machine started. Otherwise `good` is the earliest time that can be right.
    exact: bool,
    doubt: Option<Doubt>,
}

impl Judge {
    /// The state at boot, or if no state was kept. `known` is a time that has certainly passed.
    fn at_boot(now: ClockReading, known: Option<Micros>) -> Self {
        let least = known.unwrap_or(Micros(BUILT)).max(Micros(BUILT));
        let why = if now.wall < least {
            Some(Why::Early)
        } else if known.is_some_and(|known| now.wall.0.saturating_sub(known.0) > AWAY) {
            Some(Why::Away)
        } else {
            None
        };
        let from = now.wall.plus(-now.boot);
        match why {
            None => Self { good: now, exact: true, doubt: None },
            Some(why) => {
                let good = ClockReading { wall: least, boot: now.boot };
                Self { good, exact: false, doubt: Some(Doubt { why, since: now, from }) }
            }
        }
    }

    /// Judges a reading. `synced` returns when a time server last set the clock, by the clock itself.
    fn look(&mut self, now: ClockReading, synced: impl FnOnce() -> Option<Micros>) -> Option<ClockTurn> {
        let Some(doubt) = &mut self.doubt else {
            if now.agrees(self.good) {
                self.good = now;
                return None;
            }
            let why = if now.off(self.good) > 0 { Why::Ahead } else { Why::Back };
            let from = now.wall.plus(self.good.boot.saturating_sub(now.boot));
            self.doubt = Some(Doubt { why, since: now, from });
            return Some(ClockTurn::Doubted(why));
        };
        if !now.agrees(doubt.since) {
            // The clock jumped again.
            let from = now.wall.plus(doubt.since.boot.saturating_sub(now.boot));
            *doubt = Doubt { why: doubt.why, since: now, from };
        }
        let turn = if self.exact && now.agrees(self.good) {
            ClockTurn::Undone
        } else if synced().is_some_and(|at| doubt.from.plus(-TOLERANCE) <= at && at <= now.wall.plus(TOLERANCE)) {
            ClockTurn::Confirmed("a time server has set it")
        } else if now.boot.saturating_sub(doubt.since.boot) >= STEADY {
            ClockTurn::Confirmed("it has run evenly for an hour")
        } else {
            return None;
        };
        *self = Self { good: now, exact: true, doubt: None };
        Some(turn)
    }

    fn to_json(&self, boot_id: &str) -> Value {
        let reading = |reading: ClockReading| json!({"wall": reading.wall.0, "boot": reading.boot});
        let doubt = self
            .doubt
            .map(|doubt| json!({"why": doubt.why.slug(), "since": reading(doubt.since), "from": doubt.from.0}));
        json!({"boot_id": boot_id, "good": reading(self.good), "exact": self.exact, "doubt": doubt})
    }

    fn from_json(value: &Value) -> Option<Self> {
        let reading =
            |value: &Value| Some(ClockReading { wall: Micros(value["wall"].as_i64()?), boot: value["boot"].as_i64()? });
        let doubt = match &value["doubt"] {
            Value::Null => None,
            doubt => Some(Doubt {
                why: doubt["why"].as_str()?.parse().ok()?,
                since: reading(&doubt["since"])?,
                from: Micros(doubt["from"].as_i64()?),
            }),
        };
        Some(Self { good: reading(&value["good"])?, exact: value["exact"].as_bool()?, doubt })
    }
}

/// The host's clock, and whether it is trusted. The daemon has one; all code that ends or deletes something for its age
/// uses it.
#[derive(Debug)]
pub struct Clock {
    state: Mutex<ClockState>,
    file: PathBuf,
    /// The file that changes whenever a time server sets the clock.
    synced: PathBuf,
}

#[derive(Debug)]
struct ClockState {
    judge: Judge,
    boot_id: String,
    /// When the file was last written, in microseconds since boot.
    saved: Option<i64>,
    /// The message that the admins have not received yet.
    alarm: Option<String>,
}

impl Clock {
    /// Reads the state that the last run left in `data_dir`. Without one, `last` is a time that has passed. Files in
    /// `runtime_dir` do not survive a reboot. `synced` is the file that changes whenever a time server sets the clock.
    pub fn start(data_dir: &Path, runtime_dir: &Path, synced: &Path, last: Option<Micros>) -> Self {
        let boot_id = boot_id(Path::new(BOOT_ID), runtime_dir);
        let (file, now) = (data_dir.join(FILE), ClockReading::take());
        let kept = read(&file);
        let same_boot = |id: &str, judge: &Judge| {
            !id.is_empty()
                && id == boot_id
                && judge.good.boot <= now.boot
                && judge.doubt.is_none_or(|doubt| doubt.since.boot <= now.boot)
        };
        let (judge, is_new) = match kept {
            Some((id, judge)) if same_boot(&id, &judge) => (judge, false),
            Some((_, judge)) => (Judge::at_boot(now, Some(judge.good.wall)), true),
            None => (Judge::at_boot(now, last), true),
        };
        let told = judge.doubt.filter(|_| is_new).map(|doubt| doubt.why);
        let saved = (!is_new).then_some(now.boot);
        let clock =
            Self { state: Mutex::new(ClockState { judge, boot_id, saved, alarm: None }), file, synced: synced.into() };
        if let Some(why) = told {
            clock.note(&mut clock.lock(), &ClockTurn::Doubted(why), now);
        }
        clock.settled();
        clock
    }

    /// The time by which ages and ends are judged for good. `None` while the clock is in doubt; even then, what has
    /// expired by [`Micros::now`] is refused.
    pub fn settled(&self) -> Option<Micros> {
        let mut state = self.lock();
        let now = ClockReading::take();
        let turn = state.judge.look(now, || self.last_sync());
        let floor =
            state.judge.doubt.map_or(i64::MIN, |_| state.judge.good.wall.0.saturating_sub(state.judge.good.boot));
        FLOOR.store(floor, Ordering::Relaxed);
        if let Some(turn) = &turn {
            self.note(&mut state, turn, now);
        }
        if turn.is_some() || state.saved.is_none_or(|saved| now.boot - saved > RENEWED) {
            self.save_as(&mut state, now.boot);
        }
        state.judge.doubt.is_none().then_some(now.wall)
    }

    /// The time by which ages are judged. While the clock is in doubt it is the earliest time there is, so that nothing
    /// is old.
    pub fn judging(&self) -> Micros {
        self.settled().unwrap_or(Micros(i64::MIN))
    }

    /// Takes the message that the admins have not received yet. Each message is returned once.
    pub fn take_alarm(&self) -> Option<String> {
        self.lock().alarm.take()
    }

    /// Puts back a message that could not be delivered.
    pub fn put_back(&self, alarm: String) {
        self.lock().alarm.get_or_insert(alarm);
    }

    /// Writes the state for the next start.
    pub fn save(&self) {
        self.settled();
        let mut state = self.lock();
        let boot = since_boot();
        self.save_as(&mut state, boot);
    }

    fn lock(&self) -> MutexGuard<'_, ClockState> {
        lock(&self.state)
    }

    fn last_sync(&self) -> Option<Micros> {
        fs::metadata(&self.synced).and_then(|meta| meta.modified()).ok().map(Micros::of)
    }

    /// Writes to the log, and keeps the message for the admins.
    fn note(&self, state: &mut ClockState, turn: &ClockTurn, now: ClockReading) {
        let (is, was) = (now.wall.millis(), state.judge.good.wall.plus(now.boot - state.judge.good.boot).millis());
        let until = "Until a time server confirms it or it has run evenly for an hour nothing is removed for its age, and \
            credentials that are past their end by it are refused, not ended.";
        match turn {
            ClockTurn::Doubted(Why::Away) => {
                log::info!("the clock says {is}; this machine was last seen at {was}. {until}");
            }
            ClockTurn::Doubted(why) => {
                let how = match why {
                    Why::Ahead => "jumped forward",
                    Why::Back => "jumped back",
                    _ => "is earlier than it can be",
                };
                let text = format!("The clock {how}: it says {is} and should say about {was}. {until}");
                log::warn!("{text}");
                state.alarm = Some(text);
            }
            ClockTurn::Undone => log::warn!("the clock is right again: {is}"),
            ClockTurn::Confirmed(how) => log::warn!("the daemon trusts the clock, {is}: {how}"),
        }
    }

    fn save_as(&self, state: &mut ClockState, boot: i64) {
        state.saved = Some(boot);
        let beside = self.file.with_extension("next");
        let text = format!("{}\n", state.judge.to_json(&state.boot_id));
        // If a power cut loses the file, a new one is made. It is not worth an fsync, which wears the SD card.
        if let Err(error) = fs::write(&beside, text).and_then(|()| fs::rename(&beside, &self.file)) {
            log::debug!("{}: {error}", self.file.display());
        }
    }
}

/// The id of the machine's present boot. If the service manager hides the kernel's id, it is an id that the daemon
/// keeps in the runtime directory. Empty if neither is available.
fn boot_id(kernels: &Path, runtime_dir: &Path) -> String {
    let read = |path: &Path| fs::read_to_string(path).ok().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    let own = runtime_dir.join("boot-id");
    if let Some(id) = read(kernels).or_else(|| read(&own)) {
        return id;
    }
    let id = uuid::Uuid::now_v7().to_string();
    match fs::create_dir_all(runtime_dir).and_then(|()| fs::write(&own, &id)) {
        Ok(()) => id,
        Err(_) => String::new(),
    }
}

/// Reads the state of the last run and its boot id. Returns `None` if there is no readable file.
fn read(file: &Path) -> Option<(String, Judge)> {
    if fs::metadata(file).ok()?.len() > FILE_BYTES {
        return None;
    }
    let value: Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    Some((value["boot_id"].as_str()?.to_owned(), Judge::from_json(&value)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: i64 = BUILT + 300 * Micros::DAY;
    const HOUR: i64 = 3600 * Micros::SECOND;

    fn at(wall: i64, boot: i64) -> ClockReading {
        ClockReading { wall: Micros(START + wall), boot }
    }

    fn good() -> Judge {
        Judge::at_boot(at(0, 0), None)
    }

    fn never() -> Option<Micros> {
        None
    }

    #[test]
    fn a_clock_that_keeps_step_is_believed() {
        let mut judge = good();
        for nth in 1..100 {
            // Slewed by 30 s an hour.
            assert_eq!(judge.look(at(nth * (HOUR + 30 * Micros::SECOND), nth * HOUR), never), None);
            assert_eq!(judge.doubt, None);
        }
    }

    #[test]
    fn a_jump_is_doubted_until_it_is_undone() {
        for (jump, why) in [(70 * 365 * Micros::DAY, Why::Ahead), (-Micros::DAY, Why::Back)] {
            let mut judge = good();
            assert_eq!(judge.look(at(jump, 1), never), Some(ClockTurn::Doubted(why)));
            assert_eq!(judge.look(at(jump + HOUR / 2, HOUR / 2), never), None);
            assert!(judge.doubt.is_some());
            assert_eq!(judge.look(at(HOUR / 2, HOUR / 2), never), Some(ClockTurn::Undone));
            assert_eq!(judge.doubt, None);
        }
    }

    #[test]
    fn an_even_hour_confirms_and_another_jump_begins_it_anew() {
        let mut judge = good();
        let year = 365 * Micros::DAY;
        judge.look(at(year, 0), never);
        assert_eq!(judge.look(at(2 * year, HOUR - 1), never), None);
        assert_eq!(judge.look(at(2 * year + HOUR / 2, HOUR - 1 + HOUR / 2), never), None);
        let turn = judge.look(at(2 * year + HOUR, 2 * HOUR - 1), never);
        assert!(matches!(turn, Some(ClockTurn::Confirmed(_))), "{turn:?}");
    }

    #[test]
    fn a_time_server_confirms_only_what_it_set_itself() {
        let mut judge = good();
        let year = 365 * Micros::DAY;
        judge.look(at(year, 1), never);
        // The time server set the clock before the jump.
        assert_eq!(judge.look(at(year, 2), || Some(Micros(START))), None);
        let turn = judge.look(at(year, 3), || Some(Micros(START + year)));
        assert!(matches!(turn, Some(ClockTurn::Confirmed(_))), "{turn:?}");
    }

    #[test]
    fn a_machine_that_starts_in_the_past_is_doubted_until_it_is_told_the_time() {
        let known = Some(Micros(START));
        let mut judge = Judge::at_boot(ClockReading { wall: Micros(0), boot: 7 }, known);
        assert_eq!(judge.doubt.map(|doubt| doubt.why), Some(Why::Early));
        assert_eq!(judge.good, ClockReading { wall: Micros(START), boot: 7 }, "no earlier than what is known");
        // The time may be right, but nobody has confirmed it.
        assert_eq!(judge.look(at(HOUR, 8), never), None);
        let turn = judge.look(at(HOUR, 9), || Some(Micros(START + HOUR)));
        assert!(matches!(turn, Some(ClockTurn::Confirmed(_))), "{turn:?}");
        assert_eq!(
            Judge::at_boot(ClockReading { wall: Micros(BUILT - 1), boot: 0 }, None).doubt.map(|d| d.why),
            Some(Why::Early)
        );
        assert_eq!(Judge::at_boot(at(0, 0), None).doubt, None);
    }

    #[test]
    fn a_machine_that_was_off_for_long_waits_for_a_confirmation() {
        let known = Some(Micros(START));
        assert_eq!(Judge::at_boot(at(HOUR, 5), known).doubt, None);
        let mut judge = Judge::at_boot(at(90 * Micros::DAY, HOUR), known);
        assert_eq!(judge.doubt.map(|doubt| doubt.why), Some(Why::Away));
        // Set by a time server after the machine's start and before the daemon's.
        let turn = judge.look(at(90 * Micros::DAY + 1, HOUR + 1), || Some(Micros(START + 90 * Micros::DAY - HOUR / 2)));
        assert!(matches!(turn, Some(ClockTurn::Confirmed(_))), "{turn:?}");
    }

    #[test]
    fn a_run_of_the_machine_has_one_name_where_the_kernels_is_hidden() {
        let dir = std::env::temp_dir().join(format!("taosd-boot-{}", std::process::id()));
        let hidden = Path::new("/nonexistent");
        let id = boot_id(hidden, &dir);
        assert_eq!(boot_id(hidden, &dir), id);
        assert_eq!(boot_id(Path::new(BOOT_ID), &dir).len(), 36);
        // A reboot empties the runtime directory.
        fs::remove_dir_all(&dir).unwrap();
        assert!(id != boot_id(hidden, &dir) && id.len() == 36);
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(boot_id(hidden, Path::new("/proc/none")), "");
    }

    proptest! {
        #[test]
        fn what_is_kept_comes_back_and_no_reading_panics(
            readings in proptest::collection::vec((any::<i64>(), any::<i64>(), any::<Option<i64>>()), 1..20)
        ) {
            let mut judge = good();
            for (wall, boot, synced) in readings {
                judge.look(ClockReading { wall: Micros(wall), boot }, || synced.map(Micros));
                let value = judge.to_json("b");
                prop_assert_eq!(Judge::from_json(&value), Some(judge.clone()));
            }
        }

        #[test]
        fn any_file_is_read_without_panic(text in "\\PC{0,200}") {
            let _ = serde_json::from_str::<Value>(&text).ok().and_then(|value| Judge::from_json(&value));
        }
    }
}
