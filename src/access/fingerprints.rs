//! The fingerprints that aX clients send, which show where a key is used. They are a signal and no access check,
//! because they can be forged. They are kept in memory and written with the last uses of credentials (aX contract,
//! section 6).

use std::collections::HashMap;
use std::sync::Mutex;

use hyper::header::HeaderName;

use crate::config::{FingerprintPolicy, Watched};
use crate::limits::{FINGERPRINT_EVENTS_A_DAY as EVENTS_A_DAY, FINGERPRINTS as KEPT, THROTTLE_ENTRIES};
use crate::rest::head::Head;
use crate::threads::lock;
use crate::time::Micros;

/// The header of a client's fingerprint.
const X_AX_FP: HeaderName = HeaderName::from_static("x-ax-fp");
/// The header with the mark of the key that a client holds.
const X_AX_FP_TOKEN: HeaderName = HeaderName::from_static("x-ax-fp-token");
/// The number of hex digits of a fingerprint.
const FINGERPRINT: usize = 24;
/// The number of hex digits of a key's mark.
const MARK: usize = 16;

/// What is unexpected in a request's fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surprise {
    /// The client was not seen with this credential before.
    Changed,
    /// The client holds another key than the one its token was exchanged for.
    OtherKey,
}

impl Surprise {
    /// The event's name in the audit.
    pub fn event(self) -> &'static str {
        match self {
            Self::Changed => "credential.fingerprint_changed",
            Self::OtherKey => "credential.fingerprint_token_mismatch",
        }
    }
}

/// The known fingerprints of a request's credential.
#[derive(Debug, Clone, Copy)]
pub struct KnownFingerprints<'a> {
    /// The credential's id.
    pub credential_id: &'a str,
    /// The mark of its key, if it has one.
    pub mark: Option<&'a str>,
    /// The fingerprints on disk, as a JSON array.
    pub stored: &'a str,
}

/// The fingerprints that are not on disk yet.
#[derive(Debug)]
pub struct Fingerprints {
    policy: Watched<FingerprintPolicy>,
    recent: Mutex<HashMap<String, RecentFingerprints>>,
}

#[derive(Debug, Default)]
struct RecentFingerprints {
    new: Vec<String>,
    day: i64,
    events: u32,
}

/// The value of a header with exactly `digits` hex digits, in lower case; any other value is ignored.
fn hex(head: &Head, name: &HeaderName, digits: usize) -> Option<String> {
    let mut all = head.headers.get_all(name).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    let text = value.to_str().ok()?;
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}

impl Fingerprints {
    /// An empty collection with this policy.
    pub fn new(policy: impl Into<Watched<FingerprintPolicy>>) -> Self {
        Self { policy: policy.into(), recent: Mutex::default() }
    }

    /// True if a request has a fingerprint header.
    pub fn are_in(head: &Head) -> bool {
        head.headers.contains_key(&X_AX_FP) || head.headers.contains_key(&X_AX_FP_TOKEN)
    }

    /// True if an unexpected fingerprint refuses the request.
    pub fn denies(&self) -> bool {
        self.policy.now() == FingerprintPolicy::Deny
    }

    /// Compares a request with the known fingerprints of its credential. Returns the surprise, and whether the audit
    /// still takes an event for it today.
    pub fn note(&self, head: &Head, known: KnownFingerprints<'_>, now: Micros) -> Option<(Surprise, bool)> {
        let mark = hex(head, &X_AX_FP_TOKEN, MARK);
        if let (Some(sent), Some(expected)) = (mark, known.mark)
            && sent != expected
        {
            return Some((Surprise::OtherKey, self.count(known.credential_id, now)));
        }
        let value = hex(head, &X_AX_FP, FINGERPRINT)?;
        let stored: Vec<String> = serde_json::from_str(known.stored).unwrap_or_default();
        if stored.contains(&value) {
            return None;
        }
        let mut recent = lock(&self.recent);
        if !has_room(&mut recent, known.credential_id) {
            return None;
        }
        let one = recent.entry(known.credential_id.to_owned()).or_default();
        if one.new.contains(&value) {
            return None;
        }
        let first = stored.is_empty() && one.new.is_empty();
        if first || (!self.denies() && stored.len() + one.new.len() < KEPT) {
            one.new.push(value);
        }
        if first { None } else { Some((Surprise::Changed, one.count(now))) }
    }

    fn count(&self, credential_id: &str, now: Micros) -> bool {
        let mut recent = lock(&self.recent);
        if !has_room(&mut recent, credential_id) {
            return false;
        }
        recent.entry(credential_id.to_owned()).or_default().count(now)
    }

