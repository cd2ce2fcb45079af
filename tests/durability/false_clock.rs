//! A clock that jumps, for one daemon only: libfaketime (Debian package `faketime`) stands between the daemon and the
//! kernel. The tests that need it are ignored: `apt install faketime`, then run them with `--ignored`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Daemon, TempDir};

/// The clock of one daemon.
pub struct FalseClock {
    library: PathBuf,
    dir: TempDir,
}

impl FalseClock {
    /// Makes a clock that follows the machine's until it is moved.
    pub fn find() -> Self {
        // The library for programs with threads. The other library sometimes returns the machine's real time to a
        // thread.
        let place = |entry: fs::DirEntry| entry.path().join("faketime/libfaketimeMT.so.1");
        let mut places = fs::read_dir("/usr/lib").expect("/usr/lib").flatten().map(place);
        // A library that was unpacked elsewhere.
        let named = std::env::var_os("TAOSD_TEST_FAKETIME").map(PathBuf::from);
        let library = named.or_else(|| places.find(|path| path.exists()));
        let clock = Self { library: library.expect("no libfaketime: apt install faketime"), dir: TempDir::new() };
        clock.jump("+0");
        clock
    }

    /// Prepares a daemon with this clock. Does not start it.
    pub fn daemon(&self, env: &[(&str, &str)]) -> Daemon {
        let own = self.env();
        let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Daemon::prepared(None, &[], &[env, &own].concat())
    }

    /// The environment variables that give a program this clock.
    pub fn env(&self) -> [(&'static str, String); 4] {
        let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        [
            ("LD_PRELOAD", text(&self.library)),
            ("FAKETIME_TIMESTAMP_FILE", text(&self.file())),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            // A jump moves only the wall clock.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    /// Moves the clock to this offset from the machine's, such as `+1y` or `-1d`.
    pub fn jump(&self, offset: &str) {
        let beside = self.dir.path().join("next");
        fs::write(&beside, format!("{offset}\n")).expect("a file");
        fs::rename(beside, self.file()).expect("the clock's file");
    }

    /// Returns the path of a file in the clock's directory. Does not create the file.
    pub fn file_beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes `synced` as if a time server had just set the clock, which is `days_ahead` days ahead of the machine's.
    pub fn confirm(&self, synced: &Path, days_ahead: u64) {
        let file = fs::File::create(synced).expect("a file");
        let time = std::time::SystemTime::now() + std::time::Duration::from_secs(days_ahead * 86_400);
        file.set_modified(time).expect("its time");
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("offset")
    }
}
