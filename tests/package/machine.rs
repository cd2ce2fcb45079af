//! A Debian box with systemd, deleted after the test.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::kept_output;

/// A box: an LXD container with systemd, which is deleted on drop.
pub struct Machine {
    name: String,
}

/// Returns a setting that `.ci/lxd` or `.ci/deb` has written. The environment overrides it.
pub fn setting(key: &str) -> Option<String> {
    let folder = std::env::var("TAOSD_CI_DIR").unwrap_or_else(|_| "/var/lib/taosd-ci".to_owned());
    let written = fs::read_to_string(Path::new(&folder).join("env")).unwrap_or_default();
    let pairs: HashMap<&str, &str> = written.lines().filter_map(|line| line.split_once('=')).collect();
    std::env::var(key).ok().or_else(|| pairs.get(key).map(|value| (*value).to_owned()))
}

fn lxc(args: &[&str]) -> Output {
    Command::new("lxc").args(args).output().expect("lxc runs")
}

impl Machine {
    /// Boots a fresh box without taosd.
    pub fn boot() -> Self {
        Self::boot_with(&[])
    }

    /// Boots a fresh box that can run containers.
    pub fn boot_privileged() -> Self {
        Self::boot_with(&["-c", "security.privileged=true"])
    }

    fn boot_with(more: &[&str]) -> Self {
        let image = setting("TAOSD_TEST_SYSTEMD_IMAGE").expect("the image is missing: run .ci/lxd deb12 first");
        let package = setting("TAOSD_TEST_DEB").filter(|file| Path::new(file).exists());
        assert!(package.is_some(), "the package is missing: run .ci/deb first");
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("taosd-box-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        // The unit's sandbox mounts file systems, which a container may do only with `security.nesting`.
        let launched = lxc(&[&["launch", &image, &name, "-c", "security.nesting=true"], more].concat());
        let machine = Self { name };
        assert!(launched.status.success(), "{}", String::from_utf8_lossy(&launched.stderr));
        machine.wait_until_up();
        machine
    }

    fn wait_until_up(&self) {
        self.wait_until("systemd is up", Duration::from_secs(60), |machine| {
            let (_, said) = machine.run("systemctl is-system-running");
            ["running", "degraded"].contains(&said.trim())
        });
    }

    /// Shuts the box down and boots it again.
    pub fn reboot(&self) {
        let done = lxc(&["restart", &self.name, "--timeout", "90"]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        self.wait_until_up();
    }

    /// Boots a box with the package of this checkout.
    pub fn with_taosd() -> Self {
        let machine = Self::boot();
        machine.install();
        machine
    }

    /// Installs the package of this checkout and returns the output of dpkg.
    pub fn install(&self) -> String {
        self.dpkg("TAOSD_TEST_DEB")
    }

    /// Installs the next version of the package and returns the output of dpkg.
    pub fn upgrade(&self) -> String {
        self.dpkg("TAOSD_TEST_DEB_NEXT")
    }

    /// Unpacks the package of this checkout without installing it.
    pub fn unpack(&self, to: &str) {
        self.push(Path::new(&setting("TAOSD_TEST_DEB").expect("a package")), "/root/taosd.deb");
        self.good(&format!("dpkg-deb --extract /root/taosd.deb {to} && rm /root/taosd.deb"));
    }

    fn dpkg(&self, package: &str) -> String {
        let file = setting(package).expect("a package");
        self.push(Path::new(&file), "/root/taosd.deb");
        self.good("DEBIAN_FRONTEND=noninteractive dpkg --install --force-confold /root/taosd.deb 2>&1")
    }

    /// Copies a file into the box.
    pub fn push(&self, file: &Path, to: &str) {
        let place = format!("{}{to}", self.name);
        let pushed = lxc(&["file", "push", "--quiet", file.to_str().expect("UTF-8"), &place]);
        assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));
    }

    /// Copies a folder, including links, into a folder of the box.
    pub fn push_folder(&self, folder: &Path, to: &str) {
        let (parent, name) = (folder.parent().expect("a parent"), folder.file_name().expect("a name"));
        let script = format!("mkdir -p {to} && tar -C {to} -xf -");
        let mut tar =
            Command::new("tar").arg("-C").arg(parent).arg("-cf").arg("-").arg(name).stdout(Stdio::piped()).spawn();
        let archive = tar.as_mut().expect("tar runs").stdout.take().expect("a pipe");
        let pushed = Command::new("lxc").args(["exec", &self.name, "--", "sh", "-c", &script]).stdin(archive).status();
        assert!(pushed.is_ok_and(|status| status.success()) && tar.is_ok_and(|mut tar| tar.wait().is_ok()));
    }

    /// Writes a file in the box.
    pub fn write(&self, to: &str, text: &str) {
        let script = format!("mkdir -p \"$(dirname {to})\" && cat > {to} <<'END_OF_FILE'\n{text}\nEND_OF_FILE");
        self.good(&script);
    }

    /// Runs a bash script in the box as root. Returns whether it succeeded, and its output.
    pub fn run(&self, script: &str) -> (bool, String) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let exec = |script: &str| lxc(&["exec", &self.name, "--", "bash", "-c", script]);
        let file = format!("/run/said-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        kept_output::run(exec, "cat", &file, script)
    }

    /// Like [`Machine::run`], but panics if the script fails. Returns the output without the last line feed.
    #[track_caller]
    pub fn good(&self, script: &str) -> String {
        let (good, said) = self.run(&format!("set -euo pipefail\n{script}"));
        if !good {
            let (_, log) = self.run("journalctl --unit taosd --no-pager --lines 30");
            panic!("{script}\n{said}\n--- journal ---\n{log}");
        }
        said.trim_end().to_owned()
    }

    /// Sends a request to the daemon from inside the box as the operator. Returns the status and the body.
    pub fn request(&self, method: &str, path: &str, body: Option<&str>) -> (u16, String) {
        self.request_as("Authorization: Bearer $(cat /var/lib/taosd/operator.token)", method, path, body)
    }

    /// Like [`Machine::request`], but with `header` in place of the operator's. The box's shell expands `$(...)` in it.
    pub fn request_as(&self, header: &str, method: &str, path: &str, body: Option<&str>) -> (u16, String) {
        let body = body.map(|body| format!("--json '{body}'")).unwrap_or_default();
        let (_, said) = self.run(&format!(
            "curl -sS --max-time 20 -w '\\n%{{http_code}}' -X {method} -H \"{header}\" {body} 'http://127.0.0.1:6969{path}'"
        ));
        let (body, status) = said.trim_end().rsplit_once('\n').unwrap_or(("", &said));
        (status.parse().unwrap_or(0), body.to_owned())
    }

    /// Waits until `is_so` is true and returns how long that took.
    #[track_caller]
    pub fn wait_until(&self, what: &str, at_most: Duration, is_so: impl Fn(&Self) -> bool) -> Duration {
        let began = Instant::now();
        while !is_so(self) {
            if began.elapsed() > at_most {
                let (_, log) = self.run("systemctl status taosd --no-pager; journalctl -u taosd --no-pager --lines 30");
                panic!("not within {at_most:?}: {what}\n{log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        began.elapsed()
    }

    /// The daemon's process id.
    pub fn main_pid(&self) -> u32 {
        self.good("systemctl show taosd --property MainPID --value").parse().unwrap_or(0)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = lxc(&["delete", "--force", &self.name]);
    }
}

/// Returns a text field of a JSON object.
#[track_caller]
pub fn field(json: &str, name: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"));
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {json}")).to_owned()
}
