//! Entity tags in `If-Match` (RFC 9110, sections 8.8.3 and 13.1.1). A record's tag is its revision in double quotes.
//! After the revision it may have a point and other facts that its reply depends on.

/// The result of comparing an `If-Match` with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tags {
    /// There is no `If-Match`.
    Absent,
    /// `*`, or one of the tags is the record's.
    Match,
    /// None of the tags is the record's.
    NoMatch,
    /// The header is neither `*` nor a list of tags.
    Malformed,
}

/// Compares the lines of an `If-Match` with a record's revision. Several lines are one list. The comparison is strong:
/// a weak tag is well-formed but never equal.
pub fn matches<'a>(lines: impl Iterator<Item = &'a str>, revision: i64) -> Tags {
    let own = revision.to_string();
    let is_own = |tag: &str| tag.split('.').next() == Some(own.as_str());
    let (mut all, mut tags, mut found) = (0, 0, false);
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return Tags::Absent;
    }
    for line in lines {
        if line.trim_matches(BLANK) == "*" {
            all += 1;
            continue;
        }
        let mut rest = line;
        loop {
            rest = rest.trim_start_matches(|c| BLANK.contains(&c) || c == ',');
            if rest.is_empty() {
                break;
            }
            let Some((weak, tag, after)) = tag(rest) else { return Tags::Malformed };
            tags += 1;
            found |= !weak && is_own(tag);
            rest = after.trim_start_matches(BLANK);
            if !rest.is_empty() && !rest.starts_with(',') {
                return Tags::Malformed;
            }
        }
    }
    match (all, tags) {
        (1, 0) => Tags::Match,
        (0, 1..) if found => Tags::Match,
        (0, 1..) => Tags::NoMatch,
        _ => Tags::Malformed,
    }
}

/// The pattern of a well-formed `If-Match`, for JSON Schema.
pub const PATTERN: &str = r#"^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)$"#;

const BLANK: &[char] = &[' ', '\t'];

/// Splits the first tag from a list: whether it is weak, its text, and the rest of the list.
fn tag(list: &str) -> Option<(bool, &str, &str)> {
    let strong = list.strip_prefix("W/");
    let (tag, rest) = strong.unwrap_or(list).strip_prefix('"')?.split_once('"')?;
    tag.bytes().all(|b| b == b'!' || (b'#'..=b'~').contains(&b)).then_some((strong.is_some(), tag, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_lines_and_the_star_are_read_as_the_standard_says() {
        let at_seven = |lines: &[&str]| matches(lines.iter().copied(), 7);
        assert_eq!(at_seven(&[]), Tags::Absent);
        for good in [
            &["\"7\""][..],
            &["\"0\", \"7\""],
            &["\"0\"", "\"7\""],
            &["*"],
            &[" \"7\" ,, \"a,b\","],
            &["\"7.away\""],
            &["W/\"1\",\"7\""],
        ] {
            assert_eq!(at_seven(good), Tags::Match, "{good:?}");
        }
        for other in [&["\"8\""][..], &["W/\"7\""], &["\"07\""], &["\"0\", \"1\""], &["\"\""]] {
            assert_eq!(at_seven(other), Tags::NoMatch, "{other:?}");
        }
        for bad in [
            &[""][..],
            &["7"],
            &["\"7"],
            &["\"7\" \"8\""],
            &["*", "\"7\""],
            &["*, \"7\""],
            &["*", "*"],
            &["w/\"7\""],
            &[","],
        ] {
            assert_eq!(at_seven(bad), Tags::Malformed, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_value_is_read_without_panic(lines in prop::collection::vec("[ -~]{0,30}", 0..3)) {
            let _ = matches(lines.iter().map(String::as_str), 1);
        }
    }
}
