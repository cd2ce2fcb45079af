//! Slow work shows a bar with the current step on a terminal, and removes it at the end. A pipe gets no bar.

use std::time::Duration;

use serde_json::json;

use crate::fake::{Act, Fake};
use crate::run::Ctl;
use crate::support::{Daemon, TempDir};
use crate::terminal::{plain, see, see_program};

/// A server that starts an operation of this kind and reports 50 percent for a moment.
fn working(kind: &str, step: &str) -> Fake {
    let operation = |status: &str| {
        let result = (status == "succeeded").then(|| json!({"name": "atlas", "status": "done"}));
        let body = json!({"id": "op1", "kind": kind, "status": status, "step": step, "progress": 50, "result": result});
        Act::json(200, &body.to_string())
    };
    let later = operation("running").after(Duration::from_millis(300));
    let promise = Act::json(202, r#"{"status":"pending","operation_id":"op1","name":"atlas"}"#);
    Fake::playing(vec![promise, operation("running"), later.clone(), later, operation("succeeded")])
}

#[test]
fn a_deployment_a_backup_and_a_restore_show_how_far_they_are() {
    let id = "0198c9a0-0000-7000-8000-000000000000";
    for (line, kind, step) in [
        ("deploy atlas --image debian12".to_owned(), "deploy", "copying the image"),
        ("backup".to_owned(), "backup", "copying the database"),
        (format!("agents restore {id}"), "restore", "renaming the container"),
    ] {
        let fake = working(kind, step);
        let (seen, code) = see(&Ctl::bare().env("TAOS_URL", &fake.url), &line);
        assert_eq!(code, 0, "{line}: {seen}");
        let shown = plain(&seen);
        let bar = shown.split('\r').find(|frame| frame.contains("50 %")).unwrap_or_else(|| panic!("no bar: {seen:?}"));
        assert!(bar.contains(kind) && bar.contains(step) && bar.contains('━'), "{line}: {bar:?}");
        let last = shown.rsplit("50 %").next().unwrap_or_default();
        assert!(last.contains("\u{1b}[2K") && last.contains("atlas"), "the result takes its place: {last:?}");
        let piped = Ctl::bare().env("TAOS_URL", &working(kind, step).url);
        let run = piped.run(&line.split(' ').collect::<Vec<_>>()).expect(0);
        assert_eq!(run.stderr, format!("{kind}: {step} (50 %)\n"), "{line}");
    }
}

#[test]
fn a_transfer_says_what_it_does_and_how_fast() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.file("big.txt", &"x".repeat(8_000_000));
    for (line, what) in [("upload big.txt", "uploading"), ("download big.txt --dir got", "downloading")] {
        std::fs::create_dir_all(ctl.home().join("got")).unwrap();
        let (seen, code) = see_program(&ctl, &format!("cd; {} {line}", env!("CARGO_BIN_EXE_taosctl")));
        assert_eq!(code, 0, "{line}: {seen}");
        let bar = seen.split('\r').find(|frame| frame.contains("MiB/s") || frame.contains("GiB/s"));
        let bar = bar.unwrap_or_else(|| panic!("{line}: no bar: {seen:?}"));
        assert!(bar.contains(what) && bar.contains("/7.63 MiB"), "{line}: {bar:?}");
    }
    assert_eq!(std::fs::metadata(ctl.home().join("got/big.txt")).unwrap().len(), 8_000_000, "by its name");
}

#[test]
fn the_daemons_own_backup_and_restore_show_how_far_they_are() {
    let daemon = Daemon::start();
    let (ctl, elsewhere) = (Ctl::bare(), TempDir::new());
    let taosd = env!("CARGO_BIN_EXE_taosd");
    let (data, to) = (daemon.data.display().to_string(), elsewhere.path().display().to_string());
    for line in [
        format!("{taosd} backup {to}/copy.db --data-dir {data}"),
        format!("{taosd} restore {to}/copy.db --data-dir {to}/new"),
    ] {
        std::fs::create_dir_all(elsewhere.path().join("new")).unwrap();
        let (seen, code) = see_program(&ctl, &line);
        assert_eq!(code, 0, "{line}: {seen}");
        let is_bar = |frame: &str| frame.contains("copying") || frame.contains("checking");
        assert!(seen.split('\r').any(|frame| is_bar(frame) && frame.contains("MiB")), "{line}: {seen:?}");
    }
}
