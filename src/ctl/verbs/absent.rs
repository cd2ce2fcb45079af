//! The meaning of a command whose last word is left out.

use clap::Arg;
use serde_json::Value;

use crate::ctl::core::failure::Failure;
use crate::ctl::login::session::Session;

/// Returns the rows of a list: those of this name, or all if `None`.
pub type Gather = fn(&Session<'_>, Option<&str>) -> Result<Vec<Value>, Failure>;

/// The meaning of a name that is left out.
#[derive(Clone, Copy)]
pub enum Absent {
    /// The name is required.
    Refused,
    /// The user who runs the command.
    OneSelf,
    /// All there are; this function returns the rows.
    All(Gather),
}

impl Absent {
    /// The argument for the name. Its help says what happens without it.
    pub fn described(self, arg: Arg) -> Arg {
        let told = match self {
            Self::Refused => return arg,
            Self::OneSelf => "yourself if absent",
            Self::All(_) => "all if absent",
        };
        let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
        arg.required(false).help(format!("{about}; {told}"))
    }

    /// The name of the user who runs the command, if that is meant.
    ///
    /// # Errors
    /// Any [`Failure`] of `name`.
    pub fn own(
        self,
        is_absent: bool,
        name: impl FnOnce() -> Result<String, Failure>,
    ) -> Result<Option<String>, Failure> {
        (is_absent && matches!(self, Self::OneSelf)).then(name).transpose()
    }
}
