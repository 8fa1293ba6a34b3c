//! The life of a task whose list a pod computes, as the plans that the fleet makes.

use serde_json::{Value, json};

use super::story::{LIMITS, Story, key, lines, pod_of, running, with};
use crate::api::TaskPhase;
use crate::api::status::{ReducePhase, WaitingReason};
use crate::core::exchange_address::ExchangeAddress;
use crate::core::ids::{Attempt, PodRole};
use crate::core::items::{ExternalSource, Part, digest, hash_of_digests};
use crate::core::limits::ListMemory;
use crate::core::pod::{PodSeen, PodStatus};
use crate::core::port::{Event, FetchOutcome, ListEnd, ListPart, Listed, PodId};

const PIECES: [&[u8]; 2] = [b"a\nb\n", b"c\n"];

fn story(extra: &Value) -> Story {
    let command = json!(["list"]);
    let container = json!({ "name": "main", "image": "l", "command": command });
    let pod = with(json!({ "template": { "spec": { "containers": [container] } } }), extra);
    let mut story = Story::new(LIMITS, &json!({ "items": { "pod": pod }, "retryPolicy": { "backoffSeconds": 0 } }));
    let ca_pem = String::new();
    let address = ExchangeAddress { url: "https://e".to_owned(), server_name: "e".to_owned(), ca_pem };
    story.fleet.set_exchange(Some(address));
    story
}

fn id(attempt: u32) -> PodId {
    PodId { key: key(), role: PodRole::List(Attempt(attempt)) }
}

fn says(story: &mut Story, ticket: u64, attempt: u32, part: ListPart) {
    let pod_uid = id(attempt).role.to_string();
    let listed = Listed { ticket, namespace: "ns".into(), pod: id(attempt).pod_name(), pod_uid, part };
    story.fleet.handle_event(story.now, Event::Listed(Box::new(listed)));
}

fn piece(number: u32) -> ListPart {
    let bytes = PIECES[number as usize];
    ListPart::Piece { number, digest: digest(bytes), data: "".into() }
}

fn end() -> ListPart {
    let hash = hash_of_digests(&PIECES.map(digest));
    ListPart::End(ListEnd { pieces: 2, items: 3, bytes: 6, hash })
}

fn runs(story: &mut Story, attempt: u32) {
    let status: PodStatus = serde_json::from_value(running()).unwrap();
    story.fleet.handle_pod(story.now, PodSeen { version: 2, ..pod_of(&id(attempt), "u", status) });
}

fn ends(story: &mut Story, attempt: u32, exit_code: i32) {
    story.fleet.handle_pod(story.now, Story::ended_pod(&id(attempt), exit_code));
}

/// One whose first pod runs.
fn listing(extra: &Value) -> Story {
    let mut story = story(extra);
    assert_eq!(story.plan(0), ["check ns/t"]);
    assert_eq!(story.plan(0), ["write ns/t Listing 0/? running 0 failed 0"]);
    assert_eq!(story.plan(0), ["create ns/t-list-1"]);
    runs(&mut story, 1);
    story.plan(1_000);
    story
}

fn fetched(story: &mut Story) {
    let pod = story.task.spec.items.pod.as_mut().unwrap();
    pod.stored = story.written.as_ref().unwrap().status.listing.as_ref().unwrap().list.clone();
    let source = ExternalSource::of(&story.task.spec.items).unwrap();
    let list = source.read(&PIECES.map(|bytes| Part::new("p", bytes))).unwrap();
    story.fleet.handle_fetched(story.now, &key(), "u", FetchOutcome::Found(list));
}

