//! The output of the two programs: the one place that writes to stdout and stderr. `println!` and the like panic if the
//! reader has closed the pipe or the disk is full, so `clippy.toml` forbids them.

use std::io::{self, ErrorKind, IsTerminal, Write};

/// Columns of a terminal of unknown width.
pub const WIDTH: usize = 80;
/// The most columns of help, even on a wider terminal: longer lines are hard to read.
const HELP_WIDTH: usize = 100;

/// The number of columns in the environment variable `COLUMNS`, if it is 20 to 1000.
pub fn asked_width() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| (20..=1000).contains(columns))
}

/// The columns of the terminal at stdout. `None` if stdout is not a terminal, or narrower than 20 columns.
pub fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col >= 20).then_some(usize::from(size.ws_col))
}

/// The columns that help may use.
pub fn help_width() -> usize {
    asked_width().or_else(terminal_width).unwrap_or(WIDTH).min(HELP_WIDTH)
}

/// The outcome of writing a text to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// The whole text was written.
    Whole,
    /// The reader has closed the pipe.
    Unread,
}

/// Writes to stdout and flushes.
///
/// # Errors
/// The text cannot be written, for example because the disk is full. A closed pipe is not an error.
pub fn out(text: &str) -> io::Result<Said> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(Said::Whole),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Said::Unread),
        Err(error) => Err(error),
    }
}

/// Writes to stderr. Ignores errors, because there is no other place to report them.
pub fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Prints clap's message: help and version to stdout, a usage error to stderr. Returns the exit code: 0, or 2 for a
/// usage error, or 1 if stdout cannot be written.
pub fn clap(program: &str, error: &clap::Error) -> u8 {
    if error.use_stderr() {
        complain(&of_clap(error, io::stderr().is_terminal()));
        return u8::try_from(error.exit_code()).unwrap_or(2);
    }
    match out(&of_clap(error, io::stdout().is_terminal())) {
        Ok(_) => 0,
        Err(error) => {
            complain(&format!("{program}: the output could not be written: {error}\n"));
            1
        }
    }
}

/// Clap's message as text; coloured on a terminal, unless `NO_COLOR` is set.
pub fn of_clap(error: &clap::Error, to_terminal: bool) -> String {
    let styled = error.render();
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if to_terminal && colours { styled.ansi().to_string() } else { styled.to_string() }
}
