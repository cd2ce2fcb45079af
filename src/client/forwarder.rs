//! Sends requests to other servers without blocking a thread for each: one thread with its own event loop sends them
//! all (DESIGN D2). The HTTP client sends each single request.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use super::error::ClientError;
use super::http::{self, ClientRequest, Response, Target};
use crate::threads::lock;

/// Called with the result when a job has ended. Runs on the forwarder's thread, so it must be quick.
type AfterForward = Box<dyn FnOnce(Result<Response, ClientError>) + Send>;
/// The target, the request, and the function to call afterwards.
type ForwardJob = (Target, ClientRequest, AfterForward);
/// The number of used places of each holder.
type PlacesTaken = Arc<Mutex<HashMap<String, usize>>>;

/// The thread that sends requests. It ends when this is dropped.
pub struct Forwarder {
    jobs: mpsc::UnboundedSender<ForwardJob>,
    taken: PlacesTaken,
}

/// One of the places for requests of one key, released on drop.
pub struct ForwardSlot {
    key: String,
    taken: PlacesTaken,
}

impl Forwarder {
    /// Starts the thread.
    ///
    /// # Errors
    /// An I/O error if the system refuses a thread or an event loop.
    pub fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (jobs, mut orders) = mpsc::unbounded_channel::<ForwardJob>();
        std::thread::Builder::new().name("forwarder".into()).spawn(move || {
            runtime.block_on(async move {
                while let Some((target, request, then)) = orders.recv().await {
                    // The places of each holder limit how many requests run at once.
                    tokio::spawn(async move { then(http::send(&target, request).await) });
                }
            });
        })?;
        Ok(Self { jobs, taken: Arc::default() })
    }

    /// Takes one of `most` places for requests of `key`; `None` if all are in use.
    pub fn place(&self, key: &str, most: usize) -> Option<ForwardSlot> {
        let mut taken = lock(&self.taken);
        let count = taken.entry(key.to_owned()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(ForwardSlot { key: key.to_owned(), taken: Arc::clone(&self.taken) })
    }

    /// Sends a request. Calls `then` with the reply, or with the reason why there is none, by the request's own
    /// deadline.
    pub fn send(
        &self,
        target: Target,
        request: ClientRequest,
        then: impl FnOnce(Result<Response, ClientError>) + Send + 'static,
    ) {
        // The thread ends only with this forwarder, so the receiver exists.
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
