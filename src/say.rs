//! What the two programs print: the one place that writes to stdout and stderr. `println!` and its like panic when
//! nobody reads any more or the disk is full, and `clippy.toml` forbids them.

use std::io::{self, ErrorKind, IsTerminal, Write};

/// Columns of a terminal that does not tell its width.
pub const WIDTH: usize = 80;
/// Columns of help on a terminal that is wider: longer lines are hard to read.
const HELP_WIDTH: usize = 100;

/// Columns that somebody asked for with `COLUMNS`.
pub fn asked_width() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| (20..=1000).contains(columns))
}

/// Columns of the terminal that stdout is.
pub fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col >= 20).then_some(usize::from(size.ws_col))
}

/// Columns that help may take.
pub fn help_width() -> usize {
    asked_width().or_else(terminal_width).unwrap_or(WIDTH).min(HELP_WIDTH)
}

/// What became of a text on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It was written.
    Whole,
    /// The reader has seen enough and went away.
    Unread,
}

/// Writes to stdout, past every buffer of ours.
///
/// # Errors
/// It cannot be written, such as to a full disk. A reader that went away is no error.
pub fn out(text: &str) -> io::Result<Said> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(Said::Whole),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Said::Unread),
        Err(error) => Err(error),
    }
}

/// Writes to stderr. Where that cannot be written there is nobody to tell.
pub fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Prints what clap has to say instead of arguments: help and version to stdout, a misuse to stderr. The exit code: 0, or
/// 2 for a misuse, or 1 where stdout cannot be written.
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

/// What clap has to say; coloured on a terminal, unless `NO_COLOR` is set.
pub fn of_clap(error: &clap::Error, to_terminal: bool) -> String {
    let styled = error.render();
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if to_terminal && colours { styled.ansi().to_string() } else { styled.to_string() }
}
