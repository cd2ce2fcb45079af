//! Why there is no answer.

use std::io;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection: nobody listens, or access is denied. Nothing was sent, so it is safe to try again.
    #[error("cannot connect: {0}")]
    Unreachable(#[source] io::Error),
    /// The deadline came first. Whether the request took effect is unknown.
    #[error("no answer before the deadline")]
    Deadline,
    /// The connection ended before the answer did. Whether the request took effect is unknown.
    #[error("the connection was closed before the answer was complete")]
    Closed,
    /// TLS could not be spoken: most likely the server's certificate is not accepted. Nothing was sent.
    #[error("no TLS with the server: {0}")]
    Tls(String),
    /// What came back is not HTTP.
    #[error("the answer is not HTTP: {0}")]
    Protocol(String),
    /// The answer's body is longer than the request allowed.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
    /// The request itself cannot be written as HTTP; nothing was sent.
    #[error("the request is invalid: {0}")]
    Invalid(String),
    /// The body of the answer could not be written where it goes.
    #[error("what came cannot be written: {0}")]
    Sink(#[source] io::Error),
    /// No reactor for the socket: out of file descriptors, or called from asynchronous code. Nothing was sent.
    #[error("the client cannot run here: {0}")]
    Unusable(#[source] io::Error),
}

impl ClientError {
    pub(super) fn from_hyper(error: &hyper::Error) -> Self {
        if error.is_parse() || error.is_parse_too_large() {
            return Self::Protocol(error.to_string());
        }
        // What is left on an established connection is the peer going away: mid-answer, on write, or by a reset.
        Self::Closed
    }
}
