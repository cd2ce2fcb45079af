//! Backups and settings.

mod support;

mod backups;
mod settings;
