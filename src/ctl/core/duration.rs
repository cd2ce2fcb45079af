//! Durations as people write them: `90s`, `10m`, `2h`, `3d`, `1w`.

/// Parses a duration; a bare number is seconds. Returns whole seconds, at least 1.
///
/// # Errors
/// A text for people with the accepted forms.
pub fn seconds(text: &str) -> Result<i64, String> {
    let bare = || with_unit(&format!("{text}s"));
    let found = with_unit(text).or_else(bare).filter(|seconds| *seconds > 0);
    found.ok_or_else(|| "must be a number with s, m, h, d or w, such as 90s, 10m, 2h or 3d".to_owned())
}

/// Parses a duration that names its unit: `s`, `m` or `min`, `h`, `d`, `w`. Returns seconds, which may be 0.
pub fn with_unit(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    let is_plain = digits.bytes().all(|b| b.is_ascii_digit());
    is_plain.then(|| digits.parse::<u32>().ok().map(|number| i64::from(number) * factor)).flatten()
}

/// A duration in the largest unit that divides it, such as `2h`.
pub fn words(seconds: i64) -> String {
    let units = [("d", 86_400), ("h", 3600), ("m", 60)];
    let whole = units.iter().find(|(_, unit)| seconds != 0 && seconds % unit == 0);
    whole.map_or_else(|| format!("{seconds}s"), |(name, unit)| format!("{}{name}", seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_as_it_is_typed() {
        for (told, wanted) in [("90s", 90), ("10m", 600), ("2h", 7200), ("3d", 259_200), ("3601s", 3601)] {
            assert_eq!((words(wanted).as_str(), seconds(told)), (told, Ok(wanted)));
        }
    }

    #[test]
    fn durations_are_numbers_with_a_unit() {
        for (text, wanted) in
            [("90", 90), ("90s", 90), ("10m", 600), ("10min", 600), ("2h", 7200), ("3d", 259_200), ("1w", 604_800)]
        {
            assert_eq!(seconds(text), Ok(wanted), "{text}");
        }
        for bad in ["", "h", "2 h", "-1h", "0s", "1.5h", "2y", "+2h", "+2", "99999999999d", "2hh"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
