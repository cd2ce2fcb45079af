//! Does the same to each of several things. If one is refused or does not exist, the others are done all the same.

use crate::ctl::core::failure::Failure;
use crate::say::complain;

/// Runs `once` for each name, and prints each refusal with the name that it concerns. Returns what succeeded, and the
/// exit code: 0 if all did. A failure that concerns all of them, such as of the connection or the login, ends it.
///
/// # Errors
/// Such a failure before anything was done; and any failure if there is only one name.
pub fn each<R>(all: Vec<&str>, mut once: impl FnMut(&str) -> Result<R, Failure>) -> Result<(Vec<R>, u8), Failure> {
    let is_list = all.len() > 1;
    each_named(all.into_iter().map(|name| (name, name)).collect(), is_list, &mut once)
}

/// The same for things that are not their names. `is_list` is true if the command line had several, of which some may be
/// gone already.
///
/// # Errors
/// The same as for [`each`].
pub fn each_named<T, R>(
    all: Vec<(&str, T)>,
    is_list: bool,
    mut once: impl FnMut(T) -> Result<R, Failure>,
) -> Result<(Vec<R>, u8), Failure> {
    let (mut done, mut code) = (Vec::new(), 0);
    for (name, one) in all {
        match once(one) {
            Ok(result) => done.push(result),
            Err(failure @ (Failure::Refused(_) | Failure::Usage { .. })) if is_list => {
                complain(&failure.told_of(name));
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
