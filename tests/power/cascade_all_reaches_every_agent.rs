//! A key may have made more credentials of agents than one list shows: `cascade=all` ends all of them, and a list that is
//! cut says so.

use serde_json::{Value, json};

use crate::power::harness::{exchange, id, jwt, key};
use crate::support::Daemon;

#[test]
fn however_many_credentials_a_key_has_made() {
    let daemon = Daemon::with(&[], &[("TAOSD_AX_MAX_AGENT_PATS", "100"), ("TAOSD_REQUESTS_PER_MINUTE", "0")]);
    let first = key(&daemon.operator(), json!({}));
    let manager = jwt(&daemon, &first, "user_admin");
    let mut made: Vec<Value> = Vec::new();
    for name in ["one", "two", "three"] {
        daemon.agent(name);
        let pat = || manager.post("/credentials/agent-pat", json!({"agent_id": name})).expect(201).json();
        made.extend((0..70).map(|_| pat()));
    }
    let living = || daemon.number("SELECT count(*) FROM credentials WHERE kind = 'agent_pat' AND state = 'active'", []);
    let path = format!("/credentials/{}", id(&first));
    let told = daemon.operator().delete(&path).expect(200).json();
    let length = |list: &str, told: &Value| told[list].as_array().map_or(0, Vec::len);
    assert_eq!((length("still_live", &told), &told["truncated"], living()), (200, &json!(true), 210));
    let told = daemon.operator().delete(&format!("{path}?cascade=all")).expect(200).json();
    assert_eq!((length("revoked_with_it", &told), &told["truncated"], living()), (200, &json!(true), 0));
    assert_eq!(exchange(&daemon, &made[209], json!({})), 401);
    let told = daemon.operator().delete(&format!("{path}?cascade=all")).expect(200).json();
    assert_eq!((length("revoked_with_it", &told), &told["truncated"]), (0, &json!(false)));
}
