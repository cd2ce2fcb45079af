//! Work that no request waits for. Each room uses only those before it:
//!
//! 1. [`operations`] - what a slow request becomes
//! 2. [`endpoints`] - where an agent answers
//! 3. [`events`] - what tells others
//! 4. [`start_up`] - what a start does
//! 5. [`upkeep`] - what keeps the box in order
//!
//! Everything slow runs on the threads of [`operations::runner`], never on the pool that answers requests. A container
//! runtime that hangs delays only its own agents.

pub mod endpoints;
pub mod events;
pub mod operations;
pub mod start_up;
pub mod upkeep;
