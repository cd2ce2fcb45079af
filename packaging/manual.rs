//! Writes the generated files of the package: the manual pages and the shell completions, made from the command lines
//! of `taosd` and `taosctl`, and the bill of materials. `cargo run --example manual -- DIR`.

#[path = "sbom.rs"]
mod sbom;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use taosd::ctl;
use taosd::daemon::cli::Cli;

fn main() -> io::Result<()> {
    let Some(dir) = env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("name the directory to write to"));
    };
    for (command, section) in [(Cli::command(), "8"), (ctl::command(), "1")] {
        let name = command.get_name().to_owned();
        let man = dir.join(format!("man/man{section}"));
        fs::create_dir_all(&man)?;
        pages(&man, &name, section, command.clone())?;
        completions(&dir, &name, command)?;
    }
    fs::write(dir.join("taosd.cdx.json"), sbom::sbom()?)
}

/// Writes one page for the command, and one for each command below it.
fn pages(dir: &Path, name: &str, section: &str, mut command: Command) -> io::Result<()> {
    // A page shows the command as a user types it, with spaces.
    command = command.bin_name(name.replace('-', " ")).disable_help_subcommand(true);
    command.build();
    let below: Vec<Command> = command.get_subcommands().filter(|below| below.get_name() != "help").cloned().collect();
    let mut page = Vec::new();
    // Without a date every build makes the same page.
    Man::new(command).title(name.to_uppercase()).section(section).date("").render(&mut page)?;
    fs::write(dir.join(format!("{name}.{section}")), page)?;
    below.into_iter().try_for_each(|below| {
        let name = format!("{name}-{}", below.get_name());
        pages(dir, &name, section, below)
    })
}

fn completions(dir: &Path, name: &str, mut command: Command) -> io::Result<()> {
    for (shell, folder) in [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish")] {
        let folder = dir.join("completions").join(folder);
        fs::create_dir_all(&folder)?;
        generate_to(shell, &mut command, name, &folder)?;
    }
    // Debian's bash looks for a file with the name of the command.
    fs::rename(dir.join(format!("completions/bash/{name}.bash")), dir.join(format!("completions/bash/{name}")))?;
    if name != "taosctl" {
        return Ok(());
    }
    // These scripts ask taosctl, which offers the names that exist.
    for (shell, file) in [("bash", "bash/taosctl"), ("zsh", "zsh/_taosctl"), ("fish", "fish/taosctl.fish")] {
        let script = ctl::completion_script(shell).map_err(|failure| io::Error::other(failure.to_string()))?;
        fs::write(dir.join("completions").join(file), script)?;
    }
    Ok(())
}
