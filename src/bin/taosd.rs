//! `taosd`: the daemon. Argument parsing only; see `taosd::daemon`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use taosd::config::{Config, Flags};
use taosd::daemon::{self, Failure};
use taosd::offline;

/// Identity authority and control plane for the AI agents on one small box.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Settings,
}

#[derive(Subcommand)]
enum Command {
    /// Serve (what happens without a command).
    Serve(Settings),
    /// Check a database, in use or not: structure, foreign keys, audit chain, free space.
    Check {
        #[command(flatten)]
        settings: Settings,
        /// The file to check; the data directory's if absent.
        file: Option<PathBuf>,
    },
    /// Write a checked copy of the database to a file; the daemon may be running.
    Backup {
        #[command(flatten)]
        settings: Settings,
        /// Where to; an older backup there is replaced.
        file: PathBuf,
    },
    /// Put a backup in the place of the database; the daemon must not be running.
    Restore {
        #[command(flatten)]
        settings: Settings,
        /// The backup.
        file: PathBuf,
    },
    /// Look at the settings a start would read.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print the operator's token.
    OperatorToken {
        #[command(flatten)]
        settings: Settings,
        /// Replace it first; the daemon must not be running.
        #[arg(long)]
        rotate: bool,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Say what is read from where, and everything that is wrong.
    Check(Settings),
    /// Print every setting with its value and where it was set; secrets are not shown.
    Show(Settings),
}

#[derive(Args)]
struct Settings {
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything is kept.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Address to listen on; may be given several times. Port 0 picks a free one.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Vec<SocketAddr>,
    /// The operator's Unix socket.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Container runtime: auto, incus, lxd, lxc or none.
    #[arg(long, value_name = "RUNTIME")]
    containers: Option<String>,
    /// Where that runtime's socket is.
    #[arg(long, value_name = "PATH")]
    containers_socket: Option<PathBuf>,
}

impl Settings {
    fn load(self) -> Result<Config, Failure> {
        let Self { config, data_dir, listen, socket, containers, containers_socket } = self;
        Ok(Config::load(&Flags { config, data_dir, listen, socket, containers, containers_socket })?)
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    daemon::logger::init();
    let result = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(settings) => settings.load().and_then(daemon::serve),
        Command::Check { settings, file } => settings.load().and_then(|config| {
            offline::check(&file.unwrap_or_else(|| offline::database(&config)), config.limits.min_free_bytes)
        }),
        Command::Backup { settings, file } => settings.load().and_then(|config| offline::backup(&config, &file)),
        Command::Restore { settings, file } => settings.load().and_then(|config| offline::restore(&config, &file)),
        Command::Config { command } => match command {
            ConfigCommand::Check(settings) => settings.load().and_then(offline::check_config),
            ConfigCommand::Show(settings) => settings.load().and_then(offline::show_config),
        },
        Command::OperatorToken { settings, rotate } => {
            settings.load().and_then(|config| offline::operator_token(&config, rotate))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("taosd: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
