//! Sending a reply: its conversion for hyper, and the clock of the write.

use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue};
use hyper::http::{Method, Response, StatusCode};

use super::Exchange;
use crate::http::edge::core::{Core, PoolOutcome};
use crate::http::edge::meters::{Gauge, count};
use crate::http::edge::reply::{
    Fetching, ReplyBody, is_bodyless, may_be_sent, open_stream, standard_headers, strip_framing,
};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::reply::{Body, BodySource, Reply};
use crate::rest::service::Service;
use crate::threads::lock;

/// The pause before the next piece of a reply is requested again, if the pool's queue is full.
const QUEUE_FULL: Duration = Duration::from_millis(20);

impl<S: Service> Exchange<S> {
    pub(super) fn render(&self, error: &ApiError) -> Reply {
        self.core.service.render(error, Some(&self.head))
    }

    /// Converts a reply for hyper, and starts the clock of the write.
    pub(super) fn send(self, mut reply: Reply) -> Response<ReplyBody> {
        if !may_be_sent(&reply.headers) {
            log::error!("request {}: a reply header's value may not be sent", self.head.request_id);
            reply = self.render(&codes::INTERNAL.into());
        }
        let silent = self.head.method == Method::HEAD || is_bodyless(reply.status);
        let mut body = reply.body;
        let mut open = None;
        if matches!(body, Body::Stream(_)) && !silent {
            open = open_stream(&self.core.meters, self.core.rules().limits.max_streams);
            if open.is_none() {
                count(&self.core.meters.refused_busy);
                let busy = self.render(&ApiError::new(codes::BUSY).detail("Too many streams are open."));
                (reply.status, reply.headers, body) = (busy.status, busy.headers, busy.body);
            }
        }
        let close = reply.close || self.close || self.unread || self.link.gate.is_closed();
        let mut headers = reply.headers;
        strip_framing(&mut headers);
        standard_headers(&mut headers, &self.head.raw_path, &self.head.request_id);
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let took = self.link.wire.now().duration_since(self.head.arrived);
        let (body, bytes) = self.body(body, open, silent, reply.status, &mut headers);
        self.core.service.finished(&self.head, &self.link.key, reply.status.as_u16(), bytes, took);
        let mut response = Response::new(body);
        *response.status_mut() = reply.status;
        *response.headers_mut() = headers;
        response
    }

    fn body(
        &self,
        body: Body,
        open: Option<Gauge>,
        silent: bool,
        status: StatusCode,
        headers: &mut HeaderMap,
    ) -> (ReplyBody, u64) {
        let wire = self.link.wire.clone();
        match (body, open) {
            (Body::Stream(stream), Some(open)) => {
                wire.streaming();
                let gate = self.link.gate.clone();
                (ReplyBody::Stream { chunks: stream.chunks, wire, gate, _open: open }, 0)
            }
            (Body::Pulled(pulled), _) if !silent => {
                wire.streaming();
                if pulled.length == 0 {
                    // hyper takes nothing of an empty body, so its end is here.
                    wire.handed_over();
                }
                let fetch = fetch(self.core.clone(), pulled.source);
                (ReplyBody::Pulled { left: pulled.length, fetch, fetching: None, wire }, pulled.length)
            }
            (Body::Bytes(bytes), _) if !silent => {
                let length = bytes.len() as u64;
                wire.writing(bytes.is_empty(), self.core.stalled.make_room(length, &self.core.meters));
                (ReplyBody::Whole(Some(bytes), wire), length)
            }
            (body, _) => {
                let length = match &body {
                    Body::Bytes(bytes) => Some(bytes.len() as u64),
                    Body::Pulled(pulled) => Some(pulled.length),
                    Body::Stream(_) => None,
                };
                if let Some(length) = length.filter(|_| !is_bodyless(status)) {
                    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
                }
                wire.writing(true, None);
                (ReplyBody::Whole(None, wire), 0)
            }
        }
    }
}

/// Fetches a reply's pieces on the pool, one at a time.
fn fetch<S: Service>(core: Rc<Core<S>>, source: Arc<Mutex<dyn BodySource>>) -> Box<dyn FnMut() -> Fetching> {
    Box::new(move || {
        let (core, source) = (core.clone(), Arc::clone(&source));
        Box::pin(async move {
            loop {
                let source = Arc::clone(&source);
                let next = move || PoolOutcome::Piece(lock(&source).next());
                match core.pool.submit(Box::new(next)) {
                    Err(_) => tokio::time::sleep(QUEUE_FULL).await,
                    Ok(answer) => {
                        return match answer.await {
                            Ok(Ok(PoolOutcome::Piece(Ok(piece)))) => piece,
                            Ok(Ok(PoolOutcome::Piece(Err(error)))) => {
                                log::error!("a reply had to be cut off: {error}");
                                None
                            }
                            _ => None,
                        };
                    }
                }
            }
        })
    })
}