#[test]
fn a_list_is_stored_piece_by_piece_and_mapped_once_it_is_recorded() {
    let mut story = listing(&json!({}));
    says(&mut story, 1, 1, piece(1));
    assert_eq!(story.plan(0), ["answer 1 with 0 pieces stored"], "the first is missing");
    says(&mut story, 2, 1, piece(0));
    assert_eq!(story.plan(0), ["store piece 0 of the list of ns/t in attempt 1"]);
    assert_eq!(story.plan(0), ["answer 2 with 1 pieces stored"]);
    says(&mut story, 3, 1, end());
    assert_eq!(story.plan(0), ["answer 3 with 1 pieces stored"], "not whole");
    says(&mut story, 4, 1, piece(1));
    story.plan(0);
    says(&mut story, 5, 1, end());
    let plan = story.plan(0);
    assert!(lines(&plan, "create").is_empty() && lines(&plan, "fetch").is_empty(), "{plan:?}");
    assert_eq!(lines(&plan, "write"), ["write ns/t Listing 0/? running 0 failed 0"]);
    let list = story.status().listing.as_ref().unwrap().list.clone().unwrap();
    assert_eq!((list.pieces, list.items, list.config_map_prefix.as_str()), (2, 3, "t-items-1-"));
    let plan = story.plan(0);
    assert_eq!(lines(&plan, "answer"), ["answer 5 with 2 pieces stored, the whole list"]);
    assert_eq!(lines(&plan, "emit event"), ["emit event ns/t Listed: attempt 1 of spec.items.pod has listed 3 items"]);
    ends(&mut story, 1, 0);
    assert_eq!(lines(&story.plan(0), "fetch"), [] as [&str; 0], "not before its end is dealt with");
    let plan = story.plan(0);
    assert_eq!(lines(&plan, "fetch"), ["fetch list of attempt 1 of spec.items.pod for ns/t"]);
    fetched(&mut story);
    assert_eq!(lines(&story.plan(0), "check"), ["check ns/t"]);
    story.plan(1_000);
    assert_eq!(lines(&story.plan(0), "create"), ["create ns/t-0-1", "create ns/t-1-1", "create ns/t-2-1"]);
    says(&mut story, 6, 1, end());
    assert_eq!(lines(&story.plan(0), "answer"), ["answer 6 with 2 pieces stored, the whole list"], "it was lost");
}

#[test]
fn a_pod_that_fails_or_ends_without_a_list_is_tried_again_and_then_fails_the_task() {
    let mut story = listing(&json!({ "retries": 1 }));
    ends(&mut story, 1, 0);
    story.plan(1_000);
    assert_eq!(lines(&story.plan(1_000), "create"), ["create ns/t-list-2"]);
    runs(&mut story, 2);
    story.plan(1_000);
    says(&mut story, 1, 1, piece(0));
    assert_eq!(story.plan(0), ["refuse 1: NotAWorker"], "another attempt has begun");
    says(&mut story, 2, 2, piece(0));
    story.plan(0);
    ends(&mut story, 2, 3);
    story.plan(1_000);
    let status = story.status().clone();
    assert_eq!((status.phase, status.reason.as_deref()), (Some(TaskPhase::Failed), Some("ItemsPodFailed")));
    let message = status.message.unwrap();
    assert!(message.contains("in attempt 2") && message.contains("had arrived whole"), "{message}");
    assert_eq!(status.listing.unwrap().phase, ReducePhase::Failed);
    // A rerun computes the list again.
    story.edit(|task| task.spec.rerun = serde_json::from_value(json!({ "id": "1", "items": "All" })).unwrap());
    for _ in 0..4 {
        story.plan(1_000);
    }
    assert_eq!(story.phase(), TaskPhase::Listing);
    assert_eq!(story.status().listing.as_ref().unwrap().attempt, 3);
}

