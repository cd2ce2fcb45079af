//! The files that a command line names; `-` is stdin, which can be read once, so that only one argument may name it.

use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether an argument has taken stdin; a process runs one command.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Opens a file, or stdin for `-`.
///
/// # Errors
/// It cannot be opened, or stdin is taken by another argument.
pub fn open(path: &str) -> io::Result<Box<dyn Read>> {
    if path != "-" {
        return Ok(Box::new(File::open(path)?));
    }
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(io::Error::other("stdin can be read once, and two arguments name it"));
    }
    Ok(Box::new(io::stdin()))
}
