//! What a principal may do: what descends from what, what is asked for and given for a time, what is stopped.

mod support;

#[allow(dead_code, reason = "each target uses its own part of this")]
#[path = "durability/false_clock.rs"]
mod false_clock;
mod freeze;
mod power;
mod requests;
mod whole_box;
