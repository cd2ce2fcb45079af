//! Makes other programs' output safe to keep and to show: untrusted code writes consoles and messages.

/// The end of a console log, within bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    /// Whole lines, oldest first, without terminal escapes.
    pub text: String,
    /// How many lines `text` has.
    pub lines: usize,
    /// Whether the log has earlier lines.
    pub truncated: bool,
}

/// How much of a console log to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// The most lines.
    pub lines: usize,
    /// The most bytes.
    pub bytes: usize,
}

/// Returns the last lines of a log. `more` says that the bytes are only the end of the log: the first line may be cut,
/// so it is left out.
pub(crate) fn tail(raw: &[u8], more: bool, limits: LogLimits) -> Logs {
    let whole = raw.iter().position(|&b| b == b'\n').filter(|_| more).map_or(0, |end| end + 1);
    let raw = &raw[whole..];
    let clean = printable(&String::from_utf8_lossy(raw));
    let lines: Vec<&str> = clean.lines().collect();
    let (mut first, mut bytes) = (lines.len(), 0);
    while first > 0 && lines.len() - first < limits.lines {
        bytes += lines[first - 1].len() + 1;
        if bytes > limits.bytes {
            break;
        }
        first -= 1;
    }
    let kept = &lines[first..];
    let text = kept.iter().flat_map(|line| [line, "\n"]).collect();
    Logs { text, lines: kept.len(), truncated: more || first > 0 }
}

/// One line of at most `max` bytes, without control characters.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let words = printable(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let mut line = String::new();
    for c in words.chars() {
        if line.len() + c.len_utf8() > max {
            break;
        }
        line.push(c);
    }
    line
}

/// Drops terminal escape sequences and control characters other than line feed and tab.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Skips a control sequence (`ESC [ … final`), or the one character after any other escape (ECMA-48).
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    if chars.peek() != Some(&'[') {
        chars.next_if(|c| !c.is_control());
        return;
    }
    chars.next();
    while chars.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)).is_some() {}
    chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        let logs = tail(b"one\ntwo\nthree\n", false, LogLimits { lines: 2, bytes: 100 });
        assert_eq!((logs.text.as_str(), logs.lines, logs.truncated), ("two\nthree\n", 2, true));
        assert!(!tail(b"one\n", false, LogLimits { lines: 1, bytes: 100 }).truncated);
        assert!(tail(b"e\none\n", true, LogLimits { lines: 1, bytes: 100 }).truncated);
    }

    #[test]
    fn a_line_longer_than_the_bound_is_left_out() {
        let logs = tail(b"short\nmuch too long\n", false, LogLimits { lines: 9, bytes: 8 });
        assert_eq!((logs.text.as_str(), logs.lines, logs.truncated), ("", 0, true));
    }

    #[test]
    fn terminal_escapes_are_dropped() {
        assert_eq!(printable("\u{1b}[1;31mred\u{1b}[0m\r\n\u{1b}cok\u{7}"), "red\nok");
    }

    proptest! {
        #[test]
        fn no_bound_is_ever_passed(raw: Vec<u8>, lines in 0usize..20, bytes in 0usize..200) {
            let logs = tail(&raw, false, LogLimits { lines, bytes });
            prop_assert!(logs.lines <= lines && logs.text.len() <= bytes);
            prop_assert!(!logs.text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
        }

        #[test]
        fn a_message_is_one_short_line(text in ".{0,400}", max in 1usize..100) {
            let line = one_line(&text, max);
            prop_assert!(line.len() <= max && !line.contains('\n'));
        }
    }
}
