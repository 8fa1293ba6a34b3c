//! The changes: a few fixed verbs, each a JSON patch that tests what the page has seen.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use kube::Resource;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::reply::Problem;
use crate::changes::{FIELD_MANAGER, kept_if_cancelled, rerun};
use crate::cluster::Session;
use crate::error::code;
use crate::read::Task;
use crate::terminal::words::counted;

/// A change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// No further item starts.
    Suspend,
    /// Items start again.
    Resume,
    /// Another concurrency.
    Scale,
    /// Items of an ended task run again.
    Rerun,
    /// The task ends with what it has.
    Cancel,
    /// The task is deleted with its pods and results.
    Delete,
}

impl Verb {
    /// By its word in the path.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "suspend" => Self::Suspend,
            "resume" => Self::Resume,
            "scale" => Self::Scale,
            "rerun" => Self::Rerun,
            "cancel" => Self::Cancel,
            "delete" => Self::Delete,
            _ => return None,
        })
    }
}

/// What the page has seen of the task, and the numbers of the change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    uid: String,
    generation: i64,
    concurrency: Option<i64>,
    items: Option<String>,
}

/// The operations of a JSON patch: first the tests, so that a task that was recreated or changed meanwhile is never
/// hit.
fn patch(verb: Verb, wanted: &Wanted, cancelled: bool, now: Timestamp) -> Result<Value, Problem> {
    let bad = |error: String| Problem::new(StatusCode::BAD_REQUEST, error);
    let set = |field: &str, value: Value| json!({ "op": "add", "path": format!("/spec/{field}"), "value": value });
    let mut operations = vec![
        json!({ "op": "test", "path": "/metadata/uid", "value": wanted.uid }),
        json!({ "op": "test", "path": "/metadata/generation", "value": wanted.generation }),
    ];
    match verb {
        Verb::Suspend => operations.push(set("suspend", json!(true))),
        Verb::Resume => operations.push(set("suspend", json!(false))),
        Verb::Cancel => operations.push(set("cancel", json!(true))),
        Verb::Scale => {
            let number = wanted.concurrency.filter(|number| (1..=100_000).contains(number));
            let number = number.ok_or_else(|| {
                let given = wanted.concurrency.map_or("nothing".to_owned(), |number| number.to_string());
                bad(format!("concurrency is {given}; it must be a number from 1 to 100000"))
            })?;
            operations.push(set("concurrency", json!(number)));
        }
        Verb::Rerun => {
            let items = wanted.items.as_deref().filter(|items| matches!(*items, "Failed" | "Cancelled" | "All"));
            let items = items.ok_or_else(|| bad("items must be Failed, Cancelled or All".to_owned()))?;
            let fields = rerun(items, &now.as_millisecond().to_string(), cancelled);
            operations.extend(fields.into_iter().map(|(field, value)| set(field, value)));
        }
        Verb::Delete => return Err(bad("a deletion is not a patch".to_owned())),
    }
    Ok(Value::from(operations))
}

/// Carries out a change; a sentence about it.
pub async fn run(session: &Session, task: &Task, verb: Verb, wanted: &Wanted) -> Result<String, Problem> {
    if task.uid() != wanted.uid || (verb != Verb::Delete && task.metadata.generation != Some(wanted.generation)) {
        return Err(changed());
    }
    let path = format!("{}/{}", Task::url_path(&(), Some(&session.namespace)), task.name());
    let request = if verb == Verb::Delete {
        let options = json!({ "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background",
            "preconditions": { "uid": wanted.uid } });
        http::Request::delete(path).header(CONTENT_TYPE, "application/json").body(options.to_string().into_bytes())
    } else {
        let patch = patch(verb, wanted, task.spec.cancel, Timestamp::now())?;
        http::Request::patch(format!("{path}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict"))
            .header(CONTENT_TYPE, "application/json-patch+json")
            .body(patch.to_string().into_bytes())
    };
    let request = request.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    match session.client.request::<IgnoredAny>(request).await {
        Ok(_) => Ok(done(task, verb, wanted)),
        Err(error) if matches!(code(&error), Some(409 | 422)) => {
            // A test that fails is an error without a word about which: look.
            let now = session.api::<Task>().get(task.name()).await?;
            let is_same = now.uid() == wanted.uid && now.metadata.generation == Some(wanted.generation);
            Err(if is_same { error.into() } else { changed() })
        }
        Err(error) => Err(error.into()),
    }
}

