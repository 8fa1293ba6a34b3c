//! Tasks of every kind, and what their pods look like.

use crate::names::REDUCE;
use k8s_openapi::jiff::Timestamp;
use maptask::api::spec::{Completion, Items, MapTaskSpec};
use maptask::core::ids::{Index, Time};
use maptask::core::items::{ExternalSource, ItemList, ItemsError, Part};
use maptask::core::pod::EventType;
use maptask::core::pod::explain::Said;
use maptask::core::pod::seen::{
    ContainerState, ContainerStatus, PodCondition, PodStatus, Running, Terminated, Waiting,
};
use maptask::core::port::TaskSeen;
use maptask::core::spec::templates;
use serde_json::json;

use crate::random::Random;

/// The items of tasks that take them from a ConfigMap.
pub const INPUTS: &str = concat!(
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n",
    "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\n",
    "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd\n",
);
/// The text of the same ConfigMap after somebody has changed it.
pub const OTHER_INPUTS: &str = concat!(
    "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\n",
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n",
    "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\n",
    "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd\n",
);

/// Exit codes for which some tasks have rules.
pub const FAIL_ITEM: i32 = 4;
pub const IGNORED: i32 = 5;
pub const FAIL_TASK: i32 = 6;

/// The list of a task that does not take the results of another.
pub fn items_of(spec: &MapTaskSpec) -> Result<ItemList, ItemsError> {
    match ExternalSource::of(&spec.items) {
        Some(source) => source.read(&[Part::new("inputs", INPUTS)]).map(|list| list.items),
        None => ItemList::accept(&spec.items),
    }
}

pub fn random(random: &mut Random) -> MapTaskSpec {
    let mut spec: MapTaskSpec = serde_json::from_value(json!({
        "items": { "count": random.below(12) },
        "template": { "spec": { "containers": [
            { "name": "main", "image": "x", "resources": { "limits": { "memory": "10Mi" } } },
        ] } },
        "minSuccessRatio": ([1.0, 0.9, 0.75, 0.5, 0.1, 0.0][random.below(6)]),
        "remainingItems": {
            "onSuccess": (["Cancel", "Drain", "Run"][random.below(3)]),
            "onFailure": (["Cancel", "Run"][random.below(2)]),
        },
        "suspendPolicy": (["Drain", "Stop"][random.below(2)]),
        "retries": random.below(4),
        "suspend": random.chance(10),
        "priority": random.below(3),
        "retryPolicy": { "backoffSeconds": random.below(3), "infrastructureRetries": 1 + random.below(10) },
    }))
    .unwrap();
    if random.chance(20) {
        let from = json!({ "configMap": { "name": "inputs", "key": "items" } });
        spec.items = serde_json::from_value::<Items>(from).unwrap();
    }
    let is_link = random.chance(15);
    if is_link {
        let name = format!("t{}", random.below(3));
        let on_failure = ["Fail", "Wait"][random.below(2)];
        let (flatten, skip_null) = (random.chance(50), random.chance(50));
        let from = json!({ "name": name, "flatten": flatten, "skipNull": skip_null, "onFailure": on_failure });
        spec.items = serde_json::from_value::<Items>(json!({ "resultsOf": from })).unwrap();
    }
    if random.chance(50) {
        spec.concurrency = Some(1 + random.below(5) as i32);
    }
    if random.chance(40) {
        let rules = json!([
            { "exitCodes": [FAIL_ITEM], "action": "FailItem" },
            { "exitCodes": [IGNORED], "action": "Ignore" },
            { "exitCodes": [FAIL_TASK], "action": "FailTask" },
        ]);
        spec.retry_policy.rules = serde_json::from_value(rules).unwrap();
    }
    if random.chance(30) {
        let growth = json!({ "factor": 2, "maxMemory": "100Mi" });
        spec.retry_policy.out_of_memory = serde_json::from_value(growth).unwrap();
        if random.chance(50) {
            let side = json!({ "name": "side", "image": "x", "resources": { "limits": { "memory": "20Mi" } } });
            spec.template["spec"]["containers"].as_array_mut().unwrap().push(side);
        }
    }
    if random.chance(30) {
        spec.completion = Completion::Container;
    }
    if random.chance(40) {
        spec.start_deadline_seconds = Some(1 + random.below(20) as i32);
    }
    if random.chance(10) {
        spec.active_deadline_seconds = Some(1 + random.below(60) as i32);
    }
    if random.chance(10) {
        spec.ttl_seconds_after_finished = Some(random.below(30) as i32);
    }
    if random.chance(30) {
        let template = json!({ "spec": { "containers": [{ "name": "main", "image": "x" }] } });
        let mut reduce = json!({ "template": template, "retries": random.below(3) });
        if random.chance(30) {
            reduce["startDeadlineSeconds"] = json!(1 + random.below(20));
        }
        if random.chance(20) {
            reduce["activeDeadlineSeconds"] = json!(1 + random.below(60));
        }
        spec.reduce = serde_json::from_value(reduce).unwrap();
    }
    // Which key an item has is not known as long as its list is not.
    if !is_link && random.chance(40) {
        let mut cache = json!({ "version": (["1", "2"][random.below(2)]), "serialize": random.chance(50) });
        if random.chance(70) {
            cache["name"] = json!("shared");
        }
        spec.cache = serde_json::from_value(cache).unwrap();
    }
    spec
}

