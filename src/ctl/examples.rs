//! What every help shows at its end: two commands to copy. They stand in `examples.txt`, and a test runs each.

use clap::Command;
use clap::builder::StyledStr;

/// A command's words, then its examples, each on a line that begins with two blanks.
const TEXT: &str = include_str!("examples.txt");

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
    let lines: String = examples.iter().map(|example| format!("\n  {example}")).collect();
    command.after_help(format!("{about}Examples:{lines}"))
}
