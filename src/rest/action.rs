//! Every action that a route can need, in one list. Scopes are matched against it, and the documentation's table is
//! made from it.

use crate::closed_set::closed_set;

/// Declares a closed set whose members may have a flag: `(admin)` also requires the role admin.
macro_rules! actions {
    ($( $name:ident $slug:literal $(($flag:ident))? $about:literal; )*) => {
        closed_set! {
            /// An action that a credential needs a scope for. All dialects share the list.
            pub enum Action { $( $name $slug $about; )* }
        }

        impl Action {
            /// True if the user's role must be admin as well.
            pub fn is_admin(self) -> bool {
                match self { $( Self::$name => actions!(@admin $($flag)?), )* }
            }
        }
    };
    (@admin) => { false };
    (@admin admin) => { true };
}

actions! {
    AuthWhoami "auth.whoami" "Read who you are; always allowed.";
    AuthExchange "auth.exchange" "Exchange a key for a short-lived token; allowed to every key.";
    AuthLogin "auth.login" "Open a web session; allowed to every user's token.";
    AuthLogout "auth.logout" "End the session; always allowed.";
    McpUse "mcp.use" "Talk to the MCP endpoint; always allowed, each tool needs its own action.";
    AgentsList "agents.list" "List agents.";
    AgentsRead "agents.read" "Read one agent.";
    AgentsCreate "agents.create" "Create or import an agent.";
    AgentsUpdate "agents.update" "Change an agent's settings, persona, memory or model.";
    AgentsPermissions "agents.permissions" "Change what an agent may do.";
    AgentsDelete "agents.delete" "Archive an agent.";
    AgentsRestore "agents.restore" "Restore an archived agent.";
    AgentsPurge "agents.purge" "Delete an archived agent permanently.";
    AgentsExport "agents.export" "Export an agent's settings.";
    AgentsRegister "agents.register" "Register an agent's build or endpoint.";
    AgentsLifecycle "agents.lifecycle" "Start, stop, restart, pause and resume.";
    AgentsFreeze "agents.freeze" "Freeze and thaw agents.";
    AgentsTripwires "agents.tripwires" "Plant, list and remove tripwires.";
    AgentsLogs "agents.logs" "Read an agent's logs.";
    AgentsDeploy "agents.deploy" "Deploy an agent into a container.";
    AgentsTokenIssue "agents.token.issue" "Issue an agent's token.";
    AgentsTokenRead "agents.token.read" "Read the record of an agent's token.";
    AgentsTokenRevoke "agents.token.revoke" "Revoke an agent's token.";
    AgentsKeysCreate "agents.keys.create" "Make an agent's key.";
    AgentsKeysRead "agents.keys.read" "List an agent's keys.";
    AgentsKeysDelete "agents.keys.delete" "Delete an agent's key.";
    AgentsForward "agents.forward" "Forward a request to an agent.";
    AgentsPresence "agents.presence" "See which agents are online.";
    AgentsHeartbeat "agents.heartbeat" "Report that the agent is alive.";
    AgentsProcessing "agents.processing" "Report what the agent is working on.";
    AgentsProfile "agents.profile" "Change your own description, bio, specialization and avatar; for agents.";
    AgentsPlace "agents.place" "Put an agent into a space.";
    DeploymentsCreate "deployments.create" "Record a deployment.";
    DeploymentsRead "deployments.read" "Read deployments.";
    DeploymentsPromote "deployments.promote" "Put a deployment into production.";
    DeploymentsDelete "deployments.delete" "Delete a deployment.";
    GrantsCreate "grants.create" "Grant a role on an agent.";
    GrantsList "grants.list" "List grants.";
    GrantsDelete "grants.delete" "Delete a grant.";
    UsersList "users.list" (admin) "List users.";
    UsersCreate "users.create" (admin) "Create a user.";
    UsersRead "users.read" "Read a user; members only themselves.";
    UsersUpdate "users.update" (admin) "Change a user.";
    UsersDelete "users.delete" (admin) "Delete a user.";
    UsersTokenIssue "users.token.issue" "Issue a user's token; members only their own.";
    UsersTokenList "users.token.list" "List a user's tokens; members only their own.";
    UsersTokenRevoke "users.token.revoke" "Revoke a user's token; members only their own.";
    ChannelsList "channels.list" "List a user's channels; members only their own.";
    ChannelsCreate "channels.create" "Make a channel; members only their own.";
    ChannelsUpdate "channels.update" "Change a channel; members only their own.";
    ChannelsDelete "channels.delete" "Delete a channel; members only their own.";
    ChannelsTest "channels.test" "Try a channel; members only their own.";
    SessionsList "sessions.list" "List a user's web sessions; members only their own.";
    SessionsRevoke "sessions.revoke" "End a user's web sessions; members only their own.";
    SessionsLink "sessions.link" "Make a link that logs you in once.";
    OauthConsent "oauth.consent" "Answer a program that asks to log in, on the web page; always allowed.";
    OauthToken "oauth.token" "Get tokens at the token endpoint; allowed to every program with a grant.";
    OauthGrantsList "oauth.grants.list" "List what was granted to programs, by you or on your agents.";
    OauthGrantsRevoke "oauth.grants.revoke" "End what was granted to a program, by you or on your agents.";
    OauthIntrospect "oauth.introspect" "Ask what a token is good for, of those that the caller may know of.";
    OauthClientsList "oauth.clients.list" (admin) "List the programs that were registered by hand.";
    OauthClientsCreate "oauth.clients.create" (admin) "Register a program.";
    OauthClientsDelete "oauth.clients.delete" (admin) "Remove a registered program.";
    UiNotify "ui.notify" "Send the owner a notification.";
    NotificationsRead "notifications.read" "Read notifications.";
    NotificationsUpdate "notifications.update" "Mark notifications as read.";
    NotificationsDelete "notifications.delete" "Delete notifications.";
    KnowledgeRead "knowledge.read" "Read and search the knowledge.";
    KnowledgeWrite "knowledge.write" "Write a source of knowledge.";
    OperationsRead "operations.read" "Read and follow operations.";
    OperationsCancel "operations.cancel" "Cancel operations.";
    AuditRead "audit.read" (admin) "Read the audit chain.";
    BackupsCreate "backups.create" (admin) "Make a backup.";
    BackupsList "backups.list" (admin) "List backups.";
    BackupsDownload "backups.download" (admin) "Download a backup.";
    MetricsRead "metrics.read" "Read the metrics.";
    NodesList "nodes.list" (admin) "List the nodes.";
    NodesCheck "nodes.check" (admin) "Check a node.";
    BoxRead "box.read" "Read the state of the box.";
    BoxSettings "box.settings" (admin) "Read the settings of the box.";
    BoxCheck "box.check" (admin) "Check the database, and stop a check.";
    SpacesList "spaces.list" "List spaces.";
    SpacesRead "spaces.read" "Read a space.";
    SpacesCreate "spaces.create" "Create a space.";
    SpacesMembers "spaces.members" "Let members into a space, and remove them.";
    MessagesSend "messages.send" "Send messages.";
    MessagesList "messages.list" "List messages.";
    MessagesRead "messages.read" "Read a message.";
    MessagesEdit "messages.edit" "Edit a message.";
    MessagesDelete "messages.delete" "Delete a message.";
    MessagesMark "messages.mark" "Mark messages as read.";
    MessagesSearch "messages.search" "Search messages.";
    TasksCreate "tasks.create" "Create tasks.";
    TasksList "tasks.list" "List tasks.";
    TasksRead "tasks.read" "Read a task.";
    TasksUpdate "tasks.update" "Change a task.";
    ContextWrite "context.write" "Write shared context.";
    ContextList "context.list" "List shared context.";
    ContextRead "context.read" "Read shared context.";
    ContextDelete "context.delete" "Delete shared context.";
    UploadsCreate "uploads.create" "Upload files.";
    UploadsRead "uploads.read" "Download files.";
    UploadsDelete "uploads.delete" "Delete files.";
    EventsRead "events.read" "Follow the event stream.";
    KeysCreate "keys.create" "Make personal access tokens.";
    KeysList "keys.list" "List personal access tokens.";
    KeysRotate "keys.rotate" "Rotate a personal access token.";
    KeysRevoke "keys.revoke" "Revoke a personal access token.";
    CredentialsIssue "credentials.issue" "Issue agents' personal access tokens and enrollments.";
    CredentialsList "credentials.list" "List credentials.";
    CredentialsRevoke "credentials.revoke" "Revoke credentials.";
    CredentialsFingerprint "credentials.fingerprint" "Register a client's fingerprint.";
    RequestsCreate "requests.create" "Ask an owner for a scope, a role or an answer, and take it back.";
    RequestsRead "requests.read" "Read and wait for requests.";
    RequestsDecide "requests.decide" "Approve, deny and revoke requests; users only.";
}

impl Action {
    /// True for an action that every credential may do, whatever its scopes.
    pub fn is_implied(self) -> bool {
        matches!(self, Self::AuthWhoami | Self::AuthLogout | Self::McpUse | Self::OauthConsent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_unique_dotted_lower_case_words() {
        let mut seen = std::collections::HashSet::new();
        for action in Action::ALL {
            let slug = action.slug();
            assert!(seen.insert(slug), "{slug} twice");
            assert!(slug.split('.').count() >= 2, "{slug}");
            assert!(slug.split('.').all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase())), "{slug}");
        }
    }
}