fn changed() -> Problem {
    let mut problem = Problem::new(StatusCode::CONFLICT, "the task was changed or recreated meanwhile");
    problem.failure = problem.failure.hint("look at what it is now, then try again");
    problem
}

fn done(task: &Task, verb: Verb, wanted: &Wanted) -> String {
    let (name, counts) = (task.name(), task.counts());
    match verb {
        Verb::Suspend => format!("Suspended. {} run to their end.", counted(counts.running, "item", "items")),
        Verb::Resume => format!("Resumed. {} may start.", counted(counts.pending, "item", "items")),
        Verb::Scale => {
            format!("At most {} at once from now on.", counted(wanted.concurrency.unwrap_or(0), "item", "items"))
        }
        Verb::Rerun => format!("The rerun of {name} is requested."),
        Verb::Cancel => {
            format!("Cancelled. {}: kubectl maptask rerun {name} --cancelled", kept_if_cancelled(task))
        }
        Verb::Delete => format!("{name} is deleted."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(json: &Value) -> Wanted {
        let mut all = json!({ "uid": "u-1", "generation": 3 });
        for (key, value) in json.as_object().unwrap() {
            all[key] = value.clone();
        }
        serde_json::from_value(all).unwrap()
    }

    fn of(verb: Verb, json: &Value, cancelled: bool) -> Result<Value, Problem> {
        patch(verb, &wanted(json), cancelled, "2026-03-01T14:00:00Z".parse().unwrap())
    }

    #[test]
    fn every_patch_first_tests_uid_and_generation() {
        let all = [
            (Verb::Suspend, json!({})),
            (Verb::Resume, json!({})),
            (Verb::Cancel, json!({})),
            (Verb::Scale, json!({ "concurrency": 5 })),
            (Verb::Rerun, json!({ "items": "Failed" })),
        ];
        for (verb, fields) in all {
            let patch = of(verb, &fields, false).unwrap();
            assert_eq!(patch[0], json!({ "op": "test", "path": "/metadata/uid", "value": "u-1" }), "{verb:?}");
            assert_eq!(patch[1], json!({ "op": "test", "path": "/metadata/generation", "value": 3 }), "{verb:?}");
            assert!(patch.as_array().unwrap()[2..].iter().all(|o| o["op"] == "add"), "{verb:?}");
        }
    }

    #[test]
    fn a_rerun_of_a_cancelled_task_takes_the_cancellation_back() {
        let patch = of(Verb::Rerun, &json!({ "items": "Cancelled" }), true).unwrap();
        assert_eq!(patch[2]["value"]["items"], "Cancelled");
        assert_eq!(patch[3], json!({ "op": "add", "path": "/spec/cancel", "value": false }));
    }

    #[test]
    fn what_a_change_needs_is_checked_before_anything_is_sent() {
        for number in [json!(0), json!(100_001), json!(-1), Value::Null] {
            let problem = of(Verb::Scale, &json!({ "concurrency": number }), false).unwrap_err();
            assert_eq!(problem.status, StatusCode::BAD_REQUEST);
            assert!(problem.failure.message.contains("from 1 to 100000"), "{}", problem.failure.message);
        }
        for items in ["", "Reduce", "3,4", "failed"] {
            assert!(of(Verb::Rerun, &json!({ "items": items }), false).is_err(), "{items}");
        }
        assert_eq!(Verb::parse("patch"), None);
        let unknown = json!({ "uid": "u", "generation": 1, "spec": {} });
        assert!(serde_json::from_value::<Wanted>(unknown).is_err(), "no other field passes through");
    }
}
