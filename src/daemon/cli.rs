//! The command line of `taosd`: its commands and flags. The manual and the shell completions are generated from it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::error::DaemonError;
use crate::config::{Config, Flags};

/// Identity authority and control plane for the AI agents on one small box.
#[derive(Parser)]
#[command(name = "taosd", version, args_conflicts_with_subcommands = true, term_width = crate::say::help_width())]
pub struct Cli {
    #[command(subcommand)]
    /// The command; serve if absent.
    pub command: Option<Command>,
    #[command(flatten)]
    /// The settings of a serve without a command.
    pub serve: Serving,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Serve requests (the default command).
    Serve(Serving),
    /// Check a database, even while it is in use: schema, structure, foreign keys, audit chain, free space.
    Check {
        /// Where the data is.
        #[command(flatten)]
        settings: Settings,
        /// The file to check; the database in the data directory if absent.
        file: Option<PathBuf>,
        /// Also prove that the audit continues from an earlier head: the reply of GET /api/audit/head, or a file that
        /// contains it or lines of the log.
        #[arg(long, value_name = "FILE|VALUE")]
        head: Option<String>,
    },
    /// Write a checked copy of the database to a file, even while the daemon runs.
    Backup {
        /// Where the data is.
        #[command(flatten)]
        settings: Settings,
        /// The file to write; replaces an older backup.
        file: PathBuf,
    },
    /// Replace the database with a backup; stop the daemon first.
    Restore {
        /// Where the data is.
        #[command(flatten)]
        settings: Settings,
        /// The backup to restore.
        file: PathBuf,
        /// Only print what the restore would change.
        #[arg(long)]
        dry_run: bool,
        /// Print the changes as one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Remove free space from the database file; stop the daemon first.
    Compact(Settings),
    /// Check or show the settings.
    Config {
        /// What to do with the settings.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print the operator's token.
    OperatorToken {
        /// Where the data is.
        #[command(flatten)]
        settings: Settings,
        /// Replace the token first; stop the daemon first.
        #[arg(long)]
        rotate: bool,
    },
}

/// The commands for settings.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// List where the settings come from, and every mistake in them.
    Check(Settings),
    /// Print every setting with its value and origin, without secrets.
    Show(Settings),
}

/// The flags of serving.
#[derive(Args)]
pub struct Serving {
    /// The settings.
    #[command(flatten)]
    pub settings: Settings,
    /// Start with an empty database, although a token, a WAL or backups of a lost one exist.
    #[arg(long)]
    pub new_box: bool,
}

impl Serving {
    /// The settings from everywhere.
    ///
    /// # Errors
    /// What cannot be used.
    pub fn load(self) -> Result<Config, DaemonError> {
        Ok(self.settings.load()?.with_new_box(self.new_box))
    }
}

/// The flags of every command.
#[derive(Args)]
pub struct Settings {
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address to listen on; may be given several times. Port 0 picks a free one.
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Vec<SocketAddr>,
    /// The operator's Unix socket.
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Container runtime: auto, incus, lxd, lxc or none.
    #[arg(long, value_name = "RUNTIME")]
    pub containers: Option<String>,
    /// The socket of the container runtime.
    #[arg(long, value_name = "PATH")]
    pub containers_socket: Option<PathBuf>,
}

impl Settings {
    /// The settings from everywhere.
    ///
    /// # Errors
    /// What cannot be used.
    pub fn load(self) -> Result<Config, DaemonError> {
        let Self { config, data_dir, listen, socket, containers, containers_socket } = self;
        Ok(Config::load(&Flags { config, data_dir, listen, socket, containers, containers_socket })?)
    }
}
