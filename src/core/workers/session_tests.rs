use maptask_exchange::{Outcome, State};

use super::*;

fn request(number: u64) -> Request {
    Request {
        session: "s".to_owned(),
        number,
        epoch: 0,
        running: Vec::new(),
        stock: Vec::new(),
        ended: Vec::new(),
        begun: 0,
        state: State::Working,
    }
}

fn end(sequence: u64, index: u32) -> End {
    End { sequence, id: AttemptId(index, 1), micros: 1, outcome: Outcome::Succeeded { result: None } }
}

#[test]
fn grants_of_an_answer_that_never_arrived_are_free_again_at_the_next_exchange() {
    let mut session = Session::new("s");
    session.hear(request(1));
    (0..3).for_each(|index| session.grant(Index(index), Attempt(1)));
    let report = session.hear(Request { running: vec![AttemptId(1, 1)], ..request(2) });
    assert_eq!(report.began, [(Index(1), Attempt(1))]);
    assert_eq!(report.freed, [(Index(0), Attempt(1)), (Index(2), Attempt(1))]);
    assert_eq!((session.holds(), session.running()), (1, 1));
}

#[test]
fn an_end_counts_once_however_often_it_is_reported() {
    let mut session = Session::new("s");
    session.hear(request(1));
    session.grant(Index(5), Attempt(1));
    let ended = vec![end(1, 5)];
    assert_eq!(session.hear(Request { ended: ended.clone(), ..request(2) }).ended, ended);
    assert_eq!(session.hear(Request { ended, ..request(3) }), Report::default());
    assert_eq!(session.holds(), 0);
}

#[test]
fn an_end_is_acknowledged_once_it_is_recorded() {
    let mut session = Session::new("s");
    session.hear(Request { ended: vec![end(1, 5)], ..request(1) });
    session.recorded_with(Revision(7));
    session.hear(Request { ended: vec![end(2, 6)], ..request(2) });
    session.recorded_with(Revision(8));
    assert_eq!((session.news(Revision(6)), session.acknowledge(Revision(6))), (None, 0));
    assert_eq!((session.news(Revision(7)), session.acknowledge(Revision(7))), (Some(1), 1));
    assert_eq!((session.news(Revision(7)), session.is_acknowledged()), (None, false));
    assert_eq!((session.acknowledge(Revision(8)), session.is_acknowledged()), (2, true));
}

#[test]
fn grants_of_a_former_leader_are_unknown_until_workers_report_them() {
    let mut session = Session::new("s");
    let said = Request { running: vec![AttemptId(3, 2)], stock: vec![AttemptId(4, 1)], ..request(9) };
    let unknown = [(Index(3), Attempt(2), true), (Index(4), Attempt(1), false)];
    assert_eq!(session.hear(said.clone()).unknown, unknown);
    session.adopt(Index(3), Attempt(2), true);
    let again = session.hear(Request { number: 10, ..said });
    assert_eq!(again.unknown, unknown[1..], "said again until it is adopted or given up");
    assert_eq!(session.take_all(), [(Index(3), Attempt(2), true)]);
}

#[test]
fn only_stock_is_recalled_and_each_item_once() {
    let mut session = Session::new("s");
    session.hear(request(1));
    (0..4).for_each(|index| session.grant(Index(index), Attempt(1)));
    let ids = |range: std::ops::Range<u32>| range.map(|index| AttemptId(index, 1)).collect::<Vec<_>>();
    session.hear(Request { running: ids(0..1), stock: ids(1..4), ..request(2) });
    assert_eq!(session.recall(2), [AttemptId(3, 1), AttemptId(2, 1)]);
    assert_eq!(session.recall(9), [AttemptId(1, 1)]);
    assert_eq!(session.recall(9), []);
    assert_eq!(session.take_stock().len(), 3);
    assert_eq!(session.running(), 1);
}
