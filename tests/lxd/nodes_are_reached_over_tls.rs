//! The driver of Incus and LXD over HTTPS, on the real runtime: whom it trusts, whom the daemon trusts, and that all
//! calls work.

use std::time::Duration;

use taosd::client::tls::Pin;
use taosd::containers::{Away, Detail, Driver, EnvKey, EnvState, Error, FileSpec, LogLimits, Runtime, Status};

use crate::node::{Client, address, ask, options, pin_of, token};
use crate::test_runtime::{TestRuntime, path, rest, set, soon};

#[track_caller]
fn is_away<T: std::fmt::Debug>(result: Result<T, Error>, way: Away) {
    let is_it = matches!(&result, Err(Error::RuntimeUnavailable { away, node, .. })
        if *away == way && node.as_deref() == Some("shed"));
    assert!(is_it, "{result:?}");
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_token_is_redeemed_once_and_a_container_lives_its_life_there() {
    let (test_runtime, client, token) = (TestRuntime::rest(), Client::new(), token());
    let driver = client.driver(&options(&address(), pin_of(&token), Some(token.clone())));
    assert_eq!(driver.info(soon()).unwrap().runtime, rest());
    assert_eq!((driver.node(), driver.runtime()), (Some("shed"), rest()));
    // Another client that presents the same token comes too late.
    let late = Client::new();
    is_away(late.driver(&options(&address(), pin_of(&token), Some(token.clone()))).info(soon()), Away::Denied);
    // The token is used up, but the certificate is trusted, as after a restart of the daemon.
    let driver = client.driver(&options(&address(), pin_of(&token), Some(token)));

    let guard = test_runtime.name();
    driver.create(&guard.name, &test_runtime.spec(), soon().into()).unwrap();
    driver.set_env(&guard.name, &[set("COLOUR", "red")], soon()).unwrap();
    driver.start(&guard.name, soon().into()).unwrap();
    assert!(guard.environment().contains(&"COLOUR=red".to_owned()));
    let key = EnvKey::parse("COLOUR").unwrap();
    assert_eq!(driver.check_env(&guard.name, &key, &|value| value == "red", soon()).unwrap(), EnvState::Matches);
    let file = FileSpec::secret(path("/run/taos/token"), b"hunter2");
    // A driver that has not yet connected to the node sends the right headers too.
    client.driver(&options(&address(), pin_of_server(), None)).write_file(&guard.name, &file, soon()).unwrap();
    assert_eq!(test_runtime.says(&guard.name, &["cat", "/run/taos/token"]), "hunter2");
    driver.remove_file(&guard.name, &file.path, soon()).unwrap();
    driver.freeze(&guard.name, soon()).unwrap();
    assert_eq!(driver.get(&guard.name, soon()).unwrap().status, Status::Frozen);
    driver.unfreeze(&guard.name, soon()).unwrap();
    assert_eq!(driver.journal(&guard.name, LogLimits { lines: 9, bytes: 900 }, soon()).unwrap(), None);
    driver.stop(&guard.name, Duration::from_secs(1), true, soon()).unwrap();
    let logs = driver.logs(&guard.name, LogLimits { lines: 100, bytes: 10_000 }, soon()).unwrap();
    assert!(logs.text.contains("booted"), "{logs:?}");
    assert!(driver.list(Detail::Brief, soon()).unwrap().iter().any(|state| state.name == guard.name));
    driver.delete(&guard.name, soon()).unwrap();
    assert!(matches!(driver.get(&guard.name, soon()), Err(Error::NotFound(_))));
    let capacity = driver.capacity(soon()).unwrap();
    assert!(capacity.cores > 0 && capacity.memory > capacity.memory_used && capacity.memory_used > 0, "{capacity:?}");
}

/// The fingerprint that the runtime's own client shows.
fn pin_of_server() -> Pin {
    let told: serde_json::Value = serde_json::from_str(&ask(&["query", "/1.0"])).unwrap();
    let text = told["environment"]["certificate_fingerprint"].as_str().unwrap();
    Pin::Fingerprint(taosd::containers::node::fingerprint_of(text).unwrap())
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_stranger_is_told_apart_from_a_node_and_a_node_from_its_impostor() {
    let (client, at) = (Client::new(), address());
    is_away(client.driver(&options(&at, pin_of_server(), None)).list(Detail::Brief, soon()), Away::Denied);
    is_away(client.driver(&options(&at, Pin::Fingerprint([7; 32]), None)).list(Detail::Brief, soon()), Away::Refusing);
    let nobody = options("127.0.0.1:9", pin_of_server(), None);
    is_away(client.driver(&nobody).list(Detail::Brief, soon()), Away::Refusing);
    let no_name = options("no-such-host.invalid", pin_of_server(), None);
    assert!(matches!(client.driver(&no_name).info(soon()), Err(Error::RuntimeUnavailable { .. })));
    // The server's certificate in a file works like its fingerprint.
    let told: serde_json::Value = serde_json::from_str(&ask(&["query", "/1.0"])).unwrap();
    let file = client.folder.0.join("server.crt");
    std::fs::write(&file, told["environment"]["certificate"].as_str().unwrap()).unwrap();
    is_away(client.driver(&options(&at, Pin::of_file(&file).unwrap(), None)).info(soon()), Away::Denied);
    // A file with other certificates does not.
    let other = Pin::of_file(client.identity.place()).unwrap();
    is_away(client.driver(&options(&at, other, None)).info(soon()), Away::Refusing);
    assert_eq!(client.driver(&nobody).runtime(), Runtime::Incus, "a guess until it is met");
}
