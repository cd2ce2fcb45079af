//! How far slow work is: a bar where a person looks at stderr, else a line for each step.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::ctl::core::format::is_quiet;
use crate::ctl::core::text;
use crate::say::complain;

/// Between two turns of the mark that says that the work goes on.
const TICK: Duration = Duration::from_millis(120);

/// The progress of one piece of work.
pub struct Bar {
    bar: Option<ProgressBar>,
    told: String,
}

impl Bar {
    /// A bar of so much: `template` says what stands in it.
    fn new(length: u64, template: &str) -> Self {
        let style = ProgressStyle::with_template(template).map(|style| style.progress_chars("━╸ "));
        let bar = style
            .ok()
            .filter(|_| io::stderr().is_terminal() && !is_quiet())
            .map(|style| ProgressBar::new(length).with_style(style));
        Self { bar, told: String::new() }
    }

    /// Of work that goes on in steps and tells its percent.
    pub fn of_steps() -> Self {
        Self::new(100, "{spinner} {prefix} {bar:24} {pos:>3} %  {msg} ({elapsed})")
    }

    /// Of a transfer of so many bytes: `what` is done.
    pub fn of_bytes(what: &'static str, bytes: u64) -> Self {
        let this = Self::new(bytes, "{msg} {bar:20} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left");
        if let Some(bar) = &this.bar {
            bar.set_message(what);
        }
        this
    }

    /// Where the work stands.
    pub fn step(&mut self, kind: &str, step: &str, percent: u64) {
        let (kind, step) = (text::clean(kind), text::clean(step));
        if let Some(bar) = &self.bar {
            bar.set_prefix(kind);
            bar.set_message(step);
            bar.set_position(percent.min(100));
            if self.told.is_empty() {
                // Not before there is something to show: short work needs no bar.
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

    /// How many bytes have gone.
    pub fn bytes(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    /// Takes the bar away: what was done is said elsewhere.
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
