//! Runs shell scripts that check this build.

use std::path::Path;
use std::process::Command;

/// Runs a script of this repository and prints its output. The script must succeed.
pub fn script(path: &str) {
    script_with(path, &[]);
}

/// Like [`script`], with these variables in its environment.
pub fn script_with(path: &str, variables: &[(&str, &str)]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let taosd = env!("CARGO_BIN_EXE_taosd");
    let built = Path::new(taosd).ancestors().nth(2).expect("the target folder");
    let mut command = Command::new(root.join(path));
    command.current_dir(root).env("TAOSD", taosd).env("CARGO_TARGET_DIR", built).envs(variables.iter().copied());
    let done = command.output().unwrap_or_else(|error| panic!("{path}: {error}"));
    print!("{}", String::from_utf8_lossy(&done.stdout));
    assert!(done.status.success(), "{path}: {}", String::from_utf8_lossy(&done.stderr));
}
