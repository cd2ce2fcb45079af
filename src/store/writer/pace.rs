//! Decides how long a commit waits for more work. Clients that write one after the other fall into two groups: one
//! waits for the commit that the other is in. After a short wait, the group that was just answered is in the same
//! commit. A client that is alone never waits: no work of others was in the queue when it was answered.

use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

/// A commit waits for the last commit's time divided by this.
const PART: u32 = 8;
/// A shorter wait costs more than it brings.
const SHORTEST: Duration = Duration::from_micros(50);
/// The longest wait; no commit is worth a longer one.
const LONGEST: Duration = Duration::from_millis(10);

/// The pace of the last commit and of this one.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How long the last commit took.
    commit: Duration,
    /// The number of jobs in it: so many clients may come back.
    answered: usize,
    /// Whether jobs had waited for the end of the last commit.
    is_crowded: bool,
    /// Until when this commit waits, and for how many jobs in all.
    gathering: Option<(Instant, usize)>,
}

impl Pace {
    /// Returns the first job of a transaction; `None` if there will be no more.
    pub(super) fn first<T>(&mut self, queue: &Receiver<T>) -> Option<T> {
        self.gathering = None;
        match queue.try_recv() {
            Ok(job) => {
                self.is_crowded = true;
                Some(job)
            }
            Err(TryRecvError::Empty) => {
                self.is_crowded = false;
                queue.recv().ok()
            }
            Err(TryRecvError::Disconnected) => None,
        }
    }

    /// Returns the next job of a transaction that has run `ran` jobs. Waits a little if more are expected.
    pub(super) fn next<T>(&mut self, queue: &Receiver<T>, ran: usize) -> Option<T> {
        if let Ok(job) = queue.try_recv() {
            return Some(job);
        }
        let patience = (self.commit / PART).min(LONGEST);
        if !self.is_crowded || patience < SHORTEST {
            return None;
        }
        let (until, most) = *self.gathering.get_or_insert((Instant::now() + patience, ran + self.answered));
        if ran >= most {
            return None;
        }
        queue.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
    }

    /// Notes a commit of `answered` jobs and the time it took.
    pub(super) fn committed(&mut self, answered: usize, took: Duration) {
        (self.answered, self.commit) = (answered, took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// Long enough for a busy machine: no test waits for its end.
    const SLOW: Duration = Duration::from_secs(80);

    #[test]
    fn a_commit_waits_for_those_who_were_just_answered_and_for_nobody_else() {
        let (sender, queue) = channel();
        let mut pace = Pace { commit: SLOW, answered: 1, ..Pace::default() };
        sender.send(1).unwrap();
        assert_eq!(pace.first(&queue), Some(1), "it had waited");
        let until = Instant::now() + SLOW;
        pace.gathering = Some((until, 2));
        let late = std::thread::spawn(move || {
            sender.send(2).unwrap();
            sender
        });
        assert_eq!(pace.next(&queue, 1), Some(2), "the one that was answered came back");
        assert_eq!(pace.next(&queue, 2), None, "all are there");
        assert!(Instant::now() < until, "and nothing was waited for");
        drop(late.join().unwrap());
        assert_eq!(pace.first(&queue), None, "the queue is closed");
    }

    #[test]
    fn a_client_that_is_alone_waits_for_nobody() {
        let (_sender, queue) = channel::<u8>();
        let mut pace = Pace { commit: SLOW, answered: 1, ..Pace::default() };
        assert_eq!((pace.next(&queue, 1), pace.gathering), (None, None));
    }

    #[test]
    fn a_quick_disk_is_not_waited_for() {
        let (sender, queue) = channel();
        let mut pace = Pace::default();
        pace.committed(5, SHORTEST * (PART - 1));
        sender.send(1).unwrap();
        assert_eq!((pace.first(&queue), pace.next(&queue, 1)), (Some(1), None));
        assert!(pace.is_crowded && pace.gathering.is_none());
    }
}
