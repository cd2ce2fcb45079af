//! Signals by topic, for waiting requests. They are in memory only.

use std::collections::HashMap;

use crate::rest::stream::{Signal, Wait};

/// Up to this many topics are kept without a check whether somebody waits for them.
const FEW: usize = 64;

/// A signal for each topic that somebody waits for. Topics contain ids, so there is no limit to their number. When
/// there are twice as many as after the last check, those that nobody waits for are removed.
#[derive(Debug, Default)]
pub(super) struct Signals {
    by_topic: HashMap<String, Signal>,
    kept: usize,
}

impl Signals {
    /// Starts to wait for a topic: a [`Signals::raise`] after this call is not missed.
    pub(super) fn wait(&mut self, topic: &str) -> Wait {
        if self.by_topic.len() >= (self.kept * 2).max(FEW) {
            self.by_topic.retain(|_, signal| signal.is_awaited());
            self.kept = self.by_topic.len();
        }
        self.by_topic.entry(topic.to_owned()).or_default().wait()
    }

    /// Wakes all waits for a topic.
    pub(super) fn raise(&self, topic: &str) {
        if let Some(signal) = self.by_topic.get(topic) {
            signal.raise();
        }
    }

    /// Wakes all waits.
    pub(super) fn raise_all(&self) {
        self.by_topic.values().for_each(Signal::raise);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_nobody_waits_for_any_more_are_not_kept() {
        let mut signals = Signals::default();
        let held: Vec<Wait> = (0..200).map(|n| signals.wait(&format!("held {n}"))).collect();
        for n in 0..100_000 {
            drop(signals.wait(&format!("over {n}")));
        }
        assert!(signals.by_topic.len() <= 2 * held.len(), "{}", signals.by_topic.len());
        assert!((0..held.len()).all(|n| signals.by_topic.contains_key(&format!("held {n}"))), "who waits is woken");
        drop(held);
        for n in 0..1000 {
            drop(signals.wait(&format!("later {n}")));
        }
        assert!(signals.by_topic.len() <= FEW, "{}", signals.by_topic.len());
    }
}
