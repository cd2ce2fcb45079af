//! Runs published Python clients: makes a virtual environment with exactly the pinned packages, and runs steps in it.
//! Also installs packages of other languages once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the `drive.py` in the folder of a test target. Prints its output.
pub fn drive(folder: &str, args: &[&str]) {
    run_module(folder, "drive.py", args);
}

/// Like [`drive`], with a file of another name.
pub fn run_module(folder: &str, module: &str, args: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut drive = Command::new(python(&folder));
    print!("{}", run(drive.arg(folder.join(module)).args(args)));
}

/// Returns the interpreter of the environment. The environment is made once for each list of packages.
fn python(folder: &Path) -> PathBuf {
    let (list, name) = (folder.join("requirements.txt"), folder.file_name().expect("a folder").to_string_lossy());
    let dir = installed(&name, &list, |dir| {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(dir));
        run(Command::new(dir.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"])
            .arg(&list));
    });
    dir.join("bin/python")
}

/// Returns the folder with the packages of a list. They are installed once for each list. Other tests that want the
/// same folder wait.
pub fn installed(name: &str, list: &Path, install: impl FnOnce(&Path)) -> PathBuf {
    let pins = std::fs::read(list).unwrap_or_else(|e| panic!("{}: {e}", list.display()));
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", &blake3::hash(&pins).to_hex()[..16]));
    let lock = File::create(dir.with_extension("lock")).expect("a file to lock");
    lock.lock().expect("the turn to install");
    if !dir.join("complete").exists() {
        install(&dir);
        std::fs::write(dir.join("complete"), "").expect("the mark of a complete folder");
    }
    dir
}

fn run(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{command:?}\n{text}\n{}", String::from_utf8_lossy(&done.stderr));
    text
}
