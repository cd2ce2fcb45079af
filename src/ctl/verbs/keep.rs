//! A secret that is shown once: it is written to a file or to stdout, as the user has asked. If it cannot be written,
//! it is revoked.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value, json};

use super::show;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::{path, private};
use crate::ctl::login::session::Session;
use crate::say::complain;

/// The destination of a secret.
pub struct SecretDestination {
    file: Option<PathBuf>,
    print: bool,
}

/// `--save-to` and `--print-token`.
pub fn args() -> [Arg; 2] {
    let save = Arg::new("save-to").long("save-to").value_name("FILE").value_parser(NonEmptyStringValueParser::new());
    let print = Arg::new("print-token").long("print-token").action(ArgAction::SetTrue);
    [save.help("Write the token to this file, which only you can read"), print.help("Print the token")]
}

impl SecretDestination {
    /// Reads the flags. A file is tested first, so that no secret is made in vain.
    ///
    /// # Errors
    /// Neither flag is given, or the file cannot be written.
    pub fn asked(matches: &ArgMatches) -> Result<Self, Failure> {
        let file = matches.get_one::<String>("save-to").map(PathBuf::from);
        let print = matches.get_flag("print-token");
        if file.is_none() && !print {
            let fix = "Add --save-to FILE, or --print-token.";
            return Err(Failure::usage("The token would be lost: it is neither saved nor printed.", fix));
        }
        file.iter().try_for_each(|file| private::probe(file))?;
        Ok(Self { file, print })
    }

    /// Saves or prints the token of a reply, and shows the rest of the reply.
    ///
    /// # Errors
    /// The reply has no token, or the token cannot be saved. In the second case it is revoked.
    pub fn token(&self, session: &Session<'_>, mut reply: Value) -> Result<Output, Failure> {
        let wrong = || Failure::Unexpected("The answer holds no token.".to_owned());
        let token = reply.as_object_mut().and_then(|object| object.shift_remove("token"));
        let token = token.as_ref().and_then(Value::as_str).ok_or_else(wrong)?.to_owned();
        if let Some(file) = &self.file {
            if let Err(failure) = private::write_named(file, format!("{token}\n").as_bytes()) {
                revoke(session, &reply["credential_id"]);
                return Err(failure);
            }
            reply["token_file"] = json!(file.display().to_string());
        }
        told(session.context.json, self.print.then_some(token.as_str()), reply)
    }
}

/// Shows a reply with or without its secret. For people the secret is printed alone, in JSON it is a field.
///
/// # Errors
/// The reply is not an object.
pub fn told(as_json: bool, token: Option<&str>, mut reply: Value) -> Result<Output, Failure> {
    match (as_json, token) {
        (false, None) => show::record(&reply),
        (false, Some(token)) => {
            Ok(Output::text(crate::ctl::core::text::clean(token)).with_note(show::SHOWN_ONCE).must_arrive())
        }
        (true, None) => {
            reply["token_redacted"] = json!(true);
            Ok(show::one_line(&reply))
        }
        (true, Some(token)) => {
            reply["token"] = json!(token);
            Ok(show::one_line(&reply).with_note(show::SHOWN_ONCE).must_arrive())
        }
    }
}

/// Revokes a key whose secret is lost. Prints a warning if that fails.
pub fn revoke(session: &Session<'_>, id: &Value) {
    let Some(id) = id.as_str() else { return };
    let revoke = |route: &str| {
        let route = path::route(route);
        session.send(route, &path::target(route, &[id], &Map::new()), None)
    };
    // A caller who may create a key may not always use both routes to revoke one.
    if revoke("credentials_revoke").or_else(|_| revoke("keys_revoke")).is_err() {
        complain(&format!("warning: the new key {} could not be revoked\n", crate::ctl::core::text::clean(id)));
    }
}
