//! The message after a form was successful.

use serde_json::Value;

/// The message, with a way to undo the action.
pub(crate) struct Done {
    pub text: String,
    pub undo: Option<Undo>,
}

/// The form that undoes exactly the action.
pub(crate) struct Undo {
    /// The method and path of the route.
    pub route: &'static str,
    /// The text of the button.
    pub verb: &'static str,
    /// The field that identifies the action, in its reply and in the route that undoes it.
    pub field: &'static str,
    /// The value of that field.
    pub value: String,
}

/// The actions that can be undone: the id of the route, the route that undoes it, the field that identifies the action,
/// and the text of the button.
const UNDO: &[(&str, &str, &str, &str)] = &[("freeze_all", "POST /api/thaw", "frozen_at", "Undo: thaw these agents")];

/// The ids of the routes, with the message for each.
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
    // Without a count nothing is left valid; what ended may be a token, a key or a program's grant.
    ("agents_token_revoke", "Revoked. No credential of the agent is valid any more."),
    ("agents_freeze", "Frozen: every credential of the agent is refused."),
    ("agents_thaw", "Thawed. What was valid before is valid again."),
    ("freeze_all", "All your agents are frozen: their credentials are refused."),
    ("thaw_all", "Thawed. What was valid before is valid again."),
    ("agents_wake", "Saved."),
    ("tripwires_plant", "Tripwire planted."),
    ("tripwires_remove", "Tripwire removed."),
    ("requests_approve", "Approved."),
    ("requests_deny", "Denied."),
    ("requests_decide", "Decided."),
    ("requests_revoke", "Taken back."),
    ("uploads_create", "File uploaded."),
    ("uploads_delete", "File deleted."),
    ("users_sessions_end", "All sessions ended."),
    ("messages_edit", "Message saved."),
    ("messages_delete", "Message deleted."),
    ("messages_react", "Reaction added."),
    ("spaces_members_add", "Member added."),
    ("spaces_members_remove", "Member removed."),
    ("grants_create", "Granted."),
    ("grants_delete", "Grant ended."),
    ("operations_cancel", "Cancelled."),
    ("notifications_read", "Marked as read."),
    ("notifications_read_all", "All marked as read."),
    ("notifications_delete", "Deleted."),
    ("database_check_begin", "Database check: the result is below."),
    ("database_check_stop", "The check was stopped."),
    ("backups_create", "The backup is being made."),
    ("users_create", "User created."),
    ("users_update", "User saved."),
    ("users_delete", "User deleted."),
    ("users_token_revoke", "Token revoked."),
    ("sessions_revoke", "Session ended."),
    ("keys_revoke", "Key revoked."),
    ("oauth_grants_revoke", "The program is not let in any more."),
    ("messages_send", "Sent."),
    ("tasks_create", "Task created."),
    ("tasks_update", "Task saved."),
    ("tasks_release", "Task released."),
    ("context_set", "Saved."),
    ("context_delete", "Deleted."),
    ("knowledge_put", "Source saved."),
    ("knowledge_delete", "Source removed."),
    ("spaces_create", "Space created."),
];

/// The route whose reply lists the credentials that are still valid, unless it ended them all.
const TOKEN_REVOKE: &str = "agents_token_revoke";

/// The value of `done` in the next page's address: the route's id, and the identifying value if the action can be
/// undone, or the number of credentials that it left valid.
pub(crate) fn deed(id: &str, reply: &Value) -> String {
    if let Some(living) = reply["still_live"].as_array().filter(|living| id == TOKEN_REVOKE && !living.is_empty()) {
        return format!("{id}:{}", living.len());
    }
    let field = UNDO.iter().find(|(own, ..)| *own == id).and_then(|(_, _, field, _)| reply[field].as_str());
    field.map_or_else(|| id.to_owned(), |value| format!("{id}:{value}"))
}

/// The message for such a value, with the way to undo the action.
pub(crate) fn said(deed: &str) -> Done {
    let (id, value) = deed.split_once(':').unwrap_or((deed, ""));
    let text = match value.parse::<usize>() {
        Ok(living) if id == TOKEN_REVOKE => format!("Token revoked. {}", still_valid(living)),
        _ => SAID.iter().find(|(own, _)| *own == id).map_or("Done.", |(_, text)| text).to_owned(),
    };
    let undo = UNDO.iter().find(|(own, ..)| *own == id && !value.is_empty());
    let undo = undo.map(|(_, route, field, verb)| Undo { route, verb, field, value: value.to_owned() });
    Done { text, undo }
}

/// Says how many other credentials of an agent are valid.
pub(crate) fn still_valid(count: usize) -> String {
    match count {
        1 => "One other credential of the agent is still valid.".to_owned(),
        count => format!("{count} other credentials of the agent are still valid."),
    }
}
