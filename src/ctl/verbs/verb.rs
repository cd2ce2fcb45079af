//! A verb: a route of the table and how its reply is shown.

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Map, Value};

use super::keep::{self, Keep};
use super::paging;
use super::show::{self, Show};
use super::slow::{self, End};
use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags::{self, Flag};
use crate::ctl::core::output::Output;
use crate::ctl::core::{ask, path};
use crate::ctl::login::context::Context;
use crate::ctl::login::session;
use crate::rest::field::Field;
use crate::rest::route::BodyKind;

/// What the body of the request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// The fields given by flags.
    Flags,
    /// A JSON file.
    File,
}

/// A verb.
pub struct Verb {
    /// Its name.
    pub name: &'static str,
    /// The route's id.
    pub route: &'static str,
    show: Show,
    flags: &'static [Flag],
    ask: Option<&'static str>,
    body: Body,
    at_once: bool,
    below: &'static [Verb],
}

impl Verb {
    /// A verb whose flags are the route's fields.
    pub const fn new(name: &'static str, route: &'static str, show: Show) -> Self {
        Self { name, route, show, flags: &[], ask: None, body: Body::Flags, at_once: false, below: &[] }
    }

    /// Flags that depart from the rule.
    pub const fn flags(mut self, flags: &'static [Flag]) -> Self {
        self.flags = flags;
        self
    }

    /// A question to confirm; `{}` stands for the last positional argument.
    pub const fn ask(mut self, question: &'static str) -> Self {
        self.ask = Some(question);
        self
    }

    /// It has verbs of its own below it.
    pub const fn with(mut self, below: &'static [Verb]) -> Self {
        self.below = below;
        self
    }

    /// The verbs below it.
    pub fn below(&self) -> &'static [Verb] {
        self.below
    }

    /// The body is a JSON file that is named, not flags.
    pub const fn body_from_file(mut self) -> Self {
        self.body = Body::File;
        self
    }

    /// It never waits, though its route can.
    pub const fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    fn is_slow(&self) -> bool {
        !self.at_once && slow::is_slow(path::route(self.route))
    }

    /// The command.
    pub fn command(&self) -> Command {
        let route = path::route(self.route);
        let text = NonEmptyStringValueParser::new;
        let mut command = Command::new(self.name).about(route.title).after_help(route.about);
        for name in route.parameters() {
            command = command.arg(Arg::new(name).value_name(name.to_uppercase()).required(true).value_parser(text()));
        }
        if self.body == Body::File {
            let help = "A JSON file; - reads stdin";
            command = command.arg(Arg::new("file").value_name("FILE").required(true).value_parser(text()).help(help));
        }
        if self.ask.is_some() {
            let yes = Arg::new("yes").long("yes").short('y').action(ArgAction::SetTrue);
            command = command.arg(yes.help("Do not ask"));
        }
        if route.query.iter().chain(self.body_fields()).any(|field| field.name == "limit") {
            command = command.arg(limit());
        }
        if matches!(self.show, Show::Kept) {
            command = command.args(keep::args());
        }
        if self.is_slow() {
            command = command.arg(slow::no_wait());
        }
        let command =
            command.args(flags::args(self.body_fields(), self.flags)).args(flags::args(route.query, self.flags));
        self.below
            .iter()
            .fold(command.disable_help_subcommand(true), |command, verb| command.subcommand(verb.command()))
    }

    /// Carries it out.
    ///
    /// # Errors
    /// Whatever goes wrong on the way.
    pub fn run(&self, context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
        if let Some((name, matches)) = matches.subcommand()
            && let Some(verb) = self.below.iter().find(|verb| verb.name == name)
        {
            return verb.run(context, matches);
        }
        let route = path::route(self.route);
        let names = route.parameters();
        let parameters: Vec<&str> =
            names.iter().filter_map(|name| matches.get_one::<String>(name)).map(String::as_str).collect();
        let mut query = flags::read(route.query, self.flags, matches)?;
        let mut body = self.body(matches)?;
        // A table asks page after page; what is shown otherwise is one answer.
        if let Some(limit) = rows_wanted(matches).filter(|_| !matches!(self.show, Show::Table(_))) {
            match &mut body {
                Some(Value::Object(fields)) => fields.insert("limit".to_owned(), Value::from(limit)),
                _ => query.insert("limit".to_owned(), Value::from(limit)),
            };
        }
        if let Some(question) = self.ask.filter(|_| !matches.get_flag("yes")) {
            ask::confirm(&question.replace("{}", parameters.last().unwrap_or(&"")))?;
        }
        let keep = matches!(self.show, Show::Kept).then(|| Keep::asked(matches)).transpose()?;
        let session = context.session()?;
        if let Show::Table(_) = self.show {
            let rows = paging::rows(&session, route, &parameters, query, rows_wanted(matches))?;
            return show::reply(&session, &self.show, &parameters, &Value::Array(rows));
        }
        if self.is_slow() {
            query.extend(slow::query(&session, matches));
        }
        let reply = session.send(route, &path::target(route, &parameters, &query), body.as_ref())?;
        let end =
            if self.is_slow() { slow::end(&session, &reply, matches)? } else { End::Result(session::json(&reply)?) };
        match (end, keep) {
            (End::Result(reply), Some(keep)) => keep.token(&session, reply),
            (End::Result(reply), None) => show::reply(&session, &self.show, &parameters, &reply),
            (End::Promised(output), _) => Ok(output),
        }
    }

    fn body_fields(&self) -> &'static [Field] {
        match path::route(self.route).body {
            BodyKind::Json(fields) if self.body == Body::Flags => fields,
            _ => &[],
        }
    }

    fn body(&self, matches: &ArgMatches) -> Result<Option<Value>, Failure> {
        if self.body == Body::File {
            let path = matches.get_one::<String>("file").map_or("-", String::as_str);
            let wrong = |error| Failure::usage(format!("{path} is not JSON: {error}"), "Name a file with one object.");
            let object: Map<String, Value> = serde_json::from_str(&flags::read_file(path)?).map_err(wrong)?;
            return Ok(Some(Value::Object(object)));
        }
        let takes_one = matches!(path::route(self.route).body, BodyKind::Json(_));
        takes_one.then(|| flags::read(self.body_fields(), self.flags, matches).map(Value::Object)).transpose()
    }
}

/// `--limit`.
pub fn limit() -> Arg {
    let arg = Arg::new("limit").long("limit").value_name("N").value_parser(value_parser!(u64).range(1..));
    arg.help("Rows to show; all if absent")
}

/// What `--limit` says.
pub fn rows_wanted(matches: &ArgMatches) -> Option<usize> {
    // A list that is not paged has no such flag.
    let limit = matches.try_get_one::<u64>("limit").ok().flatten();
    limit.map(|n| usize::try_from(*n).unwrap_or(usize::MAX))
}
