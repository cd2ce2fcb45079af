//! Words in the order of other command lines: `get agents`, `describe agent atlas`, `start atlas`, `help agents`. They
//! are put into the order of `taosctl` before clap parses them.

use std::ffi::OsString;

use clap::Command;

use super::habits::word_after;

/// Verbs before a noun, each with the verb of `taosctl`.
const BEFORE_A_NOUN: &[(&str, &str)] = &[
    ("add", "create"),
    ("cancel", "cancel"),
    ("create", "create"),
    ("delete", "delete"),
    ("describe", "get"),
    ("edit", "update"),
    ("get", "get"),
    ("info", "get"),
    ("list", "list"),
    ("ls", "list"),
    ("new", "create"),
    ("remove", "delete"),
    ("rm", "delete"),
    ("show", "get"),
    ("update", "update"),
    ("view", "get"),
    ("wait", "wait"),
];

/// Verbs that mean agents if no noun follows, each with the verb of `taosctl`.
const OF_AGENTS: &[(&str, &str)] = &[
    ("create", "create"),
    ("delete", "delete"),
    ("deploy", "deploy"),
    ("describe", "get"),
    ("export", "export"),
    ("get", "get"),
    ("import", "import"),
    ("info", "get"),
    ("launch", "deploy"),
    ("list", "list"),
    ("log", "logs"),
    ("logs", "logs"),
    ("ls", "list"),
    ("pause", "pause"),
    ("ps", "list"),
    ("purge", "purge"),
    ("restart", "restart"),
    ("restore", "restore"),
    ("resume", "resume"),
    ("rm", "delete"),
    ("show", "get"),
    ("start", "start"),
    ("stop", "stop"),
    ("view", "get"),
];

/// Lists that are commands of their own: the words that people use, and the commands that list, create and delete an
/// entry.
const LISTS: &[(&[&str], [&str; 3])] = &[
    (&["backups", "backup"], ["backups", "backup", ""]),
    (&["files", "file"], ["files", "upload", "delete-file"]),
    (&["audit"], ["audit", "", ""]),
];

/// Words of other command lines, and the words of `taosctl`.
const ELSEWHERE: &[(&str, &[&str])] = &[
    ("cluster-info", &["status"]),
    ("config", &["box", "settings"]),
    ("containers", &["agents", "containers"]),
    ("settings", &["box", "settings"]),
];

/// The words that may be first, besides the commands themselves.
pub(super) fn first_words() -> impl Iterator<Item = &'static str> {
    BEFORE_A_NOUN.iter().chain(OF_AGENTS).map(|(word, _)| *word).chain(ELSEWHERE.iter().map(|(word, _)| *word))
}

/// Adds the verbs that may be first as hidden commands, for the completion in shells.
pub(super) fn with_verbs_first(mut whole: Command) -> Command {
    let below = |whole: &Command, noun: &str, verb: &str, name: &str| {
        let verb = whole.find_subcommand(noun)?.find_subcommand(verb)?.clone();
        // The aliases are removed, because they are verbs of their own here.
        Some(verb.alias(None::<&str>).name(name.to_owned()).hide(true))
    };
    for (theirs, ours) in OF_AGENTS {
        let known = whole.find_subcommand(theirs).is_some();
        if let Some(verb) = below(&whole, "agents", ours, theirs).filter(|_| !known) {
            whole = whole.subcommand(verb);
        }
    }
    let nouns: Vec<String> = whole.get_subcommands().map(|noun| noun.get_name().to_owned()).collect();
    for (theirs, ours) in BEFORE_A_NOUN {
        let of_nouns = nouns.iter().filter_map(|noun| below(&whole, noun, ours, noun)).map(|verb| verb.hide(false));
        let of_nouns: Vec<Command> = of_nouns.collect();
        whole = if whole.find_subcommand(theirs).is_some() {
            whole.mut_subcommand(theirs, |verb| verb.subcommands(of_nouns))
        } else {
            whole.subcommand(Command::new(*theirs).hide(true).subcommands(of_nouns))
        };
    }
    whole
}

