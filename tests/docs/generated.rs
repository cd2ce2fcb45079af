//! Compares a file with the text that is made from the code's tables. `UPDATE_DOCS=1` writes the file instead.

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::pages::root;

/// Several tests write sections of one file at once. The lock makes each read what the others wrote.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fails if the file is not exactly `made`.
pub fn whole(file: &str, made: &str) {
    let _lock = one_at_a_time();
    settle(file, &fs::read_to_string(root().join(file)).unwrap_or_default(), made);
}

/// Fails if the text between `<!-- begin: NAME -->` and `<!-- end: NAME -->` is not exactly `made`.
pub fn section(file: &str, name: &str, made: &str) {
    let _lock = one_at_a_time();
    let text = fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let (begin, end) = (format!("<!-- begin: {name} -->\n"), format!("<!-- end: {name} -->"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{file} lacks {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{file} lacks {end}"));
    settle(file, &text, &format!("{before}{begin}\n{}\n\n{end}{after}", made.trim()));
}

fn settle(file: &str, is: &str, made: &str) {
    if is == made {
        return;
    }
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(root().join(file), made).unwrap_or_else(|e| panic!("{file}: {e}"));
        return;
    }
    let line = is.lines().zip(made.lines()).take_while(|(a, b)| a == b).count();
    panic!(
        "{file} is not what the code's tables say; UPDATE_DOCS=1 cargo test --test docs rewrites it.\n\
        line {}:\n  is:        {:?}\n  should be: {:?}",
        line + 1,
        is.lines().nth(line).unwrap_or("(the end)"),
        made.lines().nth(line).unwrap_or("(the end)"),
    );
}

/// Escapes text from the code for a page, so that no character of it is markup. An underscore within a word never is.
pub fn plain(text: &str) -> String {
    let chars: Vec<char> = text.trim().chars().collect();
    let in_word = |at: usize| at.checked_sub(1).and_then(|at| chars.get(at)).is_some_and(|c| c.is_alphanumeric());
    let mut out = String::with_capacity(text.len());
    for (at, c) in chars.iter().enumerate() {
        if matches!(c, '*' | '<' | '[' | ']' | '|' | '`' | '\\') || (*c == '_' && !in_word(at)) {
            out.push('\\');
        }
        out.push(*c);
    }
    out
}

/// A row of a table.
pub fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

#[test]
fn text_from_the_code_is_never_markup() {
    assert_eq!(plain(" agent:* | a_b _c <x> "), "agent:\\* \\| a_b \\_c \\<x>");
}
