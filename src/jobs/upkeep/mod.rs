//! What keeps the box in order: sweeps, backups, expiry notices, health checks.

pub mod backup_scheduler;
pub mod backups;
pub mod expiry;
pub mod health;
pub(crate) mod reconcile;
pub mod sweeper;
