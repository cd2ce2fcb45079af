//! Command lines that clap refuses: prints what is wrong, what the user probably meant, and the command that shows the
//! help.

use std::ffi::OsString;
use std::io::{self, IsTerminal};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::core::failure::Failure;
use super::core::format::Format;
use super::core::next;
use super::grammar;
use crate::say;

/// The start of clap's hint to use `--help`, which does not name the command.
const CLAPS_HINT: &str = "For more information, try";
/// How similar a word must be to be suggested, from 0 to 1.
const ALIKE: f64 = 0.8;
/// The words of other tools for running a program in a container, which taosctl does not do.
const RUNS_PROGRAMS: [&str; 5] = ["attach", "console", "exec", "shell", "ssh"];
const PROGRAMS: &str = "  tip: programs in a container are run by its runtime: incus exec CONTAINER -- bash.\n       \
    taosctl agents containers names the containers.";

/// Commands of other tools that taosctl does not have, or not as one command, each with the nearest alternative.
const ELSEWHERE: &[(&str, &str)] = &[
    ("api", "every route is listed at /docs; a token and curl call it: taosctl docs getting-started."),
    ("copy", "taosctl agents export NAME writes what taosctl agents import FILE makes an agent of."),
    ("cp", "taosctl upload FILE shares a file; incus file push FILE CONTAINER/PATH writes into a container."),
    ("init", "taosctl agents create NAME records an agent, taosctl deploy NAME --image IMAGE makes its container."),
    ("rename", "a name never changes; people see taosctl agents update NAME --display-name TEXT."),
    (
        "rotate",
        "an agent's token: taosctl tokens rotate NAME; a key: taosctl keys rotate NAME. A user may have several \
         tokens: taosctl users token issue NAME, then taosctl users token revoke NAME ID.",
    ),
    ("scale", "an agent is one container; taosctl deploy NAME makes another agent."),
    ("snapshot", "taosctl backup saves what taosd keeps; incus snapshot create CONTAINER saves a container."),
];

/// Prints what is wrong, or the requested help or version. Returns the exit code.
pub(super) fn print(error: &clap::Error) -> u8 {
    // Without a verb, the help is the right output.
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return say::clap("taosctl", error);
    }
    let text = say::of_clap(error, io::stderr().is_terminal());
    let text = text.split(CLAPS_HINT).next().unwrap_or(&text).trim_end();
    // Clap suggests for every unknown flag to pass it as a value, which nobody means.
    let parts: Vec<&str> = text.split("\n\n").filter(|part| !part.contains("to pass '")).collect();
    let text = parts.join("\n\n");
    let first = text.lines().next().unwrap_or_default();
    let text = match typed(error) {
        Some(word) if RUNS_PROGRAMS.contains(&word) => format!("{first}\n\n{PROGRAMS}"),
        Some(word) => match (elsewhere(word), meant(error, word)) {
            (Some(tip), _) => format!("{first}\n\n  tip: {tip}"),
            (None, Some(meant)) => format!("{first}\n\n  tip: a similar command exists: '{meant}'"),
            // Clap's own suggestion is not similar enough.
            (None, None) => {
                parts.iter().filter(|part| !part.starts_with("  tip: ")).copied().collect::<Vec<_>>().join("\n\n")
            }
        },
        None => text,
    };
    say::complain(&format!("{text}\n\nrun: {}\n", next::help()));
    2
}

/// The clap error as a [`Failure`].
pub(super) fn failure(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let detail =
        text.lines().take_while(|line| !line.starts_with("Usage:")).map(str::trim).filter(|line| !line.is_empty());
    let detail = detail.collect::<Vec<_>>().join(" ");
    let detail = detail.strip_prefix("error: ").unwrap_or(&detail);
    let tip = typed(error).and_then(elsewhere).map(|tip| format!("Use another command: {tip}"));
    Failure::usage(detail, tip.unwrap_or_else(|| "Run the command with --help to see what it takes.".to_owned()))
}

/// The nearest alternative to a command of other tools.
fn elsewhere(word: &str) -> Option<&'static str> {
    ELSEWHERE.iter().find(|(theirs, _)| *theirs == word).map(|(_, tip)| *tip)
}

/// The unknown word in the place of a command.
fn typed(error: &clap::Error) -> Option<&str> {
    match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(typed)) => Some(typed),
        _ => None,
    }
}

/// The command that is most similar to the typed word. Clap does not know the verbs that may be first, and it suggests
/// words of little similarity.
fn meant(error: &clap::Error, typed: &str) -> Option<String> {
    let claps = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(words)) => words.as_slice(),
        _ => &[],
    };
    let is_first = next::help() == "taosctl --help";
    let verbs = grammar::first_words().filter(|_| is_first).map(str::to_owned);
    let alike = |word: String| (strsim::jaro_winkler(typed, &word), word);
    // A verb that is valid for agents only must not be suggested for itself.
    let others = claps.iter().cloned().chain(verbs).filter(|word| word != typed);
    let best = others.map(alike).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(likeness, _)| *likeness >= ALIKE).map(|(_, word)| word)
}

/// True if a command line that clap refuses asks for a format for programs.
pub(super) fn wants_json(args: &[OsString]) -> bool {
    let mut words = args.iter().filter_map(|arg| arg.to_str()).take_while(|word| *word != "--").peekable();
    let is_machine = |word: &str| word.parse::<Format>().is_ok_and(Format::is_machine);
    while let Some(word) = words.next() {
        let value = match word {
            "--json" | "--fields" => return true,
            "-o" | "--output" | "--format" => words.peek().copied(),
            _ if word.starts_with("--fields=") => return true,
            _ => ["--output=", "--format=", "-o"].iter().find_map(|flag| word.strip_prefix(flag)),
        };
        if value.is_some_and(|value| is_machine(value.trim_start_matches('='))) {
            return true;
        }
    }
    false
}
