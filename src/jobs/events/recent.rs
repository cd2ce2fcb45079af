//! The message that was told last, as its readers see it: many streams tell the same one, and it is read and written out
//! once for all of them.

use std::sync::{Arc, Mutex};

use crate::store::messages::{Message, find};
use crate::store::{Result, Store};
use crate::threads::lock;

/// A message, and its text on the wire.
pub struct RecentMessage {
    /// The message.
    pub message: Message,
    /// What [`Recent::get`] was given for it.
    pub text: String,
}

/// The last one. It holds as long as nothing at all was committed since it was read.
#[derive(Default)]
pub struct Recent {
    last: Mutex<Option<(u64, Arc<RecentMessage>)>>,
}

impl Recent {
    /// The message at this place, written out by `show`; `None` if it is gone.
    ///
    /// # Errors
    /// The store's.
    pub fn get(
        &self,
        store: &Store,
        conn: &rusqlite::Connection,
        place: i64,
        show: impl FnOnce(&Message) -> String,
    ) -> Result<Option<Arc<RecentMessage>>> {
        let state = store.state();
        if let Some((_, told)) =
            lock(&self.last).as_ref().filter(|(of, told)| *of == state && told.message.place == place)
        {
            return Ok(Some(Arc::clone(told)));
        }
        let Some(message) = find::by_place(conn, place)? else { return Ok(None) };
        let told = Arc::new(RecentMessage { text: show(&message), message });
        *lock(&self.last) = Some((state, Arc::clone(&told)));
        Ok(Some(told))
    }
}
