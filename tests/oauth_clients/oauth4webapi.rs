//! oauth4webapi: registration, code with PKCE, refresh, client credentials.

#[test]
#[ignore = "needs Node, and its package index"]
fn oauth4webapi_registers_logs_in_and_uses_an_agents_key() {
    let at = super::Box::new();
    super::drive_node("oauth4webapi_client.mjs", &[&at.url, &at.daemon.token, &at.key]);
}
