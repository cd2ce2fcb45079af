//! The bytes of one connection: the reads and writes of hyper, the phase of the exchange, and the deadline of the
//! phase. The connection task handles a passed deadline.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBufCursor, Write};
use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::meters::Gauge;
use super::stalled::Stalled;
use crate::limits::{Limits, seconds};

/// The most bytes of one read: no more than a head, so that pipelined requests wait in the kernel.
pub(super) const READ_BYTES: usize = 16 * 1024;

/// The phase of an exchange. Each phase has one absolute deadline, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A reply is sent, and no byte of a next request has arrived.
    Idle,
    /// A head is being read; a fresh connection starts here.
    Head,
    /// A handler has the request.
    Handling,
    /// The body is being read.
    Body,
    /// A complete reply is being written.
    Writing,
    /// A stream is being written.
    Streaming,
}

/// The time limits of the phases.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    head: Duration,
    body: Duration,
    idle: Duration,
    write: Duration,
}

impl Timeouts {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            head: seconds(limits.head_timeout),
            body: seconds(limits.body_timeout),
            idle: seconds(limits.idle_timeout),
            write: seconds(limits.write_timeout),
        }
    }
}

/// A connected socket.
pub(super) enum Socket {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    Unix(UnixStream),
}

/// Calls a poll method on the socket, TCP or Unix.
macro_rules! socket {
    ($socket:expr, $s:ident => $call:expr) => {
        match &mut *$socket.borrow_mut() {
            Socket::Tcp($s) => $call,
            Socket::Unix($s) => $call,
        }
    };
}

/// One connection, shared by hyper, the current request and the connection task.
pub(super) struct Wire {
    socket: RefCell<Socket>,
    scratch: Rc<RefCell<Box<[u8]>>>,
    timeouts: Timeouts,
    stalled: Rc<Stalled>,
    /// The counted memory of the current reply; `None` if it is too small to count.
    held: RefCell<Option<Gauge>>,
    /// The waker of the task, set while the client does not read the current reply.
    stuck: RefCell<Option<Waker>>,
    now: Cell<Instant>,
    phase: Cell<Phase>,
    deadline: Cell<Option<Instant>>,
    body_late: Cell<bool>,
    handed_over: Cell<bool>,
    gone: Cell<bool>,
}

impl Wire {
    /// Makes a new connection, whose first head is due within the head timeout. `scratch` and `stalled` are shared by
    /// all connections.
    pub(super) fn new(
        socket: Socket,
        timeouts: Timeouts,
        scratch: Rc<RefCell<Box<[u8]>>>,
        stalled: Rc<Stalled>,
    ) -> Self {
        let now = Instant::now();
        Self {
            socket: RefCell::new(socket),
            scratch,
            timeouts,
            stalled,
            held: RefCell::new(None),
            stuck: RefCell::new(None),
            now: Cell::new(now),
            phase: Cell::new(Phase::Head),
            deadline: Cell::new(Some(now + timeouts.head)),
            body_late: Cell::new(false),
            handed_over: Cell::new(false),
            gone: Cell::new(false),
        }
    }

    /// Reads the clock, once for one run of the connection's task.
    pub(super) fn tick(&self) {
        self.now.set(Instant::now());
    }

    /// The time of the current run.
    pub(super) fn now(&self) -> Instant {
        self.now.get()
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// The deadline of the current phase.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline.get()
    }

