//! requests-oauth2client: device grant, exchange, client credentials, introspection, revocation.

#[test]
#[ignore = "needs Python, and its package index"]
fn requests_oauth2client_logs_in_by_a_code_exchanges_and_introspects() {
    let at = super::Box::new();
    let (id, secret) = at.program();
    let own = [&at.url, &at.daemon.token, &id, &secret, &at.agent_token, &at.key].map(String::as_str);
    super::drive_python(&[&["requests_oauth2client_client"][..], &own].concat());
}
