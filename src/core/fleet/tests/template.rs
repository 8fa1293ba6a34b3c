//! A template that is changed while its task runs, and put back.

use serde_json::{Value, json};

use super::Limits;
use super::story::{LIMITS, Story, empty_fleet, key, lines, new_task};
use crate::core::ids::Time;
use crate::core::port::{Action, CheckOutcome};

/// A task that starts one item at a time, whose first pod runs.
fn story(spec: Value) -> Story {
    let mut spec = spec;
    spec["concurrency"] = json!(1);
    let mut story = Story::new(LIMITS, &spec);
    story.plan(0);
    assert_eq!(lines(&story.plan(0), "create"), ["create ns/t-0-1"]);
    story.runs(0, 1);
    story.plan(1_000);
    story
}

/// Somebody gives the template this field; null takes it out.
fn edit(story: &mut Story, field: &str, value: Value) {
    story.edit(|task| task.spec.template["spec"][field] = value);
}

fn waiting(story: &Story) -> Option<String> {
    let waiting = story.fleet.task(&key()).unwrap().waiting()?;
    Some(format!("{}: {}", waiting.reason.as_str(), waiting.message.as_deref().unwrap_or_default()))
}

#[test]
fn a_changed_template_starts_nothing_more_until_it_is_put_back() {
    let mut story = story(json!({ "items": { "count": 4 } }));
    edit(&mut story, "priorityClassName", json!("high"));
    story.ends(0, 1, 0);
    let plan = story.plan(1_000);
    assert!(
        lines(&plan, "create").is_empty() && plan.iter().any(|line| line.contains("waiting TemplateChanged")),
        "{plan:?}"
    );
    let words = waiting(&story).unwrap();
    assert!(words.contains("spec.template has changed") && words.contains("restore it"), "{words}");
    edit(&mut story, "priorityClassName", json!(null));
    assert_eq!(lines(&story.plan(1_000), "create"), ["create ns/t-1-1"]);
    assert_eq!(waiting(&story).as_deref(), Some("Concurrency: "));
}

#[test]
fn a_template_that_is_only_written_in_another_way_is_no_other() {
    let mut story = story(json!({ "items": { "count": 4 } }));
    edit(&mut story, "dnsPolicy", json!("ClusterFirst"));
    edit(&mut story, "volumes", json!([]));
    story.ends(0, 1, 0);
    assert_eq!(lines(&story.plan(1_000), "create"), ["create ns/t-1-1"]);
}

#[test]
fn a_changed_template_is_noticed_after_a_restart_however_broken_it_is() {
    for (spec, field, value) in [
        (json!({ "items": { "count": 4 } }), "priorityClassName", json!("high")),
        (json!({ "items": { "count": 4 } }), "restartPolicy", json!("Always")),
        (json!({ "items": { "count": 4 } }), "initContainers", json!([{ "name": "i", "env": 7 }])),
        (json!({ "items": { "count": 4 } }), "containers", json!("none")),
        (json!({ "items": { "count": 4 }, "container": "main" }), "containers", json!([])),
        (
            json!({ "items": { "count": 4 }, "container": "main" }),
            "containers",
            json!([{ "name": "side", "image": "y" }]),
        ),
    ] {
        let mut story = story(spec);
        edit(&mut story, field, value.clone());
        let pod = Story::ended(0, 1, 0);
        story.restart([pod]);
        let plan = story.plan(0);
        assert!(
            plan.iter().any(|line| line.contains("Running 1/4") && line.contains("waiting TemplateChanged")),
            "{plan:?}"
        );
        assert!(lines(&story.plan(100_000), "create").is_empty(), "{field}");
        let before = if field == "containers" { json!([{ "name": "main", "image": "x" }]) } else { json!(null) };
        edit(&mut story, field, before);
        let plan = story.fleet.poll_plan(story.now);
        let pods: Vec<Value> = plan
            .actions
            .iter()
            .filter_map(|action| match action {
                Action::Create(create) => Some(create.blueprint.pod(create.role, create.memory_raises)),
                _ => None,
            })
            .collect();
        assert_eq!(pods.len(), 1, "{field}: {plan}");
        assert_eq!(pods[0]["spec"]["containers"][0]["image"], "x", "made from the template and not from its stand-in");
    }
}

