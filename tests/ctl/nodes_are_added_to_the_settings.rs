//! `taosctl nodes add` and `remove` change only the node's part of the daemon's settings file. The daemon takes up the
//! change at its next reload.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use data_encoding::BASE64;
use serde_json::json;

use crate::run::Ctl;
use crate::support::{Daemon, TempDir, wait_until};

const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const MINE: &str = "# my box\nallowed_hosts = [\"box.lan\"] # as the router calls it\n";

fn token() -> String {
    let json = json!({"fingerprint": SHA256, "addresses": ["127.0.0.1:9", "[::1]:9"], "secret": "s3cret"});
    BASE64.encode(json.to_string().as_bytes())
}

struct Site {
    daemon: Daemon,
    ctl: Ctl,
    file: String,
    _folder: TempDir,
}

fn site() -> Site {
    let folder = TempDir::new();
    let place = folder.path().join("taosd.toml");
    fs::write(&place, MINE).unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o640)).unwrap();
    let file = place.to_str().unwrap().to_owned();
    let daemon = Daemon::with(&["--config", &file, "--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    Site { daemon, ctl, file, _folder: folder }
}

#[test]
fn one_is_added_by_its_token_checked_and_removed_again() {
    let Site { daemon, ctl, file, .. } = &site();
    let run =
        ctl.run_with_stdin(&["nodes", "add", "shed", "--join-token-file", "-", "--file", file], &token()).expect(0);
    assert!(run.stdout.contains("added [nodes.shed]") && run.stderr.contains("taosctl nodes check shed"), "{run:?}");
    assert!(!run.stdout.contains(&token()) && !run.stderr.contains(&token()));
    // The token contains the address and the fingerprint. Every other line stays.
    let text = fs::read_to_string(file).unwrap();
    assert_eq!(text, format!("{MINE}\n[nodes.shed]\nurl = \"https://127.0.0.1:9\"\ntoken = \"{}\"\n", token()));
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(!run.stderr.contains("chmod"), "{run:?}");
    daemon.signal("HUP");
    wait_until("the daemon knows it", || ctl.json(&["nodes", "list"])[0]["name"] == "shed");
    // Nobody listens there.
    ctl.run(&["nodes", "check", "shed"]).expect_error(1, "container_runtime_unavailable");

    daemon.operator().post("/api/agents", json!({"name": "a"})).expect(200);
    daemon.execute("UPDATE agents SET container_name = 'shed:taos-agent-a', container_runtime = 'incus'", []);
    let asked = ctl.run(&["nodes", "remove", "shed", "--file", file]).expect(2);
    assert!(asked.stderr.contains("--yes"), "{asked:?}");
    assert_eq!(fs::read_to_string(file).unwrap(), text);
    ctl.run(&["nodes", "remove", "shed", "--yes", "--file", file]).expect(0);
    assert_eq!(fs::read_to_string(file).unwrap(), MINE);
    daemon.signal("HUP");
    wait_until("the daemon has forgotten it", || ctl.json(&["nodes", "list"]) == json!([]));
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_is_written() {
    let Site { ctl, file, .. } = &site();
    let to = ["--file", file.as_str()];
    let add =
        |args: &[&str], input: &str| ctl.run_with_stdin(&[&["nodes", "add"], args, &to].concat(), input).expect(2);
    let by_token = ["--join-token-file", "-"];
    for (args, input, told) in [
        (&["Shed", "https://shed.lan", by_token[0], by_token[1]][..], token(), "not a name"),
        (&["auto", "https://shed.lan", by_token[0], by_token[1]], token(), "not a name"),
        (&["shed", "http://shed.lan", by_token[0], by_token[1]], token(), "must be https"),
        (&["shed", by_token[0], by_token[1]], "nonsense".into(), "not a trust token"),
        (&["shed", "--certificate", SHA256], String::new(), "address is missing"),
        (&["shed", "https://shed.lan", "--certificate", "/nonexistent"], String::new(), "No such file"),
        (&["shed", "https://shed.lan", "--certificate", file], String::new(), "no certificate in PEM"),
        // Without a terminal `taosctl` cannot ask for a token.
        (&["shed", "https://shed.lan"], String::new(), "Name a file with --join-token-file"),
    ] {
        let run = add(args, &input);
        assert!(run.stderr.contains(told), "{args:?}: {run:?}");
    }
    assert_eq!(fs::read_to_string(file).unwrap(), MINE);
    ctl.ok(&["nodes", "add", "shed", "https://shed.lan", "--certificate", SHA256, "--file", file]);
    let text = fs::read_to_string(file).unwrap();
    assert!(add(&["shed", "https://other.lan", "--certificate", SHA256], "").stderr.contains("already"));
    let none = ctl.run(&["nodes", "remove", "barn", "--yes", "--file", file]).expect(2);
    assert!(none.stderr.contains("there is no [nodes.barn]"), "{none:?}");
    let nowhere = ctl.run(&["nodes", "add", "b", "https://b", "--certificate", SHA256, "--file", "/nonexistent/t"]);
    assert!(nowhere.expect(2).stderr.contains("as root"));
    assert_eq!(fs::read_to_string(file).unwrap(), text);
    let printed = ctl.ok(&["nodes", "add", "b", "https://b.lan", "--certificate", SHA256, "--print"]);
    assert_eq!(printed, format!("[nodes.b]\nurl = \"https://b.lan\"\ncertificate = \"{SHA256}\"\n"));
}

#[test]
fn several_that_are_added_at_once_are_all_there() {
    let Site { ctl, file, .. } = &site();
    // A file that a killed command of an older version left.
    fs::write(format!("{file}.next"), "").unwrap();
    let names: Vec<String> = (0..8).map(|nth| format!("shed{nth}")).collect();
    let add = |name: &str| {
        let args = ["nodes", "add", name, "https://shed.lan", "--certificate", SHA256, "--file", file];
        ctl.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("taosctl runs")
    };
    let children: Vec<_> = names.iter().map(|name| add(name)).collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    let text = fs::read_to_string(file).unwrap();
    assert!(names.iter().all(|name| text.contains(&format!("[nodes.{name}]"))), "{text}");
    let folder = std::path::Path::new(file).parent().unwrap();
    let left: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".taosd.toml.")), "{left:?}");
}

#[test]
fn a_token_in_a_file_that_everybody_can_read_is_pointed_out() {
    let Site { ctl, file, .. } = &site();
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    let run =
        ctl.run_with_stdin(&["nodes", "add", "shed", "--join-token-file", "-", "--file", file], &token()).expect(0);
    assert!(run.stderr.contains(&format!("chmod 640 {file}")), "{run:?}");
}
