//! The nouns, one a file. A new one is a file with an [`CommandEntry`] and a line in [`ALL`].

mod agent_containers;
mod agent_logs;
mod agent_token;
mod agents;
mod audit;
mod auth;
mod backup;
mod credentials;
mod docs;
mod grants;
mod keys;
mod knowledge;
mod login;
mod notifications;
mod operations;
mod profile;
mod spaces;
mod token;
mod ui;
mod user_token;
mod users;

use super::verbs::entry::CommandEntry;

/// Everything there is.
pub const ALL: &[CommandEntry] = &[
    agents::ENTRY,
    operations::ENTRY,
    grants::ENTRY,
    users::ENTRY,
    ui::ENTRY,
    notifications::ENTRY,
    knowledge::ENTRY,
    keys::ENTRY,
    credentials::ENTRY,
    token::ENTRY,
    profile::ENTRY,
    spaces::ENTRY,
    auth::ENTRY,
    login::ENTRY,
    auth::WHOAMI,
    audit::ENTRY,
    backup::BACKUP,
    backup::BACKUPS,
    docs::ENTRY,
];
