//! A daemon on a real container runtime, and helpers that look inside its containers. All containers that a test has
//! made are deleted with its [`Host`].

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use taosd::containers::{ContainerName, Detail, EnvKey};

use crate::gate::Gate;
use crate::kept_output;
use crate::support::{Daemon, Reply, TempDir, text};
use crate::test_runtime::{self, TestRuntime, soon, unique};

/// A daemon and its runtime.
pub struct Host {
    pub daemon: Daemon,
    pub test_runtime: TestRuntime,
    /// The prefix of every agent's name in this test.
    pub prefix: String,
    /// Makes the runtime fail. Not with classic LXC.
    pub gate: Option<Gate>,
    /// A folder below which deployments may mount.
    pub mounts: TempDir,
    made: Mutex<BTreeSet<String>>,
    _config: TempDir,
}

impl Host {
    /// Starts a daemon on the real LXD or Incus, behind a gate.
    pub fn rest() -> Self {
        Self::rest_with(&[])
    }

    /// Like [`Host::rest`], with more environment variables.
    pub fn rest_with(env: &[(&str, &str)]) -> Self {
        let test_runtime = TestRuntime::rest();
        let gate = Gate::before(&TestRuntime::rest_socket().expect("it is there"));
        let (runtime, place) = (test_runtime.driver.runtime().as_str(), gate.socket());
        Self::start(test_runtime, Some(gate), runtime, &place, env)
    }

    /// Like [`Host::rest_with`], with more lines at the end of the configuration file.
    pub fn rest_with_settings(more: &str, env: &[(&str, &str)]) -> Self {
        let test_runtime = TestRuntime::rest();
        let gate = Gate::before(&TestRuntime::rest_socket().expect("it is there"));
        let (runtime, place) = (test_runtime.driver.runtime().as_str(), gate.socket());
        Self::start_with(test_runtime, Some(gate), runtime, &place, env, None, more)
    }

    /// Like [`Host::rest`], without a gate and with this list of `mount_roots`.
    pub fn rest_with_roots(roots: &str) -> Self {
        let test_runtime = TestRuntime::rest();
        let (runtime, socket) =
            (test_runtime.driver.runtime().as_str(), TestRuntime::rest_socket().expect("it is there"));
        Self::start_with(test_runtime, None, runtime, &socket, &[], Some(roots), "")
    }

    /// Starts a daemon on the real classic LXC.
    pub fn classic() -> Self {
        let test_runtime = TestRuntime::classic();
        let images = test_runtime::setting("TAOSD_TEST_LXC_IMAGES").expect("it is there");
        Self::start(test_runtime, None, "lxc", &TestRuntime::lxc_path(), &[("TAOSD_LXC_IMAGES", &images)])
    }

    fn start(
        test_runtime: TestRuntime,
        gate: Option<Gate>,
        runtime: &str,
        place: &std::path::Path,
        env: &[(&str, &str)],
    ) -> Self {
        Self::start_with(test_runtime, gate, runtime, place, env, None, "")
    }

    fn start_with(
        test_runtime: TestRuntime,
        gate: Option<Gate>,
        runtime: &str,
        place: &std::path::Path,
        env: &[(&str, &str)],
        roots: Option<&str>,
        more: &str,
    ) -> Self {
        let (config, mounts) = (TempDir::new(), TempDir::new());
        let file = config.path().join("taosd.toml");
        let settings = format!(
            "[containers]\nimage = \"{}\"\nmount_roots = [{}]\n[frameworks.quiet]\nenv = {{ MODE = \"quiet\" }}\n{more}",
            test_runtime.image.as_str(),
            roots.map_or_else(|| format!("\"{}\"", mounts.path().display()), str::to_owned)
        );
        std::fs::write(&file, settings).expect("a configuration file");
        let args = ["--config", path(&file), "--containers", runtime, "--containers-socket", path(place)];
        let daemon = Daemon::with(&args, env);
        Self { daemon, test_runtime, prefix: unique(), gate, mounts, made: Mutex::default(), _config: config }
    }

