//! Scripts in containers. LXD loses the output of a command that ends before LXD listens, and now and then the command
//! itself. So a script writes its output into a file inside, which is read until it is complete.

use std::process::Output;
use std::time::{Duration, Instant};

/// The longest time that a script may take.
const AT_MOST: Duration = Duration::from_secs(120);

/// Runs a script by `exec`, which lets a shell inside run a line. Returns whether it succeeded, and all its output.
/// `cat` is the command that shows a file in the container, `file` the path of a new file.
pub fn run(exec: impl Fn(&str) -> Output, cat: &str, file: &str, script: &str) -> (bool, String) {
    let whole = format!("(\n{script}\n) >{file} 2>&1; printf '\\n--ended-- %s\\n' $? >>{file}; {cat} {file}");
    let again = format!("if [ -e {file} ]; then {cat} {file}; else\n{whole}; fi");
    let (until, mut output) = (Instant::now() + AT_MOST, exec(&whole));
    loop {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if let Some((said, status)) = said.rsplit_once("\n--ended-- ").filter(|_| said.ends_with('\n')) {
            return (status.trim() == "0", said.to_owned());
        }
        if Instant::now() > until {
            return (false, format!("{said}{}", String::from_utf8_lossy(&output.stderr)));
        }
        std::thread::sleep(Duration::from_millis(100));
        output = exec(&again);
    }
}
