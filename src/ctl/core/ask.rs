//! Questions to a person, only at a terminal.

use std::io::{self, BufRead, IsTerminal, Read};

use clap::{Arg, ArgAction};

use super::failure::Failure;
use super::format::is_quiet;
use super::text;
use crate::say::complain;
use crate::secret::Plaintext;

/// The most bytes of an answer.
const ANSWER: u64 = 1024;

/// `--yes`; its alias is `--force`, as in other command lines.
pub fn yes() -> Arg {
    Arg::new("yes").long("yes").alias("force").short('y').action(ArgAction::SetTrue).help("Do not ask")
}

/// Asks whether to continue.
///
/// # Errors
/// [`Failure::Usage`] if there is no terminal, or the answer is not yes.
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

/// Prints a warning and, at a terminal, asks whether to continue. Without a terminal, or with `yes`, it continues.
///
/// # Errors
/// [`Failure::Usage`] if the answer is not yes.
pub fn warn(warning: &str, yes: bool) -> Result<(), Failure> {
    if yes || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        if !is_quiet() {
            complain(&format!("note: {}\n", text::clean(warning)));
        }
        return Ok(());
    }
    confirm(&format!("{warning} Go on?"))
}

/// Asks for a token without showing it. `option` is the flag that names a file with a token instead.
///
/// # Errors
/// [`Failure::Usage`] if there is no terminal.
pub fn token(option: &str) -> Result<Plaintext, Failure> {
    rpassword::prompt_password("Token: ").map(Plaintext::new).map_err(|_| {
        let fix = format!("Name a file with --{option}; - reads stdin.");
        Failure::usage("There is no terminal to prompt for the token.", fix)
    })
}
