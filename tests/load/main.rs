//! Tests of how much one principal can make the box read, hold in memory and write at once, and how that affects
//! others.

#[path = "../support/mod.rs"]
mod support;

mod a_flood_of_reads_holds_up_nobody;
mod a_read_that_takes_too_long_is_cut;
mod every_list_is_bounded_in_bytes;
mod every_write_is_quick_at_its_bound;
mod fill;
mod hostile;
mod hostile_agents_stay_within_the_security_page;
mod lists_of_long_rows_take_little_memory;
