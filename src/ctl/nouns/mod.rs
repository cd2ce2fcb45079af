//! The nouns, one a file. A new one is a file with an [`CommandEntry`] and a line in [`ALL`].

mod agent_containers;
mod agent_logs;
mod agent_token;
mod agents;
mod audit;
mod auth;
mod backup;
mod context;
mod credentials;
mod docs;
mod download;
mod grants;
mod inbox;
mod keys;
mod knowledge;
mod login;
mod messages;
mod notifications;
mod open;
mod operations;
mod profile;
mod send;
mod spaces;
mod tasks;
mod token;
mod ui;
mod upload;
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
    send::ENTRY,
    inbox::ENTRY,
    messages::ENTRY,
    spaces::ENTRY,
    tasks::ENTRY,
    context::ENTRY,
    upload::ENTRY,
    download::ENTRY,
    auth::ENTRY,
    login::ENTRY,
    auth::WHOAMI,
    open::ENTRY,
    audit::ENTRY,
    backup::BACKUP,
    backup::BACKUPS,
    docs::ENTRY,
];