#[test]
fn a_list_that_is_recorded_counts_whatever_becomes_of_its_pod() {
    for restarts in [false, true] {
        let mut story = listing(&json!({}));
        for (ticket, part) in (1..).zip([piece(0), piece(1), end()]) {
            says(&mut story, ticket, 1, part);
            story.plan(0);
        }
        story.plan(1_000);
        if restarts {
            story.restart([]);
            let plan = story.plan(0);
            assert_eq!(lines(&plan, "get"), ["get ns/t-list-1"], "{plan:?}");
            story.fleet.handle_got_pod(story.now, &id(1), "u", crate::core::port::GetPodOutcome::NotFound);
        } else {
            ends(&mut story, 1, 137);
        }
        story.plan(1_000);
        let plan = [story.plan(1_000), story.plan(0)].concat();
        assert_eq!(lines(&plan, "create"), [] as [&str; 0], "{plan:?}");
        assert_eq!(lines(&plan, "fetch").len(), 1, "{plan:?}");
        assert_eq!(story.status().listing.as_ref().unwrap().phase, ReducePhase::Succeeded);
    }
}

/// Another operator begins, which finds these pods.
fn restart(story: &mut Story, pods: Vec<PodSeen>) {
    story.restart(pods);
    let (url, server_name) = ("https://e".to_owned(), "e".to_owned());
    story.fleet.set_exchange(Some(ExchangeAddress { url, server_name, ca_pem: String::new() }));
}

#[test]
fn a_template_that_was_changed_over_a_restart_while_the_list_was_computed_waits_until_it_is_put_back() {
    let edit = |story: &mut Story, policy: Value| {
        story.edit(|task| task.spec.template["spec"]["restartPolicy"] = policy);
    };
    for ends_before in [false, true] {
        let mut story = listing(&json!({}));
        let accepted = story.status().template_hash.clone();
        assert!(accepted.is_some());
        // It would be refused.
        edit(&mut story, json!("Always"));
        let status: PodStatus = serde_json::from_value(running()).unwrap();
        restart(&mut story, vec![PodSeen { version: 2, ..pod_of(&id(1), "u", status) }]);
        for (ticket, part) in (1..).zip([piece(0), piece(1), end()]) {
            says(&mut story, ticket, 1, part);
            story.plan(0);
        }
        ends(&mut story, 1, 0);
        if ends_before {
            story.plan(1_000);
            restart(&mut story, vec![Story::ended_pod(&id(1), 0)]);
        }
        let plan = [story.plan(1_000), story.plan(100_000)].concat();
        assert_eq!(lines(&plan, "fetch"), [] as [&str; 0], "{plan:?}");
        let waiting = story.status().waiting.as_ref().map(|waiting| waiting.reason);
        assert_eq!(waiting, Some(WaitingReason::TemplateChanged), "{plan:?}");
        edit(&mut story, Value::Null);
        let plan = [story.plan(1_000), story.plan(1_000)].concat();
        assert_eq!(lines(&plan, "fetch").len(), 1, "{plan:?}");
        fetched(&mut story);
        let plan = [story.plan(1_000), story.plan(1_000), story.plan(80_000), story.plan(1_000)].concat();
        assert_eq!(lines(&plan, "create").len(), 3, "{plan:?}");
        assert_eq!(story.status().template_hash, accepted, "made from the template and not from its stand-in");
    }
}

#[test]
fn an_operator_that_has_just_begun_asks_for_the_pieces_again() {
    let mut story = listing(&json!({}));
    says(&mut story, 1, 1, piece(0));
    story.plan(0);
    story.plan(1_000);
    let status: PodStatus = serde_json::from_value(running()).unwrap();
    story.restart([PodSeen { version: 2, ..pod_of(&id(1), "u", status) }]);
    says(&mut story, 2, 1, piece(1));
    assert_eq!(lines(&story.plan(0), "answer"), ["answer 2 with 0 pieces stored"]);
    says(&mut story, 3, 1, piece(0));
    assert_eq!(lines(&story.plan(0), "store").len(), 1);
}

