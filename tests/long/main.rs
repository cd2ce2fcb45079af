//! What takes minutes and is run by hand: `TAOSD_TEST_HOSTILE_SECONDS=60 cargo test --test long -- --ignored --nocapture`.

#[path = "../support/mod.rs"]
mod support;

mod hostile;
mod hostile_agents_stay_within_the_security_page;
