//! `taosctl docs`: the documentation in this program, as Markdown. It needs no server.

use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::text;
use crate::ctl::login::context::Context;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show;
use crate::docs;

/// `taosctl docs`.
pub const ENTRY: CommandEntry = CommandEntry::Own { name: "docs", routes: &[], command, run };

fn command(name: &'static str) -> Command {
    let page = Arg::new("page").value_name("PAGE");
    Command::new(name)
        .about("Read the documentation, offline")
        .after_help("With the heading of a doc_url, such as errors#agent_not_found, only that part is shown.")
        .arg(page.help("A page, like recipes/managing-agents, or the doc_url of an error; the first page if absent"))
}

fn run(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let given = matches.get_one::<String>("page").map_or("", String::as_str);
    let (page, anchor) = place(given);
    let not_found = || {
        let names: Vec<&str> = docs::PAGES.iter().map(|(name, _)| name.trim_start_matches("agents/")).collect();
        let body = json!({"error": "doc_not_found", "detail": format!("There is no page {given}."),
            "fix": format!("The pages: {}.", names.join(", ")), "doc_url": "/docs/agents/README"});
        Failure::refused(404, body.to_string().as_bytes(), None)
    };
    let markdown = docs::page(&page).or_else(|| by_last_word(&page)).ok_or_else(not_found)?;
    let shown = anchor.and_then(|anchor| part(markdown, anchor)).unwrap_or_else(|| markdown.to_owned());
    Ok(if context.json { show::one_line(&Value::from(shown)) } else { Output::text(text::clean_lines(&shown)) })
}

/// The page and the heading from what people write: a full address, with or without `docs/agents` at its beginning.
fn place(given: &str) -> (String, Option<&str>) {
    let (page, anchor) = given.split_once('#').map_or((given, None), |(page, anchor)| (page, Some(anchor)));
    let page = match page.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => page,
    };
    let page = page.trim_matches('/').trim_end_matches(".md");
    let below = |text: &'static str, page: &str| match page.strip_prefix(text) {
        Some("") => String::new(),
        Some(rest) if rest.starts_with('/') => rest.trim_start_matches('/').to_owned(),
        _ => page.to_owned(),
    };
    let page = below("agents", &below("docs", page));
    let page = if page.is_empty() { "agents/README".to_owned() } else { format!("agents/{page}") };
    (page, anchor.filter(|anchor| !anchor.is_empty()))
}

/// The page whose path ends with the last word of this path, such as `backup` in `recipes/backup`.
fn by_last_word(page: &str) -> Option<&'static str> {
    let word = page.strip_prefix("agents/")?;
    docs::PAGES.iter().find(|(name, _)| name.rsplit('/').next() == Some(word)).map(|(_, text)| *text)
}

/// A heading with the text below it, up to the next heading of its level.
fn part(markdown: &str, anchor: &str) -> Option<String> {
    let rank = |line: &str| line.bytes().take_while(|b| *b == b'#').count();
    let lines: Vec<&str> = markdown.lines().collect();
    let is = |line: &&str| rank(line) > 0 && docs::anchor(&line.trim_start_matches('#').replace('`', "")) == anchor;
    let from = lines.iter().position(is)?;
    let own = rank(lines[from]);
    let mut fenced = false;
    let rest = lines[from + 1..].iter().take_while(|line| {
        fenced ^= line.starts_with("```");
        fenced || rank(line) == 0 || rank(line) > own
    });
    Some(std::iter::once(&lines[from]).chain(rest).map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_be_written_in_every_way_people_meet_it() {
        let whole = "http://127.0.0.1:6969/docs/agents/errors#busy";
        for page in ["errors", "errors#busy", "agents/errors", "/docs/agents/errors#busy", "docs/agents/errors/", whole]
        {
            assert_eq!(place(page).0, "agents/errors", "{page}");
        }
        for page in ["", "/", "docs", "/docs", "agents", "#x", "http://h:1"] {
            assert_eq!(place(page).0, "agents/README", "{page}");
        }
        assert_eq!(place(whole).1, Some("busy"));
    }

    #[test]
    fn the_last_word_of_a_page_is_enough() {
        assert_eq!(by_last_word("agents/backup"), docs::page("agents/recipes/backup"));
        assert_eq!(by_last_word("agents/first-login"), docs::page("agents/operations/first-login"));
        assert_eq!(by_last_word("agents/nothing"), None);
    }

    #[test]
    fn a_heading_is_shown_with_what_is_below_it() {
        let text = "# A\nx\n## B `c`\ny\n```\n# no heading\n```\n### D\nz\n## E\n";
        assert_eq!(part(text, "b-c").unwrap(), "## B `c`\ny\n```\n# no heading\n```\n### D\nz\n");
        assert_eq!(part(text, "nothing"), None);
    }
}
