//! Sends requests on to other servers without holding a thread for each: one thread with an event loop of its own
//! carries them all (DESIGN D2). How one request is sent is the client's matter.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use super::error::ClientError;
use super::http::{self, ClientRequest, Response, Target};
use crate::threads::lock;

/// What is told of an job when it has ended. Runs on the forwarder's thread: it must be quick.
type AfterForward = Box<dyn FnOnce(Result<Response, ClientError>) + Send>;
/// A request, where it goes and what happens then.
type ForwardJob = (Target, ClientRequest, AfterForward);
/// How many places each holder has.
type PlacesTaken = Arc<Mutex<HashMap<String, usize>>>;

/// The thread that carries requests; it ends with this.
pub struct Forwarder {
    jobs: mpsc::UnboundedSender<ForwardJob>,
    taken: PlacesTaken,
}

/// A place among the requests to one server; it is free again when this goes.
pub struct ForwardSlot {
    key: String,
    taken: PlacesTaken,
}

impl Forwarder {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where there is no thread or event loop to be had.
    pub fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (jobs, mut orders) = mpsc::unbounded_channel::<ForwardJob>();
        std::thread::Builder::new().name("forwarder".into()).spawn(move || {
            runtime.block_on(async move {
                while let Some((target, request, then)) = orders.recv().await {
                    // What is sent at once is bounded by the places of each holder.
                    tokio::spawn(async move { then(http::send(&target, request).await) });
                }
            });
        })?;
        Ok(Self { jobs, taken: Arc::default() })
    }

    /// A place among the `most` requests that may be on their way for `key`; `None` if all are taken.
    pub fn place(&self, key: &str, most: usize) -> Option<ForwardSlot> {
        let mut taken = lock(&self.taken);
        let count = taken.entry(key.to_owned()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(ForwardSlot { key: key.to_owned(), taken: Arc::clone(&self.taken) })
    }

    /// Sends a request; `then` is told the answer, or why there is none, by the request's own deadline.
    pub fn send(
        &self,
        target: Target,
        request: ClientRequest,
        then: impl FnOnce(Result<Response, ClientError>) + Send + 'static,
    ) {
        // The thread ends only with this forwarder.
        let _ = self.jobs.send((target, request, Box::new(then)));
    }
}

impl Drop for ForwardSlot {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_by_holder_and_come_back() {
        let forwarder = Forwarder::start().unwrap();
        let held: Vec<_> = (0..4).map_while(|_| forwarder.place("a", 4)).collect();
        assert_eq!(held.len(), 4);
        assert!(forwarder.place("a", 4).is_none() && forwarder.place("b", 4).is_some());
        drop(held);
        assert!(forwarder.place("a", 4).is_some());
        assert!(forwarder.taken.lock().unwrap().is_empty());
    }
}
