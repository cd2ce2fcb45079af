//! `taosctl agents token`.

use clap::ArgMatches;
use serde_json::Map;

use crate::ctl::core::flags::Flag;
use crate::ctl::core::{path, when};
use crate::ctl::login::session::Session;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;

/// Issues an agent's token.
pub const ISSUE: Verb = Verb::new("issue", "agents_token_issue", ShowAs::Secret("token"))
    .flags(&[Flag::Named("grace_seconds", "grace")])
    .warned(old_one_ends);
/// Shows an agent's token: its metadata, not the secret.
pub const SHOW: Verb = Verb::new("show", "agents_token_show", ShowAs::Record);
/// Revokes an agent's token.
pub const REVOKE: Verb = Verb::new("revoke", "agents_token_revoke", ShowAs::Done("revoked", None))
    .ask("Revoke the token of {}? It stops working at once.");

/// The noun `agents token` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "token",
    about: "An agent's token",
    entries: &[
        CommandEntry::Verb(ISSUE),
        // An agent has one token, so that a new one ends the old one.
        CommandEntry::Verb(ISSUE.named("rotate")),
        CommandEntry::Verb(SHOW),
        CommandEntry::Verb(REVOKE),
    ],
};

/// A warning about the token that the agent has now.
fn old_one_ends(session: &Session<'_>, matches: &ArgMatches, parameters: &[&str]) -> Option<String> {
    let agent = parameters.first()?;
    let route = path::route("agents_token_show");
    let now = session.send_for_json(route, &path::target(route, &[agent], &Map::new()), None).ok()?;
    if now["has_token"] != true {
        return None;
    }
    let used = when::of(&now["last_used_at"])
        .map_or("never used".to_owned(), |at| format!("last used {}", when::relative(at, jiff::Timestamp::now())));
    Some(match matches.get_one::<i64>("field.grace_seconds").filter(|seconds| **seconds > 0) {
        Some(seconds) => format!("{agent} has a token ({used}); it works for {} more.", when::span(*seconds)),
        None => format!("{agent} has a token ({used}); it stops working at once. --grace 300 keeps it for 5 minutes."),
    })
}
