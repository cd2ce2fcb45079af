//! Does the same to each of several things. If one is refused or does not exist, the others are done all the same.

use crate::ctl::core::failure::Failure;
use crate::say::complain;

/// Runs `once` for each, and prints each refusal. Returns what succeeded, and whether all did.
///
/// # Errors
/// A failure that concerns all of them, such as of the connection or the login; and any failure if there is only one thing.
pub fn each<T, R>(all: Vec<T>, mut once: impl FnMut(T) -> Result<R, Failure>) -> Result<(Vec<R>, bool), Failure> {
    let is_one = all.len() == 1;
    let (mut done, mut all_well) = (Vec::new(), true);
    for one in all {
        match once(one) {
            Ok(result) => done.push(result),
            Err(failure @ (Failure::Refused(_) | Failure::Usage { .. })) if !is_one => {
                complain(&failure.told());
                all_well = false;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok((done, all_well))
}
