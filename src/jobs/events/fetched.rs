//! Which recipients have fetched which messages, until that is on disk. A read writes nothing, so fetches are collected
//! and written at most a second later, and at the end. After a crash a receipt may miss a fetch, but never has one too
//! many.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use crate::store::messages::receipts::{self, ReceiptState};
use crate::store::{self, Store};
use crate::threads::{EventThread, Monitor};
use crate::time::Micros;

/// How long fetches are collected before they are written together.
const COLLECTED: Duration = Duration::from_millis(900);
/// The most fetches in memory; further ones are not recorded, and their messages stay queued.
const MOST: usize = 100_000;

/// The fetches that are not on disk yet.
#[derive(Default)]
struct Collected {
    noted: HashMap<(i64, String), Micros>,
    /// The batch that was written last, or is being written now. It counts until the next batch, because a reader may
    /// have read the disk before the batch was there.
    written: HashMap<(i64, String), Micros>,
    closed: bool,
}

/// Collects fetches and writes them.
pub struct Fetched {
    shared: Arc<Monitor<Collected>>,
    thread: EventThread,
}

impl Fetched {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(store: Arc<Store>) -> std::io::Result<Self> {
        let shared = Arc::<Monitor<Collected>>::default();
        let thread =
            EventThread::on("receipts", &shared, |state| state.closed = true, move |shared| serve(shared, &store))?;
        Ok(Self { shared, thread })
    }

    /// Records that a recipient got a message. Fast; may be called from any thread.
    pub fn note(&self, place: i64, principal: &str) {
        let mut state = self.shared.lock();
        if state.noted.len() >= MOST {
            return;
        }
        let first = state.noted.is_empty();
        if let Entry::Vacant(free) = state.noted.entry((place, principal.to_owned())) {
            free.insert(Micros::now());
        }
        if first {
            self.shared.notify_one();
        }
    }

    /// Returns the state of a receipt, from its `stored` state and the fetches that are not on disk yet.
    pub fn state(&self, place: i64, principal: &str, stored: ReceiptState) -> ReceiptState {
        let key = (place, principal.to_owned());
        let state = self.shared.lock();
        let noted = state.noted.contains_key(&key) || state.written.contains_key(&key);
        if noted { stored.max(ReceiptState::Fetched) } else { stored }
    }

    /// Writes the remaining fetches and ends the thread.
    pub fn stop(&self) {
        self.thread.stop();
    }
}

fn serve(shared: &Monitor<Collected>, store: &Store) {
    // A panic may have left some that were being written.
    put_back(&mut shared.lock());
    loop {
        let mut state = shared.lock();
        while state.noted.is_empty() && state.written.is_empty() && !state.closed {
            state = shared.wait(state);
        }
        if !state.closed {
            state = shared.wait_timeout_while(state, COLLECTED, |state| !state.closed);
        }
        let closed = state.closed;
        state.written = std::mem::take(&mut state.noted);
        let batch: Vec<(i64, String, Micros)> =
            state.written.iter().map(|((place, principal), at)| (*place, principal.clone(), *at)).collect();
        drop(state);
        let result = write(store, batch);
        if let Err(error) = result {
            log::warn!("receipts could not be written, trying again: {error}");
            put_back(&mut shared.lock());
        }
        if closed {
            return;
        }
    }
}

fn put_back(state: &mut Collected) {
    for (key, at) in std::mem::take(&mut state.written) {
        state.noted.entry(key).or_insert(at);
    }
}

fn write(store: &Store, batch: Vec<(i64, String, Micros)>) -> store::Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    store.write(move |conn| {
        for (place, principal, at) in &batch {
            receipts::advance(conn, *place, principal, ReceiptState::Fetched, *at)?;
        }
        Ok(())
    })
}
