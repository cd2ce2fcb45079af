//! The errors of the client.

use std::io;

/// Why a request has no reply.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection: nothing listens there, or access is denied. Nothing was sent, so a retry is safe.
    #[error("cannot connect: {0}")]
    Unreachable(#[source] io::Error),
    /// The deadline passed first. Whether the request took effect is unknown.
    #[error("no answer before the deadline")]
    Deadline,
    /// The connection ended before the reply was complete. Whether the request took effect is unknown.
    #[error("the connection was closed before the answer was complete")]
    Closed,
    /// The TLS handshake failed, most likely because the server's certificate is not accepted. Nothing was sent.
    #[error("no TLS with the server: {0}")]
    Tls(String),
    /// The reply is not HTTP.
    #[error("the answer is not HTTP: {0}")]
    Protocol(String),
    /// The body of the reply is longer than the request allows.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
    /// The request cannot be written as HTTP. Nothing was sent.
    #[error("the request is invalid: {0}")]
    Invalid(String),
    /// The body of the reply could not be written to the sink.
    #[error("what came cannot be written: {0}")]
    Sink(#[source] io::Error),
    /// The client has no event loop: no file descriptors are left, or asynchronous code called it. Nothing was sent.
    #[error("the client cannot run here: {0}")]
    Unusable(#[source] io::Error),
}

impl ClientError {
    pub(super) fn from_hyper(error: &hyper::Error) -> Self {
        if error.is_parse() || error.is_parse_too_large() {
            return Self::Protocol(error.to_string());
        }
        // All other errors of an established connection mean that the peer has gone: in the middle of the reply, on a
        // write, or by a reset.
        Self::Closed
    }
}
