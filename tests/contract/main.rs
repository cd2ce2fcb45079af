//! The wire contract, noun by noun, through the real binary. One scenario a file.

#[path = "../support/mod.rs"]
mod support;

mod cases;
mod world;

mod bodies_are_read_strictly;
mod checks_come_in_the_contracts_order;
mod every_reply_carries_its_headers;
mod every_route_and_code_is_provoked;
mod fields_are_bounded;
mod lists_are_paged;