#[test]
fn a_listing_is_cancelled_suspended_and_ended_by_its_deadline() {
    let mut story = listing(&json!({}));
    story.edit(|task| task.spec.cancel = true);
    assert_eq!(lines(&story.plan(0), "stop"), ["stop ns/t-list-1"]);
    ends(&mut story, 1, 143);
    story.plan(1_000);
    assert_eq!(story.status().reason.as_deref(), Some("Cancelled"));

    let mut story = listing(&json!({ "activeDeadlineSeconds": 60 }));
    story.plan(58_000);
    assert_eq!(lines(&story.plan(2_000), "stop"), ["stop ns/t-list-1"]);
    ends(&mut story, 1, 143);
    story.plan(1_000);
    let status = story.status();
    assert_eq!(status.reason.as_deref(), Some("DeadlineExceeded"), "{status:?}");
    assert!(status.message.as_deref().unwrap().contains("spec.items.pod.activeDeadlineSeconds"));

    let mut story = listing(&json!({}));
    story.edit(|task| {
        task.spec.suspend = true;
        task.spec.suspend_policy = crate::api::spec::SuspendPolicy::Stop;
    });
    story.plan(1_000);
    assert_eq!(story.phase(), TaskPhase::Suspended);
    let plan = [story.plan(0), story.plan(1_000)].concat();
    assert_eq!(lines(&plan, "stop"), ["stop ns/t-list-1"]);
}

#[test]
fn time_in_suspension_does_not_count_for_the_deadline_of_a_listing() {
    for restarted in [false, true] {
        let mut story = story(&json!({ "activeDeadlineSeconds": 60 }));
        story.plan(0);
        story.plan(0);
        story.edit(|task| task.spec.suspend = true);
        let plan = [story.plan(1_000), story.plan(7_200_000)].concat();
        assert!(lines(&plan, "create").is_empty(), "{plan:?}");
        story.edit(|task| task.spec.suspend = false);
        if restarted {
            restart(&mut story, Vec::new());
        }
        let plan = [story.plan(100), story.plan(1_000), story.plan(80_000)].concat();
        assert!(!plan.iter().any(|line| line.contains("Failed")), "{plan:?}");
        assert_eq!(lines(&plan, "create"), ["create ns/t-list-1"], "{plan:?}");
    }
}

#[test]
fn a_pod_without_a_command_and_a_template_of_the_items_that_is_wrong_are_refused_before_anything_runs() {
    let pod = json!({ "template": { "spec": { "containers": [{ "name": "main", "image": "l" }] } } });
    let mut story = Story::new(LIMITS, &json!({ "items": { "pod": pod } }));
    story.plan(0);
    let message = story.status().message.clone().unwrap();
    assert!(message.contains("container \"main\" of spec.items.pod.template has no command"), "{message}");
    let mut story = self::story(&json!({}));
    story.task.spec.template = json!({ "spec": { "restartPolicy": "Always", "containers": [{ "name": "m" }] } });
    let task = story.task.clone();
    let mut fresh = Story::new(LIMITS, &serde_json::to_value(&task.spec).unwrap());
    fresh.plan(0);
    assert_eq!(fresh.status().reason.as_deref(), Some("InvalidTemplate"));
}

#[test]
fn an_empty_list_succeeds_with_nothing() {
    let mut story = listing(&json!({}));
    let none = ListEnd { pieces: 0, items: 0, bytes: 0, hash: hash_of_digests(&[]) };
    says(&mut story, 1, 1, ListPart::End(none));
    story.plan(0);
    story.plan(0);
    ends(&mut story, 1, 0);
    story.plan(1_000);
    story.plan(0);
    let pod = story.task.spec.items.pod.as_mut().unwrap();
    pod.stored = story.written.as_ref().unwrap().status.listing.as_ref().unwrap().list.clone();
    let list = ExternalSource::of(&story.task.spec.items).unwrap().read(&[]).unwrap();
    story.fleet.handle_fetched(story.now, &key(), "u", FetchOutcome::Found(list));
    story.plan(1_000);
    assert_eq!((story.phase(), story.status().items), (TaskPhase::Succeeded, Some(0)));
}

