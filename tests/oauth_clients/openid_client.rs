//! openid-client: discovery, code with PKCE, refresh, device grant, introspection, revocation.

#[test]
#[ignore = "needs Node, and its package index"]
fn openid_client_discovers_logs_in_and_introspects() {
    let at = super::Box::new();
    let (id, secret) = at.program();
    super::drive_node("openid_client.mjs", &[&at.url, &at.daemon.token, &id, &secret]);
}
