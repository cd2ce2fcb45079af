//! The dialects of the three client families, and an agent that knows none of them. They share one target, because
//! every test program links the whole library.

mod support;

mod agentex;
mod ax;
mod conformance;
mod workspace;
mod workspace_data;
