//! Which messages after a watermark were read, one bit each.

/// The most bits that are kept; messages further back count as read.
pub(super) const MOST: i64 = 1 << 20;

/// The messages of a space that a reader has read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    /// All messages up to this place are read.
    pub watermark: i64,
    bits: Vec<u8>,
}

impl Read {
    pub(super) fn new(watermark: i64, bits: Vec<u8>) -> Self {
        Self { watermark, bits }
    }

    /// True if the message at this place was read.
    pub fn contains(&self, seq: i64) -> bool {
        let Some(at) = self.at(seq) else { return true };
        self.bits.get(at / 8).is_some_and(|byte| byte & (1 << (at % 8)) != 0)
    }

    /// Returns the number of the bit of a place; `None` up to the watermark.
    fn at(&self, seq: i64) -> Option<usize> {
        usize::try_from(seq - self.watermark - 1).ok()
    }

    /// Notes that the message at this place was read. It must lie within [`MOST`] of the watermark.
    pub(super) fn insert(&mut self, seq: i64) {
        let Some(at) = self.at(seq) else { return };
        if self.bits.len() <= at / 8 {
            self.bits.resize(at / 8 + 1, 0);
        }
        if let Some(byte) = self.bits.get_mut(at / 8) {
            *byte |= 1 << (at % 8);
        }
    }

    /// Raises the watermark: all messages up to this place count as read.
    pub(super) fn raise(&mut self, watermark: i64) {
        let by = watermark - self.watermark;
        if by <= 0 {
            return;
        }
        let kept: Vec<i64> = (watermark + 1..=self.end()).filter(|seq| self.contains(*seq)).collect();
        *self = Self { watermark, bits: Vec::new() };
        kept.into_iter().for_each(|seq| self.insert(seq));
    }

    /// Moves the watermark over the messages that were read without a gap.
    pub(super) fn settle(&mut self) {
        let mut next = self.watermark;
        while next < self.end() && self.contains(next + 1) {
            next += 1;
        }
        self.raise(next);
        while self.bits.last() == Some(&0) {
            self.bits.pop();
        }
    }

    /// Returns the last place that has a bit.
    fn end(&self) -> i64 {
        self.watermark + i64::try_from(self.bits.len()).unwrap_or(i64::MAX / 16) * 8
    }

    pub(super) fn bits(&self) -> &[u8] {
        &self.bits
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_exactly_what_was_put_in(
            steps in prop::collection::vec((0..3u8, 1..200i64), 0..60),
        ) {
            let (mut read, mut model) = (Read::default(), BTreeSet::new());
            for (step, seq) in steps {
                match step {
                    0 | 1 => {
                        read.insert(seq);
                        model.insert(seq);
                        read.settle();
                    }
                    _ => {
                        read.raise(seq);
                        model.extend(1..=seq);
                    }
                }
                for seq in 1..220 {
                    prop_assert_eq!(read.contains(seq), model.contains(&seq), "{}", seq);
                }
            }
            read.settle();
            prop_assert!(!read.contains(read.watermark + 1));
            prop_assert!(read.bits().last() != Some(&0));
        }
    }
}
