//! The progress bar of a database copy, if stderr is a terminal.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::threads::{Pause, Periodic};

/// The time between two looks at the copy.
const LOOK: Duration = Duration::from_millis(100);

/// Shows a progress bar until it is dropped. Shows nothing if stderr is not a terminal.
pub(super) struct Copying {
    _looks: Option<Periodic>,
}

impl Copying {
    /// Shows the progress of a copy of `file`, including its write-ahead log, into a file of this process in `dir`.
    pub(super) fn of(file: &Path, dir: &Path) -> Self {
        let mut wal = file.to_owned().into_os_string();
        wal.push("-wal");
        let bytes = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
        let size = bytes(file) + bytes(Path::new(&wal));
        let style = ProgressStyle::with_template("{spinner} {msg} {bar:30} {bytes}/{total_bytes} ({elapsed})");
        let looks = style.ok().filter(|_| io::stderr().is_terminal()).and_then(|style| {
            let bar = ProgressBar::new(size).with_style(style.progress_chars("━╸ ")).with_message("copying");
            let dir = dir.to_owned();
            Periodic::start("progress", move |pause| look(&bar, size, &dir, pause)).ok()
        });
        Self { _looks: looks }
    }
}

fn look(bar: &ProgressBar, size: u64, dir: &Path, pause: &Pause) {
    let mut most = 0;
    let mut goes_on = true;
    while goes_on {
        goes_on = pause.lasts(LOOK);
        let copy = copy_in(dir).and_then(|copy| fs::metadata(copy).ok());
        // The copy has been renamed to its final place if its temporary name is gone.
        if size > 0 && (most >= size || (most > 0 && copy.is_none())) {
            bar.set_message("checking");
        }
        most = copy.map_or(most, |meta| most.max(meta.len()));
        bar.set_position(most.min(size));
    }
    bar.finish_and_clear();
}

/// The directory of a file, which need not exist yet.
pub(super) fn dir_of(file: &Path) -> &Path {
    file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file in `dir` that this process is writing. The store puts the process id into its name.
fn copy_in(dir: &Path) -> Option<PathBuf> {
    let own = format!(".{}.", std::process::id());
    let is_own = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with('.') && name.contains(&own))
    };
    fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path()).find(is_own)
}
