//! Sizes as people and runtimes write them: `512MiB`, `2G`, `500MB`, `1024`.

/// Parses a size into bytes: digits, then nothing or `B`, or one of `K M G T P` (with `B`: powers of 1000, with `iB`:
/// powers of 1024), as LXD reads `limits.memory`. A letter alone is a power of 1024 here, as in `memory_limit` of the
/// deploy route. `None` for anything else and for more than 64 bits.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let unit = &text[digits..];
    if matches!(unit, "" | "B") {
        return Some(number);
    }
    let power = "KMGTP".find(unit.get(..1)?)? as u32 + 1;
    let base: u64 = match &unit[1..] {
        "" | "iB" => 1024,
        "B" => 1000,
        _ => return None,
    };
    number.checked_mul(base.checked_pow(power)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_in_both_bases() {
        let cases = [("0", 0), ("7B", 7), ("1K", 1 << 10), ("512MiB", 512 << 20), ("2G", 2 << 30), ("5MB", 5_000_000)];
        for (text, bytes) in cases {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_size_is_refused() {
        for text in ["", "M", "-1", "1.5G", "1 G", "1m", "1MiBs", "50%", "ü", "1ü", "99999999999999999999", "99999999P"]
        {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = parse_bytes(&text);
        }

        #[test]
        fn any_number_of_bytes_reads_back(bytes: u64) {
            prop_assert_eq!(parse_bytes(&bytes.to_string()), Some(bytes));
        }
    }
}
