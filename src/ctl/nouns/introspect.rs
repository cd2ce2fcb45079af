//! `taosctl oauth introspect`: shows what a token allows now. The token comes from a file or from stdin, because others
//! can read the command line.

use clap::{Arg, ArgMatches, Command};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::path;
use crate::ctl::login::connection::read_token;
use crate::ctl::login::context::Context;
use crate::ctl::login::session;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::{self, ShowAs};

/// `taosctl oauth introspect`.
pub const ENTRY: CommandEntry = CommandEntry::Own { name: "introspect", routes: &["oauth_introspect"], command, run };

fn command(name: &'static str) -> Command {
    Command::new(name)
        .about("Check a token")
        .after_help("Exits with 1 if the token is not active: unknown, expired, revoked, or of a frozen agent.")
        .arg(Arg::new("file").value_name("FILE").default_value("-").help("A file that holds the token; - reads stdin"))
}

fn run(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let token = read_token(matches.get_one::<String>("file").map_or("-", String::as_str))?;
    let session = context.session()?;
    let form = format!("token={}", utf8_percent_encode(token.reveal(), NON_ALPHANUMERIC));
    let route = path::route("oauth_introspect");
    let reply = session.send_dressed(route, route.path, &|request| {
        request.with_body("application/x-www-form-urlencoded", form.clone())
    })?;
    let told = session::json(&reply)?;
    let output = show::reply(&session, &ShowAs::Record, &[], &told)?;
    Ok(if told["active"] == true { output } else { output.failing() })
}
