//! The text of a request for people.

use serde_json::Value;

use crate::ctl::core::duration;
use crate::ctl::core::text::plain;

/// The text of what the request `row` asks for. `None` if the row is not a request, or has a kind that taosctl does not
/// know.
pub fn asked(row: &Value) -> Option<String> {
    let asked = row["asked"].as_object()?;
    let told = |field: &str| asked.get(field).filter(|value| !value.is_null()).map(plain);
    let words = match row["kind"].as_str()? {
        "scope" => told("scope")?,
        "grant" => format!("{} on {}", told("role")?, told("resource")?),
        "confirm" => {
            let options = row["options"].as_array().filter(|options| !options.is_empty());
            let choices = options.map(|list| list.iter().map(plain).collect::<Vec<_>>().join(" / "));
            choices.map_or_else(|| told("question"), |choices| Some(format!("{} ({choices})", told("question")?)))?
        }
        "join" => format!("to join as {}", told("name")?),
        _ => return None,
    };
    let time = row["duration_seconds"].as_i64().map(|seconds| format!(" for {}", duration::words(seconds)));
    Some(words + &time.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_has_its_words() {
        let of = |kind: &str, asked: Value, seconds: Value, options: Value| {
            let row = json!({"kind": kind, "asked": asked, "duration_seconds": seconds, "options": options});
            super::asked(&row).unwrap_or_default()
        };
        let none = Value::Null;
        let scopes = json!({"scope": ["tasks.*", "ui.notify"]});
        assert_eq!(of("scope", scopes, json!(7200), none.clone()), "tasks.*, ui.notify for 2h");
        let grant = json!({"resource": "agent:atlas", "role": "editor"});
        assert_eq!(of("grant", grant, none.clone(), none.clone()), "editor on agent:atlas");
        let question = json!({"question": "Send it?", "free_text": false});
        assert_eq!(of("confirm", question.clone(), none.clone(), none.clone()), "Send it?");
        assert_eq!(of("confirm", question, none.clone(), json!(["now", "later"])), "Send it? (now / later)");
        assert_eq!(of("join", json!({"name": "atlas"}), none.clone(), none.clone()), "to join as atlas");
        assert_eq!(of("later", json!({"x": 1}), none.clone(), none), "");
    }
}
