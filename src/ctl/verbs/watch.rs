//! `--watch`: shows a list again and again until interrupted. `--follow`: shows a list, and then new rows.

use std::collections::HashSet;
use std::io::{self, IsTerminal};
use std::thread::sleep;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches};

use serde_json::Value;

use super::paging::key;
use super::patience::patiently;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::format::Format;
use crate::ctl::core::output::Output;
use crate::ctl::core::text;
use crate::ctl::show::table::{self, Column};
use crate::say::{self, Said};

/// The time between two requests.
const PAUSE: Duration = Duration::from_secs(2);
/// Moves the cursor to the top left and clears the terminal.
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
        .help("Keep showing new rows, oldest first, until interrupted")
}

/// Shows the newest rows of a list, at most `first`, from old to new, and then every new row. `ask` returns rows,
/// newest first, down to one that is known by its [`key`]. Ends when the reader closes the pipe, or with a refusal.
/// Waits for a daemon that is unreachable.
///
/// # Errors
/// Any failure of `ask`, and [`Failure::Output`].
pub fn follow(
    as_json: bool,
    columns: &[Column],
    first: usize,
    ask: impl Fn(&HashSet<String>) -> Result<Vec<Value>, Failure>,
) -> Result<Output, Failure> {
    let mut rows = ask(&HashSet::new())?;
    let mut known: HashSet<String> = rows.iter().map(key).collect();
    rows.truncate(first);
    let mut is_first = true;
    loop {
        rows.reverse();
        if (is_first || !rows.is_empty())
            && Output::text(lines(as_json, columns, &rows, is_first)).print_more()? == Said::Unread
        {
            return Ok(Output::default());
        }
        is_first = false;
        sleep(PAUSE);
        rows = patiently(None, || ask(&known))?;
        let now = rows.iter().map(key).collect();
        // Rows below a known row are older.
        rows.truncate(rows.iter().rposition(|row| known.contains(&key(row))).unwrap_or(rows.len()));
        rows.retain(|row| !known.contains(&key(row)));
        known = now;
    }
}

/// One line per row; the first time with the heading above.
fn lines(as_json: bool, columns: &[Column], rows: &[Value], is_first: bool) -> String {
    if as_json {
        return rows.iter().map(|row| format!("{}\n", text::json_line(row))).collect();
    }
    let has_heading = Format::chosen() != Format::Name && !is_first;
    let table = table::table(columns, rows);
    table.lines().skip(usize::from(has_heading)).map(|line| format!("{line}\n")).collect()
}

/// True if `--watch` was given.
pub fn is_asked(matches: &ArgMatches) -> bool {
    matches.try_get_one::<bool>("watch").ok().flatten().copied().unwrap_or(false)
}

/// Shows the output of `look` whenever it has changed. Ends when the reader closes the pipe, or with a refusal. Waits
/// for a daemon that becomes unreachable.
///
/// # Errors
/// Any failure of `look`, and [`Failure::Output`].
pub fn each(mut look: impl FnMut() -> Result<Output, Failure>) -> Result<Output, Failure> {
    let clears = io::stdout().is_terminal();
    let mut seen: Option<String> = None;
    loop {
        let output = if seen.is_none() { look()? } else { patiently(None, &mut look)? };
        // On a terminal it is always printed, because relative times change.
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
