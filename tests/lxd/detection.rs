//! The detection of the runtime, with real sockets in place of real runtimes.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use taosd::containers::{Choice, ContainerName, Containers, Detail, Error, Runtime, RuntimeOptions, SocketPlaces};

use super::test_runtime::{Folder, soon};

fn places(folder: &Folder) -> SocketPlaces {
    let at = |name: &str| folder.0.join(name);
    SocketPlaces {
        incus: vec![at("incus.sock")],
        lxd: vec![at("lxd.sock"), at("snap.sock")],
        lxc_path: at("lxc"),
        lxc_images: at("images"),
    }
}

fn containers(folder: &Folder) -> Containers {
    Containers::new(RuntimeOptions { places: places(folder), ..RuntimeOptions::default() })
}

/// Makes a socket that nobody listens on, as a runtime that died leaves it.
fn dead(path: PathBuf) {
    drop(UnixListener::bind(path).unwrap());
}

#[test]
fn a_runtime_that_is_down_is_unavailable_by_name_and_never_none() {
    for (socket, runtime) in [("incus.sock", Runtime::Incus), ("lxd.sock", Runtime::Lxd), ("snap.sock", Runtime::Lxd)] {
        let folder = Folder::new();
        dead(folder.0.join(socket));
        let driver = containers(&folder).driver().unwrap();
        let error = driver.list(Detail::Full, soon()).unwrap_err();
        assert!(matches!(&error, Error::RuntimeUnavailable { runtime: r, .. } if *r == runtime), "{socket}: {error}");
    }
}

#[test]
fn a_runtime_that_comes_later_is_found_then() {
    let folder = Folder::new();
    let containers = containers(&folder);
    let none = containers.driver().unwrap();
    assert_eq!((none.runtime(), none.list(Detail::Full, soon())), (Runtime::None, Ok(Vec::new())));
    assert!(matches!(
        none.start(&ContainerName::parse("x").unwrap(), soon().into()),
        Err(Error::RuntimeUnavailable { .. })
    ));
    dead(folder.0.join("lxd.sock"));
    assert_eq!(containers.driver().unwrap().runtime(), Runtime::Lxd);
}

#[test]
fn the_operators_choice_and_socket_win() {
    let folder = Folder::new();
    dead(folder.0.join("incus.sock"));
    let choose = |choice: &str, socket: Option<&str>| {
        let socket = socket.map(|name| folder.0.join(name));
        let options = RuntimeOptions { choice: choice.parse().unwrap(), socket, places: places(&folder) };
        Containers::new(options).driver().map(|driver| driver.runtime())
    };
    assert_eq!(choose("none", None), Ok(Runtime::None));
    let absent = choose("lxd", Some("other.sock"));
    assert!(matches!(absent, Err(Error::RuntimeUnavailable { runtime: Runtime::Lxd, .. })), "{absent:?}");
    dead(folder.0.join("other.sock"));
    assert_eq!(choose("lxd", Some("other.sock")), Ok(Runtime::Lxd));
    assert_eq!(choose("auto", Some("other.sock")), Ok(Runtime::Lxd));
    assert_eq!(choose("auto", Some("incus-other.sock")), Ok(Runtime::Incus));
    assert!(matches!(choose("lxd", None), Err(Error::RuntimeUnavailable { runtime: Runtime::Lxd, .. })));
    assert!("docker".parse::<Choice>().is_err());
}
