//! Path parameters as arguments of the command line: their help, and the names that the shell suggests.

use clap::Arg;

use super::complete;

/// The beginning of the path, the name of the parameter, and its help.
const ABOUT: &[(&str, &str, &str)] = &[
    ("/api/agents/archived/", "id", "The archived agent's name or id"),
    ("/api/agents/{name}/tripwires/", "id", "The tripwire's id"),
    ("/api/agents/", "name", "The agent's name or id"),
    ("/api/v1/agents/", "agent", "The agent's name or id"),
    ("/api/operations/", "id", "The operation's id, or an agent's name for its newest"),
    ("/api/users/", "username", "The user's name or id"),
    ("/api/users/{username}/channels/", "id", "The channel's id"),
    ("/api/users/", "id", "The token's id or label"),
    ("/api/requests/", "id", "The request's id"),
    ("/api/ui/ask/", "id", "The question's id"),
    ("/api/grants/", "id", "The grant's id, or its principal such as user:ann"),
    ("/api/notifications/", "id", "The notification's id or title"),
    ("/api/knowledge/sources/", "source_id", "The source, such as app:guides"),
    ("/api/knowledge/items/", "id", "The document's id, title or path"),
    ("/api/v1/spaces/", "space", "The space's id, slug or name"),
    ("/api/v1/spaces/", "id", "The member's id or name"),
    ("/api/v1/keys/", "credential", "The key's id or name"),
    ("/credentials/", "credential", "The key's id or name"),
    ("/api/v1/tasks/", "task", "The task's id or title"),
    ("/api/v1/messages/", "id", "The message's id or its number in the list"),
    ("/api/v1/context/", "context_key", "The key, such as plans/today"),
    ("/api/v1/uploads/files/", "file", "The file's id or name"),
    ("/api/nodes/", "node", "The node's name, as in taosd.toml"),
    ("/api/oauth/clients/", "id", "The program's client_id"),
    ("/api/oauth/grants/", "id", "The login's id"),
];

/// The argument with its help and its completer. With `several`, it takes one or more values.
pub fn described(arg: Arg, path: &str, parameter: &str, several: bool) -> Arg {
    let known = ABOUT.iter().find(|(prefix, name, _)| path.starts_with(prefix) && *name == parameter);
    let arg = match complete::of(path, parameter) {
        Some(names) => arg.add(names),
        None => arg,
    };
    let arg = if several { arg.num_args(1..) } else { arg };
    match known {
        Some((.., about)) if several => arg.help(format!("{about}; several at once")),
        Some((.., about)) => arg.help(*about),
        // A test fails if an argument has no help.
        None => arg,
    }
}
