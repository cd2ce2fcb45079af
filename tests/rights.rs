//! What a principal may do: what descends from what, what is asked for and given for a time, what is stopped.

mod support;

mod freeze;
mod power;
mod requests;
