//! The tree of nouns and verbs: how it becomes a command, and how a command finds its way back.

use std::collections::BTreeSet;

use clap::{ArgMatches, Command};

use super::verb::Verb;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::login::context::Context;

/// A place in the tree.
pub enum CommandEntry {
    /// A noun, with what can be done.
    Noun {
        /// Its name.
        name: &'static str,
        /// What it is about.
        about: &'static str,
        /// What is below it.
        entries: &'static [CommandEntry],
    },
    /// A verb that is a route.
    Verb(Verb),
    /// A verb with a way of its own.
    Own {
        /// Its name.
        name: &'static str,
        /// The routes it calls.
        routes: &'static [&'static str],
        /// Its command, given its name.
        command: fn(&'static str) -> Command,
        /// What it does.
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

    /// Other words for it: a noun is understood in its singular and plural, a verb by what other tools call it.
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

/// What other command lines call a verb.
const SYNONYMS: &[(&str, &[&str])] = &[
    ("cancel", &["abort"]),
    ("create", &["new", "add", "invite"]),
    ("delete", &["rm", "remove"]),
    ("get", &["show", "info", "describe", "view"]),
    ("issue", &["create", "new", "rotate"]),
    ("list", &["ls"]),
    ("logs", &["log"]),
    ("pause", &["freeze"]),
    ("resume", &["unfreeze", "unpause"]),
    ("remove", &["rm", "delete"]),
    ("revoke", &["delete", "rm"]),
    ("rm", &["delete", "remove"]),
    ("show", &["get"]),
    ("update", &["edit", "set"]),
];

/// Adds the entries to a command, each with its aliases; a name of its own always wins.
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

/// Carries out what was asked for.
///
/// # Errors
/// Whatever goes wrong on the way.
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

/// Every verb that is a route.
#[cfg(test)]
pub fn verbs(entries: &'static [CommandEntry]) -> Vec<&'static Verb> {
    let below = |entry: &'static CommandEntry| match entry {
        CommandEntry::Noun { entries, .. } => verbs(entries),
        CommandEntry::Verb(verb) => std::iter::once(verb).chain(verb.below()).collect(),
        CommandEntry::Own { .. } => Vec::new(),
    };
    entries.iter().flat_map(below).collect()
}

/// Gathers the ids of the routes that entries call.
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
