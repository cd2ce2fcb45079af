//! What every help shows at its end: two commands to copy. They stand in `examples.txt`, and a test runs each.

use clap::Command;
use clap::builder::StyledStr;

/// A command's words, then its examples, each on a line that begins with two blanks.
const TEXT: &str = include_str!("examples.txt");

/// Columns of a line of an example: a terminal's, less the two blanks before it.
const ROOM: usize = 78;
/// Where an example may go on on the next line.
const BREAKS: [&str; 3] = [" | ", " && ", " --"];
/// Columns that its further lines are indented beyond the first.
const INDENT: usize = 4;
/// What goes between its lines.
const FOLD: &str = " \\\n      ";

/// The examples of a command, by its words after `taosctl`; of a noun those of its first verbs.
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
    // The older nouns stand below the family of tokens too.
    let path = path
        .strip_prefix("tokens ")
        .filter(|rest| rest.starts_with("keys") || rest.starts_with("cred"))
        .unwrap_or(path);
    let mut lines = TEXT.lines().skip_while(|line| *line != path);
    lines.next();
    lines.map_while(|line| line.strip_prefix("  ")).map(shown).collect()
}

/// An example without what only the test reads of it.
fn shown(line: &'static str) -> &'static str {
    line.split_once("  #").map_or(line, |(command, _)| command)
}

/// An example that is too wide for a terminal on several lines, which a shell reads as one.
fn folded(example: &str) -> String {
    let mut out = String::new();
    let (mut rest, mut room) = (example, ROOM);
    while rest.len() > room {
        let breaks = BREAKS.iter().filter_map(|before| rest[..room - 1].rfind(before));
        // Between any two words only where none of them may stand in quotes.
        let blank = || rest[..room - 1].rfind(' ').filter(|_| !example.contains(['"', '\'']));
        let Some(at) = breaks.max().filter(|at| *at > 0).or_else(blank) else { break };
        out.push_str(&rest[..at]);
        out.push_str(FOLD);
        (rest, room) = (&rest[at + 1..], ROOM - INDENT);
    }
    out + rest
}

/// Every command with its examples in its help.
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
