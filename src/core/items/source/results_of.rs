//! Items from the results of another task: when they are there, and what becomes of each.

use std::fmt;

use super::{Location, Source};
use crate::api::json::Json;
use crate::api::spec::{OnDependencyFailure, ResultsOfItems};
use crate::api::status::{MapTaskStatus, ResultShards, TaskPhase};
use crate::core::items::part::Part;
use crate::core::items::text::Lines;
use crate::core::items::{ItemsError, check_value};
use crate::core::results::NO_RESULT;
use crate::text::cut;

/// Most characters of the other task's message that are repeated.
const SHOWN: usize = 300;

impl Source for ResultsOfItems {
    fn field(&self) -> &'static str {
        "spec.items.resultsOf"
    }

    fn location(&self) -> Location<'_> {
        Location::Results(self)
    }

    fn lines(&self, parts: &[Part]) -> Result<Lines, ItemsError> {
        lines(self, parts)
    }

    fn to_restore(&self) -> String {
        format!("restore the results of MapTask {}", self.name)
    }
}

impl fmt::Display for ResultsOfItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "results of MapTask {}", self.name)
    }
}

/// Whether the results of the other task can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// They are complete, and here.
    Ready(ResultShards),
    /// Not yet; with what the other task does, in words.
    Waits(String),
    /// They never will be; with why.
    Failed(String),
}

/// Whether a task of this status has results to read.
pub fn readiness(source: &ResultsOfItems, status: &MapTaskStatus, keeps_results: bool) -> Readiness {
    let name = &source.name;
    if !keeps_results {
        return Readiness::Failed(format!(
            "MapTask {name} stores no results (its spec.results.source is None): name one that does"
        ));
    }
    let done = status.done.as_deref().map(|done| format!(", {done} items done")).unwrap_or_default();
    match status.phase {
        Some(TaskPhase::Succeeded) => match &status.results {
            Some(shards) => Readiness::Ready(shards.clone()),
            None => Readiness::Ready(ResultShards { config_map_prefix: String::new(), shards: 0, items_per_shard: 1 }),
        },
        Some(phase @ TaskPhase::Failed) => {
            let why = status.message.as_deref().map(|why| format!(": {}", cut(why, SHOWN))).unwrap_or_default();
            let words = format!("MapTask {name} is {}{done}{why}", phase.as_str());
            match source.on_failure {
                OnDependencyFailure::Fail => Readiness::Failed(words),
                OnDependencyFailure::Wait => {
                    Readiness::Waits(format!("{words}; its results are read once a rerun of it has succeeded"))
                }
            }
        }
        Some(phase) => Readiness::Waits(format!("MapTask {name} is {}{done}", phase.as_str())),
        None => Readiness::Waits(format!("MapTask {name} has not been accepted yet")),
    }
}

/// The items of results, one line for each item of the other task.
fn lines(source: &ResultsOfItems, parts: &[Part]) -> Result<Lines, ItemsError> {
    let mut lines = Lines::of_json("resultsOf");
    let mut number = 0;
    for part in parts {
        let text = String::from_utf8_lossy(&part.bytes);
        for line in text.lines() {
            let here = || format!("the result of item {number} of MapTask {}", source.name);
            let result = Json::parse(line)
                .map_err(|error| ItemsError::ResultUnreadable { place: here(), message: error.to_string() })?;
            match result.elements().filter(|_| source.flatten) {
                Some(elements) => {
                    for element in elements {
                        add(&mut lines, source, &here, &element)?;
                    }
                }
                None => add(&mut lines, source, &here, &result)?,
            }
            number += 1;
        }
    }
    Ok(lines)
}

fn add(lines: &mut Lines, source: &ResultsOfItems, place: &dyn Fn() -> String, item: &Json) -> Result<(), ItemsError> {
    if source.skip_null && item.text() == NO_RESULT {
        return Ok(());
    }
    check_value(place, item)?;
    lines.add(item.text())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(extra: &serde_json::Value) -> ResultsOfItems {
        let mut source = json!({ "name": "first" });
        for (field, value) in extra.as_object().unwrap() {
            source[field] = value.clone();
        }
        serde_json::from_value(source).unwrap()
    }

    fn items(extra: &serde_json::Value, texts: &[&str]) -> Result<Vec<String>, String> {
        let parts: Vec<Part> = texts.iter().map(|text| Part::new("r", *text)).collect();
        let lines = lines(&source(extra), &parts).map_err(|error| error.to_string())?;
        Ok(lines.count().indexes().map(|index| lines.get(index).text().to_owned()).collect())
    }

    #[test]
    fn each_result_is_an_item_or_each_element_of_one() {
        let texts = ["[1,2]\nnull\n", "{\"a\": 3.10}\n[]\n[null,[4]]\n"];
        let of = |extra| items(&extra, &texts).unwrap();
        assert_eq!(of(json!({})), ["[1,2]", "null", "{\"a\":3.10}", "[]", "[null,[4]]"]);
        assert_eq!(of(json!({ "skipNull": true })), ["[1,2]", "{\"a\":3.10}", "[]", "[null,[4]]"]);
        assert_eq!(of(json!({ "flatten": true })), ["1", "2", "null", "{\"a\":3.10}", "null", "[4]"]);
        assert_eq!(of(json!({ "flatten": true, "skipNull": true })), ["1", "2", "{\"a\":3.10}", "[4]"]);
        assert!(items(&json!({}), &[]).unwrap().is_empty());
        let error = items(&json!({}), &["1\n", "oops\n"]).unwrap_err();
        assert!(
            error.contains("the result of item 1 of MapTask first: ") && error.contains("run that task"),
            "{error}"
        );
    }

    #[test]
    fn results_are_ready_once_the_task_has_succeeded() {
        let status = |phase: Option<TaskPhase>| MapTaskStatus {
            phase,
            done: Some("3/4".to_owned()),
            message: Some("it broke".to_owned()),
            ..MapTaskStatus::default()
        };
        let of = |extra, phase| readiness(&source(&extra), &status(phase), true);
        let waits = |words: &str| Readiness::Waits(words.to_owned());
        let running = Some(TaskPhase::Running);
        assert_eq!(of(json!({}), running), waits("MapTask first is Running, 3/4 items done"));
        assert_eq!(of(json!({}), None), waits("MapTask first has not been accepted yet"));
        assert!(matches!(of(json!({}), Some(TaskPhase::Succeeded)), Readiness::Ready(shards) if shards.shards == 0));
        let failed = Some(TaskPhase::Failed);
        let words = "MapTask first is Failed, 3/4 items done: it broke";
        assert_eq!(of(json!({}), failed), Readiness::Failed(words.to_owned()));
        let wait = of(json!({ "onFailure": "Wait" }), failed);
        assert_eq!(wait, waits(&format!("{words}; its results are read once a rerun of it has succeeded")));
        let none = readiness(&source(&json!({})), &status(running), false);
        assert!(matches!(none, Readiness::Failed(words) if words.contains("spec.results.source is None")));
    }
}
