//! Durations as people write them: `90s`, `10m`, `2h`, `3d`; a bare number is seconds.

/// Parses a duration. Returns whole seconds, at least 1.
///
/// # Errors
/// A text for people with the accepted forms.
pub fn seconds(text: &str) -> Result<i64, String> {
    let wrong = || "must be a number with s, m, h or d, such as 90s, 10m, 2h or 3d".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number = digits.parse::<u32>().map_err(|_| wrong())?;
    if number == 0 { Err(wrong()) } else { Ok(i64::from(number) * factor) }
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
        for (text, wanted) in [("90", 90), ("90s", 90), ("10m", 600), ("10min", 600), ("2h", 7200), ("3d", 259_200)] {
            assert_eq!(seconds(text), Ok(wanted), "{text}");
        }
        for bad in ["", "h", "2 h", "-1h", "0s", "1.5h", "2w", "99999999999d", "2hh"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
