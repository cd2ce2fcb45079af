//! Files are uploaded from disk and stdin, and downloaded into one directory, whatever names a server gives them.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use crate::fake::{Act, Fake};
use crate::run::Ctl;
use crate::support::Daemon;

#[test]
fn a_file_comes_back_and_what_is_there_stays() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let file = ctl.file("naïve plan.md", "# Plan\n");
    let made = ctl.json(&["upload", &file]);
    assert_eq!((&made["content_type"], &made["original_filename"]), (&"text/markdown".into(), &"naïve plan.md".into()));
    let id = made["attachment_id"].as_str().unwrap();
    let dir = ctl.home().join("got");
    fs::create_dir(&dir).unwrap();
    let into = dir.to_str().unwrap();
    ctl.ok(&["download", id, "--dir", into]);
    assert_eq!(fs::read_to_string(dir.join("naïve plan.md")).unwrap(), "# Plan\n");
    fs::write(dir.join("naïve plan.md"), "mine").unwrap();
    let refused = ctl.run(&["download", id, "--dir", into]).expect(2);
    assert!(refused.stderr.contains("is there already"), "{refused:?}");
    assert_eq!(fs::read_to_string(dir.join("naïve plan.md")).unwrap(), "mine");
    ctl.ok(&["download", made["url"].as_str().unwrap(), "--dir", into, "--force"]);
    assert_eq!(fs::read_to_string(dir.join("naïve plan.md")).unwrap(), "# Plan\n");
    assert_eq!(ctl.ok(&["download", id, "--output", "-"]), "# Plan\n");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing is left beside it");
    let piped = ctl.run_with_stdin(&["upload", "-", "--name", "load.csv", "--json"], "a,b\n").expect(0);
    assert!(piped.stdout.contains("\"text/csv\"") && piped.stdout.contains("load.csv"), "{piped:?}");
    ctl.run(&["upload", "/nowhere"]).expect(2);
    let page = ctl.file("page.html", "a\0b");
    ctl.run(&["upload", &page]).expect_error(1, "unsupported_media_type");
}

#[test]
fn no_name_of_a_server_and_no_link_leads_out_of_the_directory() {
    for name in ["..%2F..%2Fowned", "%2Fetc%2Fowned", "..", "a%5C..%5Cowned", "%2e%2e%2fowned"] {
        let reply = format!(
            "HTTP/1.1 200 X\r\nContent-Disposition: attachment; filename*=UTF-8''{name}\r\nContent-Length: 4\r\n\r\nevil"
        );
        let fake = Fake::playing(vec![Act::Send(reply.into_bytes())]);
        let ctl = Ctl::bare().env("TAOS_URL", &fake.url).env("TAOS_TOKEN", "secret");
        let dir = ctl.home().join("a/got");
        fs::create_dir_all(&dir).unwrap();
        ctl.ok(&["download", "id", "--dir", dir.to_str().unwrap()]);
        let names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names == ["owned"] || names == ["file"], "{name}: {names:?}");
        assert_eq!(fs::read_dir(ctl.home().join("a")).unwrap().count(), 1);
    }
    let reply =
        "HTTP/1.1 200 X\r\nContent-Disposition: attachment; filename*=UTF-8''x\r\nContent-Length: 4\r\n\r\nevil";
    let fake = Fake::playing(vec![Act::Send(reply.as_bytes().to_vec())]);
    let ctl = Ctl::bare().env("TAOS_URL", &fake.url).env("TAOS_TOKEN", "secret");
    let (dir, kept) = (ctl.home().join("got"), ctl.home().join("kept"));
    fs::create_dir(&dir).unwrap();
    fs::write(&kept, "mine").unwrap();
    symlink(&kept, dir.join("x")).unwrap();
    ctl.run(&["download", "id", "--dir", dir.to_str().unwrap()]).expect(2);
    ctl.ok(&["download", "id", "--dir", dir.to_str().unwrap(), "--force"]);
    assert_eq!(fs::read_to_string(&kept).unwrap(), "mine", "the link is replaced, not followed");
}

#[test]
fn a_file_of_any_size_is_written_as_it_comes() {
    // More than `taosctl` accepts for a reply in memory.
    const BYTES: usize = 80 * 1024 * 1024;
    let mut reply = format!("HTTP/1.1 200 X\r\nContent-Length: {BYTES}\r\n\r\n").into_bytes();
    reply.resize(reply.len() + BYTES, b'x');
    let cut = reply[..reply.len() / 2].to_vec();
    // The first try is cut off in the middle. The file of the second try has none of its bytes.
    let fake = Fake::playing(vec![Act::Send(cut), Act::Send(reply)]);
    let ctl = Ctl::bare().env("TAOS_URL", &fake.url).env("TAOS_TOKEN", "secret");
    let dir = ctl.home().join("got");
    fs::create_dir(&dir).unwrap();
    let told = ctl.json(&["download-backup", "taosd.db", "--dir", dir.to_str().unwrap(), "--save-as", "copy.db"]);
    assert_eq!(told["bytes"], BYTES);
    assert_eq!(fs::metadata(dir.join("copy.db")).unwrap().len(), BYTES as u64);
    assert_eq!(fs::metadata(dir.join("copy.db")).unwrap().mode() & 0o777, 0o600, "it holds everything");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_transfer_that_is_cut_off_leaves_nothing() {
    let cut = b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nhalf".to_vec();
    let fake = Fake::playing(vec![Act::Send(cut.clone()), Act::Send(cut.clone()), Act::Send(cut)]);
    let ctl = Ctl::bare().env("TAOS_URL", &fake.url).env("TAOS_TOKEN", "secret");
    let dir = ctl.home().join("got");
    fs::create_dir(&dir).unwrap();
    ctl.run(&["download", "id", "--dir", dir.to_str().unwrap()]).expect(3);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
}
