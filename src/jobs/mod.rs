//! Work that no request asks for: the first start, sweeping, flushing.

pub mod first_start;
pub mod sweeper;
