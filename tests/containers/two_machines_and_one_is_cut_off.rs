//! Two nodes: this machine's Incus, and a second Incus in its own network. The test really cuts the network link to the
//! second one. None of 20 agents on the nodes is lost or doubled, and agents on the other node are not affected.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::node::{address, forget, token};
use crate::support::{Daemon, TempDir, text};
use crate::test_runtime::{setting, unique};

const EACH: usize = 10;

/// The daemon, and the two machines that it uses.
struct Machines {
    daemon: Daemon,
    prefix: String,
    config: TempDir,
}

/// Returns a setting of the second machine, which `.ci/incus` has set.
fn told(key: &str) -> String {
    setting(key).unwrap_or_else(|| panic!("{key} is not set: bash .ci/incus tests"))
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The client of the Incus with this folder.
fn incus(folder: &Path) -> Command {
    let mut command = Command::new("incus");
    command.env("INCUS_DIR", folder);
    command
}

fn here() -> PathBuf {
    PathBuf::from("/var/lib/incus")
}

fn there() -> PathBuf {
    PathBuf::from(told("TAOSD_TEST_NODE_SOCKET")).parent().expect("a folder").to_owned()
}

/// Cuts the link (`down`) at the other machine's end, or restores it (`up`).
fn wire(state: &str) {
    let pid = told("TAOSD_TEST_NODE_PID");
    output(Command::new("nsenter").args(["-t", &pid, "-n", "ip", "link", "set", "taosd-far", state]));
}

impl Machines {
    /// Starts a daemon with `barn` in its settings, and adds `shed` as its owner would.
    fn new() -> Self {
        let (config, own) = (TempDir::new(), told("TAOSD_TEST_NODE_HERE"));
        let port = TcpListener::bind((own.as_str(), 0)).and_then(|free| free.local_addr()).expect("a port").port();
        let listen = format!("{own}:{port}");
        let file = config.path().join("taosd.toml");
        let (barn, barn_token) = (address(), token());
        let settings = format!(
            "public_url = \"http://{listen}\"\n[containers]\nimage = \"bb\"\n\
             [nodes.barn]\nurl = \"https://{barn}\"\ntoken = \"{barn_token}\"\n"
        );
        std::fs::write(&file, settings).expect("a configuration file");
        let file = file.to_str().expect("UTF-8");
        let daemon = Daemon::with(&["--config", file, "--listen", &listen, "--containers", "incus"], &[]);
        let machines = Self { daemon, prefix: unique(), config };
        machines.take_in_the_second();
        machines
    }

    fn take_in_the_second(&self) {
        let said = output(incus(&there()).args(["config", "trust", "add", &self.prefix]));
        let join_token = self.config.path().join("shed.token");
        std::fs::write(&join_token, said.lines().last().expect("a token")).expect("a file");
        let url = format!("https://{}", told("TAOSD_TEST_NODE_ADDRESS"));
        let file = self.config.path().join("taosd.toml");
        self.ctl(&["nodes", "add", "shed", &url, "--join-token-file", path(&join_token), "--file", path(&file)]);
        self.daemon.signal("HUP");
        self.eventually("the daemon knows it", || self.daemon.operator().get("/api/nodes/shed").status != 404);
        let checked: Value = serde_json::from_str(&self.ctl(&["nodes", "check", "shed", "--json"])).expect("JSON");
        assert_eq!((&checked["status"], &checked["runtime"]), (&json!("ok"), &json!("incus")), "{checked}");
    }

    fn ctl(&self, args: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taosctl"));
        command.args(args).env("TAOS_URL", format!("http://{}", self.daemon.address));
        output(command.env("TAOS_TOKEN", &self.daemon.token).env("HOME", self.config.path()))
    }

    fn names(&self, node: &str) -> Vec<String> {
        (0..EACH).map(|nth| format!("{}-{node}{nth}", self.prefix)).collect()
    }

    fn status(&self, name: &str) -> String {
        text(&self.daemon.record(name), "status")
    }

    /// Returns this test's containers on the machine with this folder.
    fn containers(&self, machine: &Path) -> BTreeSet<String> {
        let all = output(incus(machine).args(["list", "--format", "csv", "--columns", "n"]));
        all.lines().filter(|name| name.contains(&self.prefix)).map(str::to_owned).collect()
    }

    /// Returns the token in a container's configuration.
    fn token_in(machine: &Path, name: &str) -> String {
        output(incus(machine).args(["config", "get", &format!("taos-agent-{name}"), "environment.TAOS_TOKEN"]))
    }

    #[track_caller]
    fn eventually(&self, what: &str, holds: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !holds() {
            assert!(Instant::now() < end, "not within a minute: {what}\n{}", self.daemon.log_text());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    #[track_caller]
    fn knows(&self, token: &str, name: &str) {
        let me = self.daemon.client(token).get("/api/auth/whoami").expect(200).json();
        assert_eq!(me["agent_name"], json!(name));
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        let pid = told("TAOSD_TEST_NODE_PID");
        let _ = Command::new("nsenter").args(["-t", &pid, "-n", "ip", "link", "set", "taosd-far", "up"]).status();
        let certificate = self.daemon.data.join("nodes/client.crt");
        forget(&certificate);
        let _ = self.daemon.stop();
        for machine in [here(), there()] {
            let listed = incus(&machine).args(["list", "--format", "csv", "--columns", "n"]).output();
            let listed = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
            let ours: Vec<&str> = listed.lines().filter(|name| name.contains(&self.prefix)).collect();
            if !ours.is_empty() {
                let _ = incus(&machine).args(["delete", "--force"]).args(ours).output();
            }
        }
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Lets an agent on the other machine ask the daemon over the network who it is.
fn whoami_over_the_wire(name: &str) -> Value {
    let container = format!("taos-agent-{name}");
    let inside = |script: &str| output(incus(&there()).args(["exec", &container, "--", "sh", "-c", script]));
    inside("ip address add 10.213.77.50/24 dev eth0; ip link set eth0 up");
    // `wget` gets no time limit, because the static busybox of the image crashes with one.
    let asked = "wget -q -O - --header \"Authorization: Bearer $TAOS_TOKEN\" $TAOS_URL/api/auth/whoami";
    serde_json::from_str(&inside(asked)).expect("JSON")
}

#[test]
#[ignore = "needs a second Incus: bash .ci/incus tests"]
fn nothing_is_lost_nothing_doubled_and_the_others_are_unaffected() {
    let machines = Machines::new();
    let operator = machines.daemon.operator();
    let (barn, shed) = (machines.names("barn"), machines.names("shed"));
    let begun: Vec<String> = barn
        .iter()
        .zip(&shed)
        .flat_map(|(barn, shed)| [(barn, "barn"), (shed, "shed")])
        .map(|(name, node)| {
            let body = json!({"name": name, "target_worker": node});
            text(&operator.post("/api/agents/deploy", body).expect(202).json(), "operation_id")
        })
        .collect();
    for operation in &begun {
        let ended = operator.get(&format!("/api/operations/{operation}?wait=60")).expect(200).json();
        assert_eq!(ended["status"], "succeeded", "{ended}");
    }
    let on = |names: &[String]| names.iter().map(|name| format!("taos-agent-{name}")).collect::<BTreeSet<_>>();
    assert_eq!((machines.containers(&here()), machines.containers(&there())), (on(&barn), on(&shed)));
    assert_eq!(whoami_over_the_wire(&shed[0])["agent_name"], json!(shed[0]));
    let tokens = |machine: &Path, names: &[String]| -> Vec<String> {
        names.iter().map(|name| Machines::token_in(machine, name)).collect()
    };
    let before = (tokens(&here(), &barn), tokens(&there(), &shed));

    wire("down");
    for name in &shed[..4] {
        operator.post(&format!("/api/agents/{name}/restart"), json!({})).expect(202);
    }
    // The others go on while these wait.
    operator.post(&format!("/api/agents/{}/restart?wait=60", barn[0]), json!({})).expect(200);
    let late = format!("{}-late", machines.prefix);
    operator
        .post("/api/agents/deploy?wait=60", json!({"name": late, "target_worker": "shed"}))
        .expect_error(503, "container_runtime_unavailable");
    operator.get(&format!("/api/agents/{late}")).expect_error(404, "agent_not_found");
    machines.eventually("its agents are away", || shed.iter().all(|name| machines.status(name) == "away"));
    assert!(barn.iter().all(|name| machines.status(name) == "running"));
    let nodes: Value = serde_json::from_str(&machines.ctl(&["nodes", "list", "--json"])).expect("JSON");
    assert_eq!((&nodes[0]["status"], &nodes[1]["status"]), (&json!("ok"), &json!("away")), "{nodes}");
    operator.post(&format!("/api/agents/{}/token/issue", shed[5]), json!({})).expect_error(502, "delivery_failed");
    for (token, name) in before.0.iter().zip(&barn).chain(before.1.iter().zip(&shed)) {
        machines.knows(token, name);
    }
    let open = || machines.daemon.number("SELECT count(*) FROM operations WHERE finished_at IS NULL", []);
    machines.eventually("what was asked of it has ended", || open() == 0);

    wire("up");
    machines.eventually("its agents are back", || shed.iter().all(|name| machines.status(name) == "running"));
    operator.post(&format!("/api/agents/{}/restart?wait=60", shed[0]), json!({})).expect(200);
    assert_eq!((machines.containers(&here()), machines.containers(&there())), (on(&barn), on(&shed)));
    assert_eq!((tokens(&here(), &barn), tokens(&there(), &shed)), before);
    let live =
        "SELECT count(*) FROM credentials WHERE kind = 'agent_token' AND state IN ('active', 'pending', 'grace')";
    assert_eq!(machines.daemon.number(live, []), 2 * EACH as i64, "one token an agent");
    for (token, name) in before.0.iter().zip(&barn).chain(before.1.iter().zip(&shed)) {
        machines.knows(token, name);
    }
    assert_eq!(whoami_over_the_wire(&shed[0])["agent_name"], json!(shed[0]));
}
