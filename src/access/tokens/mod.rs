//! Signed tokens: their format, their verification, and the keys that sign them.

pub(crate) mod box_key;
pub mod jwt;
pub mod key;
pub mod signing_keys;
