//! Closed sets of words. One list gives the enum, its slugs, parsing, printing, and conversion from and to SQL.
//!
//! A word that is not in the list is an error everywhere; there is no default.

/// The error for a word that is not in a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{word}' is not one of {set}")]
pub struct UnknownWord {
    /// The words of the set, separated by commas.
    pub set: String,
    /// The unknown word.
    pub word: String,
}

impl UnknownWord {
    /// The error for `word`; `slugs` are the words of the set.
    pub fn new(slugs: &[&str], word: &str) -> Self {
        Self { set: slugs.join(", "), word: word.to_owned() }
    }
}

/// Declares an enum whose variants are words: `Variant "slug" "what it means";`.
///
/// Gives `ALL`, `SLUGS`, `slug()`, `about()`, `FromStr`, `Display`, serde's `Serialize`, and `ToSql` and `FromSql` of
/// rusqlite, where an unknown word is a conversion error.
macro_rules! closed_set {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $( $variant:ident $slug:literal $about:literal; )+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $( #[doc = $about] $variant, )+ }

        #[allow(dead_code, reason = "every set has the same methods, whichever of them are used")]
        impl $name {
            /// Every member, in the order of the documentation.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];
            /// Every member's word, in the same order.
            pub const SLUGS: &'static [&'static str] = &[ $( $slug, )+ ];

            /// The word, as in JSON and in the database.
            pub const fn slug(self) -> &'static str {
                match self { $( Self::$variant => $slug, )+ }
            }

            /// The meaning of the word, for people.
            pub const fn about(self) -> &'static str {
                match self { $( Self::$variant => $about, )+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.slug())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::closed_set::UnknownWord;

            fn from_str(word: &str) -> std::result::Result<Self, Self::Err> {
                match word {
                    $( $slug => Ok(Self::$variant), )+
                    _ => Err($crate::closed_set::UnknownWord::new(Self::SLUGS, word)),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.slug())
            }
        }

        impl rusqlite::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(self.slug().into())
            }
        }

        impl rusqlite::types::FromSql for $name {
            fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                value.as_str()?.parse().map_err(rusqlite::types::FromSqlError::other)
            }
        }
    };
}
pub(crate) use closed_set;

#[cfg(test)]
mod tests {
    closed_set! {
        /// Sizes, for the test.
        enum Size {
            Small "small" "Fits a pocket.";
            Large "large" "Does not.";
        }
    }

    #[test]
    fn words_read_back_and_others_are_errors() {
        for size in Size::ALL {
            assert_eq!(size.slug().parse(), Ok(*size));
            assert_eq!(size.to_string(), size.slug());
        }
        assert_eq!("huge".parse::<Size>().unwrap_err().to_string(), "'huge' is not one of small, large");
    }

    #[test]
    fn an_unknown_word_in_the_database_is_an_error() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        let read = |word: &str| conn.query_row("SELECT ?1", [word], |row| row.get::<_, Size>(0));
        assert_eq!(read("large").unwrap(), Size::Large);
        assert!(read("huge").unwrap_err().to_string().contains("'huge' is not one of"));
        let back: String = conn.query_row("SELECT ?1", [Size::Small], |row| row.get(0)).unwrap();
        assert_eq!(back, "small");
    }
}
