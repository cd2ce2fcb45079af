//! How far a copy of a database is, where a person looks at stderr.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Between two looks at the copy.
const LOOK: Duration = Duration::from_millis(100);

/// Shows a bar until it is dropped. Where stderr is no terminal there is none.
pub(super) struct Copying {
    ended: Arc<AtomicBool>,
    looks: Option<JoinHandle<()>>,
}

impl Copying {
    /// Of this file into a file of this process beside the database of `data_dir`.
    pub(super) fn of(file: &Path, data_dir: &Path) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let size = fs::metadata(file).map_or(0, |meta| meta.len());
        let style = ProgressStyle::with_template("{spinner} {msg} {bar:30} {bytes}/{total_bytes} ({elapsed})");
        let looks = style.ok().filter(|_| io::stderr().is_terminal()).and_then(|style| {
            let bar = ProgressBar::new(size).with_style(style.progress_chars("━╸ ")).with_message("copying");
            let (ended, dir) = (Arc::clone(&ended), data_dir.to_owned());
            thread::Builder::new().name("progress".into()).spawn(move || look(&bar, size, &dir, &ended)).ok()
        });
        Self { ended, looks }
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // It shows nothing that could be lost.
        let _ = self.looks.take().map(JoinHandle::join);
    }
}

fn look(bar: &ProgressBar, size: u64, dir: &Path, ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        thread::sleep(LOOK);
        let written = copy_in(dir).and_then(|copy| fs::metadata(copy).ok()).map_or(0, |meta| meta.len());
        if size > 0 && written >= size {
            bar.set_message("checking");
        }
        bar.set_position(written.min(size));
    }
    bar.finish_and_clear();
}

/// The file that this process is writing there: the store names it after the process.
fn copy_in(dir: &Path) -> Option<PathBuf> {
    let own = format!(".{}.", std::process::id());
    let is_own = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with('.') && name.contains(&own))
    };
    fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path()).find(is_own)
}