/// The words of the command that the arguments name, such as `taosctl agents create`.
pub(super) fn command_of(args: &[OsString], whole: &Command) -> String {
    let (mut command, mut at, mut words) = (whole, 1, vec!["taosctl"]);
    while let Some(next) = word_after(args, at)
        && let Some(below) = args[next].to_str().and_then(|word| command.find_subcommand(word))
    {
        words.push(below.get_name());
        (command, at) = (below, next + 1);
    }
    words.join(" ")
}

/// Rewrites `get backups`, `backups ls` and `backup create` to `backups` and `backup`, which are commands without
/// verbs.
fn of_list(args: &[OsString], at: usize) -> Option<Vec<OsString>> {
    let next = word_after(args, at + 1)?;
    let (first, second) = (args[at].to_str()?, args[next].to_str()?);
    let of = |noun: &str| LISTS.iter().find(|(names, ..)| names.contains(&noun));
    let verb_of = |word: &str| BEFORE_A_NOUN.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| *ours);
    let (verb, (_, [lists, makes, deletes])) = match (of(second), of(first)) {
        (Some(noun), _) if verb_of(first).is_some() => (verb_of(first)?, noun),
        (_, Some(noun)) => (verb_of(second)?, noun),
        _ => return None,
    };
    let ours = match verb {
        "list" | "get" => lists,
        "create" => makes,
        "delete" => deletes,
        _ => "",
    };
    if ours.is_empty() {
        return None;
    }
    let mut args = args.to_vec();
    args[at] = ours.into();
    args.remove(next);
    Some(args)
}

/// Rewrites `tasks close TASK` to an update of the task's status.
fn of_done(args: &[OsString], at: usize) -> Option<Vec<OsString>> {
    let next = word_after(args, at + 1)?;
    let is = |at: usize, words: &[&str]| args[at].to_str().is_some_and(|word| words.contains(&word));
    if !is(at, &["task", "tasks"]) || !is(next, &["close", "complete", "done", "finish"]) {
        return None;
    }
    let mut args = args.to_vec();
    args[next] = "update".into();
    args.insert(next + 1, "--status=done".into());
    Some(args)
}

/// Rewrites `VERB NOUN NAME` and `VERB NOUN/NAME` to `NOUN VERB NAME`. `ours` is the `taosctl` verb for the word at
/// `at`.
fn of_verb_first(args: &[OsString], at: usize, ours: &str, whole: &Command) -> Option<Vec<OsString>> {
    let next = word_after(args, at + 1)?;
    let text = args[next].to_str()?;
    let (noun, name) = text.split_once('/').map_or((text, None), |(noun, name)| (noun, Some(name)));
    let found = whole.find_subcommand(noun).filter(|found| found.has_subcommands())?;
    let names_one = name.is_some() || word_after(args, next + 1).is_some();
    let verb = if ours == "get" && !names_one { "list" } else { ours };
    // Some nouns use `show` for `get`, or `rm` for `delete`.
    let verb = [verb, if verb == "get" { "show" } else { "rm" }]
        .into_iter()
        .find(|verb| found.find_subcommand(verb).is_some())
        .unwrap_or(verb);
    let mut args = args.to_vec();
    let (noun, name) = (noun.to_owned(), name.map(str::to_owned));
    args[at] = noun.into();
    args[next] = verb.into();
    if let Some(name) = name {
        args.insert(next + 1, name.into());
    }
    Some(args)
}

