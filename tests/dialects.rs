//! The dialects of the three client families, and a stranger who knows none of them. One target, because every test
//! program is linked with the whole library.

mod support;

mod agentex;
mod ax;
mod conformance;
mod workspace;
mod workspace_data;
