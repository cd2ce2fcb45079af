//! How `taosctl` shows a reply: tables and text.

pub(crate) mod asked;
pub(crate) mod bar;
pub(crate) mod look;
pub(crate) mod table;
pub(crate) mod texts;