    /// Takes the fingerprints to be written, by credential.
    pub fn take(&self, now: Micros) -> Vec<(String, Vec<String>)> {
        let mut recent = lock(&self.recent);
        let taken = recent
            .iter_mut()
            .filter(|(_, one)| !one.new.is_empty())
            .map(|(id, one)| (id.clone(), std::mem::take(&mut one.new)))
            .collect();
        recent.retain(|_, one| one.day == now.0.div_euclid(Micros::DAY));
        taken
    }

    /// Puts back fingerprints that could not be written.
    pub fn put_back(&self, untaken: Vec<(String, Vec<String>)>) {
        let mut recent = lock(&self.recent);
        for (id, values) in untaken {
            recent.entry(id).or_default().new.extend(values);
        }
    }
}

/// Makes room for a credential if needed. It drops credentials that have nothing to write and have not used up their
/// events; they lose only their count. So who makes many credentials cannot hide another credential's surprise.
fn has_room(recent: &mut HashMap<String, RecentFingerprints>, credential_id: &str) -> bool {
    if recent.len() >= THROTTLE_ENTRIES && !recent.contains_key(credential_id) {
        recent.retain(|_, one| !one.new.is_empty() || one.events > EVENTS_A_DAY);
    }
    recent.len() < THROTTLE_ENTRIES || recent.contains_key(credential_id)
}

impl RecentFingerprints {
    fn count(&mut self, now: Micros) -> bool {
        let today = now.0.div_euclid(Micros::DAY);
        if self.day != today {
            (self.day, self.events) = (today, 0);
        }
        self.events += 1;
        self.events <= EVENTS_A_DAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(all: &Fingerprints, value: &str, stored: &str) -> Option<(Surprise, bool)> {
        let known = KnownFingerprints { credential_id: "c", mark: Some("0123456789abcdef"), stored };
        all.note(&Head::for_test(&[("x-ax-fp", value)]), known, Micros(0))
    }

    #[test]
    fn the_first_value_is_the_baseline_and_a_new_one_a_surprise_once() {
        let all = Fingerprints::new(FingerprintPolicy::Warn);
        let (a, b) = ("a".repeat(24), "b".repeat(24));
        assert_eq!(seen(&all, &a, "[]"), None);
        assert_eq!(seen(&all, &a, "[]"), None);
        assert_eq!(seen(&all, &b, "[]"), Some((Surprise::Changed, true)));
        assert_eq!(seen(&all, &b, "[]"), None);
        assert_eq!(all.take(Micros(0)), [("c".to_owned(), vec![a.clone(), b])]);
        assert_eq!(seen(&all, &a, &format!("[\"{a}\"]")), None);
    }

    #[test]
    fn many_credentials_never_hide_the_surprise_of_another() {
        let all = Fingerprints::new(FingerprintPolicy::Warn);
        let stored = format!("[\"{}\"]", "a".repeat(24));
        let other_key = |id: &str| {
            let known = KnownFingerprints { credential_id: id, mark: Some("0123456789abcdef"), stored: &stored };
            all.note(&Head::for_test(&[("x-ax-fp-token", "fedcba9876543210")]), known, Micros(0))
        };
        for n in 0..THROTTLE_ENTRIES {
            other_key(&n.to_string());
        }
        assert_eq!(other_key("victim"), Some((Surprise::OtherKey, true)));
    }

    #[test]
    fn malformed_values_are_ignored_and_events_are_bounded() {
        let all = Fingerprints::new(FingerprintPolicy::Warn);
        for bad in ["", "a", "zzzzzzzzzzzzzzzzzzzzzzzz", &"a".repeat(25)] {
            assert_eq!(seen(&all, bad, "[]"), None, "{bad}");
        }
        seen(&all, &"0".repeat(24), "[]");
        let told = (1..40).filter(|n| seen(&all, &format!("{n:024x}"), "[]").is_some_and(|(_, event)| event)).count();
        assert_eq!(told, 16);
        assert_eq!(all.take(Micros(0))[0].1.len(), KEPT);
    }

    #[test]
    fn a_surprise_that_is_refused_is_never_learnt() {
        let all = Fingerprints::new(FingerprintPolicy::Deny);
        assert!(all.denies());
        seen(&all, &"a".repeat(24), "[]");
        for _ in 0..2 {
            assert!(seen(&all, &"b".repeat(24), "[]").is_some());
        }
    }

    #[test]
    fn another_keys_mark_is_told() {
        let all = Fingerprints::new(FingerprintPolicy::Warn);
        let known = KnownFingerprints { credential_id: "c", mark: Some("0123456789abcdef"), stored: "[]" };
        let told =
            |mark: &str| all.note(&Head::for_test(&[("x-ax-fp-token", mark)]), known, Micros(0)).map(|(what, _)| what);
        assert_eq!(told("0123456789abcdef"), None);
        assert_eq!(told("fedcba9876543210"), Some(Surprise::OtherKey));
    }
}
