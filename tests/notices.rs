//! Notifications, and the channels that carry them out of the box.

mod support;

mod channels;
mod notify;
