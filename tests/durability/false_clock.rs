//! A clock that jumps, for one daemon alone: libfaketime (Debian package `faketime`) stands between it and the kernel.
//! The tests that need it are ignored: `apt install faketime`, then run them with `--ignored`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Daemon, TempDir};

/// A daemon's own clock.
pub struct FalseClock {
    library: PathBuf,
    dir: TempDir,
}

impl FalseClock {
    /// One that runs with the machine's until it is moved.
    pub fn find() -> Self {
        // The library for programs with threads: the other one now and then tells a thread the machine's own time.
        let place = |entry: fs::DirEntry| entry.path().join("faketime/libfaketimeMT.so.1");
        let mut places = fs::read_dir("/usr/lib").expect("/usr/lib").flatten().map(place);
        // Or one that was unpacked elsewhere.
        let named = std::env::var_os("TAOSD_TEST_FAKETIME").map(PathBuf::from);
        let library = named.or_else(|| places.find(|path| path.exists()));
        let clock = Self { library: library.expect("no libfaketime: apt install faketime"), dir: TempDir::new() };
        clock.jump("+0");
        clock
    }

    /// A daemon that goes by this clock; not started yet.
    pub fn daemon(&self, env: &[(&str, &str)]) -> Daemon {
        let own = self.env();
        let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Daemon::prepared(None, &[], &[env, &own].concat())
    }

    /// What a program needs in its environment to go by this clock.
    pub fn env(&self) -> [(&'static str, String); 4] {
        let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        [
            ("LD_PRELOAD", text(&self.library)),
            ("FAKETIME_TIMESTAMP_FILE", text(&self.file())),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            // A jump moves the wall clock alone.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    /// Moves it: so far from the machine's, such as `+1y` or `-1d`.
    pub fn jump(&self, offset: &str) {
        let beside = self.dir.path().join("next");
        fs::write(&beside, format!("{offset}\n")).expect("a file");
        fs::rename(beside, self.file()).expect("the clock's file");
    }

    /// A file of its own, not there yet.
    pub fn file_beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A time server has just set the clock, which is so many days ahead of the machine's.
    pub fn confirm(&self, synced: &Path, days_ahead: u64) {
        let file = fs::File::create(synced).expect("a file");
        let time = std::time::SystemTime::now() + std::time::Duration::from_secs(days_ahead * 86_400);
        file.set_modified(time).expect("its time");
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("offset")
    }
}
