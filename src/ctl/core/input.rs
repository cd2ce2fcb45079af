//! Opens the files named on the command line. `-` is stdin. Stdin can be read only once, so only one argument may name
//! it.

use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};

/// True once an argument has opened stdin. A process runs one command.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Opens a file, or stdin for `-`.
///
/// # Errors
/// The file cannot be opened, or another argument has opened stdin.
pub fn open(path: &str) -> io::Result<Box<dyn Read>> {
    if path != "-" {
        return Ok(Box::new(File::open(path)?));
    }
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(io::Error::other("stdin can be read once, and two arguments name it"));
    }
    Ok(Box::new(io::stdin()))
}
