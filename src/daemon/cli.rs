//! The command line of `taosd`: what can be said, not what it does. The manual and the shells' completions are made of it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::DaemonError;
use crate::config::{Config, Flags};

/// Identity authority and control plane for the AI agents on one small box.
#[derive(Parser)]
#[command(name = "taosd", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    /// What to do; serving if absent.
    pub command: Option<Command>,
    #[command(flatten)]
    /// The settings of a serve without a command.
    pub serve: Serving,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Serve (what happens without a command).
    Serve(Serving),
    /// Check a database, in use or not: schema, structure, foreign keys, audit chain, free space.
    Check {
        /// Where the data is.
        #[command(flatten)]
        settings: Settings,
        /// The file to check; the data directory's if absent.
        file: Option<PathBuf>,
        /// Also prove that the audit goes on from a head that was told once: the reply of GET /api/audit/head, or a file
        /// with it or with the log's lines.
        #[arg(long, value_name = "FILE|VALUE")]
        head: Option<String>,
    },
    /// Write a checked copy of the database to a file; the daemon may be running.
    Backup {
        /// Where the data is.
        #[command(flatten)]
        settings: Settings,
        /// Where to; an older backup there is replaced.
        file: PathBuf,
    },
    /// Put a backup in the place of the database; the daemon must not be running.
    Restore {
        /// Where the data is.
        #[command(flatten)]
        settings: Settings,
        /// The backup.
        file: PathBuf,
        /// Only say what it would change.
        #[arg(long)]
        dry_run: bool,
        /// Say it as one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Make the database as small as what it holds; the daemon must not be running.
    Compact(Settings),
    /// Look at the settings a start would read.
    Config {
        /// What about them.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print the operator's token.
    OperatorToken {
        /// Where the data is.
        #[command(flatten)]
        settings: Settings,
        /// Replace it first; the daemon must not be running.
        #[arg(long)]
        rotate: bool,
    },
}

/// What can be asked about the settings.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Say what is read from where, and everything that is wrong.
    Check(Settings),
    /// Print every setting with its value and where it was set; secrets are not shown.
    Show(Settings),
}

/// The flags of serving.
#[derive(Args)]
pub struct Serving {
    /// The settings.
    #[command(flatten)]
    pub settings: Settings,
    /// Make an empty box where the database is lost and its token, WAL or backups are still there.
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
    /// Where everything is kept.
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
    /// Where that runtime's socket is.
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
