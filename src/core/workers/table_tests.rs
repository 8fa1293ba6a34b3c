use super::*;
use crate::core::workers::Silence;

const A: PodRole = PodRole::Worker(1);

fn request(session: &str, number: u64) -> Request {
    Request {
        session: session.to_owned(),
        number,
        epoch: 3,
        running: Vec::new(),
        stock: Vec::new(),
        ended: Vec::new(),
        begun: 0,
        state: State::Working,
    }
}

fn table() -> WorkerTable {
    let mut table = WorkerTable::new(3);
    table.add(Time(0), A, Holdings::None);
    table
}

fn grant(index: u32) -> Grant {
    let item = serde_json::value::RawValue::from_string("1".to_owned()).unwrap();
    Grant { id: AttemptId(index, 1), item, env: BTreeMap::new() }
}

/// A worker that has spoken and was granted an attempt, which it has not begun.
fn stocked() -> WorkerTable {
    let mut table = table();
    table.hear(Time(0), A, 1, request("s", 1)).unwrap();
    table.grant(A, Index(4), Attempt(1), grant(4), Company::Shared);
    table
}

/// The silent workers at this time, where everything up to this revision is written and the next change is the fifth.
fn silent(table: &mut WorkerTable, at: i64, written: u64) -> Vec<(PodRole, Silence)> {
    table.silent(Time(at), Revision(written), || Revision(5))
}

#[test]
fn a_new_request_releases_the_one_before() {
    let mut table = table();
    table.hear(Time(0), A, 7, request("s", 1)).unwrap();
    table.answer(Time(0), Revision(0), &BTreeSet::new());
    assert!(table.take_replies().is_empty(), "nothing to say");
    table.hear(Time(5), A, 8, request("s", 2)).unwrap();
    let replies = table.take_replies();
    assert_eq!(replies.iter().map(|reply| reply.ticket).collect::<Vec<_>>(), [7]);
    assert_eq!(table.hear(Time(6), A, 9, request("s", 2)).unwrap_err(), ExchangeRefusal::Superseded);
}

#[test]
fn a_request_is_kept_until_there_is_something_to_say_or_its_time_is_over() {
    let mut table = table();
    table.hear(Time(0), A, 1, request("s", 1)).unwrap();
    table.allot(2, 5);
    table.grant(A, Index(4), Attempt(1), grant(4), Company::Shared);
    table.answer(Time(1), Revision(0), &BTreeSet::new());
    let replies = table.take_replies();
    let answer = replies[0].clone().for_worker().unwrap();
    assert_eq!((answer.number, answer.epoch, answer.slots, answer.grants[0].id), (1, 3, 2, AttemptId(4, 1)));
    table.hear(Time(2), A, 2, request("s", 2)).unwrap();
    let until = table.next_wake().unwrap();
    assert!((8_000..=12_010).contains(&until.0), "{until:?}");
    table.answer(until, Revision(0), &BTreeSet::new());
    assert_eq!(table.take_replies().len(), 1);
}

#[test]
fn a_new_process_of_the_same_pod_takes_over_and_the_old_one_is_refused() {
    let mut table = table();
    table.hear(Time(0), A, 1, request("old", 1)).unwrap();
    table.grant(A, Index(4), Attempt(1), grant(4), Company::Shared);
    let report = table.hear(Time(1), A, 2, request("new", 1)).unwrap();
    assert_eq!(report.left, [(Index(4), Attempt(1))]);
    assert_eq!(table.hear(Time(2), A, 3, request("old", 2)).unwrap_err(), ExchangeRefusal::Superseded);
}

#[test]
fn a_third_of_the_workers_silent_together_is_a_fault_of_the_operators_side() {
    let mut table = WorkerTable::new(3);
    (1..=10).for_each(|number| table.add(Time(0), PodRole::Worker(number), Holdings::None));
    let speak = |table: &mut WorkerTable, from: u32, at: i64| {
        for number in from..=10 {
            let role = PodRole::Worker(number);
            table.hear(Time(at), role, u64::from(number), request("s", u64::try_from(at + 1).unwrap())).unwrap();
        }
    };
    speak(&mut table, 1, 0);
    speak(&mut table, 4, 299_000);
    assert_eq!(silent(&mut table, 300_000, 0).len(), 3);
    assert!(!table.is_cut_off(Time(300_000)), "three of ten");
    speak(&mut table, 5, 299_001);
    assert!(table.is_cut_off(Time(344_001)), "four of ten");
}

