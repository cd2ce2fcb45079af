//! A verb: a route of the table and how its reply is shown.

use std::collections::HashSet;

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgMatches, Command};
use serde_json::{Map, Value};

use super::absent::{Absent, Gather};
use super::each::each;
use super::keep::{self, SecretDestination};
use super::names;
use super::paging::{self, Reach};
use super::period::{self, Period};
use super::place;
use super::show::{self, ShowAs};
use super::slow::{self, SlowEnd};
use super::watch;
use super::wording;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags::{self, Flag};
use crate::ctl::core::format::Format;
use crate::ctl::core::output::Output;
use crate::ctl::core::{ask, path, text};
use crate::ctl::login::context::Context;
use crate::ctl::login::session::{self, Session};
use crate::ctl::show::table::Column;
use crate::rest::field::Field;
use crate::rest::route::BodyKind;

/// The source of the request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestBody {
    /// The fields given by flags.
    Flags,
    /// A JSON file.
    File,
}

/// The most rows that a followed list shows first.
const FOLLOWED: usize = 500;

/// Changes the rows of a list before people see them.
type Dress = fn(&Session<'_>, &mut [Value]);
/// Returns a warning to show before the verb runs, from its flags and parameters.
type Warn = fn(&Session<'_>, &ArgMatches, &[&str]) -> Option<String>;
/// Returns a note about a reply, from the fields that were sent.
type Note = fn(&Map<String, Value>, &Value) -> Option<String>;

/// A verb: a command that calls one route.
pub struct Verb {
    /// The name of the verb.
    pub name: &'static str,
    /// The id of the route.
    pub route: &'static str,
    show: ShowAs,
    flags: &'static [Flag],
    ask: Option<&'static str>,
    body: RequestBody,
    at_once: bool,
    below: &'static [Verb],
    empty: Option<&'static str>,
    dress: Option<Dress>,
    warn: Option<Warn>,
    note: Option<Note>,
    follows: bool,
    absent: Absent,
}

impl Verb {
    /// A verb whose flags are the route's fields.
    pub const fn new(name: &'static str, route: &'static str, show: ShowAs) -> Self {
        Self {
            name,
            route,
            show,
            flags: &[],
            ask: None,
            body: RequestBody::Flags,
            at_once: false,
            below: &[],
            empty: None,
            dress: None,
            warn: None,
            note: None,
            follows: false,
            absent: Absent::Refused,
        }
    }

    /// The same verb with another name.
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Sets the exceptions to the generated flags.
    pub const fn flags(mut self, flags: &'static [Flag]) -> Self {
        self.flags = flags;
        self
    }

    /// Sets a question to confirm; `{}` stands for the last positional argument.
    pub const fn ask(mut self, question: &'static str) -> Self {
        self.ask = Some(question);
        self
    }

    /// Sets the verbs below this one.
    pub const fn with(mut self, below: &'static [Verb]) -> Self {
        self.below = below;
        self
    }

    /// The verbs below it.
    pub fn below(&self) -> &'static [Verb] {
        self.below
    }

    /// The body is the JSON file that an argument names, not flags.
    pub const fn body_from_file(mut self) -> Self {
        self.body = RequestBody::File;
        self
    }

    /// The verb never waits, although its route can.
    pub const fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    fn is_slow(&self) -> bool {
        !self.at_once && slow::is_slow(path::route(self.route))
    }

    /// Sets the command that an empty list suggests next.
    pub const fn empty(mut self, command: &'static str) -> Self {
        self.empty = Some(command);
        self
    }

    /// True if an empty list suggests the next command.
    #[cfg(test)]
    pub fn names_the_next(&self) -> bool {
        !matches!(self.show, ShowAs::Table(_)) || self.empty.is_some()
    }

    /// The list is newest first, and `--follow` shows new rows as they come.
    pub const fn followed(mut self) -> Self {
        self.follows = true;
        self
    }

    /// Without a user's name, the verb is about the user who runs it.
    pub const fn own(mut self) -> Self {
        self.absent = Absent::OneSelf;
        self
    }

    /// Without a name, `gather` returns the list of all there are.
    pub const fn or_all(mut self, gather: Gather) -> Self {
        self.absent = Absent::All(gather);
        self
    }

    /// Sets the function that changes the rows before people see them, for example from ids to names.
    pub const fn dressed(mut self, dress: Dress) -> Self {
        self.dress = Some(dress);
        self
    }

    /// Sets a warning to print before the verb runs. On a terminal it must be confirmed.
    pub const fn warned(mut self, warn: Warn) -> Self {
        self.warn = Some(warn);
        self
    }

    /// Sets a note to print after the verb has run.
    pub const fn noted(mut self, note: Note) -> Self {
        self.note = Some(note);
        self
    }

    /// True if the verb takes several names: it does the same to each of them.
    fn takes_several(&self) -> bool {
        let places = self.departures().iter().any(|flag| matches!(flag, Flag::Place(_) | Flag::First(_)));
        let one_each = matches!(self.show, ShowAs::Done(..) | ShowAs::Record | ShowAs::Part(_) | ShowAs::Stored(..));
        one_each && !places && self.body == RequestBody::Flags && !path::route(self.route).parameters().is_empty()
    }

    /// The exceptions to the generated flags. If the route creates an object with a required name, that name is the
    /// first argument.
    fn departures(&self) -> Vec<Flag> {
        let mut all = self.flags.to_vec();
        if path::route(self.route).parameters().is_empty() {
            let named =
                self.body_fields().iter().find(|field| field.required && matches!(field.name, "name" | "username"));
            all.extend(named.filter(|field| all.iter().all(|f| f.field() != field.name)).map(|f| Flag::First(f.name)));
        }
        all
    }

    /// Builds the clap command.
    pub fn command(&self) -> Command {
        let route = path::route(self.route);
        let text = NonEmptyStringValueParser::new;
        let departures = self.departures();
        let mut command = Command::new(self.name).about(route.title).after_help(wording::about(route));
        let names = route.parameters();
        for name in &names {
            let is_last = names.last() == Some(name);
            let arg = Arg::new(*name).value_name(name.to_uppercase()).required(true).value_parser(text());
            let arg = place::described(arg, route.path, name, self.takes_several() && is_last);
            command = command.arg(if is_last { self.absent.described(arg) } else { arg });
        }
        if self.body == RequestBody::File {
            let help = "A JSON file; - reads stdin";
            command = command.arg(Arg::new("file").value_name("FILE").required(true).value_parser(text()).help(help));
        }
        if self.ask.is_some() || self.warn.is_some() {
            command = command.arg(ask::yes());
        }
        if route.query.iter().chain(self.body_fields()).any(|field| field.name == "limit") {
            command = command.arg(paging::limit());
        }
        if matches!(self.show, ShowAs::Table(_) | ShowAs::Rows(..)) {
            command = command.arg(watch::arg());
        }
        if self.follows {
            command = command.arg(watch::follow_arg());
        }
        if let ShowAs::Table(columns) = &self.show
            && period::has_time(columns)
        {
            command = command.args(period::args());
        }
        if matches!(self.show, ShowAs::Kept) {
            command = command.args(keep::args());
        }
        if self.is_slow() {
            command = command.arg(slow::no_wait());
        }
        let fields = flags::args(self.body_fields(), &departures).into_iter().map(|arg| wording::flag(route, arg));
        let command = command.args(fields).args(flags::args(route.query, &departures));
        self.below
            .iter()
            .fold(command.disable_help_subcommand(true), |command, verb| command.subcommand(verb.command()))
    }

    /// Runs the verb.
    ///
    /// # Errors
    /// Any [`Failure`] of the command.
    pub fn run(&self, context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
        if let Some((name, matches)) = matches.subcommand()
            && let Some(verb) = self.below.iter().find(|verb| verb.name == name)
        {
            return verb.run(context, matches);
        }
        if let ShowAs::Table(columns) = &self.show {
            let session = context.session()?;
            if self.follows && matches.get_flag("follow") {
                let first = paging::rows_wanted(matches).unwrap_or(FOLLOWED);
                return watch::follow(session.context.json, columns, first, |known| {
                    let limit = known.is_empty().then(|| first.max(FOLLOWED));
                    self.rows(&session, matches, limit, Some(known))
                });
            }
            let look = || self.list(&session, columns, matches);
            return if watch::is_asked(matches) { watch::each(look) } else { look() };
        }
        if watch::is_asked(matches) {
            return watch::each(|| self.for_each(context, matches));
        }
        self.for_each(context, matches)
    }

    /// Runs the verb for each given name.
    fn for_each(&self, context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
        let route = path::route(self.route);
        let names = route.parameters();
        let Some((last, first)) = names.split_last() else { return self.once(context, matches, &[]) };
        let first: Vec<&str> = first.iter().filter_map(|name| given(matches, name).next()).collect();
        let mut several: Vec<&str> = given(matches, last).collect();
        let own = self.absent.own(several.is_empty(), || names::own(&context.session()?))?;
        several.extend(own.as_deref());
        if let Some(question) = self.ask.filter(|_| !matches.get_flag("yes")) {
            ask::confirm(&question.replace("{}", &several.join(", ")))?;
        }
        let (outputs, code) = each(several, |one| self.once(context, matches, &[first.as_slice(), &[one]].concat()))?;
        Ok(outputs.into_iter().fold(Output::default(), Output::and).ending_with(code))
    }

    /// Runs the verb for the object that these parameters name.
    ///
    /// # Errors
    /// Any [`Failure`] of the command.
    pub fn run_for(&self, context: &Context, matches: &ArgMatches, parameters: &[&str]) -> Result<Output, Failure> {
        self.once(context, matches, parameters)
    }

    /// Runs the verb for one object.
    fn once(&self, context: &Context, matches: &ArgMatches, parameters: &[&str]) -> Result<Output, Failure> {
        let route = path::route(self.route);
        let departures = self.departures();
        let mut query = flags::read(route.query, &departures, matches)?;
        let mut body = self.body(matches)?;
        // A table is read page by page; other output comes from a single reply.
        if let Some(limit) = paging::rows_wanted(matches) {
            match &mut body {
                Some(Value::Object(fields)) => fields.insert("limit".to_owned(), Value::from(limit)),
                _ => query.insert("limit".to_owned(), Value::from(limit)),
            };
        }
        if let Some(question) = self.ask.filter(|_| parameters.is_empty() && !matches.get_flag("yes")) {
            ask::confirm(question)?;
        }
        let keep = matches!(self.show, ShowAs::Kept).then(|| SecretDestination::asked(matches)).transpose()?;
        let session = context.session()?;
        if let Some(warning) = self.warn.and_then(|warn| warn(&session, matches, parameters)) {
            ask::warn(&warning, matches.get_flag("yes"))?;
        }
        let resolved = names::resolve(&session, route.path, parameters)?;
        let ids: Vec<&str> = resolved.iter().map(String::as_str).collect();
        names::complete_fields(&session, route, route.query, &mut query)?;
        if let Some(Value::Object(fields)) = &mut body {
            names::complete_fields(&session, route, self.body_fields(), fields)?;
        }
        if self.is_slow() {
            query.extend(slow::query(&session, matches));
        }
        let reply = session.send(route, &path::target(route, &ids, &query), body.as_ref())?;
        let end = if self.is_slow() {
            slow::end(&session, &reply, matches)?
        } else {
            SlowEnd::Result(session::json(&reply)?)
        };
        match (end, keep) {
            (SlowEnd::Result(reply), Some(keep)) => keep.token(&session, reply),
            (SlowEnd::Result(reply), None) => {
                let sent = body.as_ref().and_then(Value::as_object);
                let note = self.note.and_then(|note| note(sent?, &reply));
                let output = show::reply(&session, &self.show, parameters, &reply)?;
                let output = self.with_the_next(output, &session, &reply);
                Ok(note.iter().fold(output, |output, note| output.with_note(&text::clean(note))))
            }
            (SlowEnd::Promised(output), _) => Ok(output),
        }
    }

    /// The present rows of the list: at most `limit`, or down to a known row. Changed for people if people see them.
    ///
    /// # Errors
    /// A flag cannot be used, or the request fails.
    pub fn rows(
        &self,
        session: &Session<'_>,
        matches: &ArgMatches,
        limit: Option<usize>,
        known: Option<&HashSet<String>>,
    ) -> Result<Vec<Value>, Failure> {
        let route = path::route(self.route);
        let mut parameters: Vec<&str> =
            route.parameters().iter().flat_map(|name| given(matches, name).next()).collect();
        if let Absent::All(gather) = self.absent {
            let mut rows = gather(session, parameters.first().copied())?;
            rows.truncate(limit.unwrap_or(usize::MAX));
            return Ok(rows);
        }
        let is_absent = parameters.len() < route.parameters().len();
        let own = self.absent.own(is_absent, || names::own(session))?;
        parameters.extend(own.as_deref());
        let resolved = names::resolve(session, route.path, &parameters)?;
        let parameters: Vec<&str> = resolved.iter().map(String::as_str).collect();
        let mut query = flags::read(route.query, &self.departures(), matches)?;
        names::complete_fields(session, route, route.query, &mut query)?;
        let reach = Reach { limit, period: Period::asked(matches)?, known };
        let mut rows = paging::rows_of(session, route, &parameters, query, reach)?;
        if let Some(dress) = self.dress.filter(|_| !session.context.json && Format::chosen() != Format::Name) {
            dress(session, &mut rows);
        }
        Ok(rows)
    }

    /// The present list as output.
    fn list(&self, session: &Session<'_>, columns: &'static [Column], matches: &ArgMatches) -> Result<Output, Failure> {
        let is_filtered = !flags::read(path::route(self.route).query, &self.departures(), matches)?.is_empty();
        let rows = self.rows(session, matches, paging::rows_wanted(matches), None)?;
        let is_empty = rows.is_empty();
        let output = show::reply(session, &ShowAs::Table(columns), &[], &Value::Array(rows))?;
        Ok(match self.empty {
            _ if !is_empty || session.context.json => output,
            _ if is_filtered || !Period::asked(matches)?.is_always() => output.with_note("Nothing matches."),
            Some(next) => output.with_note(&format!("There is nothing here yet. Next: {next}")),
            None => output.with_note("There is nothing here yet."),
        })
    }

    /// For a list in a field of the reply: adds a note with the next command if the list is empty.
    fn with_the_next(&self, output: Output, session: &Session<'_>, reply: &Value) -> Output {
        match (&self.show, self.empty) {
            (ShowAs::Rows(field, _), next)
                if !session.context.json && reply[*field].as_array().is_some_and(Vec::is_empty) =>
            {
                output.with_note(&next.map_or_else(
                    || "Nothing matches.".to_owned(),
                    |next| format!("There is nothing here yet. Next: {next}"),
                ))
            }
            _ => output,
        }
    }

    fn body_fields(&self) -> &'static [Field] {
        match path::route(self.route).body {
            BodyKind::Json(fields) if self.body == RequestBody::Flags => fields,
            _ => &[],
        }
    }

    fn body(&self, matches: &ArgMatches) -> Result<Option<Value>, Failure> {
        if self.body == RequestBody::File {
            let path = matches.get_one::<String>("file").map_or("-", String::as_str);
            let wrong = |error| Failure::usage(format!("{path} is not JSON: {error}"), "Name a file with one object.");
            let object: Map<String, Value> = serde_json::from_str(&flags::read_file(path)?).map_err(wrong)?;
            return Ok(Some(Value::Object(object)));
        }
        let takes_one = matches!(path::route(self.route).body, BodyKind::Json(_));
        takes_one.then(|| flags::read(self.body_fields(), &self.departures(), matches).map(Value::Object)).transpose()
    }
}

/// The values given for a path parameter.
fn given<'a>(matches: &'a ArgMatches, name: &str) -> impl Iterator<Item = &'a str> {
    matches.get_many::<String>(name).into_iter().flatten().map(String::as_str)
}
