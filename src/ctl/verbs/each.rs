//! Does the same to each of several things. If one is refused or does not exist, the others are done all the same.

use crate::ctl::core::failure::Failure;
use crate::say::complain;

/// Runs `once` for each, and prints each refusal. Returns what succeeded, and the exit code: 0 if all did. A failure that
/// concerns all of them, such as of the connection or the login, ends it.
///
/// # Errors
/// Such a failure before anything was done; and any failure if there is only one thing.
pub fn each<T, R>(all: Vec<T>, mut once: impl FnMut(T) -> Result<R, Failure>) -> Result<(Vec<R>, u8), Failure> {
    let is_one = all.len() == 1;
    let (mut done, mut code) = (Vec::new(), 0);
    for one in all {
        match once(one) {
            Ok(result) => done.push(result),
            Err(failure @ (Failure::Refused(_) | Failure::Usage { .. })) if !is_one => {
                complain(&failure.told());
                code = code.max(1);
            }
            Err(failure) if done.is_empty() => return Err(failure),
            // What is done already must be shown, a secret above all.
            Err(failure) => {
                complain(&failure.told());
                return Ok((done, failure.exit_code()));
            }
        }
    }
    Ok((done, code))
}
