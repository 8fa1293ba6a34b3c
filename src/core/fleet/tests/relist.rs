//! Reruns that ask for another list of items.

use serde_json::json;

use super::story::{LIMITS, REDUCE, Story, key, lines, read_lines};
use crate::api::{MapTaskStatus, TaskPhase};
use crate::core::port::{Action, CreateOutcome};

/// A task whose list of two items has run: the first one at its second attempt.
fn ended() -> Story {
    let items = json!({ "configMap": { "name": "inputs", "key": "items" } });
    let spec = json!({ "items": items, "retries": 1, "retryPolicy": { "backoffSeconds": 0 }, "finishedPods": 5 });
    let mut story = Story::new(LIMITS, &spec);
    story.plan(0);
    answer(&mut story, "a\nb\n");
    story.plan(0);
    story.plan(0);
    story.ends(0, 1, 3);
    story.ends(1, 1, 0);
    while lines(&story.plan(1_000), "create").is_empty() {}
    story.ends(0, 2, 0);
    for _ in 0..3 {
        story.plan(1_000);
    }
    assert_eq!(story.status().phase, Some(TaskPhase::Succeeded));
    story
}

fn answer(story: &mut Story, text: &str) {
    story.fleet.handle_fetched(story.now, &key(), "u", read_lines(text));
}

fn ask(story: &mut Story, id: &str) {
    story.edit(|task| task.spec.rerun = serde_json::from_value(json!({ "id": id, "items": "List" })).unwrap());
}

#[test]
fn a_rerun_of_the_list_accepts_the_template_that_the_task_has_by_then() {
    let mut story = ended();
    story.edit(|task| task.spec.template["spec"]["priorityClassName"] = json!("high"));
    story.plan(0);
    ask(&mut story, "1");
    story.plan(0);
    assert_eq!(lines(&story.plan(0), "fetch"), ["fetch ConfigMap inputs for ns/t"]);
    answer(&mut story, "c\n");
    assert_eq!(lines(&until_create(&mut story), "create"), ["create ns/t-0-3"]);
}

/// An ended task that has read another list, of which an item has started.
fn relisted(text: &str) -> Story {
    let mut story = ended();
    ask(&mut story, "1");
    story.plan(0);
    story.plan(0);
    answer(&mut story, text);
    until_create(&mut story);
    story
}

/// The plans until an item starts.
fn until_create(story: &mut Story) -> Vec<String> {
    let mut plan = Vec::new();
    for _ in 0..20 {
        plan.extend(story.plan(1_000));
        if !lines(&plan, "create").is_empty() {
            return plan;
        }
    }
    panic!("nothing is created: {plan:?}");
}

#[test]
fn a_rerun_of_the_list_reads_it_again_and_runs_all_of_it_under_new_names() {
    let mut story = ended();
    ask(&mut story, "1");
    let plan = story.plan(0);
    assert_eq!(lines(&plan, "write"), ["write ns/t Pending 0/? running 0 failed 0"]);
    assert_eq!(lines(&plan, "fetch"), [] as [&str; 0], "not before that is recorded");
    let status = story.status();
    assert_eq!((status.attempt_base, &status.phases, status.items), (Some(2), &None, None));
    let done = status.rerun.as_ref().unwrap();
    assert!(done.id == "1" && done.message.as_deref() == Some("the list of the items is read or computed again"));
    assert_eq!(lines(&story.plan(0), "fetch"), ["fetch ConfigMap inputs for ns/t"]);
    // A pod of the former list is no reason to accept the next one, nor a pod of it.
    story.ends(1, 1, 0);
    answer(&mut story, "c\n");
    story.checks = false;
    assert_eq!(lines(&story.plan(0), "check"), ["check ns/t"]);
    story.ends(0, 2, 0);
    story.ends(REDUCE, 1, 0);
    assert_eq!(lines(&story.plan(1_000), "create"), [] as [&str; 0]);
    story.checks = true;
    story.fleet.handle_checked(story.now, &key(), "u", crate::core::port::CheckOutcome::Good);
    let plan = until_create(&mut story);
    assert_eq!(lines(&plan, "create"), ["create ns/t-0-3"]);
    assert_eq!((story.status().items, story.phase()), (Some(1), TaskPhase::Running));
    story.ends(0, 3, 3);
    let plan = until_create(&mut story);
    assert_eq!(lines(&plan, "create"), ["create ns/t-0-4"], "it has all of its retries");
    story.ends(0, 4, 0);
    for _ in 0..3 {
        story.plan(1_000);
    }
    assert_eq!((story.status().phase, story.status().attempt_base), (Some(TaskPhase::Succeeded), Some(2)));
    ask(&mut story, "2");
    story.plan(0);
    assert_eq!(story.status().attempt_base, Some(4));
}

#[test]
fn an_operator_that_follows_reads_the_list_again_and_takes_no_pod_of_the_former_one_for_its_own() {
    for rounds in 1..8 {
        let mut story = ended();
        ask(&mut story, "1");
        for _ in 0..rounds {
            let plan = story.plan(1_000);
            if !lines(&plan, "fetch").is_empty() {
                answer(&mut story, "c\nd\ne\n");
            }
        }
        let pods = [Story::ended(0, 1, 3), Story::ended(0, 2, 0), Story::ended(1, 1, 0)];
        story.restart(pods);
        let mut created = Vec::new();
        for _ in 0..80 {
            let plan = story.plan(1_000);
            if !lines(&plan, "fetch").is_empty() {
                answer(&mut story, "c\nd\ne\n");
            }
            // Those whose create the operator before has sent.
            for line in lines(&plan, "get") {
                let name = line.rsplit('-').nth(1).unwrap();
                story.ends(name.parse().unwrap(), 3, 0);
            }
            created.extend(lines(&plan, "create").into_iter().map(str::to_owned));
            for (index, line) in ["create ns/t-0-3", "create ns/t-1-3", "create ns/t-2-3"].iter().enumerate() {
                if plan.iter().any(|planned| planned == line) {
                    story.ends(u32::try_from(index).unwrap(), 3, 0);
                }
            }
        }
        assert!(created.iter().all(|line| line.ends_with("-3")), "{rounds}: {created:?}");
        let counts = story.status().counts.unwrap();
        assert_eq!((story.phase(), counts.succeeded), (TaskPhase::Succeeded, 3), "{rounds}: {:?}", story.status());
    }
}