    pub fn gate(&self) -> &Gate {
        self.gate.as_ref().expect("a gate")
    }

    /// Returns a name that is unique to this test.
    pub fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix)
    }

    /// Returns the name of a live agent's container.
    pub fn container(&self, name: &str) -> ContainerName {
        ContainerName::for_agent(name).expect("a container's name")
    }

    /// Makes a stopped container under the agent's container name, as somebody else would.
    pub fn foreign_container(&self, name: &str, owner: Option<&str>) -> ContainerName {
        let container = self.container(name);
        let mut spec = self.test_runtime.spec();
        spec.owner = owner.unwrap_or("somebody-else").to_owned();
        self.test_runtime.driver.create(&container, &spec, soon().into()).expect("a container");
        container
    }

    /// Posts without a body and waits for the end of the operation.
    #[track_caller]
    pub fn act(&self, path: &str) -> Reply {
        self.daemon.operator().send("POST", &format!("{path}?wait=60"), None)
    }

    /// Deploys an agent and waits until it runs. Returns its id.
    #[track_caller]
    pub fn deploy(&self, name: &str) -> String {
        self.deploy_with(name, json!({})).expect(200);
        text(&self.daemon.record(name), "id")
    }

    /// Deploys an agent with more fields and waits for the end of the operation.
    #[track_caller]
    pub fn deploy_with(&self, name: &str, mut body: Value) -> Reply {
        body["name"] = json!(name);
        let reply = self.daemon.operator().post("/api/agents/deploy?wait=60", body);
        self.note_ids();
        reply
    }

    /// Archives an agent and waits for the end of the operation. Returns its id.
    #[track_caller]
    pub fn archive(&self, name: &str) -> String {
        text(&self.daemon.operator().delete(&format!("/api/agents/{name}?wait=60")).expect(200).json(), "id")
    }

    /// Waits for the end of an operation. Returns its record.
    #[track_caller]
    pub fn ended(&self, operation: &str) -> Value {
        let record = self.daemon.operator().get(&format!("/api/operations/{operation}?wait=60")).expect(200).json();
        assert!(!record["finished_at"].is_null(), "it has not ended: {record}");
        record
    }

    /// Waits until `holds` returns true, for at most a minute.
    #[track_caller]
    pub fn eventually(&self, what: &str, holds: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !holds() {
            assert!(Instant::now() < end, "not within a minute: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the start-up migration has delivered the agent's token.
    #[track_caller]
    pub fn wait_until_delivered(&self, name: &str) {
        self.eventually("the token is delivered", || {
            let record = self.daemon.record(name);
            ["delivered", "pending_restart"].contains(&record["token_delivery"].as_str().unwrap_or(""))
                && self.daemon.number("SELECT count(*) FROM credentials WHERE state = 'pending'", []) == 0
        });
    }

    /// Waits until an agent's record has this `token_delivery`.
    #[track_caller]
    pub fn wait_until_record(&self, name: &str, delivery: &str) {
        self.eventually(delivery, || self.daemon.record(name)["token_delivery"] == delivery);
    }

    /// Returns the token in a container's configuration.
    pub fn configured_token(&self, container: &ContainerName) -> Option<String> {
        let (key, found) = (EnvKey::parse("TAOS_TOKEN").expect("a name"), RefCell::new(None));
        let look = |value: &str| {
            *found.borrow_mut() = Some(value.to_owned());
            true
        };
        self.test_runtime.driver.check_env(container, &key, &look, soon()).expect("the configuration");
        found.into_inner()
    }

    /// Runs `script` inside a running container. Returns its output. `$T` is the token of the first process, `$U` the
    /// URL.
    pub fn inside(&self, container: &ContainerName, script: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let environment = "T=$(busybox tr '\\0' '\\n' </proc/1/environ | busybox sed -n s/^TAOS_TOKEN=//p); \
                           U=$(busybox tr '\\0' '\\n' </proc/1/environ | busybox sed -n s/^TAOS_URL=//p); ";
        let exec = |script: &str| self.test_runtime.exec(container, &["busybox", "sh", "-c", script]);
        let file = format!("/tmp/said-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        kept_output::run(exec, "busybox cat", &file, &format!("{environment}{script}")).1
    }

    /// Returns the number of processes with this command line in a container that has Debian's programs.
    pub fn inside_count(&self, name: &str, command: &str) -> usize {
        // This waits until the command writes something, because LXD loses the output of a command that ends before LXD
        // listens.
        let count = self.test_runtime.says(&self.container(name), &["pgrep", "-c", "-f", &format!("^{command}")]);
        count.trim().parse().expect("a number")
    }

    /// Returns the identity of a container's first process, which asks with its own token over its own socket.
    #[track_caller]
    pub fn whoami_inside(&self, container: &ContainerName) -> Value {
        let script = "busybox wget -q -O - --header \"Authorization: Bearer $T\" $U/api/auth/whoami";
        let end = soon();
        loop {
            let answer = self.inside(container, script);
            match serde_json::from_str(&answer) {
                Ok(answer) => return answer,
                // The container's loopback is not up in its first moments.
                Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(100)),
                Err(error) => panic!("{error}: {answer}"),
            }
        }
    }

    /// Returns the text in the token file of a running container.
    pub fn token_file(&self, container: &ContainerName) -> String {
        self.inside(container, "busybox cat /run/taos/token")
    }

    /// Fails unless the agent has exactly one live token, and it is the one in its container.
    #[track_caller]
    pub fn one_token_and_it_is_inside(&self, name: &str) {
        let id = text(&self.daemon.record(name), "id");
        let count = |states: &str| {
            let sql = format!("SELECT count(*) FROM credentials WHERE agent_id = ?1 AND state IN ({states})");
            self.daemon.number(&sql, [&id])
        };
        assert_eq!((count("'active'"), count("'pending', 'grace'")), (1, 0));
        let token = self.configured_token(&self.container(name)).expect("a token in the container");
        let me = self.daemon.client(&token).get("/api/auth/whoami").expect(200).json();
        assert_eq!(me["agent_id"], json!(id));
    }

    /// Returns the names of this test's containers.
    pub fn containers(&self) -> Vec<String> {
        self.note_ids();
        let made = self.made.lock().unwrap();
        let all = self.test_runtime.driver.list(Detail::Brief, soon()).expect("a list");
        let live = format!("taos-agent-{}-", self.prefix);
        let ours = |name: &str| name.starts_with(&live) || made.contains(name);
        all.into_iter().map(|state| state.name.to_string()).filter(|name| ours(name)).collect()
    }

    /// Remembers the names that containers of the existing agents get when they are archived.
    fn note_ids(&self) {
        let conn = self.daemon.db();
        let Ok(mut statement) = conn.prepare("SELECT id FROM agents") else { return };
        let ids = statement.query_map([], |row| row.get::<_, String>(0)).expect("agents");
        for id in ids.flatten() {
            self.made.lock().unwrap().extend(ContainerName::archived(&id).map(|name| name.to_string()));
        }
    }

    /// Returns the number of operations that have not ended.
    pub fn open_operations(&self) -> i64 {
        self.daemon.number("SELECT count(*) FROM operations WHERE finished_at IS NULL", [])
    }

    /// Returns the number of agents' sockets.
    pub fn sockets(&self) -> usize {
        std::fs::read_dir(self.daemon.data.join("agents")).map_or(0, Iterator::count)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let left = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.containers())).unwrap_or_default();
        self.daemon.kill();
        for name in left.iter().filter_map(|name| ContainerName::parse(name).ok()) {
            let _ = self.test_runtime.driver.stop(&name, Duration::ZERO, true, soon());
            let _ = self.test_runtime.driver.delete(&name, soon());
        }
    }
}

fn path(path: &std::path::Path) -> &str {
    path.to_str().expect("UTF-8")
}
