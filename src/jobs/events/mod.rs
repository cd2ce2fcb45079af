//! Reports of events: streams, notifications, the webhook, channels, followed logs.

mod channel_attempt;
pub mod channel_key;
mod channel_message;
pub mod channels;
pub mod feed;
pub mod fetched;
pub mod frozen;
pub mod listening;
pub mod log_tail;
pub mod notifier;
pub mod places;
pub mod recent;
mod signals;
pub(crate) mod space;
mod stream_quota;
mod stream_writer;
pub mod streams;
pub mod tripwire;
pub mod webhook;
