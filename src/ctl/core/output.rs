//! The output of a command: collected first and printed at the end. A command that fails has printed nothing on stdout.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::failure::Failure;
use super::format::{Format, NEXT_DOCUMENT, chosen_fields, is_quiet};
use crate::say::{self, Said, complain};

/// The result of a successful command.
#[derive(Debug, Default)]
pub struct Output {
    stdout: String,
    stderr: String,
    must_arrive: bool,
    code: u8,
    rows: Option<&'static str>,
}

/// The missing fields that were told already. A followed list prints many times.
static TOLD: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

/// True once something was printed: what follows in YAML is another document.
static HAS_PRINTED: AtomicBool = AtomicBool::new(false);

fn is_news(field: &'static str) -> bool {
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    let is_news = !told.contains(&field);
    if is_news {
        told.push(field);
    }
    is_news
}

impl Output {
    /// Output with this text on stdout.
    pub fn text(mut text: String) -> Self {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        Self { stdout: text, ..Self::default() }
    }

    /// Adds a line on stderr.
    #[must_use]
    pub fn with_note(mut self, note: &str) -> Self {
        self.stderr.push_str(note);
        self.stderr.push('\n');
        self
    }

    /// Names the field of the JSON that holds the rows.
    #[must_use]
    pub fn with_rows(mut self, field: &'static str) -> Self {
        self.rows = Some(field);
        self
    }

    /// The text on stdout.
    pub fn stdout(&self) -> &str {
        &self.stdout
    }

    /// Appends another output.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.stdout.push_str(&other.stdout);
        self.stderr.push_str(&other.stderr);
        self.must_arrive |= other.must_arrive;
        self.code = self.code.max(other.code);
        self.rows = self.rows.or(other.rows);
        self
    }

    /// Makes a closed stdout a failure: this output cannot be printed a second time.
    #[must_use]
    pub fn must_arrive(mut self) -> Self {
        self.must_arrive = true;
        self
    }

    /// Makes the exit code 1, because the output reports a problem.
    #[must_use]
    pub fn failing(mut self) -> Self {
        self.code = 1;
        self
    }

    /// Makes the exit code this one, unless it is higher already.
    #[must_use]
    pub fn ending_with(mut self, code: u8) -> Self {
        self.code = self.code.max(code);
        self
    }

    /// Prints the output when more will follow.
    ///
    /// # Errors
    /// [`Failure::Output`] if stdout cannot be written.
    pub fn print_more(&self) -> Result<Said, Failure> {
        let (lines, missing) = chosen_fields(&self.stdout, self.rows);
        if !is_quiet() {
            complain(&self.stderr);
            missing.into_iter().filter(|field| is_news(field)).for_each(|field| {
                complain(&format!("note: no row has the field {field}\n"));
            });
        }
        let mut text = Format::chosen().of_json_lines(&lines, self.rows);
        if Format::chosen() == Format::Yaml && !text.is_empty() && HAS_PRINTED.swap(true, Ordering::Relaxed) {
            text.insert_str(0, NEXT_DOCUMENT);
        }
        say::out(&text).map_err(Failure::Output)
    }

    /// Prints the output. Returns the exit code.
    ///
    /// # Errors
    /// [`Failure::Output`] if stdout cannot be written. A reader that closes the pipe is an error only after
    /// [`Self::must_arrive`].
    pub fn print(self) -> Result<u8, Failure> {
        match self.print_more()? {
            Said::Unread if self.must_arrive => Err(Failure::Output(ErrorKind::BrokenPipe.into())),
            _ => Ok(self.code),
        }
    }
}
