//! What a command says: gathered whole, printed at its end. A command that fails has printed nothing on stdout.

use std::io::ErrorKind;

use super::failure::Failure;
use super::format::{Format, chosen_fields, is_quiet};
use crate::say::{self, Said, complain};

/// The end of a command that went well.
#[derive(Debug, Default)]
pub struct Output {
    stdout: String,
    stderr: String,
    must_arrive: bool,
    code: u8,
}

impl Output {
    /// These lines on stdout.
    pub fn text(mut text: String) -> Self {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        Self { stdout: text, ..Self::default() }
    }

    /// And this line on stderr.
    #[must_use]
    pub fn with_note(mut self, note: &str) -> Self {
        self.stderr.push_str(note);
        self.stderr.push('\n');
        self
    }

    /// What stands on stdout.
    pub fn stdout(&self) -> &str {
        &self.stdout
    }

    /// This one, and then another.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.stdout.push_str(&other.stdout);
        self.stderr.push_str(&other.stderr);
        self.must_arrive |= other.must_arrive;
        self.code = self.code.max(other.code);
        self
    }

    /// A reader that went away is a failure: what is printed cannot be had again.
    #[must_use]
    pub fn must_arrive(mut self) -> Self {
        self.must_arrive = true;
        self
    }

    /// It tells of something that is not as it should be: the exit code is 1.
    #[must_use]
    pub fn failing(mut self) -> Self {
        self.code = 1;
        self
    }

    /// Prints it where more is to come.
    ///
    /// # Errors
    /// [`Failure::Output`].
    pub fn print_more(&self) -> Result<Said, Failure> {
        let (lines, missing) = chosen_fields(&self.stdout);
        if !is_quiet() {
            complain(&self.stderr);
            for field in missing {
                complain(&format!("note: no row has the field {field}\n"));
            }
        }
        say::out(&Format::chosen().of_json_lines(&lines)).map_err(Failure::Output)
    }

    /// Prints it. The exit code.
    ///
    /// # Errors
    /// [`Failure::Output`]; a reader that has seen enough is none.
    pub fn print(self) -> Result<u8, Failure> {
        match self.print_more()? {
            Said::Unread if self.must_arrive => Err(Failure::Output(ErrorKind::BrokenPipe.into())),
            _ => Ok(self.code),
        }
    }
}