/// Puts the arguments into the order of `taosctl`.
pub(super) fn in_our_order(mut args: Vec<OsString>, whole: &Command) -> Vec<OsString> {
    let Some(at) = word_after(&args, 1) else { return args };
    let Some(word) = args[at].to_str().map(str::to_owned) else { return args };
    if word == "help" {
        args.remove(at);
        args.push("--help".into());
        return in_our_order(args, whole);
    }
    if word == "download" {
        // The command had a flag of this name before there was a global one.
        for arg in args.iter_mut().skip(at) {
            if arg == "-o" || arg == "--output" {
                *arg = "--save-as".into();
            }
        }
        return args;
    }
    if let Some(args) = of_list(&args, at) {
        return args;
    }
    if let Some(args) = of_done(&args, at) {
        return args;
    }
    if whole.find_subcommand(&word).is_some() {
        return args;
    }
    if word == "info" && word_after(&args, at + 1).is_none() {
        args[at] = "status".into();
        return args;
    }
    if let Some((_, ours)) = ELSEWHERE.iter().find(|(theirs, _)| *theirs == word) {
        args.splice(at..=at, ours.iter().map(OsString::from));
        return args;
    }
    let of = |table: &[(&str, &'static str)]| table.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| *ours);
    if let Some(ours) = of(BEFORE_A_NOUN)
        && let Some(args) = of_verb_first(&args, at, ours, whole)
    {
        return args;
    }
    if let Some(ours) = of(OF_AGENTS) {
        args[at] = ours.into();
        args.insert(at, "agents".into());
    }
    args
}

#[cfg(test)]
mod tests {
    use super::super::cli;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_command_that_shells_complete_is_well_formed() {
        let whole = with_verbs_first(cli::command());
        whole.clone().debug_assert();
        for (theirs, _) in BEFORE_A_NOUN {
            let verb = whole.find_subcommand(theirs).unwrap();
            assert!(verb.has_subcommands(), "{theirs}");
        }
    }

    fn ours(line: &str) -> String {
        let args = std::iter::once("taosctl").chain(line.split_whitespace()).map(OsString::from).collect();
        let args = in_our_order(args, &cli::command());
        args.iter().skip(1).map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_of_other_command_lines_are_put_into_our_order() {
        for (theirs, wanted) in [
            ("get agents", "agents list"),
            ("get agents -o json", "agents list -o json"),
            ("-o json get agents", "-o json agents list"),
            ("get agent atlas", "agent get atlas"),
            ("get agent/atlas", "agent get atlas"),
            ("describe user ann", "user get ann"),
            ("delete agent atlas --yes", "agent delete atlas --yes"),
            ("create user ann", "user create ann"),
            ("list", "agents list"),
            ("ls --watch", "agents list --watch"),
            ("start atlas hermes", "agents start atlas hermes"),
            ("--url http://a:1 stop atlas", "--url http://a:1 agents stop atlas"),
            ("logs atlas -f", "agents logs atlas -f"),
            ("launch atlas", "agents deploy atlas"),
            ("help agents create", "agents create --help"),
            ("help start", "agents start --help"),
            ("help", "--help"),
            ("agents list", "agents list"),
            ("download x -o y", "download x --save-as y"),
            ("whoami", "whoami"),
            ("get backups", "backups"),
            ("-o json backups ls", "-o json backups"),
            ("backup list", "backups"),
            ("backup create", "backup"),
            ("create backup", "backup"),
            ("backup", "backup"),
            ("backups", "backups"),
            ("get files", "files"),
            ("files rm plan.md", "delete-file plan.md"),
            ("delete file plan.md", "delete-file plan.md"),
            ("files ls --json", "files --json"),
            ("audit ls --since 1h", "audit --since 1h"),
            ("audit verify", "audit verify"),
            ("info", "status"),
            ("tasks done Mop --json", "tasks update --status=done Mop --json"),
            ("task close Mop", "task update --status=done Mop"),
            ("info atlas", "agents get atlas"),
            ("settings", "box settings"),
            ("fly", "fly"),
        ] {
            assert_eq!(ours(theirs), wanted);
        }
    }

    proptest! {
        #[test]
        fn any_words_are_taken(words in proptest::collection::vec("[a-z/-]{0,8}|get|agents|help|-o", 0..6)) {
            let _ = ours(&words.join(" "));
        }
    }
}
