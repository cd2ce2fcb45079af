//! The tables that are swept by age, as one list. Each sweep names its member, and a test runs every one of them with a
//! wrong clock (DESIGN D20).

use crate::closed_set::closed_set;

closed_set! {
    /// A table whose old rows a sweep deletes, by its name.
    pub enum Swept {
        Audit "audit" "Rows older than `audit_retention_days`.";
        Notifications "notifications" "Those of more than 30 days ago.";
        Idempotency "idempotency" "Replies kept for repeats, after a day.";
        Operations "operations" "Finished ones, after 30 days.";
        Credentials "credentials" "Dead ones, after 30 days; one past its end becomes a dead one.";
        Context "context" "Values past their end.";
        Tasks "tasks" "Finished ones, after a year.";
        Uploads "upload_contents" "Files that were never finished, after two hours.";
        Messages "messages" "Those older than `workspace.message_days`.";
        MessageClientIds "message_client_ids" "What clients called their messages, after a day.";
        WebhookOutbox "webhook_outbox" "What the webhook did not take for a day.";
        ChannelOutbox "channel_outbox" "What a channel did not take for a day.";
    }
}
