//! The writer's promises: a failed job is rolled back alone, the others are committed together, and each is answered.

use std::panic::Location;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::store::error::Result;

const HERE: Label = Label { action: "test", at: Location::caller() };

type WriteAnswer = std::result::Result<i64, StoreError>;
type NumberedAnswer = (i64, WriteAnswer);

/// A writer on a fresh file, blocked so that the jobs submitted meanwhile become one batch.
struct Held {
    writer: Writer,
    go: Sender<()>,
    path: std::path::PathBuf,
    answers: (Sender<NumberedAnswer>, Receiver<NumberedAnswer>),
    // Dropped last: the writer closes its files first.
    _dir: Dir,
}

struct Dir(std::path::PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn held(name: &str, set_up: &str) -> Held {
    let dir = Dir(std::env::temp_dir().join(format!("taosd-writer-{}-{name}", std::process::id())));
    std::fs::create_dir_all(&dir.0).unwrap();
    let path = dir.0.join("w.db");
    std::fs::File::create(&path).unwrap();
    let conn = crate::store::open::writing(&path, crate::store::open::Medium::Live).unwrap();
    conn.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)").unwrap();
    conn.execute_batch(set_up).unwrap();
    let writer = Writer::start(conn, 16, Arc::new(Condition::new(&path).unwrap()), |_| Ok(())).unwrap();
    let (go, wait) = channel::<()>();
    let (started, running) = channel();
    writer.submit(
        HERE,
        move |_| {
            started.send(()).unwrap();
            wait.recv().unwrap();
            Ok::<_, StoreError>(())
        },
        |_| {},
    );
    running.recv().unwrap();
    Held { writer, go, path, answers: channel(), _dir: dir }
}

impl Held {
    fn submit(&self, n: i64, work: impl FnOnce(&Connection) -> WriteAnswer + Send + 'static) {
        let to = self.answers.0.clone();
        self.writer.submit(HERE, work, move |answer| to.send((n, answer)).unwrap());
    }

    fn insert(&self, n: i64) {
        self.submit(n, move |conn| put(conn, n, 10));
    }

    /// Lets the batch run and returns the answers in the order in which they came.
    fn run(&self, answers: usize) -> Vec<NumberedAnswer> {
        self.go.send(()).unwrap();
        (0..answers).map(|_| self.answers.1.recv().unwrap()).collect()
    }

    fn rows(&self) -> Vec<i64> {
        self.writer
            .write(HERE, |conn| -> Result<Vec<i64>> {
                let mut all = conn.prepare("SELECT n FROM t ORDER BY n")?;
                Ok(all.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
            })
            .unwrap()
    }
}

fn put(conn: &Connection, n: i64, bytes: usize) -> WriteAnswer {
    conn.execute("INSERT INTO t VALUES (?1, ?2)", (n, "x".repeat(bytes)))?;
    Ok(n)
}

#[test]
fn a_request_that_fails_in_a_batch_is_rolled_back_alone() {
    let held = held("fails", "");
    held.insert(1);
    held.submit(2, |conn| {
        put(conn, 20, 10)?;
        Err(StoreError::Other("changed my mind".into()))
    });
    held.submit(3, |conn| put(conn, 1, 10));
    held.insert(4);
    let answers = held.run(4);
    assert!(matches!(answers[0], (1, Ok(1))) && matches!(answers[3], (4, Ok(4))), "{answers:?}");
    assert!(matches!(answers[1], (2, Err(StoreError::Other(_)))), "{answers:?}");
    assert!(matches!(answers[2], (3, Err(StoreError::Exists(_)))), "{answers:?}");
    assert_eq!(held.rows(), [1, 4]);
    assert!(held.writer.trouble().is_none(), "a request's own failure is no trouble of the disk");
}

#[test]
fn the_first_of_a_batch_that_fails_or_panics_is_rolled_back_alone() {
    for panics in [false, true] {
        let dir = Dir(std::env::temp_dir().join(format!("taosd-writer-{}-first-{panics}", std::process::id())));
        std::fs::create_dir_all(&dir.0).unwrap();
        let path = dir.0.join("w.db");
        std::fs::File::create(&path).unwrap();
        let conn = crate::store::open::writing(&path, crate::store::open::Medium::Live).unwrap();
        conn.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)").unwrap();
        let writer = Writer::start(conn, 16, Arc::new(Condition::new(&path).unwrap()), |_| Ok(())).unwrap();
        let ((go, wait), (answer, answers)) = (channel::<()>(), channel());
        let (started, running) = channel();
        let first = answer.clone();
        writer.submit(
            HERE,
            move |conn| -> WriteAnswer {
                put(conn, 1, 10)?;
                started.send(()).unwrap();
                wait.recv().unwrap();
                assert!(!panics, "a bug");
                put(conn, 1, 10)
            },
            move |told| first.send((1, told)).unwrap(),
        );
        running.recv().unwrap();
        writer.submit(HERE, |conn| put(conn, 1, 10), move |told| answer.send((2, told)).unwrap());
        go.send(()).unwrap();
        let told: Vec<NumberedAnswer> = (0..2).map(|_| answers.recv().unwrap()).collect();
        assert!(matches!(told[..], [(1, Err(_)), (2, Ok(1))]), "{told:?}");
        let kept = writer
            .write(HERE, |conn| -> WriteAnswer { Ok(conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?) });
        assert_eq!(kept.unwrap(), 1);
        assert!(writer.is_alive() && writer.trouble().is_none());
    }
}