    /// True once the client has closed its side or the connection has failed.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.get()
    }

    /// True once the body's deadline has passed.
    pub(super) fn body_is_late(&self) -> bool {
        self.body_late.get()
    }

    /// Marks the body as late, so that its reader gives up.
    pub(super) fn set_body_late(&self) {
        self.body_late.set(true);
        self.deadline.set(None);
    }

    fn enter(&self, phase: Phase, lasts: Option<Duration>) {
        self.phase.set(phase);
        self.deadline.set(lasts.map(|lasts| self.now() + lasts));
    }

    /// Enters the phase after a complete head or body, in which no clock runs.
    pub(super) fn handling(&self) {
        self.enter(Phase::Handling, None);
    }

    /// Starts the clock of the body.
    pub(super) fn awaiting_body(&self) {
        self.enter(Phase::Body, Some(self.timeouts.body));
    }

    /// Starts the clock of a complete reply. `empty` says that it has no body. `held` is released when the reply has
    /// been sent.
    pub(super) fn writing(&self, empty: bool, held: Option<Gauge>) {
        if held.is_some() {
            *self.held.borrow_mut() = held;
        }
        self.handed_over.set(empty);
        self.enter(Phase::Writing, Some(self.timeouts.write));
    }

    /// Starts a streamed reply: only a write that makes no progress has a deadline.
    pub(super) fn streaming(&self) {
        self.handed_over.set(false);
        self.enter(Phase::Streaming, Some(self.timeouts.write));
    }

    /// hyper has taken the end of the reply's body; the next flush ends the reply.
    pub(super) fn handed_over(&self) {
        self.handed_over.set(true);
    }

    /// The reply has been sent. If one read brought the start of the next head with the last request, the head's clock
    /// starts with its next byte, and the idle clock runs until then.
    fn flushed(&self) {
        if self.handed_over.get() && matches!(self.phase(), Phase::Writing | Phase::Streaming) {
            self.handed_over.set(false);
            self.held.take();
            self.stuck.take();
            self.enter(Phase::Idle, Some(self.timeouts.idle));
        }
    }

    fn received(&self, bytes: usize) {
        if bytes == 0 {
            self.gone.set(true);
        } else if self.phase() == Phase::Idle {
            self.enter(Phase::Head, Some(self.timeouts.head));
        }
    }

    /// Checks whether the client has gone while a request is being handled; otherwise wakes the task when there is
    /// something to check. Nothing is read in this phase, so that a client cannot fill our memory with data sent ahead.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> bool {
        loop {
            // This is a separate statement, so that the borrow of the socket ends here.
            let ready = socket!(self.socket, s => s.poll_read_ready(cx));
            let Poll::Ready(ready) = ready else { return false };
            let mut byte = [0];
            let mut look = |fd: BorrowedFd<'_>| Ok(rustix::net::recv(fd, &mut byte, RecvFlags::PEEK)?.0);
            match ready.and_then(|()| socket!(self.socket, s => s.try_io(Interest::READABLE, || look(s.as_fd())))) {
                Ok(1..) => return false,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => {
                    self.gone.set(true);
                    return true;
                }
            }
        }
    }

    /// Notes the result of a write. A stream's clock runs only while the client reads nothing. A large reply that
    /// stalls may be ended to make room for others.
    fn wrote(self: &Rc<Self>, result: &Poll<io::Result<usize>>, cx: &Context<'_>) {
        match (result, self.phase()) {
            (Poll::Ready(Err(_)), _) => self.gone.set(true),
            (Poll::Ready(Ok(_)), Phase::Streaming) => self.deadline.set(None),
            (Poll::Pending, Phase::Streaming) if self.deadline().is_none() => {
                self.deadline.set(Some(self.now() + self.timeouts.write));
            }
            (Poll::Pending, Phase::Writing) if self.held.borrow().is_some() => {
                let stalled_before = self.stuck.replace(Some(cx.waker().clone())).is_some();
                if !stalled_before {
                    self.stalled.push(self);
                }
            }
            _ => {}
        }
    }

    /// Ends a stalled reply early and releases its memory; false if it is no longer stalled.
    pub(super) fn give_up(&self) -> bool {
        let Some(task) = self.stuck.take() else { return false };
        self.held.take();
        self.deadline.set(Some(self.now()));
        task.wake();
        true
    }

    /// True while no request is being handled. Then hyper writes only its own refusal, and the edge sends a better one.
    pub(super) fn between_requests(&self) -> bool {
        matches!(self.phase(), Phase::Idle | Phase::Head)
    }

    /// Sends bytes without hyper; for refusals.
    pub(super) async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let n = std::future::poll_fn(|cx| socket!(self.socket, s => Pin::new(s).poll_write(cx, rest))).await?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = &rest[n..];
        }
        Ok(())
    }

    /// Ends the daemon's side, then reads and drops bytes until the client ends its side or `limit` bytes have come. If
    /// bytes are unread at close, the kernel sends a reset that can destroy the reply.
    pub(super) async fn drain(&self, limit: usize) -> io::Result<()> {
        std::future::poll_fn(|cx| socket!(self.socket, s => Pin::new(s).poll_shutdown(cx))).await?;
        let mut left = limit;
        while left > 0 {
            let n = std::future::poll_fn(|cx| self.poll_fill(cx, READ_BYTES.min(left), |_| ())).await?;
            if n == 0 {
                break;
            }
            left -= n;
        }
        Ok(())
    }

    /// Makes the next close drop all data that the client has not read, also in kernel buffers.
    pub(super) fn discard_unsent(&self) {
        if let Socket::Tcp(stream) = &*self.socket.borrow() {
            let _ = stream.set_zero_linger();
        }
    }

    fn poll_fill(&self, cx: &mut Context<'_>, most: usize, take: impl FnOnce(&[u8])) -> Poll<io::Result<usize>> {
        let mut scratch = self.scratch.borrow_mut();
        let most = most.min(scratch.len());
        let mut buffer = ReadBuf::new(&mut scratch[..most]);
        ready!(socket!(self.socket, s => Pin::new(s).poll_read(cx, &mut buffer)))?;
        take(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

/// The connection, as hyper uses it.
pub(super) struct Io(pub(super) Rc<Wire>);

impl Read for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut to: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let read = ready!(self.0.poll_fill(cx, to.remaining(), |bytes| to.put_slice(bytes)));
        match &read {
            Ok(bytes) => self.0.received(*bytes),
            Err(_) => self.0.gone.set(true),
        }
        Poll::Ready(read.map(drop))
    }
}

impl Write for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.0.between_requests() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let result = socket!(self.0.socket, s => Pin::new(s).poll_write(cx, bytes));
        self.0.wrote(&result, cx);
        result
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.0.between_requests() {
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        let result = socket!(self.0.socket, s => Pin::new(s).poll_write_vectored(cx, parts));
        self.0.wrote(&result, cx);
        result
    }

    /// The body stays in a buffer of its own: a large reply is not copied and leaves no large buffer at the connection.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.flushed();
        Poll::Ready(Ok(()))
    }

    /// The connection task closes the socket, after its own last bytes.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
