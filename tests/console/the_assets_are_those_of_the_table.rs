//! Files from elsewhere are those that the table in `assets/README.md` names, with licence, version and checksum.

use std::fs;
use std::path::Path;

#[test]
fn every_file_from_elsewhere_has_the_checksum_of_the_table() {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let table = fs::read_to_string(assets.join("README.md")).expect("the table");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let mut checked = 0;
    for entry in fs::read_dir(&assets).expect("assets").flatten() {
        let name = entry.file_name().into_string().expect("UTF-8");
        if name == "README.md" {
            continue;
        }
        let row = rows
            .iter()
            .find(|row| row[1].contains(&format!("`{name}`")))
            .unwrap_or_else(|| panic!("{name} is not in the table"));
        if row[2] == "this project" {
            continue;
        }
        assert!(!row[3].is_empty() && !row[4].is_empty(), "{name}: no version or no licence");
        let hash = blake3::hash(&fs::read(entry.path()).expect("a file")).to_hex();
        assert_eq!(row[5], format!("`{hash}`"), "{name} has changed");
        checked += 1;
    }
    assert!(checked > 0);
}
