//! The code that a program shows and a person types: `XXXX-XXXX` of 20 consonants, which form no words (RFC 8628,
//! section 6.1). It is valid for minutes, and few attempts are allowed.

use super::{Issued, Malformed, SecretHash, opaque};

const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const HALF: usize = 4;

/// A user code.
pub struct UserCode;

impl UserCode {
    /// A fresh code; each letter is equally likely.
    pub fn generate() -> Issued {
        let mut letters = String::with_capacity(2 * HALF);
        while letters.len() < 2 * HALF {
            // 240 is the largest multiple of 20 that a byte can hold.
            let fair = opaque::random::<16>();
            let fair = fair.iter().filter(|byte| **byte < 240);
            let left = 2 * HALF - letters.len();
            letters.extend(fair.take(left).map(|byte| char::from(LETTERS[usize::from(byte % 20)])));
        }
        Issued::of(Self::shown(&letters), String::new())
    }

    fn shown(letters: &str) -> String {
        format!("{}-{}", &letters[..HALF], &letters[HALF..])
    }

    /// Normalises a code that a person typed. Returns `None` if the text is not a code.
    pub fn read(text: &str) -> Option<String> {
        let letters: String = text
            .chars()
            .filter(|c| !matches!(c, ' ' | '-'))
            .map(|c| c.to_ascii_uppercase())
            .take(2 * HALF + 1)
            .collect();
        let is_one = letters.len() == 2 * HALF && letters.bytes().all(|b| LETTERS.contains(&b));
        is_one.then(|| Self::shown(&letters))
    }

    /// The hash of a code.
    ///
    /// # Errors
    /// [`Malformed`] for any other text.
    pub fn parse(text: &str) -> Result<SecretHash, Malformed> {
        Self::read(text).map(|code| SecretHash::of(&code)).ok_or(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let issued = UserCode::generate();
        let code = issued.plaintext.reveal();
        for text in
            [code.to_owned(), code.to_lowercase(), code.replace('-', " "), format!(" {} ", code.replace('-', ""))]
        {
            assert_eq!(UserCode::parse(&text), Ok(issued.hash), "{text}");
        }
        for text in ["", "BCDF", "BCDF-GHJA", "BCDF-GHJKL", "BCDF_GHJK", "éééééééé"] {
            assert_eq!(UserCode::parse(text), Err(Malformed), "{text}");
        }
        assert!((0..200).any(|_| UserCode::generate().plaintext.reveal().contains('Z')));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = UserCode::read(&text);
        }
    }
}