/// By when a pod must start, of an item or of the reduce.
pub fn start_deadline(spec: &MapTaskSpec, index: Index) -> Option<i32> {
    match &spec.reduce {
        Some(reduce) if index == REDUCE => reduce.start_deadline_seconds,
        _ => spec.start_deadline_seconds,
    }
}

pub fn running() -> PodStatus {
    let state = ContainerState { running: Some(Running {}), ..ContainerState::default() };
    of_main("Running", state)
}

pub fn stuck() -> PodStatus {
    let waiting = Waiting { reason: Some("ImagePullBackOff".to_owned()), message: Some("no such image".to_owned()) };
    of_main("Pending", ContainerState { waiting: Some(waiting), ..ContainerState::default() })
}

/// The Event about a pod whose volume is missing, which its status does not tell of.
pub fn missing_volume(now: Time) -> Said {
    let message = "MountVolume.SetUp failed for volume \"conf\" : configmap \"nobody\" not found".to_owned();
    Said { claim: None, type_: EventType::Warning, reason: "FailedMount".to_owned(), message, at: now }
}

/// What its status says.
pub fn silent() -> PodStatus {
    let waiting = Waiting { reason: Some("ContainerCreating".to_owned()), message: None };
    of_main("Pending", ContainerState { waiting: Some(waiting), ..ContainerState::default() })
}

pub fn ended(phase: &str, exit_code: i32, reason: Option<&str>, message: Option<&str>) -> PodStatus {
    let terminated = Terminated {
        exit_code,
        reason: reason.map(str::to_owned),
        message: message.map(str::to_owned),
        finished_at: None,
    };
    of_main(phase, ContainerState { terminated: Some(terminated), ..ContainerState::default() })
}

/// The item's container ended well, another one did not.
pub fn side_out_of_memory() -> PodStatus {
    let mut status = ended("Failed", 0, None, None);
    let of_side = ended("Failed", 137, Some("OOMKilled"), None).container_statuses.into_iter().flatten();
    let of_side = of_side.map(|container| ContainerStatus { name: "side".to_owned(), ..container });
    status.container_statuses.get_or_insert_default().extend(of_side);
    status
}

/// The item's container has ended so, and another one runs on.
pub fn outlived(status: PodStatus, now: Time) -> PodStatus {
    let mut status = PodStatus { phase: Some("Running".to_owned()), ..status };
    let containers = status.container_statuses.get_or_insert_default();
    for terminated in containers.iter_mut().filter_map(|c| c.state.as_mut()?.terminated.as_mut()) {
        terminated.finished_at = Timestamp::from_millisecond(now.0).ok();
    }
    let state = Some(ContainerState { running: Some(Running {}), ..ContainerState::default() });
    containers.push(ContainerStatus { name: "proxy".to_owned(), state, ..ContainerStatus::default() });
    status
}

