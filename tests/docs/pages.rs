//! The pages of `docs/agents` as the repository has them.

use std::fs;
use std::path::{Path, PathBuf};

/// One page.
pub struct Page {
    /// Its path in the repository, such as `docs/agents/errors.md`.
    pub file: String,
    /// Its path below `/docs/`, such as `agents/errors`.
    pub name: String,
    pub markdown: String,
}

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page, in the order of its name.
pub fn all() -> Vec<Page> {
    let mut files = Vec::new();
    collect(&root().join("docs/agents"), &mut files);
    files.sort();
    files.iter().map(|path| read(path)).collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

fn read(path: &Path) -> Page {
    let file = path.strip_prefix(root()).expect("below the root").to_str().expect("UTF-8").to_owned();
    let name = file.trim_start_matches("docs/").trim_end_matches(".md").to_owned();
    Page { markdown: fs::read_to_string(path).unwrap_or_else(|e| panic!("{file}: {e}")), file, name }
}
