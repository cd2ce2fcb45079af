//! What is said when a form has done its work.

/// The routes' ids, and what has happened.
const SAID: &[(&str, &str)] = &[
    ("agents_create", "Agent created."),
    ("agents_update", "Settings saved."),
    ("agents_permissions", "Scope saved."),
    ("agents_persona", "Persona saved."),
    ("agents_model", "Model saved."),
    ("agents_start", "Starting."),
    ("agents_stop", "Stopping."),
    ("agents_restart", "Restarting."),
    ("agents_pause", "Paused."),
    ("agents_resume", "Resumed."),
    ("agents_deploy", "Deploying."),
    ("agents_delete", "Archived. You can restore it from the archive."),
    ("agents_restore", "Restored."),
    ("agents_purge", "Deleted for good."),
    ("agents_token_issue", "A new token was delivered into the container."),
    ("agents_token_revoke", "Token revoked."),
    ("grants_create", "Granted."),
    ("grants_delete", "Grant ended."),
    ("operations_cancel", "Cancelled."),
    ("notifications_read", "Marked as read."),
    ("notifications_read_all", "All marked as read."),
    ("notifications_delete", "Deleted."),
    ("backups_create", "The backup is being made."),
    ("users_create", "User created."),
    ("users_update", "User saved."),
    ("users_delete", "User deleted."),
    ("users_token_revoke", "Token revoked."),
    ("sessions_revoke", "Session ended."),
    ("messages_send", "Sent."),
    ("tasks_create", "Task created."),
    ("tasks_update", "Task saved."),
    ("tasks_release", "Task released."),
    ("context_set", "Saved."),
    ("context_delete", "Deleted."),
    ("knowledge_put", "Saved."),
    ("knowledge_delete", "Source removed."),
    ("spaces_create", "Space created."),
];

/// What a route has done, in words.
pub(crate) fn said(id: &str) -> &'static str {
    SAID.iter().find(|(own, _)| *own == id).map_or("Done.", |(_, text)| text)
}
