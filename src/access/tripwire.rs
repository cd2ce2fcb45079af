//! Tripwires at the gate: a decoy that is presented is refused like an unknown credential, and somebody is told. What is
//! told and to whom is not this room's business.

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
    /// Which.
    pub wire: Tripwire,
    /// From where, as limits are counted.
    pub peer: String,
    /// For what.
    pub action: Action,
    /// In which request.
    pub request_id: String,
}

/// Who is told of a use. Quick: the refusal waits for it.
pub type OnTouch = Box<dyn Fn(Touch) + Send + Sync>;

/// Looks at what is refused.
pub(super) struct Tripwires {
    store: Arc<Store>,
    told: OnceLock<OnTouch>,
}

impl Tripwires {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store, told: OnceLock::new() }
    }

    pub(super) fn tell(&self, told: OnTouch) {
        let _ = self.told.set(told);
    }

    /// Looks at every secret in a request's headers, whether its route would take it or not.
    pub(super) fn look(&self, head: &Head, action: Action) {
        for hash in bearer::all_secrets(head) {
            self.look_at(&hash, head, action);
        }
    }

    /// Looks at a secret that stood elsewhere.
    pub(super) fn look_at_text(&self, text: &str, head: &Head, action: Action) {
        if let Ok((_, hash)) = secret::recognise(text) {
            self.look_at(&hash, head, action);
        }
    }

    fn look_at(&self, hash: &SecretHash, head: &Head, action: Action) {
        let found = self.store.lookup(|conn| tripwires::by_hash(conn, hash));
        match (found, self.told.get()) {
            (Ok(Some(wire)), Some(told)) => {
                told(Touch { wire, peer: head.peer.key(), action, request_id: head.request_id.clone() });
            }
            (Ok(_), _) => {}
            (Err(error), _) => log::warn!("the tripwires could not be looked at: {error}"),
        }
    }
}
