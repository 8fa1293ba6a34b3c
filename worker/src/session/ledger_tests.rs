use std::collections::BTreeMap;
use std::time::Duration;

use maptask_exchange::{
    Answer, AttemptId, Grant, Leaving, MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES, MAX_UNACKNOWLEDGED_BYTES, Outcome, State,
};
use serde_json::value::RawValue;

use super::{Effects, Ledger, Taken};

const SECOND: Duration = Duration::from_secs(1);

fn ledger() -> Ledger {
    Ledger::new("00c0ffee00c0ffee".to_owned(), 1, 1, 1)
}

fn grants(count: u32) -> Vec<Grant> {
    let item = || RawValue::from_string("1".to_owned()).unwrap();
    (0..count).map(|index| Grant { id: AttemptId(index, 1), item: item(), env: BTreeMap::new() }).collect()
}

fn answer(number: u64, grants: Vec<Grant>) -> Answer {
    Answer { number, epoch: 1, slots: 1, grants, ..Answer::default() }
}

fn taken(ledger: &mut Ledger, at: Duration, grants: Vec<Grant>) {
    let number = ledger.request(at).number;
    assert!(matches!(ledger.take(answer(number, grants)), Taken::Newest(_)));
}

#[test]
fn a_worker_thawed_after_10_minutes_begins_nothing_before_its_next_answer() {
    let mut ledger = ledger();
    taken(&mut ledger, 10 * SECOND, grants(3));
    // A request is on its way when the machine freezes.
    ledger.request(20 * SECOND);
    assert!(ledger.may_begin(39 * SECOND));
    assert!(!ledger.may_begin(40 * SECOND) && ledger.begin(620 * SECOND).is_none());
    // Its answer was given before the machine froze, and says nothing of what was granted elsewhere since.
    assert!(matches!(ledger.take(answer(2, Vec::new())), Taken::Newest(_)));
    assert!(ledger.begin(620 * SECOND).is_none());
    taken(&mut ledger, 621 * SECOND, Vec::new());
    assert_eq!(ledger.begin(621 * SECOND).unwrap().id, AttemptId(0, 1));
}

#[test]
fn grants_of_an_answer_that_was_renounced_are_not_taken() {
    let mut ledger = ledger();
    taken(&mut ledger, SECOND, Vec::new());
    ledger.request(2 * SECOND);
    ledger.request(3 * SECOND);
    assert_eq!(ledger.take(answer(2, grants(2))), Taken::Late { granted: true });
    assert_eq!(ledger.stock(), 0);
    assert_eq!(ledger.take(answer(2, grants(2))), Taken::Ignored);
    assert_eq!(ledger.take(answer(3, grants(2))), Taken::Newest(Effects::default()));
    assert_eq!(ledger.stock(), 2);
    // The same grant twice is one.
    taken(&mut ledger, 4 * SECOND, grants(2));
    assert_eq!(ledger.stock(), 2);
}

#[test]
fn a_request_that_failed_is_no_lease_and_its_ends_are_said_again() {
    let mut ledger = ledger();
    taken(&mut ledger, SECOND, grants(1));
    let id = ledger.begin(2 * SECOND).unwrap().id;
    ledger.ended(id, 5, Outcome::Stopped);
    assert_eq!(ledger.request(3 * SECOND).ended.len(), 1);
    ledger.failed(2);
    assert_eq!(ledger.request(4 * SECOND).ended.len(), 1);
    assert_eq!(ledger.take(answer(3, Vec::new())), Taken::Newest(Effects::default()));
    // Received is not recorded: it is kept for the next leader.
    assert_eq!(ledger.request(5 * SECOND).ended.len(), 0);
    assert_eq!(
        ledger.take(Answer { epoch: 2, ..answer(4, Vec::new()) }),
        Taken::Newest(Effects { news: true, kill: vec![] })
    );
    let request = ledger.request(6 * SECOND);
    assert_eq!((request.epoch, request.ended.len()), (2, 1));
    assert_eq!(ledger.take(answer(5, Vec::new())), Taken::Ignored, "an answer of a lower epoch");
    ledger.request(7 * SECOND);
    ledger.take(Answer { epoch: 2, acknowledged: 1, ..answer(6, Vec::new()) });
    assert!(ledger.is_settled());
}

