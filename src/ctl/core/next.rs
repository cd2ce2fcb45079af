//! The command to run next after a failure.

use std::sync::OnceLock;

use crate::rest::codes;

/// The words of the running command. A process runs one command.
static RUNS: OnceLock<String> = OnceLock::new();

/// Error codes, each with the command that helps.
pub const NEXT: &[(&str, &str)] = &[
    ("agent_exists", "taosctl agents ls"),
    ("agent_has_no_container", "taosctl agents containers"),
    ("agent_not_found", "taosctl agents ls"),
    ("archived_agent_not_found", "taosctl agents archived"),
    ("backup_not_found", "taosctl backups"),
    ("auth_required", "taosctl login"),
    ("cancelled", "taosctl operations ls"),
    ("cleanup_required", "taosctl tokens ls"),
    ("container_runtime_unavailable", "taosctl doctor"),
    ("context_not_found", "taosctl context list"),
    ("credential_not_found", "taosctl tokens ls"),
    ("deploy_task_not_found", "taosctl operations ls"),
    ("doc_not_found", "taosctl docs"),
    ("forbidden", "taosctl whoami"),
    ("grant_not_found", "taosctl grants ls"),
    ("invalid_token", "taosctl login"),
    ("knowledge_item_not_found", "taosctl knowledge ls"),
    ("member_not_found", "taosctl spaces ls"),
    ("message_not_found", "taosctl messages ls"),
    ("not_ready", "taosctl doctor"),
    ("notification_not_found", "taosctl notifications ls"),
    ("operation_finished", "taosctl operations ls"),
    ("oauth_client_not_found", "taosctl oauth clients ls"),
    ("operation_not_found", "taosctl operations ls"),
    ("principal_not_found", "taosctl users ls"),
    ("question_not_found", "taosctl requests ls"),
    ("request_not_found", "taosctl requests ls"),
    ("scope_denied", "taosctl whoami"),
    ("source_not_found", "taosctl knowledge sources"),
    ("space_not_found", "taosctl spaces ls"),
    ("task_not_found", "taosctl tasks ls"),
    ("token_not_found", "taosctl tokens ls"),
    ("unexpected_reply", "taosctl doctor"),
    ("unreachable", "taosctl doctor"),
    ("upload_not_found", "taosctl files"),
    ("user_code_not_found", "taosctl requests ls"),
    ("user_not_found", "taosctl users ls"),
    ("username_taken", "taosctl users ls"),
];

/// Stores the running command, such as `taosctl agents create`.
pub fn runs(command: String) {
    RUNS.get_or_init(|| command);
}

/// The command that shows the help of the running command.
pub fn help() -> String {
    format!("{} --help", RUNS.get().map_or("taosctl", String::as_str))
}

/// The command that helps with this error: the one in [`NEXT`], or else the one that shows the error's page, or else
/// `taosctl doctor`.
pub fn command(error: &str) -> String {
    let best = NEXT.iter().find(|(code, _)| *code == error).map(|(_, command)| (*command).to_owned());
    best.or_else(|| codes::by_slug(error).map(|code| format!("taosctl docs errors#{}", code.slug)))
        .unwrap_or_else(|| "taosctl doctor".to_owned())
}
