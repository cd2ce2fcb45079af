//! The last message that was sent to streams. Many streams send the same message, so it is read and formatted only
//! once.

use std::sync::{Arc, Mutex};

use crate::store::messages::{Message, find};
use crate::store::{Result, Store};
use crate::threads::lock;

/// A message and its text in a stream.
pub struct RecentMessage {
    /// The message.
    pub message: Message,
    /// The text that `show` made in [`Recent::get`].
    pub text: String,
}

/// The last message; valid until the next commit of any kind.
#[derive(Default)]
pub struct Recent {
    last: Mutex<Option<(u64, Arc<RecentMessage>)>>,
}

impl Recent {
    /// Returns the message at this place, formatted by `show`; `None` if it does not exist any more.
    ///
    /// # Errors
    /// Any `StoreError`.
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