#[test]
fn a_request_that_panics_in_a_batch_is_rolled_back_alone_and_the_writer_goes_on() {
    let held = held("panics", "");
    held.insert(1);
    held.submit(2, |conn| {
        put(conn, 20, 10)?;
        panic!("a bug");
    });
    held.insert(3);
    let answers = held.run(3);
    assert!(matches!(&answers[1], (2, Err(StoreError::Other(why))) if why.contains("a bug")), "{answers:?}");
    assert_eq!(held.rows(), [1, 3]);
    assert!(held.writer.is_alive());
}

#[test]
fn an_answer_that_panics_takes_no_other_answer_with_it() {
    let held = held("answers", "");
    held.writer.submit(HERE, |conn| put(conn, 1, 10), |_| panic!("a bug"));
    held.insert(2);
    assert!(matches!(held.run(1)[..], [(2, Ok(2))]));
    assert_eq!(held.rows(), [1, 2]);
    assert!(held.writer.is_alive());
}

#[test]
fn a_full_disk_fails_its_batch_and_no_more() {
    // To SQLite, a database that may not grow is a full disk.
    let held = held("full", "PRAGMA max_page_count = 8");
    held.insert(1);
    held.submit(2, |conn| put(conn, 2, 100_000));
    let answers = held.run(2);
    assert!(matches!(answers[0], (1, Err(StoreError::Full(_)))), "nothing of the batch is on disk: {answers:?}");
    assert!(matches!(answers[1], (2, Err(StoreError::Full(_)))), "{answers:?}");
    assert!(matches!(held.writer.trouble(), Some(StoreError::Full(_))));
    assert_eq!(held.rows(), Vec::<i64>::new());
    held.insert(3);
    assert!(matches!(held.answers.1.recv().unwrap(), (3, Ok(3))));
    assert_eq!(held.rows(), [3]);
    assert!(held.writer.trouble().is_none());
}

#[test]
fn what_joins_a_batch_after_the_file_has_gone_is_refused() {
    let held = held("gone", "");
    let away = held.path.with_extension("away");
    std::fs::rename(&held.path, &away).unwrap();
    held.insert(1);
    assert!(matches!(held.run(1)[..], [(1, Err(StoreError::Gone(_)))]));
    assert!(matches!(held.writer.write(HERE, |conn| put(conn, 1, 10)), Err(StoreError::Gone(_))));
    assert!(held.path.with_extension("db.rescued").exists(), "saved before the next answer");
    assert!(held.writer.trouble().is_none(), "no write has failed for the disk's sake");
    std::fs::rename(&away, &held.path).unwrap();
    held.insert(2);
    assert!(matches!(held.answers.1.recv().unwrap(), (2, Ok(2))));
    assert_eq!(held.rows(), [2]);
}

#[test]
fn a_batch_is_one_commit_and_each_commit_is_synced() {
    let held = held("synced", "");
    let modes = |conn: &Connection| -> Result<(String, i64)> {
        Ok((
            conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?,
            conn.pragma_query_value(None, "synchronous", |row| row.get(0))?,
        ))
    };
    let (sender, receiver) = channel();
    held.writer.submit(HERE, modes, move |found| sender.send(found).unwrap());
    (0..5).for_each(|n| held.insert(n));
    // None of the five can be answered before the one commit, so none is visible to another connection before it.
    let other = Connection::open(&held.path).unwrap();
    let seen = move || other.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(seen(), 0);
    held.run(5);
    assert_eq!(seen(), 5);
    assert_eq!(receiver.recv().unwrap().unwrap(), ("wal".to_owned(), 2), "WAL, synchronous FULL");
}

#[test]
fn a_write_on_the_writers_own_thread_is_refused_instead_of_waiting_for_itself() {
    let Held { writer, go, answers: (to, told), _dir, .. } = held("itself", "");
    let writer = Arc::new(writer);
    let (inner, light) = (Arc::clone(&writer), to.clone());
    writer.submit(
        HERE,
        |conn| put(conn, 1, 10),
        move |_| {
            to.send((2, inner.write(HERE, |conn| put(conn, 2, 10)))).unwrap();
            light.send((3, inner.write_light(HERE, |conn| put(conn, 3, 10)))).unwrap();
        },
    );
    go.send(()).unwrap();
    for n in [2, 3] {
        let answer = told.recv_timeout(Duration::from_secs(20)).expect("an answer");
        assert!(
            matches!(&answer, (of, Err(StoreError::Other(why))) if *of == n && why.contains("own thread")),
            "{answer:?}"
        );
    }
    assert!(matches!(writer.write(HERE, |conn| put(conn, 4, 10)), Ok(4)));
}
