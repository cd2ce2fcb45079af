//! The runtimes of the tests, containers that are deleted at the end, and ways to look into them from outside.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use taosd::containers::{
    ClassicLxc, ContainerName, ContainerPath, ContainerState, CreateSpec, Driver, EnvChange, EnvKey, EnvValue,
    ImageName, IncusLxd, Runtime,
};

/// A runtime to test on.
pub struct TestRuntime {
    pub driver: Arc<dyn Driver>,
    pub image: ImageName,
}

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A name that no other test has, neither in this run nor in another one at the same time.
pub fn unique() -> String {
    format!("t{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// A variable of the environment, or else of the file that `.ci/lxd` wrote.
pub fn setting(key: &str) -> Option<String> {
    let folder = std::env::var("TAOSD_CI_DIR").unwrap_or_else(|_| "/var/lib/taosd-ci".to_owned());
    let written = fs::read_to_string(Path::new(&folder).join("env")).unwrap_or_default();
    let mut pairs: HashMap<&str, &str> = written.lines().filter_map(|line| line.split_once('=')).collect();
    std::env::var(key).ok().or_else(|| pairs.remove(key).map(str::to_owned))
}

/// The runtime with a REST API on which the tests run: Incus or LXD.
pub fn rest() -> Runtime {
    if setting("TAOSD_TEST_INCUS_SOCKET").is_some() { Runtime::Incus } else { Runtime::Lxd }
}

fn prefix(rest: Runtime) -> &'static str {
    if rest == Runtime::Incus { "TAOSD_TEST_INCUS" } else { "TAOSD_TEST_LXD" }
}

/// The runtime's own client.
pub fn client() -> &'static str {
    if rest() == Runtime::Incus { "incus" } else { "lxc" }
}

fn missing(runtime: &str, why: &str) -> ! {
    panic!("{runtime} is missing: {why}; run .ci/lxd, or .ci/incus for Incus")
}

impl TestRuntime {
    /// The real Incus if `.ci/incus` runs the tests, else the real LXD.
    pub fn rest() -> Self {
        let rest = rest();
        let Some(socket) = Self::rest_socket().filter(|socket| socket.exists()) else {
            missing(rest.title(), "it is not provisioned")
        };
        let driver = IncusLxd::new(rest, &socket);
        if let Err(error) = driver.info(soon()) {
            missing(rest.title(), &error.to_string());
        }
        Self { driver: Arc::new(driver), image: image(&format!("{}_IMAGE", prefix(rest))) }
    }

    /// The path of that runtime's socket.
    pub fn rest_socket() -> Option<PathBuf> {
        setting(&format!("{}_SOCKET", prefix(rest()))).map(PathBuf::from)
    }

    /// The real classic LXC.
    pub fn classic() -> Self {
        Self { driver: Arc::new(Self::classic_driver()), image: image("TAOSD_TEST_LXC_IMAGE") }
    }

    pub fn classic_driver() -> ClassicLxc {
        let places = setting("TAOSD_TEST_LXC_PATH").zip(setting("TAOSD_TEST_LXC_IMAGES"));
        let Some((path, images)) = places.filter(|(_, images)| Path::new(images).is_dir()) else {
            missing("classic LXC", "it is not provisioned")
        };
        ClassicLxc::find(Path::new(&path), Path::new(&images))
            .unwrap_or_else(|| missing("classic LXC", "its tools are not installed"))
    }

    /// The image with systemd in it.
    pub fn systemd_image() -> ImageName {
        let image = setting("TAOSD_TEST_SYSTEMD_IMAGE").and_then(|image| ImageName::parse(&image).ok());
        image.unwrap_or_else(|| missing("the image with systemd", "it is not provisioned"))
    }