#[test]
fn a_template_changed_before_its_task_is_accepted_is_checked_again() {
    let mut fleet = empty_fleet(LIMITS);
    let mut task = new_task(key(), "u", 1, &json!({ "items": { "count": 1 } }));
    fleet.handle_task(Time(0), task.clone());
    assert_eq!(fleet.poll_plan(Time(0)).to_string().lines().collect::<Vec<_>>(), ["check ns/t"]);
    task.spec.template["spec"]["serviceAccountName"] = json!("other");
    (task.resource_version, task.generation) = (2, 2);
    fleet.handle_task(Time(0), task);
    let plan = fleet.poll_plan(Time(0)).to_string();
    assert!(!plan.contains("check"), "the first is still on its way: {plan}");
    fleet.handle_checked(Time(0), &key(), "u", CheckOutcome::Good);
    let plan = fleet.poll_plan(Time(1_000));
    let Some(Action::Check(check)) = plan.actions.first() else { panic!("{plan}") };
    assert_eq!(
        check.blueprints[0].pod(check.blueprints[0].first(), crate::core::phases::Raises::NONE)["spec"]["serviceAccountName"],
        "other"
    );
    fleet.handle_checked(Time(1_000), &key(), "u", CheckOutcome::Good);
    assert!(fleet.poll_plan(Time(1_000)).to_string().contains("create ns/t-0-1"));
}

#[test]
fn another_change_before_its_task_is_accepted_does_not_check_a_template_again() {
    let mut fleet = empty_fleet(LIMITS);
    let mut task = new_task(key(), "u", 1, &json!({ "items": { "count": 1 } }));
    fleet.handle_task(Time(0), task.clone());
    assert_eq!(fleet.poll_plan(Time(0)).to_string(), "check ns/t\n");
    task.spec.priority = 7;
    (task.resource_version, task.generation) = (2, 2);
    fleet.handle_task(Time(0), task);
    let plan = fleet.poll_plan(Time(1_000)).to_string();
    assert!(!plan.contains("check"), "{plan}");
    fleet.handle_checked(Time(1_000), &key(), "u", CheckOutcome::Good);
    assert!(fleet.poll_plan(Time(1_000)).to_string().contains("create ns/t-0-1"));
}

#[test]
fn a_reduce_whose_template_is_put_back_knows_how_its_items_ended() {
    let template = json!({ "spec": { "containers": [{ "name": "main", "image": "y" }] } });
    let mut story = story(json!({ "items": { "count": 1 }, "reduce": { "template": template } }));
    story.ends(0, 1, 0);
    let edit_reduce = |story: &mut Story, class: Value| {
        let mut task = story.written.clone().unwrap();
        story.version += 1;
        (task.resource_version, task.generation) = (story.version, i64::try_from(story.version).unwrap());
        task.spec.reduce.as_mut().unwrap().template["spec"]["priorityClassName"] = class;
        story.written = Some(task.clone());
        story.fleet.handle_task(story.now, task);
    };
    assert!(story.plan(1_000).iter().any(|line| line.starts_with("write ns/t Reducing 1/1")));
    edit_reduce(&mut story, json!("high"));
    story.restart([]);
    assert!(lines(&story.plan(80_000), "create").is_empty());
    assert!(waiting(&story).unwrap().contains("or spec.reduce.template has changed"));
    edit_reduce(&mut story, json!(null));
    let plan = story.fleet.poll_plan(story.now);
    let create = plan.actions.iter().find_map(|a| if let Action::Create(create) = a { Some(create) } else { None });
    let create = create.unwrap_or_else(|| panic!("{plan}"));
    let pod = create.blueprint.pod(create.role, create.memory_raises);
    let container = &pod["spec"]["containers"][0];
    assert_eq!(container["image"], "y");
    let env = container["env"].as_array().unwrap();
    assert!(env.contains(&json!({ "name": "MAPTASK_SUCCEEDED", "value": "1" })), "{env:?}");
}

#[test]
fn a_hash_of_other_rules_tells_nothing() {
    let mut story = story(json!({ "items": { "count": 4 } }));
    let task = story.written.as_mut().unwrap();
    let hash = task.status.template_hash.take().unwrap();
    task.status.template_hash = Some(hash.replacen("2-", "0-", 1));
    edit(&mut story, "priorityClassName", json!("high"));
    let pod = Story::ended(0, 1, 0);
    story.restart([pod]);
    story.plan(0);
    assert_eq!(waiting(&story).unwrap_or_default().find("TemplateChanged"), None);
}

/// A task that is suspended from its creation, and accepted.
fn suspended() -> Story {
    Story::after(3, LIMITS, &json!({ "items": { "count": 3 }, "concurrency": 2, "suspend": true }))
}

/// The pods of a plan, and the lines before the first of them.
fn pods(story: &mut Story) -> (Vec<Value>, Vec<String>) {
    let plan = story.fleet.poll_plan(story.now);
    let lines = plan.to_string().lines().take_while(|line| !line.starts_with("create")).map(str::to_owned).collect();
    let pods = plan.actions.iter().filter_map(|action| match action {
        Action::Create(create) => Some(create.blueprint.pod(create.role, create.memory_raises)),
        _ => None,
    });
    let pods = pods.collect();
    plan.actions.iter().for_each(|action| {
        if let Some(answer) = story.answer(action) {
            story.fleet.handle_answer(story.now, answer);
        }
    });
    (pods, lines)
}

