//! `taosctl`: the command line. The code is in `taosd::ctl`.

#![warn(clippy::disallowed_macros)]

use std::process::ExitCode;

fn main() -> ExitCode {
    taosd::ctl::main(std::env::args_os())
}
