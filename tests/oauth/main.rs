//! The authorization server through the real binary: login links, discovery, clients, consent, tokens, attacks.

#[path = "../support/mod.rs"]
mod support;

mod a_link_logs_in_once;
