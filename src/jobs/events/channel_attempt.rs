//! An attempt to deliver a notification to a channel.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::store::channels::Channel;

/// The result of an attempt.
#[derive(Debug, Clone)]
pub enum Attempt {
    /// The receiver accepted it.
    Taken,
    /// The receiver will never accept it; contains the reason.
    Refused(String),
    /// The receiver may accept it later; contains the reason.
    Failed(String),
}

/// An attempt that has ended.
pub(super) struct Ended {
    pub(super) channel: Channel,
    pub(super) notification_id: String,
    pub(super) attempt: Attempt,
}

impl Ended {
    /// Makes an attempt and returns its end. A panic is a failure like any other: without an end the channel would count
    /// as busy for ever.
    pub(super) fn of(channel: Channel, notification_id: String, attempt: impl FnOnce(&Channel) -> Attempt) -> Self {
        let made = catch_unwind(AssertUnwindSafe(|| attempt(&channel))).unwrap_or_else(|_| {
            log::error!("a delivery to channel {} panicked", channel.id);
            Attempt::Failed("an error of this daemon, which its log describes".to_owned())
        });
        Self { channel, notification_id, attempt: made }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::channels::ChannelKind;
    use crate::store::notifications::Level;
    use crate::time::Micros;

    #[test]
    fn an_attempt_that_panics_has_failed() {
        let channel = Channel {
            id: "c".into(),
            user_id: None,
            configured: false,
            kind: ChannelKind::Webhook,
            events: "[]".into(),
            min_level: Level::Low,
            created_at: Micros(0),
            updated_at: Micros(0),
            failures: 0,
            last_attempt_at: None,
            last_success_at: None,
            last_error: None,
            url: "https://a".into(),
            secret: None,
        };
        let ended = Ended::of(channel, "n".into(), |_| panic!("on purpose"));
        assert!(matches!(ended.attempt, Attempt::Failed(_)));
        assert_eq!((ended.channel.id.as_str(), ended.notification_id.as_str()), ("c", "n"));
    }
}