    /// The image with Python and the official MCP client in it.
    #[allow(dead_code, reason = "only the tests of agents in containers have an agent in it")]
    pub fn mcp_image() -> ImageName {
        let image = setting("TAOSD_TEST_MCP_IMAGE").and_then(|image| ImageName::parse(&image).ok());
        image.unwrap_or_else(|| missing("the image with the MCP client", "it is not provisioned"))
    }

    pub fn lxc_path() -> PathBuf {
        setting("TAOSD_TEST_LXC_PATH").unwrap().into()
    }

    pub fn is_classic(&self) -> bool {
        self.driver.runtime() == Runtime::Lxc
    }

    /// A name for a container. The guard deletes the container when it is dropped, whatever state that is in.
    pub fn name(&self) -> Guard<'_> {
        Guard { test_runtime: self, name: ContainerName::for_agent(&unique()).unwrap() }
    }

    pub fn spec(&self) -> CreateSpec {
        CreateSpec::new(self.image.clone(), "agent-1")
    }

    /// A stopped container with default settings.
    pub fn stopped(&self) -> Guard<'_> {
        let guard = self.name();
        self.driver.create(&guard.name, &self.spec(), soon().into()).unwrap();
        guard
    }

    /// A running container with default settings.
    pub fn running(&self) -> Guard<'_> {
        let guard = self.stopped();
        self.driver.start(&guard.name, soon().into()).unwrap();
        guard
    }

    /// Runs a command inside, with the runtime's own tool.
    pub fn exec(&self, name: &ContainerName, command: &[&str]) -> Output {
        let (tool, before): (&str, &[&str]) = if self.is_classic() {
            ("lxc-attach", &["-n", name.as_str(), "--"])
        } else {
            (client(), &["exec", name.as_str(), "--"])
        };
        Command::new(tool).args(before).args(command).output().unwrap()
    }

    /// The output of a command inside. Repeats the command until it writes something, because a container that has just
    /// started is not up yet.
    pub fn says(&self, name: &ContainerName, command: &[&str]) -> String {
        let end = soon();
        loop {
            let output = self.exec(name, command);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            if !text.is_empty() || Instant::now() > end {
                return text;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn image(key: &str) -> ImageName {
    ImageName::parse(&setting(key).unwrap()).unwrap()
}

/// A container that is deleted when this is dropped.
pub struct Guard<'a> {
    test_runtime: &'a TestRuntime,
    pub name: ContainerName,
}

impl Guard<'_> {
    pub fn state(&self) -> ContainerState {
        self.test_runtime.driver.get(&self.name, soon()).unwrap()
    }

    /// The pid of the container's first process, from the id of its run.
    pub fn pid(&self) -> u32 {
        let boot = self.state().boot.expect("it runs");
        let pid = if self.test_runtime.is_classic() { boot.split(':').nth(1) } else { boot.split('@').next() };
        pid.unwrap().parse().unwrap()
    }

    /// The environment of the container's first process.
    pub fn environment(&self) -> Vec<String> {
        let raw = fs::read(format!("/proc/{}/environ", self.pid())).unwrap();
        raw.split(|&b| b == 0).map(|pair| String::from_utf8_lossy(pair).into_owned()).collect()
    }

    /// A path inside, as the box sees it while the container runs.
    pub fn inside(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.pid()))
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let driver = &self.test_runtime.driver;
        let _ = driver.stop(&self.name, Duration::ZERO, true, soon());
        let _ = driver.delete(&self.name, soon());
    }
}

/// A deadline that only a hang reaches.
pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

pub fn set(key: &str, value: &str) -> EnvChange {
    EnvChange { key: EnvKey::parse(key).unwrap(), value: Some(EnvValue::parse(value).unwrap()) }
}

pub fn unset(key: &str) -> EnvChange {
    EnvChange { key: EnvKey::parse(key).unwrap(), value: None }
}

pub fn path(text: &str) -> ContainerPath {
    ContainerPath::parse(text).unwrap()
}

/// A folder on the box that is deleted when this is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("taosd-{}", unique()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
