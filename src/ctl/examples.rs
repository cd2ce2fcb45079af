//! The end of every help: two example commands to copy. They are in `examples.txt`, and a test runs each.

use clap::Command;
use clap::builder::StyledStr;

/// A command's words, then its examples, each on a line that begins with two blanks.
const TEXT: &str = include_str!("examples.txt");

/// The columns of an example: a terminal's 80, less the two blanks before it.
const ROOM: usize = 78;
/// The places where an example may continue on the next line.
const BREAKS: [&str; 3] = [" | ", " && ", " --"];
/// The additional indent of the next lines, in columns.
const INDENT: usize = 4;
/// The text between two lines of one example.
const FOLD: &str = " \\\n      ";

/// The examples of a command, by its words after `taosctl`. A noun without own examples has the first ones of its
/// verbs, at most two.
fn of(path: &str, below: &[String]) -> Vec<&'static str> {
    let path = if path.is_empty() { "taosctl" } else { path };
    let own = written(path);
    if !own.is_empty() || below.is_empty() {
        return own;
    }
    let firsts = below.iter().filter_map(|name| written(&format!("{path} {name}")).first().copied());
    firsts.take(2).collect()
}

fn written(path: &str) -> Vec<&'static str> {
    // The older nouns `keys` and `credentials` are also commands below `tokens`.
    let path = path
        .strip_prefix("tokens ")
        .filter(|rest| rest.starts_with("keys") || rest.starts_with("cred"))
        .unwrap_or(path);
    let mut lines = TEXT.lines().skip_while(|line| *line != path);
    lines.next();
    lines.map_while(|line| line.strip_prefix("  ")).map(shown).collect()
}

/// An example without the comment, which is for the test only.
fn shown(line: &'static str) -> &'static str {
    line.split_once("  #").map_or(line, |(command, _)| command)
}

/// Splits an example that is too wide for a terminal into several lines, which a shell reads as one command.
fn folded(example: &str) -> String {
    let mut out = String::new();
    let (mut rest, mut room) = (example, ROOM);
    while rest.len() > room {
        let breaks = BREAKS.iter().filter_map(|before| rest[..room - 1].rfind(before));
        // Breaks between any two words only if the example has no quotes.
        let blank = || rest[..room - 1].rfind(' ').filter(|_| !example.contains(['"', '\'']));
        let Some(at) = breaks.max().filter(|at| *at > 0).or_else(blank) else { break };
        out.push_str(&rest[..at]);
        out.push_str(FOLD);
        (rest, room) = (&rest[at + 1..], ROOM - INDENT);
    }
    out + rest
}

/// Adds the examples to the help of every command.
pub(super) fn dress(command: Command) -> Command {
    below("", command)
}

fn below(path: &str, mut command: Command) -> Command {
    let below_it: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    for name in below_it.clone() {
        let path = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command = command.mut_subcommand(name, |command| below(&path, command));
    }
    let examples = of(path, &below_it);
    if examples.is_empty() {
        return command;
    }
    let about = command.get_after_help().map(StyledStr::to_string).filter(|about| !about.is_empty());
    let about = about.map_or(String::new(), |about| format!("{}\n\n", about.trim_end()));
    let lines: String = examples.iter().map(|example| format!("\n  {}", folded(example))).collect();
    command.after_help(format!("{about}Examples:{lines}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_fits_a_terminal_and_is_still_one_command() {
        for example in TEXT.lines().filter_map(|line| line.strip_prefix("  ")).map(shown) {
            let folded = folded(example);
            assert_eq!(folded.replace(FOLD, " "), example);
            assert!(format!("  {folded}").lines().all(|line| line.len() <= ROOM + 2), "{folded}");
        }
    }
}
