//! Background work: no request waits for it. Each room uses only those before it:
//!
//! 1. [`operations`] - slow work that a request has started
//! 2. [`endpoints`] - the addresses that agents listen on
//! 3. [`events`] - streams, webhooks and channels that report events
//! 4. [`start_up`] - the work of a start
//! 5. [`upkeep`] - the periodic work that keeps the box in order
//!
//! Everything slow runs on the threads of [`operations::runner`], never on the pool that serves requests. A container
//! runtime that hangs delays only its own agents.

pub mod endpoints;
pub mod events;
pub mod operations;
pub mod start_up;
pub mod upkeep;
