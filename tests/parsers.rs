//! Every parser of bytes from outside has the properties that the fuzz targets check: for the seeds, for truncated and
//! changed seeds, and for any bytes.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[path = "../fuzz/src/lib.rs"]
mod parsers;

/// Generates a seed, a seed with one changed byte, a truncated seed, a text, or any bytes.
fn input(seeds: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let seed = prop::sample::select(seeds).prop_map(<[u8]>::to_vec);
    let slip = (seed.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, at, to)| {
        let at = at.index(bytes.len());
        bytes[at] = to;
        bytes
    });
    let piece = (seed.clone(), any::<prop::sample::Index>()).prop_map(|(mut bytes, at)| {
        bytes.truncate(at.index(bytes.len()));
        bytes
    });
    let text = "[ -~é\n\t\u{0}]{0,60}".prop_map(String::into_bytes);
    prop_oneof![seed, slip, piece, text, prop::collection::vec(any::<u8>(), 0..200)]
}

#[test]
fn every_parser_keeps_its_promises_whatever_it_is_given() {
    for (name, check, seeds) in parsers::TARGETS {
        seeds.iter().for_each(|seed| check(seed));
        let result = TestRunner::new(Config { cases: 512, failure_persistence: None, ..Config::default() }).run(
            &input(seeds),
            |bytes| {
                check(&bytes);
                Ok(())
            },
        );
        if let Err(broken) = result {
            panic!("{name}: {broken}");
        }
    }
}

/// A folder that is removed whatever the test finds.
struct Unpacked(std::path::PathBuf);

impl Drop for Unpacked {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_parser_keeps_its_promises_for_what_the_fuzzer_found() {
    let folder = Unpacked(std::env::temp_dir().join(format!("taosd-corpus-{}", std::process::id())));
    std::fs::create_dir_all(&folder.0).unwrap();
    let packed = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus.tar.gz");
    let unpacked = std::process::Command::new("tar").arg("-xzf").arg(packed).arg("-C").arg(&folder.0).status().unwrap();
    assert!(unpacked.success());
    for (name, check, _) in parsers::TARGETS {
        let inputs = std::fs::read_dir(folder.0.join(name)).unwrap();
        let checked = inputs.map(|input| check(&std::fs::read(input.unwrap().path()).unwrap())).count();
        assert!(checked > 10, "{name}: {checked} inputs");
    }
}

#[test]
fn every_target_has_a_program_that_runs_it_alone() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/fuzz_targets");
    let mut programs: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    programs.sort();
    let names: Vec<&str> = parsers::TARGETS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(programs, names);
    for name in names {
        let program = std::fs::read_to_string(format!("{folder}/{name}.rs")).unwrap();
        let calls: Vec<&str> = program.matches("taosd_fuzz::").collect();
        assert!(calls.len() == 1 && program.contains(&format!("::{name}(data));")), "{name}");
    }
}

#[test]
fn the_words_of_each_target_are_taken_from_files_that_are_there() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/");
    let list = std::fs::read_to_string(format!("{root}fuzz/words")).unwrap();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.split_whitespace();
        let target = parts.next().unwrap();
        assert!(parsers::TARGETS.iter().any(|(name, ..)| *name == target), "{target}");
        let files: Vec<&str> = parts.collect();
        assert!(!files.is_empty(), "{line}");
        files.iter().for_each(|file| assert!(std::fs::exists(format!("{root}{file}")).unwrap(), "{file}"));
    }
}
