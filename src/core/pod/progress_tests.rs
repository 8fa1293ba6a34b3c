//! What each state of a pod means.

use super::*;
use crate::core::attempt_end::{AttemptOutcome, Cost};
use crate::core::ids::Time;
use crate::core::pod::Deletion;

fn pod(json: &str) -> PodSeen {
    PodSeen::in_state(serde_json::from_str(json).unwrap())
}

fn ended(pod: &PodSeen) -> PodOutcome {
    match progress(pod, "main") {
        Progress::Ended(outcome) => outcome,
        other => panic!("not ended: {other:?}"),
    }
}

fn failed(exit_code: i32, container: &str) -> PodOutcome {
    PodOutcome::Failed { exit_code, container: container.to_owned() }
}

#[test]
fn an_exit_0_while_evicted_is_a_success() {
    let json = r#"{"phase":"Succeeded","conditions":[{"type":"DisruptionTarget","status":"True","reason":"EvictionByEvictionAPI"}],
        "containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":0,"message":"7"}}}]}"#;
    assert_eq!(
        ended(&pod(json)),
        PodOutcome::Succeeded { message: Some(Message { text: "7".to_owned(), limit: MessageLimit::of(1) }) }
    );
}

#[test]
fn a_pod_that_its_queue_takes_back_has_not_failed_however_it_ends() {
    let target = r#""conditions":[{"type":"TerminationTarget","status":"True","reason":"WorkloadEvictedDueToPreempted",
        "message":"Preempted to accommodate a workload","lastTransitionTime":"2026-09-21T14:13:20Z"}]"#;
    let exited = |code: i32, at: &str| {
        let state = format!(r#"{{"terminated":{{"exitCode":{code},"finishedAt":"2026-09-21T14:13:{at}Z"}}}}"#);
        pod(&format!(r#"{{"phase":"Failed",{target},"containerStatuses":[{{"name":"main","state":{state}}}]}}"#))
    };
    assert_eq!(ended(&exited(143, "21")), PodOutcome::TakenBack);
    assert_eq!(ended(&exited(3, "19")), failed(3, "main"), "it had failed before");
    let pending = pod(&format!(r#"{{"phase":"Pending",{target}}}"#));
    assert_eq!(outcome_when_gone(&pending, "main"), PodOutcome::TakenBack);
    assert_eq!(detail(&pending, "main").message.as_deref(), Some("Preempted to accommodate a workload"));
    assert_eq!(AttemptOutcome::from(PodOutcome::TakenBack).cost(), Some(Cost::Free));
}

#[test]
fn the_items_container_takes_precedence_over_its_sidecar() {
    let json = r#"{"phase":"Failed","containerStatuses":[
        {"name":"log","state":{"terminated":{"exitCode":9}}},{"name":"main","state":{"terminated":{"exitCode":3}}}]}"#;
    assert_eq!(ended(&pod(json)), failed(3, "main"));
}

#[test]
fn a_pod_that_was_deleted_is_told_by_when_its_container_ended() {
    let deletion = Deletion { asked: Time(1_790_000_000_000), last: false };
    let json = |finished: &str| {
        let text = r#"{"phase":"Failed","containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":3,"finishedAt":"AT"}}}]}"#;
        PodSeen { deleted: Some(deletion), ..pod(&text.replace("AT", finished)) }
    };
    assert_eq!(ended(&json("2026-09-21T14:13:19Z")), failed(3, "main"), "it had failed before");
    assert_eq!(ended(&json("2026-09-21T14:13:20Z")), PodOutcome::Deleted);
}

#[test]
fn a_pod_gone_while_it_ran_was_deleted_and_one_gone_after_its_end_was_not() {
    let running = pod(r#"{"phase":"Running","containerStatuses":[{"name":"main","state":{"running":{}}}]}"#);
    assert_eq!(progress(&running, "main"), Progress::Started);
    assert_eq!(outcome_when_gone(&running, "main"), PodOutcome::Deleted);
    let done = pod(r#"{"phase":"Succeeded"}"#);
    assert_eq!(outcome_when_gone(&done, "main"), PodOutcome::Succeeded { message: None });
    let drained = pod(
        r#"{"phase":"Pending","conditions":[{"type":"DisruptionTarget","status":"True","reason":"EvictionByEvictionAPI"}]}"#,
    );
    assert_eq!(outcome_when_gone(&drained, "main"), PodOutcome::Evicted { ran: false });
}

#[test]
fn an_image_may_be_missing_behind_an_init_container_that_has_ended() {
    let json = r#"{"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":0}}}],
        "containerStatuses":[{"name":"main","state":{"waiting":{"reason":"ImagePullBackOff","message":"no such image"}}}]}"#;
    let blocker = StartBlocker { kind: BlockerKind::Image, message: "ImagePullBackOff: no such image".to_owned() };
    assert_eq!(progress(&pod(json), "main"), Progress::Pending(Some(blocker)));
}

#[test]
fn the_reason_of_a_failed_pod_is_how_its_attempt_ended() {
    let json = |reason: &str, condition: &str, ran: bool| {
        let status = if ran { r#"{"terminated":{"exitCode":3}}"# } else { r#"{"waiting":{}}"# };
        let reason = if reason.is_empty() { String::new() } else { format!(r#""reason":"{reason}","#) };
        let target = format!(r#"{{"type":"DisruptionTarget","status":"True","reason":"{condition}"}}"#);
        let conditions = if condition.is_empty() { "" } else { target.as_str() };
        pod(&format!(
            r#"{{"phase":"Failed",{reason}"conditions":[{conditions}],"containerStatuses":[{{"name":"main","state":{status}}}]}}"#
        ))
    };
    for (reason, condition, ran, not_ran) in [
        ("", "", failed(3, "main"), PodOutcome::Lost),
        ("DeadlineExceeded", "", PodOutcome::Deadline, PodOutcome::Deadline),
        ("NodeLost", "", PodOutcome::Lost, PodOutcome::Lost),
        ("Preempting", "", PodOutcome::Preempted { ran: true }, PodOutcome::Preempted { ran: false }),
        ("Evicted", "", PodOutcome::Evicted { ran: true }, PodOutcome::Evicted { ran: false }),
        ("OutOfcpu", "", failed(3, "main"), PodOutcome::Rejected),
        ("", "PreemptionByScheduler", PodOutcome::Preempted { ran: true }, PodOutcome::Preempted { ran: false }),
        ("", "DeletionByPodGC", PodOutcome::Lost, PodOutcome::Lost),
        ("", "TerminationByKubelet", PodOutcome::Evicted { ran: true }, PodOutcome::Evicted { ran: false }),
        ("Terminated", "TerminationByKubelet", PodOutcome::Evicted { ran: true }, PodOutcome::Evicted { ran: false }),
        (
            "Preempting",
            "TerminationByKubelet",
            PodOutcome::Preempted { ran: true },
            PodOutcome::Preempted { ran: false },
        ),
    ] {
        assert_eq!(ended(&json(reason, condition, true)), ran, "{reason} {condition}, a container had run");
        assert_eq!(ended(&json(reason, condition, false)), not_ran, "{reason} {condition}, no container had run");
    }
}

#[test]
fn only_what_ran_costs() {
    assert_eq!(AttemptOutcome::from(PodOutcome::Evicted { ran: false }).cost(), Some(Cost::Free));
    assert_eq!(AttemptOutcome::from(PodOutcome::Evicted { ran: true }).cost(), Some(Cost::Infrastructure));
    assert_eq!(AttemptOutcome::from(failed(1, "main")).cost(), Some(Cost::Application));
    assert_eq!(AttemptOutcome::from(PodOutcome::Succeeded { message: None }).cost(), None);
}

#[test]
fn containers_of_every_kind_share_what_is_kept_of_a_message() {
    let json = r#"{"phase":"Succeeded","containerStatuses":[{"name":"side"},{"name":"main","state":{"terminated":{"message":"7"}}}],
        "initContainerStatuses":[{"name":"i"}],"ephemeralContainerStatuses":[{"name":"e","state":{}}]}"#;
    assert_eq!(
        ended(&pod(json)),
        PodOutcome::Succeeded { message: Some(Message { text: "7".to_owned(), limit: MessageLimit::of(4) }) }
    );
    let null = json.replace(r#"[{"name":"e","state":{}}]"#, "null");
    assert_eq!(
        ended(&pod(&null)),
        PodOutcome::Succeeded { message: Some(Message { text: "7".to_owned(), limit: MessageLimit::of(3) }) }
    );
}
