//! Reads a request's body, within its share of the memory for bodies.

use std::sync::Arc;

use hyper::body::{Body as _, Bytes, Incoming};

use super::{Exchange, Halt, check_length};
use crate::http::edge::body::{self, BodyError, Collecting};
use crate::http::edge::body_shares::{Bounds, HeldBytes};
use crate::http::edge::core::PoolOutcome;
use crate::http::edge::meters::count;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::intake::IntakeStep;
use crate::rest::reply::Reply;
use crate::rest::service::{Outcome, Service};

impl<S: Service> Exchange<S> {
    /// Processes a body piece by piece, as it arrives.
    pub(super) async fn take_in(
        &mut self,
        plan: S::Plan,
        mut body: Incoming,
        (limit, nobodys): (u64, u64),
    ) -> Result<Reply, Halt> {
        let (head, service) = (Arc::clone(&self.head), self.core.service.clone());
        let (checking, checked_plan, checked_head) = (service.clone(), plan.clone(), Arc::clone(&head));
        let admit = move || match checking.admit_before_body(&checked_head, &checked_plan) {
            Ok(admitted) => PoolOutcome::Admitted(admitted),
            Err(refusal) => PoolOutcome::Outcome(Outcome::Done(refusal), None),
        };
        let admitted = match self.trip(Box::new(admit)).await? {
            PoolOutcome::Admitted(admitted) => admitted,
            refused => return self.settle(refused, None).await,
        };
        let principal = service.principal(&admitted);
        let mut left = if principal.is_some() { limit } else { nobodys };
        check_length(body.size_hint().exact(), left, codes::PAYLOAD_TOO_LARGE)?;
        let caller = principal.unwrap_or_else(|| format!("peer:{}", self.link.key));
        let share = self.core.shares.key(&caller);
        let begin = Box::new(move || PoolOutcome::Taken(service.begin(head, plan, admitted)));
        let mut answer = self.in_share(begin, Some(share)).await?;
        loop {
            let intake = match answer {
                PoolOutcome::Taken(IntakeStep::More(intake)) => intake,
                PoolOutcome::Taken(IntakeStep::Later(later)) => {
                    answer = PoolOutcome::Taken(later.said().await.ok_or(codes::INTERNAL)?);
                    continue;
                }
                PoolOutcome::Taken(IntakeStep::Ended(outcome)) => {
                    self.read_off(body, left, &caller).await?;
                    return self.settle(PoolOutcome::Outcome(outcome, Some(share)), None).await;
                }
                other => return self.settle(other, None).await,
            };
            // The memory counts until the piece is processed.
            let mut held = self.core.bodies.open(caller.clone(), &self.core.meters);
            let work: Box<dyn FnOnce() -> PoolOutcome<S> + Send> =
                match self.piece(&mut body, &mut left, &mut held).await? {
                    Some(piece) => Box::new(move || PoolOutcome::Taken(intake.piece(piece))),
                    None => {
                        self.unread = false;
                        Box::new(move || PoolOutcome::Outcome(intake.end(), Some(share)))
                    }
                };
            answer = self.in_share(work, Some(share)).await?;
        }
    }

    /// Reads the rest of a body whose outcome is known, within the time limit of one body: a client that is still
    /// sending would not see the reply.
    async fn read_off(&mut self, mut body: Incoming, mut left: u64, caller: &str) -> Result<(), Halt> {
        let until = self.link.wire.now() + crate::limits::seconds(self.core.rules().limits.body_timeout);
        while std::time::Instant::now() < until {
            let mut held = self.core.bodies.open(caller.to_owned(), &self.core.meters);
            match self.piece(&mut body, &mut left, &mut held).await {
                Ok(Some(_)) => {}
                Ok(None) => {
                    self.unread = false;
                    break;
                }
                Err(Halt::Gone) => return Err(Halt::Gone),
                // The outcome stays, and the connection ends with it.
                Err(_) => break,
            }
        }
        Ok(())
    }

    async fn piece(&self, body: &mut Incoming, left: &mut u64, held: &mut HeldBytes) -> Result<Option<Bytes>, Halt> {
        let wire = &self.link.wire;
        wire.awaiting_body();
        let read = body::piece(body, left, wire, held, self.bounds(body::PIECE_BYTES as u64)).await;
        wire.handling();
        read.map_err(|error| match error {
            BodyError::TooLarge => codes::PAYLOAD_TOO_LARGE.into(),
            error => self.halt(error),
        })
    }

    /// Reads a body that arrived with its head; `None` if it has not arrived completely.
    pub(super) async fn at_hand(
        &mut self,
        body: &mut Collecting,
        limit: u64,
        held: &mut HeldBytes,
    ) -> Result<Option<Bytes>, Halt> {
        if body.is_at_end() {
            return Ok(Some(Bytes::new()));
        }
        let wire = &self.link.wire;
        wire.awaiting_body();
        let read = body.at_hand(limit, wire, held, self.bounds(limit)).await;
        wire.handling();
        read.map(|read| self.collected(read)).transpose()
    }

    pub(super) async fn collect(
        &mut self,
        body: &mut Collecting,
        limit: u64,
        held: &mut HeldBytes,
    ) -> Result<Bytes, Halt> {
        if body.is_at_end() && body.is_empty() {
            return Ok(Bytes::new());
        }
        let wire = &self.link.wire;
        wire.awaiting_body();
        let read = body.rest(limit, wire, held, self.bounds(limit)).await;
        wire.handling();
        self.collected(read)
    }

    pub(super) fn bounds(&self, largest: u64) -> Bounds {
        Bounds::new(self.core.rules().limits.max_body_bytes_in_flight, largest)
    }

    pub(super) fn collected(&mut self, read: Result<Bytes, BodyError>) -> Result<Bytes, Halt> {
        match read {
            Ok(bytes) => {
                self.unread = false;
                Ok(bytes)
            }
            Err(error) => Err(self.halt(error)),
        }
    }

    /// Converts a body's failure into the end of its request.
    fn halt(&self, error: BodyError) -> Halt {
        match error {
            BodyError::Gone => Halt::Gone,
            BodyError::Late => {
                count(&self.core.meters.timeouts);
                codes::REQUEST_TIMEOUT.into()
            }
            BodyError::TooLarge => codes::BODY_TOO_LARGE.into(),
            BodyError::Full => {
                count(&self.core.meters.refused_busy);
                Halt::Error(ApiError::new(codes::BUSY).detail("Too many large bodies are on their way at once."))
            }
            BodyError::Malformed => {
                count(&self.core.meters.malformed);
                Halt::Error(ApiError::new(codes::BAD_REQUEST).detail("The chunked body is malformed."))
            }
        }
    }
}
