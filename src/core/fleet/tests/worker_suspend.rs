//! Workers whose attempts are stopped: what that costs their items.

use maptask_exchange::Outcome;
use serde_json::{Value, json};

use super::crew::{Crew, good, task};
use crate::api::spec::SuspendPolicy;
use crate::api::status::{TaskPhase, WaitingReason};
use crate::core::phases::ItemPhase;

#[test]
fn attempts_that_were_stopped_say_nothing_about_the_command() {
    let spec = json!({ "items": { "count": 25 }, "concurrency": 25, "workers": { "slots": 5 } });
    let mut crew = Crew::new(&task(&spec));
    let running: Vec<(u32, u32)> =
        crew.running().into_iter().flat_map(|(number, ids)| ids.into_iter().map(move |id| (number, id.0))).collect();
    assert_eq!(running.len(), 25);
    for (number, index) in running {
        crew.ends(number, index, Outcome::Stopped);
    }
    let again: usize = crew.running().values().map(Vec::len).sum();
    assert_eq!(again, 25, "all of them at once");
}

#[test]
fn where_items_have_succeeded_failures_after_a_restart_say_nothing_about_the_command() {
    let spec = json!({ "items": { "count": 60 }, "concurrency": 5, "retries": 0, "minSuccessRatio": 0, "workers": {} });
    let mut crew = Crew::new(&task(&spec));
    crew.ends(1, 0, good());
    crew.rounds(6);
    crew.restart(&[1, 2, 3, 4, 5]);
    for _ in 0..25 {
        let (number, index) = crew.running().into_iter().map(|(number, ids)| (number, ids[0].0)).next().unwrap();
        crew.ends(number, index, Outcome::Failed { exit_code: 1, message: String::new() });
    }
    assert!(crew.running().len() > 1, "{:?}", crew.running());
}

#[test]
fn a_changed_template_of_a_task_with_workers_is_noticed_after_a_restart_and_what_runs_continues() {
    let mut crew = Crew::new(&task(&json!({ "items": { "count": 5 }, "concurrency": 2, "workers": {} })));
    let edit = |crew: &mut Crew, name: Value| {
        crew.story.edit(|task| task.spec.template["spec"]["priorityClassName"] = name);
    };
    edit(&mut crew, json!("high"));
    crew.restart(&[1, 2]);
    let status = crew.story.status();
    let reason = status.waiting.as_ref().map(|waiting| waiting.reason);
    assert_eq!((status.phase, reason), (Some(TaskPhase::Running), Some(WaitingReason::TemplateChanged)));
    crew.ends(1, 0, good());
    assert_eq!(crew.item(0).0, ItemPhase::Succeeded);
    assert_eq!(crew.running().len(), 1, "nothing more starts");
    edit(&mut crew, Value::Null);
    crew.rounds(3);
    assert_eq!(crew.running().len(), 2);
}

#[test]
fn items_that_vanish_with_workers_stopped_for_a_suspension_lose_nothing() {
    let mut crew = Crew::new(&task(&json!({ "items": { "count": 2 }, "concurrency": 2, "workers": {} })));
    assert_eq!(crew.running().len(), 2);
    crew.story.edit(|task| (task.spec.suspend, task.spec.suspend_policy) = (true, SuspendPolicy::Stop));
    crew.rounds(3);
    crew.restart(&[]);
    let (phase, tries) = crew.item(0);
    assert_eq!((phase, tries.infrastructure, tries.application), (ItemPhase::Pending, 0, 0));
    assert_eq!(crew.story.status().failures, []);
}
