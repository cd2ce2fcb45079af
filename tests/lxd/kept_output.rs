//! Scripts in containers. LXD loses what a command writes that ends before LXD listens, and now and then the command
//! itself: so a script's output is kept in a file inside, which is read until all of it has come.

use std::process::Output;
use std::time::{Duration, Instant};

/// How long a script may take.
const AT_MOST: Duration = Duration::from_secs(120);

/// Runs a script through `exec`, which has a shell inside run a line: whether it went well, and all that it wrote.
/// `cat` is how the container shows a file, `file` a new one.
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
