use super::*;
use crate::core::ids::{Attempt, Index};

fn queue(limits: Limits) -> Queue {
    Queue::new(&limits)
}

fn key(namespace: &str) -> TaskKey {
    TaskKey::new(namespace, "t")
}

fn pod(index: u32) -> PodRole {
    PodRole::Item(Index(index), Attempt::FIRST)
}

/// Why none may start while one item is in flight in the namespace and one in all: no limit of the operator is near.
fn denied(queue: &mut Queue, now: i64, task: &TaskKey) -> Option<Denial> {
    queue.advance(Time(now));
    queue.denies(Time(now), task, (1, 1))
}

fn begin(queue: &mut Queue, now: i64, task: &TaskKey, indexes: std::ops::Range<u32>) {
    indexes.for_each(|index| queue.begin(Time(now), (task, pod(index))));
}

#[test]
fn whatever_the_answer_to_a_create_is_it_makes_room_for_the_next() {
    type Answer = fn(&mut Queue, CreateId<'_>);
    let answers: [(&str, Answer); 5] = [
        ("created", |queue, id| queue.created(Time(0), id)),
        ("passed", |queue, id| queue.passed(Time(0), id)),
        ("failed", |queue, id| queue.failed(Time(0), id, "no")),
        ("throttled", |queue, id| queue.throttled(Time(0), id, None)),
        ("unanswered", |queue, id| assert!(!queue.unanswered(Time(0), id))),
    ];
    for (name, answer) in answers {
        let (mut queue, task) = (queue(Limits::DEFAULT), key("a"));
        begin(&mut queue, 0, &task, 0..4);
        assert_eq!(denied(&mut queue, 0, &task), Some(Denial::Busy), "{name}");
        (0..4).for_each(|index| answer(&mut queue, (&task, pod(index))));
        assert_eq!(queue.window.size_and_use().1, 0, "{name}");
        assert_eq!(denied(&mut queue, 1_000, &task), None, "{name}");
    }
}

#[test]
fn an_answer_that_tells_nothing_of_the_room_ends_a_probe_and_not_the_hold() {
    type Answer = fn(&mut Queue, CreateId<'_>);
    let answers: [Answer; 4] = [
        |queue, id| queue.passed(Time(1_000), id),
        |queue, id| queue.failed(Time(1_000), id, "no"),
        |queue, id| queue.throttled(Time(1_000), id, Some(0)),
        |queue, id| assert!(!queue.unanswered(Time(1_000), id)),
    ];
    for answer in answers {
        let (mut queue, task) = (queue(Limits::DEFAULT), key("a"));
        begin(&mut queue, 0, &task, 0..1);
        queue.quota(Time(0), (&task, pod(0)), "exceeded quota".to_owned());
        begin(&mut queue, 1_000, &task, 0..1);
        let full = Denial::Waiting(WaitingReason::Quota, Some("exceeded quota".to_owned()));
        assert_eq!(denied(&mut queue, 1_000, &task), Some(full), "one probe at a time");
        answer(&mut queue, (&task, pod(0)));
        assert_eq!((queue.held(), denied(&mut queue, 1_100, &task)), (1, None), "and then another");
    }
}

#[test]
fn a_namespace_is_held_until_enough_creates_have_found_room() {
    let (mut queue, task) = (queue(Limits::DEFAULT), key("a"));
    assert_eq!(queue.held(), 0);
    begin(&mut queue, 0, &task, 0..1);
    queue.quota(Time(0), (&task, pod(0)), "exceeded quota".to_owned());
    queue.room("another namespace");
    assert!(denied(&mut queue, 0, &task).is_some());
    queue.room("a");
    for step in 0..6 {
        assert_eq!((queue.held(), denied(&mut queue, 0, &task)), (1, None), "step {step}");
        begin(&mut queue, 0, &task, 0..1);
        queue.created(Time(0), (&task, pod(0)));
    }
    assert_eq!(queue.held(), 0);
}

#[test]
fn no_answer_is_a_tasks_own_trouble_only_if_another_was_served_since_the_create_went_out() {
    let (a, b, c) = (key("a"), key("b"), key("c"));
    for (served, sent, own_trouble) in [
        (vec![], 50, false),
        (vec![(&a, 100)], 50, false),
        (vec![(&b, 100)], 99, true),
        (vec![(&b, 100)], 100, false),
        (vec![(&b, 100)], 101, false),
        // Its own successes do not hide those of others, whatever their order.
        (vec![(&b, 100), (&a, 200)], 50, true),
        (vec![(&b, 100), (&a, 200), (&a, 300)], 50, true),
        (vec![(&b, 100), (&c, 200), (&a, 300)], 150, true),
        (vec![(&b, 100), (&a, 200), (&a, 300)], 150, false),
    ] {
        let mut queue = queue(Limits::DEFAULT);
        for (task, time) in &served {
            begin(&mut queue, *time, task, 7..8);
            queue.created(Time(*time), (task, pod(7)));
        }
        begin(&mut queue, sent, &a, 0..1);
        let size = queue.window.size();
        assert_eq!(queue.unanswered(Time(400), (&a, pod(0))), own_trouble, "{served:?} {sent}");
        assert_eq!(queue.window.size() < size, !own_trouble, "{served:?} {sent}: else it is load");
    }
}

#[test]
fn the_next_wake_is_when_a_pause_a_hold_or_the_pace_lets_another_start() {
    let task = key("a");
    let mut paused = queue(Limits::DEFAULT);
    begin(&mut paused, 0, &task, 0..1);
    paused.throttled(Time(0), (&task, pod(0)), Some(700));
    assert_eq!(denied(&mut paused, 699, &task), Some(Denial::Waiting(WaitingReason::Throttled, None)));
    assert_eq!(paused.next_wake(Time(699)), Some(Time(700)));
    assert_eq!((paused.next_wake(Time(700)), denied(&mut paused, 700, &task)), (None, None));

    let mut held = queue(Limits::DEFAULT);
    begin(&mut held, 0, &task, 0..1);
    held.quota(Time(0), (&task, pod(0)), "exceeded quota".to_owned());
    assert_eq!((held.next_wake(Time(0)), held.next_wake(Time(1_000))), (Some(Time(1_000)), Some(Time(60_000))));
    held.advance(Time(59_999));
    assert_eq!(held.held(), 1);
    held.advance(Time(60_000));
    assert_eq!((held.held(), held.next_wake(Time(60_000))), (0, None), "it ends if nothing more is refused");

    let mut paced = queue(Limits { pods_per_second: Some(1), ..Limits::DEFAULT });
    begin(&mut paced, 10_000, &task, 0..1);
    assert!(matches!(denied(&mut paced, 11_000, &task), Some(Denial::Waiting(WaitingReason::OperatorLimit, _))));
    paced.created(Time(10_000), (&task, pod(0)));
    assert_eq!((paced.next_wake(Time(10_000)), denied(&mut paced, 11_001, &task)), (Some(Time(11_001)), None));

    let mut failing = queue(Limits::DEFAULT);
    begin(&mut failing, 0, &task, 0..3);
    (0..3).for_each(|index| failing.failed(Time(0), (&task, pod(index)), "no"));
    assert_eq!((failing.next_wake(Time(0)), failing.failing()), (Some(Time(1_000)), 1));
}
