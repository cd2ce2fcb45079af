//! Requests a second of the edge, and of a bare hyper server on one thread in the same run.
fn main() {}
