//! Tripwires: a decoy credential that somebody presents is refused like an unknown one and reported. Other rooms decide
//! how it is reported, and to whom.

use std::sync::{Arc, OnceLock};

use super::lookup::bearer;
use crate::rest::action::Action;
use crate::rest::head::Head;
use crate::secret::{self, SecretHash};
use crate::store::Store;
use crate::store::tripwires::{self, Tripwire};

/// A use of a decoy.
#[derive(Debug, Clone)]
pub struct Touch {
    /// The decoy that was used.
    pub wire: Tripwire,
    /// The peer that used it, in the form that rate limits count by.
    pub peer: String,
    /// The action of the route.
    pub action: Action,
    /// The request's id.
    pub request_id: String,
}

/// Reports the uses of decoys.
pub trait OnTouch: Send + Sync {
    /// Called with each use. It must be quick: the refusal waits for it.
    fn touched(self: Arc<Self>, touch: Touch);

    /// Writes the uses that were only counted until now. `all`: also those of the minutes that still run.
    fn flush(self: Arc<Self>, all: bool);
}

/// Looks for decoys in refused requests.
pub(super) struct Tripwires {
    store: Arc<Store>,
    told: OnceLock<Arc<dyn OnTouch>>,
}

impl Tripwires {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store, told: OnceLock::new() }
    }

    pub(super) fn tell(&self, told: Arc<dyn OnTouch>) {
        let _ = self.told.set(told);
    }

    pub(super) fn flush(&self, all: bool) {
        if let Some(told) = self.told.get() {
            Arc::clone(told).flush(all);
        }
    }

    /// Checks every secret in a request's headers, whether its route would accept it or not.
    pub(super) fn look(&self, head: &Head, action: Action) {
        for hash in bearer::all_secrets(head) {
            self.look_at(&hash, head, action);
        }
    }

    /// Checks a secret from elsewhere in the request.
    pub(super) fn look_at_text(&self, text: &str, head: &Head, action: Action) {
        if let Ok((_, hash)) = secret::recognise(text) {
            self.look_at(&hash, head, action);
        }
    }

    /// As [`Self::look_at_text`], for a request whose headers are checked as well. A use counts once.
    pub(super) fn look_beside_headers(&self, text: &str, head: &Head, action: Action) {
        if let Ok((_, hash)) = secret::recognise(text)
            && !bearer::all_secrets(head).contains(&hash)
        {
            self.look_at(&hash, head, action);
        }
    }

    fn look_at(&self, hash: &SecretHash, head: &Head, action: Action) {
        let found = self.store.lookup(|conn| tripwires::by_hash(conn, hash));
        match (found, self.told.get()) {
            (Ok(Some(wire)), Some(told)) => {
                Arc::clone(told).touched(Touch {
                    wire,
                    peer: head.peer.key(),
                    action,
                    request_id: head.request_id.clone(),
                });
            }
            (Ok(_), _) => {}
            (Err(error), _) => log::warn!("the tripwires could not be looked at: {error}"),
        }
    }
}
