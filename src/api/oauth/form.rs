//! Queries and form bodies (`application/x-www-form-urlencoded`), as strict as OAuth wants them: a parameter twice is
//! an error (RFC 6749, section 3.1).

use hyper::header::{CONTENT_TYPE, ORIGIN};
use percent_encoding::percent_decode_str;

use crate::access::lookup::cookie;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Input;

/// The content type of a form.
pub const TYPE: &str = "application/x-www-form-urlencoded";
/// Parameters of a request at the most; the longest route takes about ten.
const MOST: usize = 64;
/// Bytes of a form body.
const FORM_BYTES: usize = 16 * 1024;

/// The parameters of a query or a form body.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct OauthForm(Vec<(String, String)>);

/// Why it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It is not UTF-8, has a control character, or too many parameters.
    Malformed,
    /// This parameter is there twice.
    Twice(String),
}

impl OauthForm {
    /// Reads the text. A parameter without a value counts as left out.
    ///
    /// # Errors
    /// [`Wrong`].
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let mut all: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if all.iter().any(|(known, _)| *known == name) {
                return Err(Wrong::Twice(name.chars().take(64).collect()));
            }
            if all.len() == MOST {
                return Err(Wrong::Malformed);
            }
            all.push((name, value));
        }
        all.retain(|(_, value)| !value.is_empty());
        Ok(Self(all))
    }

    /// What can be read of a text that is none, the first of each parameter: enough to tell whoever sent it.
    pub fn lenient(text: &str) -> Self {
        let mut all: Vec<(String, String)> = Vec::new();
        for (name, value) in text.split('&').filter_map(|pair| pair.split_once('=')).take(MOST) {
            if let (Ok(name), Ok(value)) = (decoded(name), decoded(value))
                && !all.iter().any(|(known, _)| *known == name)
            {
                all.push((name, value));
            }
        }
        Self(all)
    }

    /// The rest of the names that begin so.
    pub fn named(&self, start: &str) -> Vec<&str> {
        self.0.iter().filter_map(|(name, _)| name.strip_prefix(start)).collect()
    }

    /// The value of a parameter; `None` where it is empty or was not sent.
    pub fn get(&self, field: &Field) -> Option<&str> {
        self.named_exactly(field.name)
    }

    /// The value of a parameter that has to be there.
    ///
    /// # Errors
    /// `invalid_request` if it is not.
    pub fn required(&self, field: &Field) -> Result<&str, ApiError> {
        self.get(field).ok_or_else(|| bad(format!("{} is missing.", field.name)))
    }

    fn named_exactly(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The first value of a parameter, for what takes a query as it comes.
pub fn first(query: &str, field: &Field) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(known, _)| *known == field.name).find_map(|(_, value)| decoded(value).ok())
}

/// The form in a request's body. A page of another site may not send one.
///
/// # Errors
/// `csrf_refused`; `invalid_request` for what is no form.
pub fn posted(input: &Input) -> Result<OauthForm, ApiError> {
    if input.head.headers.contains_key(ORIGIN) && !cookie::is_same_origin(&input.head) {
        return Err(codes::CSRF_REFUSED.into());
    }
    let kind = input.header(&CONTENT_TYPE).unwrap_or("").split(';').next().unwrap_or("").trim();
    if !kind.eq_ignore_ascii_case(TYPE) {
        return Err(bad("Send the parameters as application/x-www-form-urlencoded."));
    }
    if input.raw.len() > FORM_BYTES {
        return Err(bad(format!("The form is longer than {FORM_BYTES} bytes.")));
    }
    let text = std::str::from_utf8(&input.raw).map_err(|_| bad("The form is not UTF-8."))?;
    OauthForm::parse(text).map_err(|wrong| bad(told(&wrong)))
}

/// `invalid_request` of RFC 6749.
pub fn bad(detail: impl Into<String>) -> ApiError {
    ApiError::new(codes::INVALID_REQUEST).detail(detail)
}

/// What is wrong with a query or a form, for people.
pub fn told(wrong: &Wrong) -> String {
    match wrong {
        Wrong::Malformed => "The parameters are malformed, or too many.".to_owned(),
        Wrong::Twice(name) => format!("The parameter {name} is there twice."),
    }
}

/// The value of a parameter in a form, for the fuzz targets.
pub(super) fn value_of(text: &str, name: &str) -> Option<String> {
    OauthForm::parse(text).ok()?.named_exactly(name).map(str::to_owned)
}

/// A value for a query.
pub fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn decoded(text: &str) -> Result<String, Wrong> {
    let spaced = text.replace('+', " ");
    let bytes: Vec<u8> = percent_decode_str(&spaced).collect();
    let text = String::from_utf8(bytes).map_err(|_| Wrong::Malformed)?;
    if text.chars().any(char::is_control) { Err(Wrong::Malformed) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_are_read_as_browsers_write_them() {
        let form = OauthForm::parse("a=1&b=x+y%20z&c=&d&e=%C3%A9").unwrap();
        assert_eq!(
            (form.named_exactly("a"), form.named_exactly("b"), form.named_exactly("e")),
            (Some("1"), Some("x y z"), Some("é"))
        );
        assert_eq!((form.named_exactly("c"), form.named_exactly("d"), form.named_exactly("f")), (None, None, None));
        assert_eq!(OauthForm::parse("a=1&b=2&a=1"), Err(Wrong::Twice("a".into())));
        assert_eq!(OauthForm::parse("a=&a=1"), Err(Wrong::Twice("a".into())));
        for bad in ["a=%FF", "a=%00", "a=%0A", "%ff=1"] {
            assert_eq!(OauthForm::parse(bad), Err(Wrong::Malformed), "{bad}");
        }
        let many: String = (0..=MOST).map(|n| format!("p{n}=1&")).collect();
        assert_eq!(OauthForm::parse(&many), Err(Wrong::Malformed));
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(text in "[^\\p{Cc}]{1,60}") {
            let form = OauthForm::parse(&format!("x={}", encoded(&text))).unwrap();
            prop_assert_eq!(form.named_exactly("x"), Some(text.as_str()));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a-c=&%+0-9A-Fé\\x00 ]{0,100}") {
            let _ = (OauthForm::parse(&text), first(&text, &Field::unbounded("a", "")));
        }
    }
}
