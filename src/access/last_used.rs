//! When credentials were last used: collected in memory, written at most once a minute and at shutdown, so that an
//! authenticated read writes nothing to the disk (DESIGN D11).

use std::collections::HashMap;
use std::sync::Mutex;

use crate::threads::lock;
use crate::time::Micros;

/// The uses that are not on disk yet.
#[derive(Debug, Default)]
pub struct LastUsed(Mutex<HashMap<String, Micros>>);

impl LastUsed {
    /// Notes a use.
    pub fn note(&self, credential_id: &str, at: Micros) {
        let mut uses = lock(&self.0);
        match uses.get_mut(credential_id) {
            Some(last) => *last = at,
            None => {
                uses.insert(credential_id.to_owned(), at);
            }
        }
    }

    /// Takes all uses recorded since the last call.
    pub fn take(&self) -> Vec<(String, Micros)> {
        std::mem::take(&mut *lock(&self.0)).into_iter().collect()
    }

    /// Puts back uses that could not be written.
    pub fn put_back(&self, uses: Vec<(String, Micros)>) {
        let mut present = lock(&self.0);
        for (id, at) in uses {
            present.entry(id).or_insert(at);
        }
    }
}
