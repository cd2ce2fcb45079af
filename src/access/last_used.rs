//! When credentials were last used: collected in memory, written at most once a minute and at shutdown, so that an
//! authenticated read writes nothing to the disk (DESIGN D11).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::time::Micros;

/// The uses that are not on disk yet.
#[derive(Debug, Default)]
pub struct LastUsed(Mutex<HashMap<String, Micros>>);

impl LastUsed {
    /// Notes a use.
    pub fn note(&self, credential_id: &str, at: Micros) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match uses.get_mut(credential_id) {
            Some(last) => *last = at,
            None => {
                uses.insert(credential_id.to_owned(), at);
            }
        }
    }

    /// Takes all uses noted since the last call.
    pub fn take(&self) -> Vec<(String, Micros)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }

    /// Puts uses back that could not be written.
    pub fn put_back(&self, uses: Vec<(String, Micros)>) {
        let mut present = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, at) in uses {
            present.entry(id).or_insert(at);
        }
    }
}
