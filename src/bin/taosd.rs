//! `taosd`: the daemon. Argument parsing only; see `taosd::daemon`.

#![warn(clippy::disallowed_macros)]

use std::process::ExitCode;

use clap::Parser;
use taosd::daemon::cli::{Cli, Command, ConfigCommand};
use taosd::{daemon, offline, say};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(say::clap("taosd", &error)),
    };
    daemon::logger::init();
    let result = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(settings) => settings.load().and_then(daemon::serve),
        Command::Check { settings, file, head } => {
            settings.load().and_then(|config| offline::check(&config, file, head.as_deref()))
        }
        Command::Backup { settings, file } => settings.load().and_then(|config| offline::backup(&config, &file)),
        Command::Restore { settings, file, dry_run: dry, json } => {
            settings.load().and_then(|config| offline::restore(&config, &file, offline::RestoreMode { dry, json }))
        }
        Command::Compact(settings) => settings.load().and_then(|config| offline::compact(&config)),
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
            say::complain(&format!("taosd: {failure}\n"));
            ExitCode::from(failure.exit_code())
        }
    }
}
