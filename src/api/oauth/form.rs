//! Queries and form bodies (`application/x-www-form-urlencoded`), parsed as strictly as OAuth requires: a repeated
//! parameter is an error (RFC 6749, section 3.1).

use hyper::header::{CONTENT_TYPE, ORIGIN};
use percent_encoding::percent_decode_str;

use crate::access::lookup::cookie;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Input;

/// The content type of a form.
pub const TYPE: &str = "application/x-www-form-urlencoded";
/// The maximum parameters of a request; the longest route takes about ten.
const MOST: usize = 64;
/// The maximum bytes of a form body.
const FORM_BYTES: usize = 16 * 1024;

/// The parameters of a query or a form body.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct OauthForm(Vec<(String, String)>);

/// The reason why a text is not a valid query or form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// The text is not UTF-8, has a control character, or has too many parameters.
    Malformed,
    /// This parameter occurs twice.
    Twice(String),
}

impl OauthForm {
    /// Parses the text. A parameter without a value counts as absent.
    ///
    /// # Errors
    /// [`Wrong`] if the text is invalid.
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

    /// Reads the valid parameters of an invalid text, the first of each name: enough to send the error to the right
    /// client.
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

    /// Returns the names that begin with `start`, without that prefix.
    pub fn named(&self, start: &str) -> Vec<&str> {
        self.0.iter().filter_map(|(name, _)| name.strip_prefix(start)).collect()
    }

    /// Returns the value of a parameter; `None` if it is empty or absent.
    pub fn get(&self, field: &Field) -> Option<&str> {
        self.named_exactly(field.name)
    }

    /// Returns the value of a required parameter.
    ///
    /// # Errors
    /// `invalid_request` if it is absent.
    pub fn required(&self, field: &Field) -> Result<&str, ApiError> {
        self.get(field).ok_or_else(|| bad(format!("{} is missing.", field.name)))
    }

    fn named_exactly(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Returns the first value of a parameter, for a query that is not parsed strictly.
pub fn first(query: &str, field: &Field) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(known, _)| *known == field.name).find_map(|(_, value)| decoded(value).ok())
}

/// Returns the form in a request's body. A page of another site must not send one.
///
/// # Errors
/// `csrf_refused` for another origin; `invalid_request` for a body that is not a form.
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

/// Returns `invalid_request` of RFC 6749 with this detail.
pub fn bad(detail: impl Into<String>) -> ApiError {
    ApiError::new(codes::INVALID_REQUEST).detail(detail)
}

/// Returns a text for people about what is wrong with a query or form.
pub fn told(wrong: &Wrong) -> String {
    match wrong {
        Wrong::Malformed => "The parameters are malformed, or too many.".to_owned(),
        Wrong::Twice(name) => format!("The parameter {name} is there twice."),
    }
}

/// Returns the value of a parameter in a form, for the fuzz targets.
pub(super) fn value_of(text: &str, name: &str) -> Option<String> {
    OauthForm::parse(text).ok()?.named_exactly(name).map(str::to_owned)
}

/// Percent-encodes a value for a query.
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