#[test]
fn a_list_in_the_task_itself_is_not_read_again() {
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 1 } }));
    story.ends(0, 1, 0);
    story.plan(1_000);
    // An older schema lets it in.
    ask(&mut story, "1");
    story.plan(0);
    let pending = story.status().pending_rerun.as_ref().map(|pending| pending.message.as_str());
    let words = "the list is in the task itself and never changes: give All, or create another task";
    assert!(pending.is_none_or(|pending| pending.ends_with(words)), "{pending:?}");
    for _ in 0..3 {
        story.plan(1_000);
    }
    let done = story.status().rerun.as_ref().unwrap();
    assert_eq!((done.message.as_deref(), story.phase()), (Some(words), TaskPhase::Succeeded));
}

#[test]
fn results_of_the_former_list_are_replaced_and_lines_of_it_are_no_damage() {
    let mut story = relisted("c\n");
    story.ends(0, 3, 9);
    until_create(&mut story);
    story.ends(0, 4, 9);
    let mut stored = Vec::new();
    for _ in 0..4 {
        story.now = story.now.plus_millis(1_000);
        for action in story.fleet.poll_plan(story.now).actions {
            if let crate::core::port::Action::Write(write) = &action {
                stored.clone_from(&write.results);
            }
            if let Some(answer) = story.answer(&action) {
                story.fleet.handle_answer(story.now, answer);
            }
        }
    }
    assert_eq!(story.phase(), TaskPhase::Failed);
    let shards: Vec<_> = stored.iter().map(|shard| (shard.number, shard.list, shard.lines.len())).collect();
    assert_eq!(shards, [(0, 2, 0)], "no line of the former list stays");
}

/// ConfigMaps of a former list that are emptied until the next write is answered, with that write's status.
fn emptied(story: &mut Story) -> (Vec<u32>, MapTaskStatus) {
    for _ in 0..20 {
        story.now = story.now.plus_millis(1_000);
        let plan = story.fleet.poll_plan(story.now);
        for action in &plan.actions {
            let write = if let Action::Write(write) = action { Some(write.clone()) } else { None };
            if let Some(answer) = story.answer(action) {
                story.fleet.handle_answer(story.now, answer);
            }
            if let Some(write) = write {
                let former = write.results.iter().filter(|shard| shard.former).map(|shard| shard.number).collect();
                return (former, write.status);
            }
        }
    }
    panic!("nothing is written");
}

#[test]
fn results_of_the_former_list_that_the_next_one_does_not_use_are_emptied_as_it_is_accepted() {
    let mut story = ended();
    ask(&mut story, "1");
    let (former, status) = emptied(&mut story);
    assert_eq!((former.len(), status.former_results.map(|former| former.shards)), (0, Some(1)));
    // Another operator does it as well.
    story.restart([]);
    while lines(&story.plan(1_000), "fetch").is_empty() {}
    assert!(story.status().former_results.is_some());
    answer(&mut story, "");
    let (former, status) = emptied(&mut story);
    assert_eq!((former, status.former_results, status.items), (vec![0], None, Some(0)));
    story.edit(|task| task.spec.concurrency = Some(3));
    assert_eq!(emptied(&mut story).0, [] as [u32; 0], "once");
}

#[test]
fn a_late_answer_about_a_pod_of_the_former_list_changes_nothing() {
    let mut story = relisted("c\nd\n");
    story.fleet.handle_created(story.now, &Story::id(1, 1), "u", CreateOutcome::Refused("late".to_owned()));
    story.runs(5, 1);
    let plan = [story.plan(1_000), story.plan(60_000)].concat();
    assert!(plan.iter().any(|line| line == "stop ns/t-5-1"), "it is deleted: {plan:?}");
    assert_eq!(story.status().counts.unwrap().failed, 0);
    assert!(story.status().message.is_none(), "{:?}", story.status().message);
}

#[test]
fn a_rerun_of_the_list_that_is_requested_while_the_task_runs_starts_at_its_end() {
    let items = json!({ "configMap": { "name": "inputs", "key": "items" } });
    let mut story = Story::new(LIMITS, &json!({ "items": items }));
    story.plan(0);
    answer(&mut story, "a\n");
    until_create(&mut story);
    ask(&mut story, "1");
    story.plan(1_000);
    let pending = story.status().pending_rerun.as_ref().map(|pending| pending.message.as_str());
    assert_eq!(pending, Some("starts once the task has ended"));
    story.ends(0, 1, 0);
    // The answers of the writes come before the watch shows them.
    let plan: Vec<String> = (0..4).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!(lines(&plan, "fetch"), ["fetch ConfigMap inputs for ns/t"], "{plan:?}");
    answer(&mut story, "b\n");
    assert_eq!(lines(&until_create(&mut story), "create"), ["create ns/t-0-2"]);
}
