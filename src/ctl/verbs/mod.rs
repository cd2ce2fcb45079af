//! Turns verbs into requests, and their replies into output.

pub(crate) mod absent;
pub(crate) mod complete;
pub(crate) mod each;
pub(crate) mod entry;
pub(crate) mod follow;
pub(crate) mod keep;
pub(crate) mod names;
pub(crate) mod paging;
pub(crate) mod patience;
pub(crate) mod period;
pub(crate) mod place;
pub(crate) mod show;
pub(crate) mod slow;
pub(crate) mod verb;
pub(crate) mod watch;
pub(crate) mod wording;
