//! Bodies: sending that of a request, and reading that of a reply into memory or into a sink.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::timeout_at;

use super::error::ClientError;
use super::http::{ClientRequest, Direction, Progress, Sink};
use crate::threads::lock;

/// Runs `work`, with [`ClientError::Deadline`] if it is not done by `deadline`.
pub(super) async fn by<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    timeout_at(deadline.into(), work).await.unwrap_or(Err(ClientError::Deadline))
}

/// The limits of a reply's body, its sink, and the callback for its progress.
pub(super) struct Limit {
    pub deadline: Instant,
    bytes: usize,
    progress: Option<Progress>,
    pub sink: Option<(Sink, Duration)>,
}

impl Limit {
    pub fn of(request: &ClientRequest) -> Self {
        Self {
            deadline: request.deadline,
            bytes: request.max_response,
            progress: request.progress.clone(),
            sink: request.sink.clone(),
        }
    }

    fn tell(&self, done: usize, total: Option<u64>) {
        if let Some(progress) = &self.progress {
            progress(Direction::In, done as u64, total);
        }
    }
}

pub(super) async fn collect(mut incoming: Incoming, limit: &Limit) -> Result<Vec<u8>, ClientError> {
    let total = incoming.size_hint().exact();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| ClientError::from_hyper(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        if body.len() + data.len() > limit.bytes {
            return Err(ClientError::TooLarge(limit.bytes));
        }
        body.extend_from_slice(data);
        limit.tell(body.len(), total);
    }
    Ok(body)
}

/// Writes the body to the sink, piece by piece. Returns an empty body.
pub(super) async fn pour(
    mut incoming: Incoming,
    limit: &Limit,
    sink: &Sink,
    pause: Duration,
) -> Result<Vec<u8>, ClientError> {
    let total = incoming.size_hint().exact();
    let mut done = 0;
    loop {
        let next = async { incoming.frame().await.transpose().map_err(|error| ClientError::from_hyper(&error)) };
        let Some(frame) = by(Instant::now() + pause, next).await? else { break };
        let Some(data) = frame.data_ref() else { continue };
        lock(sink).write_all(data).map_err(ClientError::Sink)?;
        done += data.len();
        limit.tell(done, total);
    }
    lock(sink).flush().map_err(ClientError::Sink)?;
    Ok(Vec::new())
}

/// The bytes of a request's body that are passed on at once, if its progress is reported.
const PIECE: usize = 64 * 1024;

/// The body of a request, for hyper.
pub(super) struct Outgoing {
    rest: Bytes,
    total: u64,
    progress: Option<Progress>,
}

impl Outgoing {
    pub fn new(body: Vec<u8>, progress: Option<Progress>) -> Self {
        Self { total: body.len() as u64, rest: body.into(), progress }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::convert::Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let most = if self.progress.is_some() { PIECE } else { usize::MAX };
        let piece = self.rest.len().min(most);
        let piece = self.rest.split_to(piece);
        if let Some(progress) = &self.progress {
            progress(Direction::Out, self.total - self.rest.len() as u64, Some(self.total));
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
