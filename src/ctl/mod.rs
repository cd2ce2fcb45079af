//! `taosctl`: one command line for the daemon's routes.
//!
//! Each room uses only those before it:
//!
//! 1. [`core`] - what every command uses
//! 2. [`show`] - tables and texts
//! 3. [`login`] - where it connects, and as whom
//! 4. [`verbs`] - how a verb becomes requests
//! 5. `nouns` - one file a noun
//! 6. `habits` - the words of other command lines
//! 7. `grammar` - the order of words
//! 8. `completion` - scripts for shells
//! 9. `examples` - what every help shows at its end
//! 10. `cli` - the whole command
//! 11. `misuse` - a command line that cannot be read
//!
//! A noun is one file in [`nouns`]: it names its verbs, the route each calls and how the reply is shown. Flags come from
//! the route table, so that the command line and the daemon cannot drift apart. What does not belong here: anything the
//! daemon decides. The command line checks types, the daemon checks values.

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

/// Runs one command: 0 ok, 1 refused by the server, 2 usage or no valid login, 3 unreachable.
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

/// The completion script of a shell: it asks `taosctl` while a person types.
///
/// # Errors
/// There is no such shell.
pub fn completion_script(shell: &str) -> Result<String, core::failure::Failure> {
    completion::script(shell)
}

/// The ids of the routes that some command calls: for the test that every route has a command or a reason for none.
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
        // There is no box without an audit and settings.
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
