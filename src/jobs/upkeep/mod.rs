//! Periodic work that keeps the box in order: sweeps, backups, expiry notices, health checks.

pub mod alarms;
pub mod audit_head;
pub mod backup_scheduler;
pub mod endings;
pub mod expiry;
pub mod health;
pub mod leases;
pub mod messages;
pub mod reconcile;
pub mod sleeper;
pub mod sweeper;
