//! Small file systems for the tests of full and read-only disks. They need root, so those tests are ignored:
//! `cargo test --test durability -- --ignored --skip write_the_dump`.

#![allow(dead_code, reason = "each test target uses its own part of this")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::TempDir;

/// A mounted file system. It is unmounted and removed when this value is dropped.
pub struct Mount {
    dir: TempDir,
    at: PathBuf,
}

fn run(program: &str, args: &[&str]) -> bool {
    let status = Command::new(program).args(args).stdin(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn mount(args: &[&str], dir: TempDir) -> Mount {
    let at = dir.path().join("m");
    fs::create_dir(&at).expect("a mount point");
    assert!(run("mount", &[args, &[at.to_str().expect("a path")]].concat()), "mount {args:?} needs root");
    Mount { dir, at }
}

impl Mount {
    /// Mounts a file system of `kib` KiB in memory.
    pub fn tmpfs(kib: u32) -> Self {
        mount(&["-t", "tmpfs", "-o", &format!("size={kib}k"), "taosd-test"], TempDir::new())
    }

    /// Mounts an ext4 file system in a file. It turns read-only at the first error, as on a failing SD card.
    pub fn ext4() -> Self {
        let dir = TempDir::new();
        let image = dir.path().join("image");
        let path = image.to_str().expect("a path").to_owned();
        fs::File::create(&image).and_then(|file| file.set_len(32 << 20)).expect("an image file");
        assert!(run("mkfs.ext4", &["-q", "-F", &path]), "no mkfs.ext4: apt install e2fsprogs");
        // The journal is written when a file is synced, and otherwise seldom. So a power cut loses only data that was
        // not synced.
        mount(&["-o", "loop,errors=remount-ro,commit=300", &path], dir)
    }

    /// The mount point.
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Mounts a copy of the ext4 as a power cut now would leave it: without the data that was not yet written to the
    /// device. Nothing may write to it meanwhile.
    pub fn after_a_power_cut(&self) -> Self {
        let dir = TempDir::new();
        let image = dir.path().join("image");
        fs::copy(self.dir.path().join("image"), &image).expect("a copy of the device");
        mount(&["-o", "loop", image.to_str().expect("a path")], dir)
    }

    /// Makes an ext4 report an error. The kernel then makes it read-only, even with open files.
    pub fn break_down(&self) {
        let output = Command::new("findmnt").args(["-no", "SOURCE"]).arg(&self.at).output();
        let source = output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default();
        let device = source.rsplit('/').next().unwrap_or_default();
        let trigger = format!("/sys/fs/ext4/{device}/trigger_fs_error");
        fs::write(&trigger, "test").unwrap_or_else(|error| panic!("{trigger}, for {source}: {error}"));
    }

    /// Mounts the file system again, read-only. No file on it may be open.
    pub fn remount_read_only(&self) {
        assert!(run("mount", &["-o", "remount,ro", self.at.to_str().expect("a path")]), "a read-only remount");
    }

    /// Takes all remaining room, also in later calls. [`Mount::make_room`] gives it back.
    pub fn fill(&self) {
        let mut ballast = fs::OpenOptions::new().create(true).append(true).open(self.ballast()).expect("ballast");
        for size in [64 * 1024, 4096, 512, 1] {
            while std::io::Write::write_all(&mut ballast, &vec![0; size]).is_ok() {}
        }
    }

    /// Gives back `bytes` of the room that [`Mount::fill`] took.
    pub fn leave(&self, bytes: u64) {
        let ballast = fs::OpenOptions::new().write(true).open(self.ballast()).expect("ballast");
        let taken = ballast.metadata().expect("ballast").len();
        ballast.set_len(taken.saturating_sub(bytes)).expect("a smaller ballast");
    }

    /// Gives back all room that [`Mount::fill`] took.
    pub fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("ballast");
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let at = self.at.to_str().unwrap_or_default();
        let _ = run("umount", &[at]) || run("umount", &["-l", at]);
        let _ = &self.dir;
    }
}
