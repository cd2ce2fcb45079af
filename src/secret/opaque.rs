//! The shared parts of the formats: random bytes, base62 without bias, and `PREFIX` + 43 characters of base64url.

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::{Issued, Malformed, SecretHash};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters of 32 bytes in unpadded base64url.
const TAIL: usize = 43;
/// Characters of a key id.
pub(super) const KEY_ID: usize = 10;

/// Random bytes from the kernel.
pub(super) fn random<const N: usize>() -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0u8; N]);
    getrandom::fill(bytes.as_mut()).expect("the kernel's random source answers on every Linux taosd runs on");
    bytes
}

/// `len` random characters of `[0-9A-Za-z]`, rejection-sampled so that each is equally likely.
pub(super) fn random_base62(len: usize) -> String {
    let mut text = String::with_capacity(len);
    while text.len() < len {
        for byte in random::<64>().iter() {
            // 248 is the largest multiple of 62 that a byte can hold.
            if *byte < 248 && text.len() < len {
                text.push(BASE62[usize::from(byte % 62)] as char);
            }
        }
    }
    text
}

/// `value` in base62, big-endian, padded with `0` to `len` characters.
pub(super) fn base62(mut value: u32, len: usize) -> String {
    let mut digits = vec![b'0'; len];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(value % 62) as usize];
        value /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

/// A fresh secret of the form `prefix` + 43 characters.
pub(super) fn generate(prefix: &str) -> Issued {
    let bytes = random::<32>();
    let tail = Zeroizing::new(BASE64URL_NOPAD.encode(bytes.as_slice()));
    Issued::of(format!("{prefix}{}", tail.as_str()), random_base62(KEY_ID))
}

/// The hash of a well-formed `prefix` + 43 characters.
pub(super) fn parse(prefix: &str, text: &str) -> Result<SecretHash, Malformed> {
    let tail = text.strip_prefix(prefix).ok_or(Malformed)?;
    if tail.len() != TAIL {
        return Err(Malformed);
    }
    let mut bytes = Zeroizing::new([0u8; 33]);
    match BASE64URL_NOPAD.decode_mut(tail.as_bytes(), &mut bytes[..32]) {
        Ok(32) => Ok(SecretHash::of(text)),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn base62_counts_as_written() {
        assert_eq!(base62(0, 6), "000000");
        assert_eq!(base62(61, 6), "00000z");
        assert_eq!(base62(62, 6), "000010");
        assert_eq!(base62(u32::MAX, 6), "4gfFC3");
    }

    #[test]
    fn random_base62_uses_its_whole_alphabet() {
        let text = random_base62(20_000);
        assert!(BASE62.iter().all(|c| text.contains(*c as char)));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_panic_and_only_the_exact_form_is_taken(text in ".{0,80}", cut in 1usize..43) {
            let _ = parse("taos_x_", &text);
            let whole = generate("taos_x_");
            let secret = whole.plaintext.reveal();
            prop_assert_eq!(parse("taos_x_", secret), Ok(whole.hash));
            let (longer, indented) = (format!("{secret}A"), format!(" {secret}"));
            for other in [&secret[..secret.len() - cut], &secret[1..], &longer, &indented] {
                prop_assert_eq!(parse("taos_x_", other), Err(Malformed));
            }
        }
    }
}
