//! Questions to a person: only where there is one.

use std::io::{self, BufRead, IsTerminal, Read};

use clap::{Arg, ArgAction};

use super::failure::Failure;
use super::format::is_quiet;
use super::text;
use crate::say::complain;
use crate::secret::Plaintext;

/// Bytes of an answer that are read.
const ANSWER: u64 = 1024;

/// `--yes`; other command lines call it `--force`.
pub fn yes() -> Arg {
    Arg::new("yes").long("yes").alias("force").short('y').action(ArgAction::SetTrue).help("Do not ask")
}

/// Asks whether to go on.
///
/// # Errors
/// Where there is no terminal to ask on, or the answer is not yes.
pub fn confirm(question: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::usage("This needs a confirmation, but there is no terminal.", "Add --yes."));
    }
    complain(&format!("{} [y/N] ", text::clean(question)));
    let mut answer = String::new();
    let read = io::stdin().lock().take(ANSWER).read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::usage("Not confirmed; nothing was done.", "Answer y, or add --yes."))
}

/// Says what is about to happen, and asks whether to go on where there is somebody to ask. A script goes on.
///
/// # Errors
/// The answer is not yes.
pub fn warn(warning: &str, yes: bool) -> Result<(), Failure> {
    if yes || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        if !is_quiet() {
            complain(&format!("note: {}\n", text::clean(warning)));
        }
        return Ok(());
    }
    confirm(&format!("{warning} Go on?"))
}

/// Asks for a token without showing it. `option` is what names a file with one instead.
///
/// # Errors
/// Where there is no terminal to ask on.
pub fn token(option: &str) -> Result<Plaintext, Failure> {
    rpassword::prompt_password("Token: ").map(Plaintext::new).map_err(|_| {
        let fix = format!("Name a file with --{option}; - reads stdin.");
        Failure::usage("There is no terminal to prompt for the token.", fix)
    })
}
