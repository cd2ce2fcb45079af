//! The wire contract, noun by noun, through the real binary. One scenario a file.

#[path = "../support/mod.rs"]
mod support;

mod cases;
mod world;

mod every_route_and_code_is_provoked;
