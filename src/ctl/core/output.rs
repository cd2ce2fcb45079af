//! What a command says: gathered whole, printed at its end. A command that fails has printed nothing on stdout.

use std::io::{self, Write};

use super::failure::Failure;

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

    /// Prints it. The exit code.
    ///
    /// # Errors
    /// [`Failure::Output`]; a reader that has seen enough is none.
    pub fn print(self) -> Result<u8, Failure> {
        complain(&self.stderr);
        let mut stdout = io::stdout().lock();
        match stdout.write_all(self.stdout.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe || self.must_arrive => Err(Failure::Output(error)),
            _ => Ok(self.code),
        }
    }
}

/// Writes to stderr. Where that cannot be written there is nobody to tell.
pub fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
