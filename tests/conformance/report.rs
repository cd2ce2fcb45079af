//! The results of the tasks.

use std::path::Path;

use serde_json::{Value, json};

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The daemon's state is what the task asked for.
    Succeeded,
    /// The agent tried something, but the state is not what the task asked for.
    WrongPath,
    /// The agent found nothing to try.
    GaveUp,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::WrongPath => "wrong_path",
            Self::GaveUp => "gave_up",
        }
    }
}

/// The report of a run.
#[derive(Debug, Default)]
pub struct Report(Vec<(String, Outcome, Vec<String>)>);

impl Report {
    pub fn add(&mut self, task: &str, outcome: Outcome, trail: Vec<String>) {
        self.0.push((task.to_owned(), outcome, trail));
    }

    pub fn json(&self) -> Value {
        let number = |wanted: Outcome| self.0.iter().filter(|(_, outcome, _)| *outcome == wanted).count();
        let task = |(task, outcome, trail): &(String, Outcome, Vec<String>)| json!({"task": task, "outcome": outcome.name(), "requests": trail.len(), "trail": trail});
        json!({
            "succeeded": number(Outcome::Succeeded),
            "wrong_path": number(Outcome::WrongPath),
            "gave_up": number(Outcome::GaveUp),
            "tasks": self.0.iter().map(task).collect::<Vec<_>>(),
        })
    }

    /// Prints the report and writes it beside the other results of the tests.
    pub fn publish(&self, name: &str) -> Value {
        let report = self.json();
        let text = serde_json::to_string_pretty(&report).expect("JSON");
        println!("{text}");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.json"));
        std::fs::write(file, text).expect("the report's file");
        report
    }
}
