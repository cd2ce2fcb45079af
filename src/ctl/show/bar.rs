//! The progress of slow work: a bar if stderr is a terminal, otherwise one line per step.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::ctl::core::format::is_quiet;
use crate::ctl::core::text;
use crate::say::complain;

/// The time between two frames of the spinner, which shows that the work continues.
const TICK: Duration = Duration::from_millis(120);

/// The progress of one piece of work.
pub struct Bar {
    bar: Option<ProgressBar>,
    told: String,
}

impl Bar {
    /// A bar of this length; `template` is its layout.
    fn new(length: u64, template: &str) -> Self {
        let style = ProgressStyle::with_template(template).map(|style| style.progress_chars("━╸ "));
        let bar = style
            .ok()
            .filter(|_| io::stderr().is_terminal() && !is_quiet())
            .map(|style| ProgressBar::new(length).with_style(style));
        Self { bar, told: String::new() }
    }

    /// A bar for work that has steps and reports a percentage.
    pub fn of_steps() -> Self {
        Self::new(100, "{spinner} {prefix} {bar:24} {pos:>3} %  {msg} ({elapsed})")
    }

    /// A bar for a transfer of so many bytes; `what` is its label.
    pub fn of_bytes(what: &'static str, bytes: u64) -> Self {
        let this = Self::new(bytes, "{msg} {bar:20} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left");
        if let Some(bar) = &this.bar {
            bar.set_message(what);
        }
        this
    }

    /// Shows the current step and the percentage.
    pub fn step(&mut self, kind: &str, step: &str, percent: u64) {
        let (kind, step) = (text::clean(kind), text::clean(step));
        if let Some(bar) = &self.bar {
            bar.set_prefix(kind);
            bar.set_message(step);
            bar.set_position(percent.min(100));
            if self.told.is_empty() {
                // The spinner starts with the first step: short work needs no bar.
                bar.enable_steady_tick(TICK);
                self.told.push('.');
            }
            return;
        }
        let news = format!("{kind}: {step} ({percent} %)\n");
        if news != self.told && !is_quiet() {
            complain(&news);
            self.told = news;
        }
    }

    /// Shows the number of bytes transferred.
    pub fn bytes(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    /// Removes the bar. The result is printed elsewhere.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.end();
    }
}
