//! Signed tokens: their form, their checks, and the keys that sign them.

pub mod jwt;
pub mod signing_keys;
