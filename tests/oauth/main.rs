//! The authorization server through the real binary: login links, discovery, clients, consent, tokens, attacks.

#[path = "../support/mod.rs"]
mod support;

mod a_link_logs_in_once;
mod a_program_logs_in_by_a_click;
mod attacks_give_nothing;
mod program;
