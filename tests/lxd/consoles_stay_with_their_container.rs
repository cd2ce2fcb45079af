//! The kept console of a container never appears under the name that another container gets later: not after a rename, a
//! deletion or a creation, and not if somebody reads the console at that moment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use taosd::containers::{ContainerName, CreateSpec, Driver, ImageName, IncusLxd, LogLimits, Runtime};

use super::fake::{Answer, Fake};
use super::test_runtime::soon;

const LIMITS: LogLimits = LogLimits { lines: 100, bytes: 100_000 };

/// A runtime whose containers write this to their consoles. It accepts every change.
struct FakeBox {
    fake: Fake,
    driver: Arc<IncusLxd>,
    console: Arc<Mutex<&'static str>>,
    changing: Arc<AtomicBool>,
}

fn a_box() -> FakeBox {
    let (console, changing) = (Arc::new(Mutex::new("")), Arc::<AtomicBool>::default());
    let (written, seen) = (Arc::clone(&console), Arc::clone(&changing));
    let fake = Fake::new(move |line| match line {
        line if line.ends_with("/console") => {
            let text = *written.lock().unwrap();
            Answer::Raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes())
        }
        "GET /1.0/images/aliases/bb" => Answer::sync(r#"{"target":"abc"}"#),
        line if line.starts_with("GET /1.0/operations/ab-12") => {
            // Long enough for somebody who reads the console meanwhile.
            thread::sleep(Duration::from_millis(300));
            Answer::sync(r#"{"status_code":200}"#)
        }
        _ => {
            seen.store(true, Ordering::SeqCst);
            Answer::operation()
        }
    });
    let driver = Arc::new(IncusLxd::new(Runtime::Incus, &fake.socket()));
    FakeBox { fake, driver, console, changing }
}

impl FakeBox {
    fn writes(&self, text: &'static str) {
        *self.console.lock().unwrap() = text;
    }

    fn reads(&self, container: &ContainerName) -> String {
        self.driver.logs(container, LIMITS, soon()).unwrap().text
    }

    /// Makes a change while somebody reads this container's console.
    fn changes(&self, read: &ContainerName, change: impl FnOnce(&IncusLxd)) {
        self.changing.store(false, Ordering::SeqCst);
        let (driver, changing, read) = (Arc::clone(&self.driver), Arc::clone(&self.changing), read.clone());
        let reader = thread::spawn(move || {
            while !changing.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(5));
            }
            let _ = driver.logs(&read, LIMITS, soon());
        });
        change(&self.driver);
        self.writes("");
        reader.join().unwrap();
    }
}

fn named(slug: &str) -> ContainerName {
    ContainerName::for_agent(slug).unwrap()
}

#[test]
fn a_renamed_or_deleted_container_leaves_nothing_under_its_old_name_or_its_new_one() {
    let (shop, one, two) = (a_box(), named("a"), named("b"));
    shop.writes("secret of the first\n");
    assert_eq!(shop.reads(&one), "secret of the first\n");
    shop.changes(&one, |driver| driver.rename(&one, &two, soon()).unwrap());
    assert_eq!(shop.reads(&one), "");
    shop.writes("secret of the second\n");
    assert_eq!(shop.reads(&two), "secret of the second\n");
    shop.changes(&two, |driver| driver.delete(&two, soon()).unwrap());
    assert_eq!(shop.reads(&two), "");
    shop.writes("of a foreign one\n");
    assert_eq!(shop.reads(&two), "of a foreign one\n");
    shop.changes(&one, |driver| driver.rename(&one, &two, soon()).unwrap());
    assert_eq!(shop.reads(&two), "");
}

#[test]
fn a_new_container_does_not_begin_with_the_console_of_one_that_somebody_else_deleted() {
    let (shop, name) = (a_box(), named("a"));
    shop.writes("secret of the first\n");
    assert_eq!(shop.reads(&name), "secret of the first\n");
    let spec = CreateSpec::new(ImageName::parse("bb").unwrap(), "id");
    shop.driver.create(&name, &spec, soon().into()).unwrap();
    shop.writes("hello\n");
    assert_eq!(shop.reads(&name), "hello\n");
    assert!(shop.fake.requests().iter().any(|request| request.starts_with("POST /1.0/instances ")));
}