#[test]
fn above_the_bound_of_unacknowledged_bytes_nothing_new_begins_and_nothing_is_dropped() {
    let mut ledger = ledger();
    taken(&mut ledger, SECOND, grants(400));
    let mut ended = 0;
    while let Some(grant) = ledger.begin(2 * SECOND) {
        ledger.ended(grant.id, 1, Outcome::Succeeded { result: Some("x".repeat(60_000)) });
        ended += 1;
    }
    assert_eq!(ended, MAX_UNACKNOWLEDGED_BYTES / 60_000 + 1);
    assert_eq!(ledger.stock(), 400 - ended);
    // What does not fit into one request follows with the next.
    let mut said = 0;
    while said < ended {
        let request = ledger.request(3 * SECOND);
        assert!(serde_json::to_vec(&request).unwrap().len() <= MAX_REQUEST_BYTES);
        assert_eq!(request.ended[0].sequence, said as u64 + 1);
        said += request.ended.len();
        let taken = ledger.take(answer(request.number, Vec::new()));
        assert_eq!(taken, Taken::Newest(Effects { news: said < ended, kill: vec![] }));
    }
    let number = ledger.request(4 * SECOND).number;
    ledger.take(Answer { acknowledged: ended as u64, ..answer(number, Vec::new()) });
    assert!(ledger.may_begin(5 * SECOND));
}

#[test]
fn a_worker_that_leaves_holds_no_stock_and_takes_none() {
    let mut ledger = ledger();
    taken(&mut ledger, SECOND, grants(3));
    let id = ledger.begin(SECOND).unwrap().id;
    ledger.could_not_start(id, "no process is left".to_owned());
    assert_eq!((ledger.stock(), ledger.running().len(), ledger.begun()), (0, 0, 0));
    taken(&mut ledger, 2 * SECOND, grants(3));
    assert!(ledger.is_settled() && ledger.has_said_farewell());
    assert!(matches!(ledger.state(), State::Leaving { reason: Leaving::CannotStart, .. }));
}

#[test]
fn a_program_that_no_answer_has_confirmed_is_killed_before_its_item_can_be_granted_elsewhere() {
    let mut ledger = ledger();
    taken(&mut ledger, SECOND, grants(2));
    let first = ledger.begin(2 * SECOND).unwrap().id;
    let number = ledger.request(3 * SECOND).number;
    ledger.take(Answer { slots: 2, ..answer(number, Vec::new()) });
    let second = ledger.begin(4 * SECOND).unwrap().id;
    ledger.request(5 * SECOND);
    ledger.failed(3);
    assert_eq!(ledger.take_unconfirmed(35 * SECOND), []);
    assert_eq!(ledger.take_unconfirmed(36 * SECOND), [second], "what an answer has confirmed runs on");
    assert_eq!(ledger.take_unconfirmed(37 * SECOND), []);
    ledger.ended(second, 1, Outcome::Stopped);
    ledger.ended(first, 1, Outcome::Stopped);
    assert_eq!(ledger.request(38 * SECOND).ended.len(), 1, "its end is nobody's");
}

#[test]
fn after_another_leader_is_heard_nothing_begins_before_its_next_answer() {
    let mut ledger = ledger();
    taken(&mut ledger, SECOND, grants(2));
    let number = ledger.request(2 * SECOND).number;
    ledger.take(Answer { epoch: 2, ..answer(number, Vec::new()) });
    assert!(ledger.begin(2 * SECOND).is_none());
    let number = ledger.request(3 * SECOND).number;
    ledger.take(Answer { epoch: 2, revoked: vec![AttemptId(0, 1)], ..answer(number, Vec::new()) });
    assert_eq!(ledger.begin(3 * SECOND).unwrap().id, AttemptId(1, 1));
}

#[test]
fn a_request_that_was_too_large_for_a_proxy_is_followed_by_smaller_ones() {
    let mut ledger = ledger();
    taken(&mut ledger, SECOND, grants(9));
    while let Some(grant) = ledger.begin(SECOND) {
        ledger.ended(grant.id, 1, Outcome::Succeeded { result: None });
    }
    let mut sizes = Vec::new();
    for _ in 0..5 {
        let request = ledger.request(2 * SECOND);
        assert_eq!(request.ended[0].sequence, 1);
        sizes.push(request.ended.len());
        ledger.failed(request.number);
        ledger.was_too_large();
    }
    assert_eq!(sizes, [9, 4, 2, 1, 1]);
    // The rest follows at once.
    let number = ledger.request(3 * SECOND).number;
    assert_eq!(ledger.take(answer(number, Vec::new())), Taken::Newest(Effects { news: true, kill: vec![] }));
    assert_eq!(ledger.request(4 * SECOND).ended[0].sequence, 2);
}

#[test]
fn a_request_with_the_longest_message_and_all_ends_that_fit_is_within_the_limit() {
    let mut ledger = ledger();
    taken(&mut ledger, SECOND, grants(5_000));
    while let Some(grant) = ledger.begin(SECOND) {
        ledger.ended(grant.id, 1, Outcome::Succeeded { result: Some("x".repeat(1_000)) });
    }
    // A control character takes six bytes of JSON.
    ledger.leave(Leaving::Terminated, "\u{1}".repeat(MAX_MESSAGE_BYTES));
    let request = ledger.request(2 * SECOND);
    let size = serde_json::to_vec(&request).unwrap().len();
    assert!(request.ended.len() < 5_000 && size <= MAX_REQUEST_BYTES, "{size}");
}
