//! Writes the seeds of every target into `FOLDER/TARGET/`, where a fuzzer starts from them: `seeds FOLDER`.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("a folder"));
    for (name, _, seeds) in taosd_fuzz::TARGETS {
        std::fs::create_dir_all(folder.join(name))?;
        for (n, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(name).join(format!("seed-{n}")), seed)?;
        }
    }
    Ok(())
}
