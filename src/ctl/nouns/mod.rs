//! The nouns, one per file. A new noun is a file with a [`CommandEntry`] and a line in [`ALL`].

mod agent_containers;
mod agent_logs;
mod agent_token;
mod agents;
mod audit;
mod auth;
mod backup;
mod channels;
mod context;
mod credentials;
mod database_check;
mod docs;
mod doctor;
mod download;
mod freeze;
mod grants;
mod inbox;
mod introspect;
mod join;
mod keys;
mod knowledge;
mod login;
mod mcp;
mod messages;
mod nodes;
mod notifications;
mod oauth;
mod open;
mod operations;
mod profile;
mod request;
mod requests;
mod send;
mod spaces;
mod status;
mod subjects;
mod tasks;
mod the_box;
mod token;
mod tokens;
mod tripwires;
mod ui;
mod upload;
mod user_sessions;
mod user_token;
mod users;
mod version;
mod whoami;

use super::verbs::entry::CommandEntry;

/// All entries at the top of the command line.
pub const ALL: &[CommandEntry] = &[
    status::ENTRY,
    agents::ENTRY,
    channels::ENTRY,
    freeze::FREEZE,
    freeze::THAW,
    tripwires::ENTRY,
    operations::ENTRY,
    grants::ENTRY,
    requests::ENTRY,
    request::ENTRY,
    request::ASK,
    users::ENTRY,
    ui::NOTIFY,
    ui::ENTRY,
    notifications::ENTRY,
    knowledge::ENTRY,
    keys::ENTRY,
    credentials::ENTRY,
    tokens::ENTRY,
    profile::ENTRY,
    send::ENTRY,
    inbox::ENTRY,
    messages::ENTRY,
    spaces::ENTRY,
    tasks::ENTRY,
    context::ENTRY,
    upload::ENTRY,
    upload::FILES,
    download::ENTRY,
    upload::DELETE,
    auth::ENTRY,
    login::ENTRY,
    join::ENTRY,
    auth::LOGOUT,
    auth::WHOAMI,
    mcp::ENTRY,
    open::ENTRY,
    oauth::ENTRY,
    audit::ENTRY,
    backup::BACKUP,
    backup::BACKUPS,
    backup::FETCH,
    the_box::ENTRY,
    nodes::ENTRY,
    docs::ENTRY,
    doctor::ENTRY,
    version::ENTRY,
];
