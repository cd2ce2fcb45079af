//! The filters of the templates.

use askama::filters::{Escaper as _, Safe};
use askama::{Result, Values};

use super::{assets, text, when};
use crate::rest::html::Shown;

/// A relative time, with the exact time as its title.
#[askama::filter_fn]
pub(crate) fn ago(at: impl AsRef<str>, _: &dyn Values) -> Result<Safe<String>> {
    Ok(when::relative(at.as_ref()))
}

/// Encodes a text as a segment of a path or a value of a query.
#[askama::filter_fn]
pub(crate) fn seg(text: impl AsRef<str>, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(text::encoded(text.as_ref())))
}

/// Cuts a text to at most so many characters.
#[askama::filter_fn]
pub(crate) fn cut(text: impl AsRef<str>, _: &dyn Values, most: usize) -> Result<String> {
    Ok(text::cut(text.as_ref(), most))
}

/// The part of a text that `cut` leaves out.
#[askama::filter_fn]
pub(crate) fn rest(text: impl AsRef<str>, _: &dyn Values, most: usize) -> Result<String> {
    Ok(text::rest(text.as_ref(), most).to_owned())
}

/// The host of an address, shown next to a link.
#[askama::filter_fn]
pub(crate) fn host(url: impl AsRef<str>, _: &dyn Values) -> Result<String> {
    let rest = url.as_ref().split_once("://").map_or("", |(_, rest)| rest);
    Ok(rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned())
}

/// An icon, by name.
#[askama::filter_fn]
pub(crate) fn icon(name: impl AsRef<str>, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(format!(
        "<svg class=\"i\" aria-hidden=\"true\"><use href=\"{}#{}\"/></svg>",
        assets::icons(),
        name.as_ref()
    )))
}

/// A state as a coloured label.
#[askama::filter_fn]
pub(crate) fn pill(state: impl AsRef<str>, _: &dyn Values) -> Result<Safe<String>> {
    let state = state.as_ref();
    let colour = match state {
        "running" | "succeeded" | "delivered" | "done" | "active" | "ok" | "approved" | "online" | "in force" => {
            " good"
        }
        "failed" | "denied" | "revoked" | "disabled" | "broken" => " bad",
        "paused" | "frozen" | "pending_restart" | "blocked" | "cancelled" | "warning" | "pending" | "expiring"
        | "away" => " warn",
        "queued" | "deploying" | "in_progress" | "working" => " busy",
        _ => "",
    };
    let mut word = String::new();
    Shown.write_escaped_str(&mut word, &state.replace('_', " "))?;
    Ok(Safe(format!("<span class=\"pill{colour}\">{word}</span>")))
}
/// The first letter of a name, for the agent's circle.
#[askama::filter_fn]
pub(crate) fn face(name: impl AsRef<str>, _: &dyn Values) -> Result<String> {
    Ok(name.as_ref().chars().next().unwrap_or('?').to_uppercase().to_string())
}

/// A number of bytes in a readable unit.
#[askama::filter_fn]
pub(crate) fn bytes(count: &u64, _: &dyn Values) -> Result<Safe<String>> {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut amount = *count as f64;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < units.len() {
        amount /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && amount < 10.0);
    Ok(Safe(format!("{amount:.digits$} {}", units[unit])))
}
