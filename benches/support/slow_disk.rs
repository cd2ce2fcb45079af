//! Simulates a disk with a slow `fsync`, such as an SD card, with a library that is preloaded into the bench and its
//! daemon.

use std::process::{Command, Stdio};

use super::daemon::TempDir;

/// The variable that sets how many milliseconds longer each `fsync` and `fdatasync` takes.
const ASKED: &str = "BENCH_FSYNC_MS";

const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
static int slowly(const char *name, int fd) {
    long ms = atol(getenv("BENCH_FSYNC_MS"));
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
    return ((int (*)(int)) dlsym(RTLD_NEXT, name))(fd);
}
int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
"#;

/// Runs this program again with the slow disk if the environment asks for it. Returns false if it does not.
pub fn run_on_it_if_asked() -> bool {
    if std::env::var(ASKED).is_err() || std::env::var("LD_PRELOAD").is_ok() {
        return false;
    }
    let dir = TempDir::new();
    let (source, library) = (dir.path().join("slow.c"), dir.path().join("slow.so"));
    std::fs::write(&source, SOURCE).expect("a file");
    let built =
        Command::new("cc").args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    assert!(built.expect("a C compiler").success(), "the C compiler failed");
    let mut again = Command::new(std::env::current_exe().expect("this program"));
    let ran = again.args(std::env::args().skip(1)).env("LD_PRELOAD", &library).stdin(Stdio::null()).status();
    assert!(ran.expect("this program").success());
    true
}
