//! `taosctl docs`: the daemon's documentation, as Markdown.

use clap::{Arg, ArgMatches, Command};
use serde_json::{Map, Value};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::{path, text};
use crate::ctl::login::context::Context;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show;

/// The verb.
pub const ENTRY: CommandEntry = CommandEntry::Own { name: "docs", routes: &["docs_index", "docs_get"], command, run };

fn command(name: &'static str) -> Command {
    let page = Arg::new("page").value_name("PAGE");
    Command::new(name)
        .about("Read the documentation")
        .arg(page.help("A page, like recipes/managing-agents, or the doc_url of an error; the first page if absent"))
}

fn run(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let target = matches.get_one::<String>("page").map_or_else(first_page, |page| target(page));
    let reply = session.send(path::route("docs_get"), &target, None)?;
    let wrong = |_| Failure::Unexpected("The answer is not text.".to_owned());
    let markdown = String::from_utf8(reply.body).map_err(wrong)?;
    Ok(if context.json { show::one_line(&Value::from(markdown)) } else { Output::text(text::clean_lines(&markdown)) })
}

fn first_page() -> String {
    path::route("docs_index").path.to_owned()
}

/// The target of a page as people write it: below `docs/agents`, with or without that in front, an anchor left off.
fn target(page: &str) -> String {
    let page = page.split('#').next().unwrap_or(page);
    let page = page.trim_matches('/').strip_prefix("docs").map_or(page, |rest| rest).trim_matches('/');
    let below = page.strip_prefix("agents").map_or(page, |rest| rest).trim_matches('/');
    if below.is_empty() {
        return first_page();
    }
    let encoded: Vec<String> = below
        .split('/')
        .map(|part| path::target(path::route("docs_get"), &[part], &Map::new()))
        .map(|target| target.trim_start_matches("/docs/").to_owned())
        .collect();
    format!("/docs/agents/{}", encoded.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_be_written_in_every_way_people_meet_it() {
        for page in ["errors", "errors#busy", "agents/errors", "/docs/agents/errors#busy", "docs/agents/errors/"] {
            assert_eq!(target(page), "/docs/agents/errors", "{page}");
        }
        for page in ["", "/", "docs", "/docs", "agents", "#x"] {
            assert_eq!(target(page), "/docs", "{page}");
        }
        assert_eq!(target("a b/c?d"), "/docs/agents/a%20b/c%3Fd");
    }
}
