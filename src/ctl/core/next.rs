//! The command to run next after a refusal.

/// An error's code, and the command that helps.
pub const NEXT: &[(&str, &str)] = &[
    ("agent_exists", "taosctl agents ls"),
    ("agent_has_no_container", "taosctl agents containers"),
    ("agent_not_found", "taosctl agents ls"),
    ("archived_agent_not_found", "taosctl agents archived"),
    ("auth_required", "taosctl login"),
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
    ("scope_denied", "taosctl whoami"),
    ("source_not_found", "taosctl knowledge sources"),
    ("space_not_found", "taosctl spaces ls"),
    ("task_not_found", "taosctl tasks ls"),
    ("token_not_found", "taosctl tokens ls"),
    ("unexpected_reply", "taosctl doctor"),
    ("unreachable", "taosctl doctor"),
    ("user_not_found", "taosctl users ls"),
    ("username_taken", "taosctl users ls"),
];

/// The command that helps with this error; the error's page where there is no better one.
pub fn command(error: &str) -> Option<String> {
    NEXT.iter().find(|(code, _)| *code == error).map(|(_, command)| (*command).to_owned())
}
