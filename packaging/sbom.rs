//! The bill of materials of the package in CycloneDX 1.5: the packages that are linked into the programs. It contains
//! no time and no random number, so that the same checkout gives the same file.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::process::Command;

use serde_json::{Value, json};

/// Makes the bill of materials from `cargo metadata` and `Cargo.lock`, for the target `TAOSD_BUILD_TARGET`, or for this
/// machine's target if that is unset.
pub fn sbom() -> io::Result<String> {
    let metadata = metadata()?;
    let linked = linked(&metadata);
    let checksums = checksums(&std::fs::read_to_string("Cargo.lock")?);
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let linked_packages = packages.filter(|package| package["id"].as_str().is_some_and(|id| linked.contains_key(id)));
    let (own, others): (Vec<&Value>, Vec<&Value>) = linked_packages.partition(|package| package["name"] == "taosd");
    let names: BTreeMap<&str, String> =
        own.iter().chain(&others).filter_map(|package| Some((package["id"].as_str()?, purl(package)))).collect();
    let mut components: Vec<Value> = others.iter().map(|package| component(package, "library", &checksums)).collect();
    components.push(sqlite());
    components.sort_by_key(|component| component["bom-ref"].as_str().map(str::to_owned));
    let mut dependencies: Vec<Value> = linked
        .iter()
        .map(|(id, needs)| {
            let mut needs: Vec<&str> =
                needs.iter().filter_map(|id| names.get(id.as_str())).map(String::as_str).collect();
            if names[id.as_str()].starts_with("pkg:cargo/libsqlite3-sys@") {
                needs.push(SQLITE);
            }
            json!({"ref": names[id.as_str()], "dependsOn": needs})
        })
        .collect();
    dependencies.sort_by_key(|one| one["ref"].as_str().map(str::to_owned));
    let own = own.first().ok_or_else(|| io::Error::other("cargo metadata does not name taosd"))?;
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(own, "application", &checksums)},
        "components": components,
        "dependencies": dependencies,
    });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn metadata() -> io::Result<Value> {
    let target = match std::env::var("TAOSD_BUILD_TARGET") {
        Ok(target) => target,
        Err(_) => {
            let version = Command::new("rustc").arg("-vV").output()?.stdout;
            let version = String::from_utf8_lossy(&version).into_owned();
            version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default().to_owned()
        }
    };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--locked", "--format-version", "1", "--filter-platform", &target]);
    let output = cargo.output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Returns the linked packages, each with the packages that it needs. Packages that only a build or a test needs are
/// left out.
fn linked(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let nodes = metadata["resolve"]["nodes"].as_array().into_iter().flatten();
    let nodes: BTreeMap<&str, &Value> = nodes.filter_map(|node| Some((node["id"].as_str()?, node))).collect();
    // Procedural macros run only in the compiler.
    let is_macro = |package: &&Value| {
        package["targets"].as_array().is_some_and(|all| all.iter().any(|one| one["kind"][0] == "proc-macro"))
    };
    let macros = metadata["packages"].as_array().into_iter().flatten().filter(is_macro);
    let macros: BTreeSet<&str> = macros.filter_map(|package| package["id"].as_str()).collect();
    let mut open: Vec<&str> = metadata["resolve"]["root"].as_str().into_iter().collect();
    let mut found = BTreeMap::new();
    while let Some(id) = open.pop() {
        if found.contains_key(id) {
            continue;
        }
        let is_linked = |dep: &&Value| {
            dep["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
        };
        let needs = nodes.get(id).and_then(|node| node["deps"].as_array()).into_iter().flatten().filter(is_linked);
        let needs = needs.filter_map(|dep| dep["pkg"].as_str()).filter(|id| !macros.contains(id));
        let needs: Vec<&str> = needs.collect();
        open.extend(&needs);
        found.insert(id.to_owned(), needs.into_iter().map(str::to_owned).collect());
    }
    found
}

/// SHA-256 of each package's archive, by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |package: &str, key: &str| {
        let start = format!("{key} = \"");
        package.lines().find_map(|line| Some(line.strip_prefix(&start)?.strip_suffix('"')?.to_owned()))
    };
    let packages = lock.split("[[package]]");
    let entry =
        |package: &str| Some(((value(package, "name")?, value(package, "version")?), value(package, "checksum")?));
    packages.filter_map(entry).collect()
}

fn purl(package: &Value) -> String {
    let text = |key: &str| package[key].as_str().unwrap_or_default();
    format!("pkg:cargo/{}@{}", text("name"), text("version"))
}

fn component(package: &Value, kind: &str, checksums: &BTreeMap<(String, String), String>) -> Value {
    let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let mut component = json!({
        "type": kind,
        "bom-ref": purl(package),
        "name": text("name"),
        "version": text("version"),
        "purl": purl(package),
        // Packages older than SPDX expressions write a slash.
        "licenses": [{"expression": text("license").replace(" / ", " OR ").replace('/', " OR ")}],
    });
    if let Some(checksum) = checksums.get(&(text("name"), text("version"))) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    component
}

const SQLITE: &str = "sqlite";

/// The C library that `libsqlite3-sys` contains.
fn sqlite() -> Value {
    let version = rusqlite::version();
    json!({
        "type": "library", "bom-ref": SQLITE, "name": "sqlite", "version": version,
        "purl": format!("pkg:generic/sqlite@{version}"), "licenses": [{"expression": "blessing"}],
    })
}
