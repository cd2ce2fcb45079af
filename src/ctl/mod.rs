//! `taosctl`: one command line for the daemon's routes.
//!
//! A module uses only the modules before it:
//!
//! 1. [`core`] - tools that every command uses
//! 2. [`show`] - tables and texts
//! 3. [`login`] - which server to use, and with which credential
//! 4. [`verbs`] - turns a verb into requests
//! 5. `nouns` - one file per noun
//! 6. `habits` - translates the words of other command lines
//! 7. `grammar` - puts words into the order of `taosctl`
//! 8. `completion` - completion scripts for shells
//! 9. `examples` - the examples at the end of every help
//! 10. `cli` - the whole command
//! 11. `misuse` - command lines that cannot be parsed
//!
//! A noun is one file in [`nouns`]. It names its verbs, the route of each, and how the reply is shown. Flags come from
//! the route table, so the command line always matches the daemon. The command line checks types; all other checks and
//! decisions are in the daemon.

mod cli;
mod completion;
pub mod core;
mod examples;
mod grammar;
mod habits;
pub mod login;
mod misuse;
mod nouns;
pub mod show;
pub mod verbs;

pub use cli::command;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::ExitCode;

use self::core::failure::Failure;
use self::core::next;
use crate::say::complain;
use login::context::Context;
use verbs::entry;

/// Runs one command. Exit codes: 0 ok, 1 refused by the server, 2 wrong usage or no valid login, 3 unreachable.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(offered) = completion::offer(cli::command, &args) {
        return ExitCode::from(offered);
    }
    let whole = cli::command();
    let args = habits::places(grammar::in_our_order(habits::in_our_words(args), &whole), &whole);
    next::runs(grammar::command_of(&args, &whole));
    let matches = match whole.try_get_matches_from(&args) {
        Ok(matches) => matches,
        Err(error) if error.use_stderr() && misuse::wants_json(&args) => {
            return fail(&misuse::failure(&error), Failure::to_json);
        }
        Err(error) => return ExitCode::from(misuse::print(&error)),
    };
    let output = match matches.subcommand() {
        Some((completion::NAME, below)) => completion::run(below),
        _ => Context::new(&matches).and_then(|context| entry::run(nouns::ALL, &context, &matches)),
    };
    match output.and_then(|output| output.print()) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => fail(&failure, Failure::told),
    }
}

fn fail(failure: &Failure, told: fn(&Failure) -> String) -> ExitCode {
    complain(&told(failure));
    ExitCode::from(failure.exit_code())
}

/// The completion script of a shell. It calls `taosctl` for suggestions while a person types.
///
/// # Errors
/// [`Failure::Usage`] if there is no completion for this shell.
pub fn completion_script(shell: &str) -> Result<String, core::failure::Failure> {
    completion::script(shell)
}

/// The ids of the routes that a command calls. For the test that every route has a command, or a reason why it has
/// none.
pub fn routes_with_a_command() -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    entry::collect_routes(nouns::ALL, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::core::path::route;

    #[test]
    fn every_command_that_an_error_names_is_there_and_so_is_the_error() {
        for (code, command) in super::core::next::NEXT {
            let local = matches!(*code, "cancelled" | "unreachable" | "unexpected_reply");
            assert!(local || crate::rest::codes::by_slug(code).is_some(), "{code}");
            let words = command.split(' ').map(std::ffi::OsString::from).collect();
            let words = super::grammar::in_our_order(words, &super::cli::command());
            assert!(super::cli::command().try_get_matches_from(words).is_ok(), "{command}");
        }
    }

    #[test]
    fn every_empty_list_names_the_next_command() {
        let all = super::verbs::entry::verbs(super::nouns::ALL);
        // The audit and the settings of a box are never empty.
        let silent =
            all.iter().filter(|verb| !matches!(verb.route, "audit_list" | "box_settings") && !verb.names_the_next());
        let silent: Vec<&str> = silent.map(|verb| verb.route).collect();
        assert!(silent.is_empty(), "{silent:?}");
    }

    #[test]
    fn every_command_names_a_route_of_the_table() {
        for id in super::routes_with_a_command() {
            assert_eq!(route(id).id, id);
        }
    }
}
