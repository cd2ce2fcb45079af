//! A disk that fails at the write or sync that the test chooses.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{Daemon, TempDir};

/// How the disk fails. The numbers are those of `faulty_disk.c`.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// One write or sync fails.
    Broken = 1,
    /// One write fails for lack of room.
    Full = 2,
    /// One write takes only half of its bytes.
    Short = 3,
    /// One write or sync takes five seconds.
    Slow = 4,
    /// From one write on, none succeeds.
    Dead = 5,
    /// One write or sync takes a minute.
    Stuck = 6,
}

/// The disk of one daemon.
pub struct FaultyDisk {
    dir: TempDir,
    round: u64,
}

impl FaultyDisk {
    /// Builds the library that stands between the daemon and its disk.
    pub fn new() -> Self {
        let dir = TempDir::new();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/durability/faulty_disk.c");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O2", "-o"]).arg(dir.path().join("disk.so")).args([source, "-ldl"]);
        assert!(cc.status().expect("a C compiler, which the build needs too").success());
        Self { dir, round: 0 }
    }

    /// Starts a daemon with its data on this disk.
    pub fn daemon(&self, settings: &[(&str, &str)]) -> Daemon {
        let at = |name: &str| self.dir.path().join(name).to_str().expect("a path").to_owned();
        let (data, library, control, fired) = (at("d"), at("disk.so"), at("control"), at("fired"));
        let disk = [
            ("LD_PRELOAD", library.as_str()),
            ("FAULT_DIR", &data),
            ("FAULT_CONTROL", &control),
            ("FAULT_FIRED", &fired),
        ];
        let mut daemon = Daemon::prepared(Some(&PathBuf::from(&data)), &[], &[settings, &disk].concat());
        daemon.spawn();
        daemon
    }

    /// Makes the disk fail like this at the `nth` write or sync from now on.
    pub fn fail(&mut self, fault: Fault, nth: u32) {
        self.round += 1;
        self.say(&format!("{} {} {nth}", self.round, fault as u8));
    }

    /// Makes the disk work again. Returns true if it had failed.
    pub fn mend(&self) -> bool {
        self.say("0 0 0");
        self.has_failed()
    }

    /// Returns true if the disk has failed since the last [`FaultyDisk::fail`].
    pub fn has_failed(&self) -> bool {
        fs::read_to_string(self.dir.path().join("fired")).is_ok_and(|round| round == self.round.to_string())
    }

    fn say(&self, what: &str) {
        let (new, control) = (self.dir.path().join("control.new"), self.dir.path().join("control"));
        fs::write(&new, what).and_then(|()| fs::rename(new, control)).expect("the control file");
    }
}
