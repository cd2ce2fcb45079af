//! What the last word of a command means where it is left out.

use clap::Arg;
use serde_json::Value;

use crate::ctl::core::failure::Failure;
use crate::ctl::login::session::Session;

/// The rows of a list, of this name or of all there are.
pub type Gather = fn(&Session<'_>, Option<&str>) -> Result<Vec<Value>, Failure>;

/// What a name means that was left out.
#[derive(Clone, Copy)]
pub enum Absent {
    /// It cannot be left out.
    Refused,
    /// The user who asks.
    OneSelf,
    /// All there are: the rows come from here.
    All(Gather),
}

impl Absent {
    /// The argument of the name, which says what happens without it.
    pub fn described(self, arg: Arg) -> Arg {
        let told = match self {
            Self::Refused => return arg,
            Self::OneSelf => "yourself if absent",
            Self::All(_) => "all if absent",
        };
        let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
        arg.required(false).help(format!("{about}; {told}"))
    }

    /// The name of the user who asks, where that is meant.
    ///
    /// # Errors
    /// It cannot be found out.
    pub fn own(
        self,
        is_absent: bool,
        name: impl FnOnce() -> Result<String, Failure>,
    ) -> Result<Option<String>, Failure> {
        (is_absent && matches!(self, Self::OneSelf)).then(name).transpose()
    }
}
