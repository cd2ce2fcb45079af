//! Programs of others, unchanged, against the real daemon: axctl, the Agentex SDK, MCP clients, OAuth libraries, a
//! browser, and checkers of the API document. They come from the package indexes, so the tests that need them are
//! ignored by default: `cargo test --test clients -- --include-ignored`.

mod support;

mod agentex_sdk;
mod axctl;
mod browser;
mod mcp_clients;
mod oauth_clients;
mod openapi;
