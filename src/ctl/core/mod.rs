//! The tools that every command of `taosctl` uses: flags, output, errors, private files, request targets.

pub(crate) mod ask;
pub(crate) mod duration;
pub(crate) mod failure;
pub(crate) mod flags;
pub(crate) mod format;
pub(crate) mod home;
pub(crate) mod input;
pub(crate) mod next;
pub(crate) mod output;
pub(crate) mod path;
pub(crate) mod private;
pub(crate) mod server;
pub(crate) mod settings_file;
pub(crate) mod text;
pub(crate) mod when;
