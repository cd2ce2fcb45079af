//! Each dependency has a stated reason, and none needs a newer Rust than Cargo.toml states. `cargo deny` (`deny.toml`)
//! checks licences, sources and versions.

use std::fs;
use std::process::Command;

use serde_json::Value;

/// Returns the packages of a build for this machine, without using a network.
fn packages() -> Vec<Value> {
    let said = Command::new("rustc").arg("-vV").output().expect("rustc").stdout;
    let said = String::from_utf8(said).expect("UTF-8");
    let platform = said.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", platform]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let nodes = metadata["resolve"]["nodes"].as_array().expect("nodes");
    let is_used = |package: &&Value| nodes.iter().any(|node| node["id"] == package["id"]);
    metadata["packages"].as_array().expect("packages").iter().filter(is_used).cloned().collect()
}

/// `rust-version` in Cargo.toml is the highest version that any dependency needs.
#[test]
fn the_stated_rust_builds_all_of_it() {
    let number = |text: &str| -> Vec<u32> { text.split('.').take(2).filter_map(|part| part.parse().ok()).collect() };
    let needed = |package: &Value| number(package["rust_version"].as_str().unwrap_or_default());
    let others: Vec<Value> = packages().into_iter().filter(|package| package["name"] != "taosd").collect();
    let newest = others.iter().max_by_key(|package| needed(package)).expect("a package");
    assert_eq!(needed(newest), number(env!("CARGO_PKG_RUST_VERSION")), "{} needs another Rust", newest["id"]);
}

#[test]
fn each_has_its_reason_beside_it() {
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).expect("Cargo.toml");
    let (mut inside, mut reason, mut seen) = (false, false, 0);
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('#') {
            reason = true;
            continue;
        }
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if inside && !line.is_empty() {
            assert!(reason, "no reason stands above `{line}`");
            seen += 1;
        }
        reason = false;
    }
    assert!(seen > 30, "{seen} dependencies");
}