#[test]
fn a_pod_that_runs_and_is_not_heard_is_reported_until_it_is() {
    let mut story = listing(&json!({}));
    assert!(story.plan(30_000).iter().all(|line| !line.contains("waiting")), "it may be slow");
    says(&mut story, 1, 1, ListPart::Running);
    assert_eq!(lines(&story.plan(0), "answer"), ["answer 1 with 0 pieces stored"]);
    assert!(story.plan(44_000).iter().all(|line| !line.contains("waiting")), "its command runs");
    assert_eq!(story.fleet.next_wake(story.now), Some(story.now.plus_millis(1_000)));
    let plan = [story.plan(1_000), story.plan(10)].concat();
    assert!(lines(&plan, "emit event")[0].contains("no request from running pod t-list-1"), "{plan:?}");
    let waiting = story.status().waiting.as_ref().unwrap();
    assert_eq!(waiting.reason, WaitingReason::WorkersUnreachable);
    says(&mut story, 2, 1, ListPart::Running);
    story.plan(1_000);
    story.plan(1_000);
    assert_eq!(story.status().waiting, None);
}

#[test]
fn a_list_of_a_pod_is_not_even_read_without_room() {
    let mut story = listing(&json!({}));
    let list = |bytes: u64| ListMemory { taken: 0, most: 10 << 20 }.problem(bytes);
    assert_eq!(list(10 << 20), None);
    assert!(list((10 << 20) + 1).is_some_and(|words| words.starts_with("listMegabytes of the operator is 10, ")));
    says(&mut story, 1, 1, piece(0));
    story.plan(0);
    says(&mut story, 2, 1, piece(1));
    story.plan(0);
    let ListPart::End(end) = end() else { return };
    says(&mut story, 3, 1, ListPart::End(ListEnd { bytes: 200 << 20, ..end }));
    story.plan(0);
    story.plan(0);
    ends(&mut story, 1, 0);
    story.plan(0);
    assert_eq!(lines(&story.plan(0), "fetch"), [] as [&str; 0]);
    story.plan(1_000);
    let waiting = story.status().waiting.as_ref().unwrap();
    assert_eq!(waiting.reason, WaitingReason::OperatorLimit);
    assert!(waiting.message.as_ref().is_some_and(|words| words.contains("the list takes 200.0 MB")), "{waiting:?}");
}

#[test]
fn each_attempt_stores_under_names_of_its_own_and_a_list_that_was_changed_since_is_not_mapped() {
    let mut story = listing(&json!({ "retries": 1 }));
    ends(&mut story, 1, 3);
    while lines(&story.plan(1_000), "create").is_empty() {}
    runs(&mut story, 2);
    story.plan(1_000);
    for (ticket, part) in [(1, piece(0)), (2, piece(1)), (3, end())] {
        says(&mut story, ticket, 2, part);
        story.plan(0);
    }
    let list = story.status().listing.as_ref().unwrap().list.clone().unwrap();
    assert_eq!((list.attempt, list.config_map_prefix.as_str()), (2, "t-items-2-"), "no late write mixes two lists");
    ends(&mut story, 2, 0);
    while lines(&story.plan(1_000), "fetch").is_empty() {}
    story.task.spec.items.pod.as_mut().unwrap().stored = Some(list);
    let source = ExternalSource::of(&story.task.spec.items).unwrap();
    let changed = source.read(&[Part::new("p", *b"a\nx\n"), Part::new("p", *b"c\n")]).unwrap();
    story.fleet.handle_fetched(story.now, &key(), "u", FetchOutcome::Found(changed));
    let plan = [story.plan(0), story.plan(1_000)].concat();
    assert!(lines(&plan, "check").is_empty(), "{plan:?}");
    assert_eq!(story.status().waiting.as_ref().map(|waiting| waiting.reason), Some(WaitingReason::ItemsChanged));
}
