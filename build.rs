//! Embeds the files of `assets/` in the program, each plain and compressed. The name of each contains its hash, so that
//! a browser may cache it for ever.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Files that browsers get, with their content type.
const SERVED: &[(&str, &str)] = &[
    ("app.css", "text/css; charset=utf-8"),
    ("app.js", "text/javascript; charset=utf-8"),
    ("copy.js", "text/javascript; charset=utf-8"),
    ("login.js", "text/javascript; charset=utf-8"),
    ("htmx.min.js", "text/javascript; charset=utf-8"),
    ("icons.svg", "image/svg+xml"),
    ("favicon.svg", "image/svg+xml"),
];

fn main() -> io::Result<()> {
    // A third of each test program is line numbers. Debuggers and backtraces can read them compressed too.
    println!("cargo::rustc-link-arg-tests=-Wl,--compress-debug-sections=zlib");
    println!("cargo::rerun-if-changed=assets");
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    // The table refers to paths by variables (`env!`), so that a moved checkout still builds.
    let mut table = String::from("&[\n");
    for (name, kind) in SERVED {
        let path = Path::new(&root).join("assets").join(name);
        let bytes = fs::read(&path)?;
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&bytes)?;
        fs::write(Path::new(&out).join(format!("{name}.gz")), packed.finish()?)?;
        let hash = &blake3::hash(&bytes).to_hex()[..10];
        let (stem, extension) = name.split_once('.').ok_or_else(|| io::Error::other("a name without a dot"))?;
        writeln!(
            table,
            "Asset {{ name: {name:?}, hashed: \"{stem}-{hash}.{extension}\", kind: {kind:?}, \
             plain: include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/assets/{name}\")), \
             packed: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.gz\")) }},"
        )
        .map_err(io::Error::other)?;
    }
    table.push(']');
    fs::write(Path::new(&out).join("assets.rs"), table)
}
