//! `--watch`: a list shown again and again until interrupted.

use std::io::{self, IsTerminal};
use std::thread::sleep;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
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