#[test]
fn workers_that_wait_for_a_node_or_an_image_are_not_cut_off() {
    let mut table = WorkerTable::new(3);
    (1..=3).for_each(|number| table.add(Time(0), PodRole::Worker(number), Holdings::None));
    assert_eq!(table.next_silence(), Some(Time(45_000)));
    assert_eq!(silent(&mut table, 45_000, 0), []);
    assert!(!table.is_cut_off(Time(46_000)));
    let silent = silent(&mut table, 301_000, 0);
    assert_eq!((silent, table.next_silence()), (Vec::new(), None), "nothing is due for ever");
    let role = PodRole::Worker(4);
    table.add(Time(0), role, Holdings::Unknown);
    assert_eq!(table.next_silence(), Some(Time(45_000)));
}

#[test]
fn the_stock_of_a_silent_worker_is_freed_once_and_a_lost_worker_is_reported_until_its_pod_is_gone() {
    let mut table = stocked();
    assert_eq!(silent(&mut table, 44_999, 5), []);
    assert_eq!(silent(&mut table, 45_000, 4), [], "another leader may answer it until the fifth change is written");
    assert_eq!(table.next_silence(), Some(Time(300_000)), "nothing happens before the answer to the write");
    assert_eq!(silent(&mut table, 45_001, 5), [(A, Silence::Stock)]);
    assert_eq!(table.take_stock(A), [(Index(4), Attempt(1))]);
    assert_eq!(silent(&mut table, 50_000, 5), []);
    assert_eq!(silent(&mut table, 300_000, 5), [(A, Silence::Lost)]);
    assert_eq!(silent(&mut table, 300_001, 5), [(A, Silence::Lost)]);
}

#[test]
fn a_worker_that_speaks_before_the_write_keeps_its_stock() {
    let mut table = stocked();
    assert_eq!(silent(&mut table, 45_000, 4), []);
    let stock = vec![AttemptId(4, 1)];
    let report = table.hear(Time(46_000), A, 2, Request { stock, ..request("s", 2) }).unwrap();
    assert_eq!(report, Report::default());
    assert_eq!(silent(&mut table, 46_001, 5), []);
    assert_eq!(silent(&mut table, 91_000, 4), [], "the silence that begins now takes a write of its own");
}

#[test]
fn slots_go_to_the_first_workers_first() {
    let mut table = WorkerTable::new(3);
    (1..=3).for_each(|number| table.add(Time(0), PodRole::Worker(number), Holdings::None));
    table.allot(4, 6);
    assert_eq!(table.iter().map(|(_, worker)| worker.slots()).collect::<Vec<_>>(), [4, 2, 0]);
    table.stop(PodRole::Worker(1), "idle");
    table.allot(4, 6);
    assert_eq!(table.iter().map(|(_, worker)| worker.slots()).collect::<Vec<_>>(), [4, 4, 2]);
}

#[test]
fn a_worker_that_does_not_know_the_leader_gets_its_epoch_and_then_says_everything() {
    let mut table = WorkerTable::new(3);
    table.add(Time(0), A, Holdings::Unknown);
    let running = vec![AttemptId(5, 1)];
    let report = table.hear(Time(0), A, 1, Request { epoch: 2, running: running.clone(), ..request("s", 8) }).unwrap();
    assert!(report == Report::default() && table.awaits_announcements());
    table.answer(Time(0), Revision(0), &BTreeSet::new());
    assert_eq!(table.take_replies().remove(0).for_worker().unwrap().epoch, 3);
    let report = table.hear(Time(1), A, 2, Request { running, ..request("s", 9) }).unwrap();
    assert_eq!((report.unknown.len(), table.awaits_announcements()), (1, false));
    let later = table.hear(Time(2), A, 3, Request { epoch: 4, ..request("s", 10) });
    assert_eq!(later.unwrap_err(), ExchangeRefusal::NotReady, "another leads by now");
}
