//! `taosctl`: one command line for the daemon's routes.
//!
//! A noun is one file in [`nouns`]: it names its verbs, the route each calls and how the reply is shown. Flags come from
//! the route table, so that the command line and the daemon cannot drift apart. What does not belong here: anything the
//! daemon decides. The command line checks types, the daemon checks values.

mod cli;
pub(crate) mod completion;
pub mod core;
pub mod login;
mod nouns;
pub mod show;
pub mod verbs;

pub use cli::command;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::ExitCode;

use login::context::Context;

/// Runs one command: 0 ok, 1 refused by the server, 2 usage or no valid login, 3 unreachable.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match cli::command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version go to stdout with 0, a misuse to stderr with 2; a closed pipe is no reason to panic.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let result = Context::new(&matches)
        .and_then(|context| crate::ctl::verbs::entry::run(nouns::ALL, &context, &matches))
        .and_then(|output| output.print());
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            crate::ctl::core::output::complain(&failure.to_text());
            ExitCode::from(failure.exit_code())
        }
    }
}

/// The ids of the routes that some command calls: for the test that every route has a command or a reason for none.
pub fn routes_with_a_command() -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    crate::ctl::verbs::entry::collect_routes(nouns::ALL, &mut found);
    found
}
