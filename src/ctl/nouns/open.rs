//! `taosctl open`: makes a link that logs a browser in once.

use clap::{Arg, ArgMatches, Command};
use serde_json::json;

use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::path;
use crate::ctl::login::context::Context;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show;

/// `taosctl open`.
pub const ENTRY: CommandEntry = CommandEntry::Own { name: "open", routes: &["sessions_link"], command, run };

fn command(name: &'static str) -> Command {
    Command::new(name)
        .about("Print a link that logs a browser in")
        .after_help(
            "Open the link within 5 minutes; it works once. From another machine without TLS, open a tunnel first: \
             ssh -L 6969:127.0.0.1:6969 BOX.",
        )
        .arg(Arg::new("path").value_name("PATH").help("The page to open, such as /docs; the front page if absent"))
}

fn run(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let body = matches.get_one::<String>("path").map_or_else(|| json!({}), |path| json!({"path": path}));
    let session = context.session()?;
    let route = path::route("sessions_link");
    let reply = session.send_for_json(route, route.path, Some(&body))?;
    if context.json {
        return Ok(show::one_line(&reply).must_arrive());
    }
    let url = reply["url"].as_str().ok_or_else(|| Failure::Unexpected("The answer holds no link.".to_owned()))?;
    let note = "Open the link in a browser within 5 minutes. It works once.";
    Ok(Output::text(url.to_owned()).with_note(note).must_arrive())
}
