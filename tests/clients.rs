//! Programs of others, unchanged, against the real daemon: axctl, the Agentex SDK, MCP clients, OAuth libraries, a browser,
//! and judges of the API document. They come from the package indexes, so nothing here runs by itself:
//! `cargo test --test clients -- --include-ignored`.

mod support;

mod agentex_sdk;
mod axctl;
mod browser;
mod mcp_clients;
mod oauth_clients;
mod openapi;
