//! `taosd config show` prints every value with its place, and a placeholder for what may be a secret.

use std::fs;

use crate::settings::box_with_file::{said, taosd};
use crate::support::TempDir;

#[test]
fn each_value_stands_with_its_place_and_secrets_do_not() {
    let dir = TempDir::new();
    let (file, secret) = (dir.path().join("taosd.toml"), dir.path().join("secret"));
    fs::write(&secret, "hidden-hidden-hidden").unwrap();
    let text = format!(
        "allowed_hosts = ['box.lan']\n[frameworks.a]\nenv = {{ API_KEY = 'hidden' }}\n\
        [webhook]\nurl = 'http://127.0.0.1:9/hidden?a=hidden'\nsecret_file = '{}'\n",
        secret.display()
    );
    fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    let output = taosd(&["config", "show", "--config", path, "--listen", "127.0.0.1:0"], &[("TAOSD_WORKERS", "3")]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(!text.contains("hidden"), "{text}");
    let lines: Vec<String> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "data_dir = \"/nonexistent/.local/state/taosd\" # default".to_owned(),
        "listen = [\"127.0.0.1:0\"] # --listen".to_owned(),
        "workers = 3 # TAOSD_WORKERS".to_owned(),
        format!("allowed_hosts = [\"box.lan\"] # {path}:1"),
        format!("frameworks.a.env.API_KEY = \"…\" # {path}:3"),
        format!("webhook.url = \"http://127.0.0.1:9/…\" # {path}:5"),
    ] {
        assert!(lines.contains(&line), "{line} is not in\n{text}");
    }
}

#[test]
fn a_webhook_is_shown_with_its_scheme() {
    let dir = TempDir::new();
    let (file, secret) = (dir.path().join("taosd.toml"), dir.path().join("secret"));
    fs::write(&secret, "hidden-hidden-hidden").unwrap();
    for scheme in ["http", "https"] {
        let text =
            format!("[webhook]\nurl = '{scheme}://ntfy.example:9/hidden'\nsecret_file = '{}'\n", secret.display());
        fs::write(&file, text).unwrap();
        let shown = said(&taosd(&["config", "show", "--config", file.to_str().unwrap()], &[]));
        assert!(shown.contains(&format!("\"{scheme}://ntfy.example:9/…\"")), "{shown}");
    }
}