/// The pod once the other container has ended, well or not.
pub fn after_outlived(status: &PodStatus, well: bool) -> PodStatus {
    let mut status =
        PodStatus { phase: Some((if well { "Succeeded" } else { "Failed" }).to_owned()), ..status.clone() };
    for container in status.container_statuses.iter_mut().flatten().filter(|container| container.name == "proxy") {
        let terminated = Terminated { exit_code: if well { 0 } else { 143 }, ..Terminated::default() };
        container.state = Some(ContainerState { terminated: Some(terminated), ..ContainerState::default() });
    }
    status
}

/// The pod once it is evicted.
pub fn evicted_after(status: &PodStatus, now: Time) -> PodStatus {
    let mut conditions = evicted(true).conditions;
    for condition in conditions.iter_mut().flatten() {
        condition.last_transition_time = Timestamp::from_millisecond(now.0 + 1).ok();
    }
    PodStatus { conditions, ..after_outlived(status, false) }
}

pub fn evicted(started: bool) -> PodStatus {
    let target = PodCondition {
        type_: "DisruptionTarget".to_owned(),
        status: "True".to_owned(),
        reason: Some("EvictionByEvictionAPI".to_owned()),
        message: None,
        last_transition_time: None,
    };
    let base = if started {
        ended("Failed", 143, None, None)
    } else {
        PodStatus { phase: Some("Failed".to_owned()), ..PodStatus::default() }
    };
    PodStatus { conditions: Some(vec![target]), ..base }
}

/// The eviction by the condition of a queueing system.
pub fn of_queue(mut status: PodStatus) -> PodStatus {
    for condition in status.conditions.iter_mut().flatten() {
        "TerminationTarget".clone_into(&mut condition.type_);
        condition.reason = Some("WorkloadEvictedDueToPreempted".to_owned());
    }
    status
}

fn of_main(phase: &str, state: ContainerState) -> PodStatus {
    let container = ContainerStatus { name: "main".to_owned(), state: Some(state), ..ContainerStatus::default() };
    PodStatus { phase: Some(phase.to_owned()), container_statuses: Some(vec![container]), ..PodStatus::default() }
}

/// Somebody changes the templates of a task, or changes them back.
pub fn turn_templates(spec: &mut MapTaskSpec) {
    let templates = std::iter::once(&mut spec.template).chain(spec.reduce.as_mut().map(|reduce| &mut reduce.template));
    for template in templates {
        let container = template["spec"]["containers"][0].as_object_mut().unwrap();
        if container.remove("tty").is_none() {
            container.insert("tty".to_owned(), json!(true));
        }
    }
}

/// Whether pods are to be made from the templates as they are, by what was recorded at acceptance.
pub fn has_its_templates(task: &TaskSeen) -> bool {
    task.status.template_hash.as_ref().is_none_or(|accepted| *accepted == templates::hash(&task.spec))
}

/// Somebody changes what a task takes over while it is suspended and has started nothing, or changes it back.
pub fn move_templates(spec: &mut MapTaskSpec) {
    let templates = std::iter::once(&mut spec.template).chain(spec.reduce.as_mut().map(|reduce| &mut reduce.template));
    for template in templates {
        let pod = template["spec"].as_object_mut().unwrap();
        if pod.remove("nodeSelector").is_none() {
            pod.insert("nodeSelector".to_owned(), json!({ "zone": "a" }));
        }
    }
}

/// The spec with the templates of the acceptance.
pub fn as_accepted(task: &TaskSeen) -> MapTaskSpec {
    let mut seen = task.clone();
    for change in [turn_templates, move_templates, turn_templates] {
        if has_its_templates(&seen) {
            break;
        }
        change(&mut seen.spec);
    }
    seen.spec
}

/// Whether the pod is made from other templates than those of the acceptance.
pub fn is_of_other_templates(task: &TaskSeen, pod: &serde_json::Value) -> bool {
    let turned = |container: &serde_json::Value| container["tty"] == true;
    let accepted = as_accepted(task).template;
    turned(&pod["spec"]["containers"][0]) != turned(&accepted["spec"]["containers"][0])
}
