//! `taosctl`: the command line. What it does is in `taosd::ctl`.

use std::process::ExitCode;

fn main() -> ExitCode {
    taosd::ctl::main(std::env::args_os())
}
