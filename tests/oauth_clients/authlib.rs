//! authlib: code with PKCE, refresh, introspection, revocation.

#[test]
#[ignore = "needs Python, and its package index"]
fn authlib_logs_in_refreshes_introspects_and_revokes() {
    let at = super::Box::new();
    let (id, secret) = at.program();
    super::drive_python(&["authlib_client", &at.url, &at.daemon.token, &id, &secret]);
}