#[test]
fn a_suspended_task_that_has_started_nothing_takes_over_where_its_pods_are_to_run() {
    let affinity = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
        { "matchExpressions": [{ "key": "zone", "operator": "Exists" }] }
    ] } } });
    for (field, value) in [
        ("nodeSelector", json!({ "zone": "a" })),
        ("tolerations", json!([{ "key": "spot", "operator": "Exists" }])),
        ("schedulingGates", json!([{ "name": "example.com/gate" }])),
        ("affinity", affinity),
    ] {
        let mut story = suspended();
        let before = story.status().template_hash.clone();
        // As Kueue does it with a Job: at once with the end of the suspension.
        story.edit(|task| {
            task.spec.template["spec"][field] = value.clone();
            task.spec.template["metadata"]["labels"] = json!({ "team": "a" });
            task.spec.suspend = false;
        });
        let (early, plan) = pods(&mut story);
        assert!(early.is_empty() && plan.iter().any(|line| line.starts_with("write ns/t Running 0/3")), "{plan:?}");
        assert_ne!(story.status().template_hash, before, "recorded before there are pods of it");
        let (pods, _) = pods(&mut story);
        assert_eq!(pods.len(), 2, "{field}");
        assert_eq!((&pods[0]["spec"][field], &pods[0]["metadata"]["labels"]["team"]), (&value, &json!("a")), "{field}");
        story.runs(0, 1);
        story.edit(|task| {
            task.spec.template["spec"][field] = json!(null);
            task.spec.suspend = true;
        });
        story.plan(1_000);
        story.edit(|task| task.spec.suspend = false);
        story.plan(1_000);
        let words = waiting(&story).unwrap();
        assert!(words.contains("finish, and nothing more starts; restore it,"), "{words}");
    }
}

#[test]
fn an_operator_that_finds_a_suspended_task_with_moved_templates_takes_them_over() {
    for crash in [true, false] {
        let mut story = suspended();
        let task = story.written.as_mut().unwrap();
        (task.generation, task.spec.suspend) = (2, false);
        task.spec.template["spec"]["nodeSelector"] = json!({ "zone": "a" });
        story.task.spec = task.spec.clone();
        story.restart([]);
        if crash {
            // It dies before it has written anything.
            story.restart([]);
        }
        let (early, plan) = pods(&mut story);
        assert!(early.is_empty(), "{plan:?}");
        let (pods, plan) = pods(&mut story);
        assert_eq!(pods.first().map(|pod| &pod["spec"]["nodeSelector"]["zone"]), Some(&json!("a")), "{plan:?}");
    }
}

#[test]
fn what_a_suspended_task_does_not_take_over_it_waits_for() {
    // Anything else of the template.
    let mut story = suspended();
    story.edit(|task| {
        task.spec.template["spec"]["nodeSelector"] = json!({ "zone": "a" });
        task.spec.template["spec"]["priorityClassName"] = json!("high");
        task.spec.suspend = false;
    });
    assert!(lines(&story.plan(0), "create").is_empty());
    assert!(waiting(&story).unwrap().starts_with("TemplateChanged"), "{:?}", waiting(&story));
    // What a task refuses from the beginning.
    let mut story = suspended();
    story.edit(|task| task.spec.template["metadata"]["labels"] = json!({ "team": 7 }));
    story.edit(|task| task.spec.suspend = false);
    assert!(lines(&story.plan(0), "create").is_empty());
    let words = waiting(&story).unwrap();
    assert!(
        words.starts_with("TemplateChanged") && words.contains("not a map of strings; correct or restore it"),
        "{words}"
    );
    story.edit(|task| {
        task.spec.template["metadata"]["labels"] = json!({ "team": "a" });
        task.spec.suspend = true;
    });
    story.edit(|task| task.spec.suspend = false);
    story.plan(0);
    assert_eq!(lines(&story.plan(0), "create").len(), 2, "once it is corrected");
    // A task that waits for room is not suspended, and can be.
    let spec = json!({ "items": { "count": 2 } });
    let mut story = Story::after(3, Limits { max_pods: 0, ..LIMITS }, &spec);
    edit(&mut story, "nodeSelector", json!({ "zone": "a" }));
    story.plan(1_000);
    let words = waiting(&story).unwrap();
    assert!(words.contains("set spec.suspend to true to let it change, restore it"), "{words}");
    story.edit(|task| task.spec.suspend = true);
    story.plan(1_000);
    story.edit(|task| task.spec.suspend = false);
    story.plan(1_000);
    assert_eq!(waiting(&story).unwrap_or_default().find("TemplateChanged"), None);
}
