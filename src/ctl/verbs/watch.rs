//! `--watch`: a list shown again and again until interrupted. `--follow`: a list, and then what comes.

use std::collections::HashSet;
use std::io::{self, IsTerminal};
use std::thread::sleep;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches};

use serde_json::Value;

use crate::ctl::core::failure::Failure;
use crate::ctl::core::format::Format;
use crate::ctl::core::output::Output;
use crate::ctl::core::text;
use crate::ctl::show::table::{self, Column};
use crate::say::{self, Said};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// Sends the cursor home and clears what is below it.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// `--watch`.
pub fn arg() -> Arg {
    Arg::new("watch")
        .long("watch")
        .short('w')
        .action(ArgAction::SetTrue)
        .help("Show the list again whenever it changes")
}

/// `--follow`.
pub fn follow_arg() -> Arg {
    Arg::new("follow")
        .long("follow")
        .short('f')
        .action(ArgAction::SetTrue)
        .conflicts_with("watch")
        .help("Go on with what comes, oldest first, until interrupted")
}

/// Shows the rows of a list, newest first as they are, from the oldest to the newest, and then every new one. Ends with
/// its reader, or with a failure. A row is known by its place in the list or its id.
///
/// # Errors
/// Those of `ask`, and of the output.
pub fn follow(
    as_json: bool,
    columns: &[Column],
    mut ask: impl FnMut() -> Result<Vec<Value>, Failure>,
) -> Result<Output, Failure> {
    let key = |row: &Value| if row["seq"].is_null() { text::plain(&row["id"]) } else { text::plain(&row["seq"]) };
    let mut known: HashSet<String> = HashSet::new();
    let mut is_first = true;
    loop {
        let rows = ask()?;
        let now: HashSet<String> = rows.iter().map(key).collect();
        let news: Vec<Value> = rows.into_iter().rev().filter(|row| !known.contains(&key(row))).collect();
        known = now;
        let shown = if as_json {
            news.iter().map(|row| format!("{}\n", text::json_line(row))).collect()
        } else {
            let table = table::table(columns, &news);
            let has_heading = Format::chosen() != Format::Name && !is_first;
            table.lines().skip(usize::from(has_heading)).map(|line| format!("{line}\n")).collect::<String>()
        };
        if (is_first || !news.is_empty()) && say::out(&shown).map_err(Failure::Output)? == Said::Unread {
            return Ok(Output::default());
        }
        is_first = false;
        sleep(PAUSE);
    }
}

/// Whether it was given.
pub fn is_asked(matches: &ArgMatches) -> bool {
    matches.try_get_one::<bool>("watch").ok().flatten().copied().unwrap_or(false)
}

/// Shows what `look` gives whenever it differs from what stands there. Ends with its reader, or with a failure.
///
/// # Errors
/// Those of `look`, and of the output.
pub fn each(mut look: impl FnMut() -> Result<Output, Failure>) -> Result<Output, Failure> {
    let clears = io::stdout().is_terminal();
    let mut seen: Option<String> = None;
    loop {
        let output = look()?;
        // On a terminal times go on even where nothing else does.
        if clears || seen.as_deref() != Some(output.stdout()) {
            seen = Some(output.stdout().to_owned());
            if clears && say::out(CLEAR).map_err(Failure::Output)? == Said::Unread {
                return Ok(Output::default());
            }
            if output.print_more()? == Said::Unread {
                return Ok(Output::default());
            }
        }
        sleep(PAUSE);
    }
}
