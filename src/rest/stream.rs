//! Replies that come later or in pieces without blocking a pool thread: [`Signal`], [`Promise`] and [`StreamBody`].

use std::sync::Arc;
use std::time::Instant;

use hyper::body::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};

use super::service::Outcome;

/// An event. Any thread raises it, and the runtime thread waits for it.
#[derive(Debug, Clone, Default)]
pub struct Signal(Arc<Notify>);

impl Signal {
    /// A new signal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes everything that is waiting now.
    pub fn raise(&self) {
        self.0.notify_waiters();
    }

    /// Starts to wait: a [`Signal::raise`] after this call is not missed.
    pub fn wait(&self) -> Wait {
        Wait(Box::pin(Arc::clone(&self.0).notified_owned()))
    }

    /// True while something waits for it, or holds another reference to it.
    pub fn is_awaited(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// A wait that has started.
pub struct Wait(std::pin::Pin<Box<tokio::sync::futures::OwnedNotified>>);

impl Wait {
    /// Resolves when the signal is raised or `until` is reached. Runtime thread only.
    pub(crate) async fn finished(self, until: Instant) {
        let _ = tokio::time::timeout_at(until.into(), self.0).await;
    }
}

/// An outcome that will come later.
pub struct Promise(oneshot::Receiver<Outcome>);

/// Keeps a [`Promise`] by giving its outcome. Dropping it breaks the promise.
pub struct Fulfiller(oneshot::Sender<Outcome>);

/// Creates a promise and its fulfiller.
pub fn promise() -> (Fulfiller, Promise) {
    let (fulfiller, promise) = oneshot::channel();
    (Fulfiller(fulfiller), Promise(promise))
}

impl Fulfiller {
    /// Gives the outcome, from any thread.
    pub fn keep(self, outcome: Outcome) {
        // If the client has gone, no receiver is left.
        let _ = self.0.send(outcome);
    }
}

impl Promise {
    /// Waits for the outcome; `None` if the promise was broken. Runtime thread only.
    pub(crate) async fn kept(self) -> Option<Outcome> {
        self.0.await.ok()
    }
}

/// The receiving end of a streamed reply.
#[derive(Debug)]
pub struct StreamBody {
    pub(crate) chunks: mpsc::Receiver<Bytes>,
}

/// The sending end of a streamed reply; any thread may hold it. Dropping it ends the stream.
#[derive(Debug, Clone)]
pub struct StreamSender(mpsc::Sender<Bytes>);

impl StreamSender {
    /// Queues a chunk; false if the reader is gone or too slow (its queue is full), and the stream should end.
    pub fn send(&self, chunk: impl Into<Bytes>) -> bool {
        self.0.try_send(chunk.into()).is_ok()
    }

    /// The number of chunks that can be queued now.
    pub fn room(&self) -> usize {
        self.0.capacity()
    }

    /// True once the client has gone.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// Creates a streamed body with a queue of at most `capacity` chunks.
pub fn stream(capacity: usize) -> (StreamSender, StreamBody) {
    let (sender, chunks) = mpsc::channel(capacity);
    (StreamSender(sender), StreamBody { chunks })
}
