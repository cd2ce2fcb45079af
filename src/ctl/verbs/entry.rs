//! The tree of nouns and verbs: builds the clap command from it, and finds the entry for a command line.

use std::collections::BTreeSet;

use clap::{ArgMatches, Command};

use super::verb::Verb;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::login::context::Context;

/// An entry of the tree.
pub enum CommandEntry {
    /// A noun with its entries.
    Noun {
        /// The name of the noun.
        name: &'static str,
        /// The help of the noun.
        about: &'static str,
        /// The entries below the noun.
        entries: &'static [CommandEntry],
    },
    /// A verb that calls one route.
    Verb(Verb),
    /// A verb with its own code.
    Own {
        /// The name of the verb.
        name: &'static str,
        /// The ids of the routes that it calls.
        routes: &'static [&'static str],
        /// Builds its clap command from its name.
        command: fn(&'static str) -> Command,
        /// Runs the command.
        run: fn(&Context, &ArgMatches) -> Result<Output, Failure>,
    },
}

impl CommandEntry {
    fn name(&self) -> &'static str {
        match self {
            Self::Noun { name, .. } | Self::Own { name, .. } => name,
            Self::Verb(verb) => verb.name,
        }
    }

    fn command(&self) -> Command {
        match self {
            Self::Noun { name, about, entries } => {
                let noun = Command::new(*name).about(*about).subcommand_required(true).arg_required_else_help(true);
                add_all(noun.disable_help_subcommand(true), entries)
            }
            Self::Verb(verb) => verb.command(),
            Self::Own { name, command, .. } => command(name),
        }
    }

    /// The aliases. A noun also has its singular or plural, a verb has the names that other tools use.
    fn aliases(&self) -> Vec<String> {
        let name = self.name();
        if matches!(self, Self::Noun { .. }) {
            return vec![match name.strip_suffix('s') {
                Some(singular) => singular.to_owned(),
                None if name.ends_with('x') => format!("{name}es"),
                None => format!("{name}s"),
            }];
        }
        let known = SYNONYMS.iter().find(|(verb, _)| *verb == name);
        known.map_or(&[][..], |(_, others)| others).iter().map(|other| (*other).to_owned()).collect()
    }
}

/// The names of verbs in other command lines. An alias must do what its word says: `freeze` and `rotate` end the use of
/// credentials, so they are no names of what leaves them valid.
const SYNONYMS: &[(&str, &[&str])] = &[
    ("cancel", &["abort"]),
    ("create", &["new", "add", "invite"]),
    ("delete", &["rm", "remove"]),
    ("get", &["show", "info", "describe", "view"]),
    ("issue", &["create", "new"]),
    ("list", &["ls"]),
    ("logs", &["log"]),
    ("resume", &["unpause"]),
    ("remove", &["rm", "delete"]),
    ("revoke", &["delete", "rm"]),
    ("rm", &["delete", "remove"]),
    ("show", &["get"]),
    ("thaw", &["unfreeze"]),
    ("update", &["edit", "set"]),
];

/// Adds the entries to a command, each with its aliases. A name wins over an alias.
pub fn add_all(command: Command, entries: &[CommandEntry]) -> Command {
    let mut taken: BTreeSet<String> = entries.iter().map(|entry| entry.name().to_owned()).collect();
    entries.iter().fold(command, |command, entry| {
        let aliases: Vec<String> = entry.aliases().into_iter().filter(|alias| taken.insert(alias.clone())).collect();
        let below = match entry {
            CommandEntry::Noun { .. } => entry.command().aliases(aliases),
            _ => entry.command().visible_aliases(aliases),
        };
        command.subcommand(below)
    })
}

/// Runs the chosen command.
///
/// # Errors
/// Any [`Failure`] of the command.
pub fn run(entries: &[CommandEntry], context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let chosen = matches.subcommand().and_then(|(name, below)| {
        let entry = entries.iter().find(|entry| entry.name() == name)?;
        Some((entry, below))
    });
    match chosen {
        None => Err(Failure::usage("There is no such command.", "Run taosctl --help.")),
        Some((CommandEntry::Noun { entries, .. }, below)) => run(entries, context, below),
        Some((CommandEntry::Verb(verb), below)) => verb.run(context, below),
        Some((CommandEntry::Own { run, .. }, below)) => run(context, below),
    }
}

/// Every verb that calls one route.
#[cfg(test)]
pub fn verbs(entries: &'static [CommandEntry]) -> Vec<&'static Verb> {
    let below = |entry: &'static CommandEntry| match entry {
        CommandEntry::Noun { entries, .. } => verbs(entries),
        CommandEntry::Verb(verb) => std::iter::once(verb).chain(verb.below()).collect(),
        CommandEntry::Own { .. } => Vec::new(),
    };
    entries.iter().flat_map(below).collect()
}

/// Collects the ids of the routes that the entries call.
pub fn collect_routes(entries: &[CommandEntry], found: &mut BTreeSet<&'static str>) {
    for entry in entries {
        match entry {
            CommandEntry::Noun { entries, .. } => collect_routes(entries, found),
            CommandEntry::Verb(verb) => {
                found.insert(verb.route);
                found.extend(verb.below().iter().map(|verb| verb.route));
            }
            CommandEntry::Own { routes, .. } => found.extend(routes.iter()),
        }
    }
}
