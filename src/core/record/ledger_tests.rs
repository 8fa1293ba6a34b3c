use super::*;

fn status(phases: &str) -> MapTaskStatus {
    MapTaskStatus { phases: Some(phases.to_owned()), ..MapTaskStatus::default() }
}

#[test]
fn only_one_write_is_in_flight_and_they_keep_their_distance() {
    let mut ledger = Ledger::new(1, None);
    assert_eq!(ledger.due(), None);
    let first = ledger.change();
    assert!(ledger.due().unwrap() <= Time(0));
    ledger.begin(Time(0), &status("a"));
    let second = ledger.change();
    assert_eq!(ledger.due(), None);
    ledger.succeeded(2, 0);
    assert!(ledger.is_written(first) && !ledger.is_written(second));
    assert_eq!(ledger.due(), Some(Time(1_000)));
    ledger.change_urgently();
    assert!(ledger.due().unwrap() <= Time(0));
}

#[test]
fn a_large_status_is_written_less_often() {
    let mut ledger = Ledger::new(1, None);
    ledger.change();
    ledger.begin(Time(0), &status(&"x".repeat(500_000)));
    ledger.change();
    ledger.succeeded(2, 0);
    assert_eq!(ledger.due(), Some(Time(10_000)));
}

#[test]
fn many_tasks_write_their_status_less_often_but_within_five_seconds() {
    for (busy, due) in [(1, 1_000), (10, 1_000), (30, 3_000), (50, 5_000), (10_000, 5_000)] {
        let mut ledger = Ledger::new(1, None);
        ledger.share(busy);
        ledger.change();
        ledger.begin(Time(0), &status("a"));
        ledger.change();
        ledger.succeeded(2, 0);
        assert_eq!(ledger.due(), Some(Time(due)));
        ledger.change_urgently();
        assert!(ledger.due().unwrap() <= Time(0), "the end of a task waits for nobody");
    }
}

#[test]
fn large_configmaps_are_written_less_often_but_within_ten_seconds() {
    for (rewritten, due) in [(50_000, 1_000), (256_000, 2_560), (50_000_000, 10_000)] {
        let mut ledger = Ledger::new(1, None);
        ledger.change();
        ledger.begin(Time(0), &status("a"));
        ledger.change();
        ledger.succeeded(2, rewritten);
        assert_eq!(ledger.due(), Some(Time(due)));
        ledger.change_urgently();
        assert!(ledger.due().unwrap() <= Time(0));
    }
}

#[test]
fn a_conflict_waits_for_the_newer_object_and_then_asks_for_it() {
    let mut ledger = Ledger::new(1, None);
    ledger.change();
    ledger.begin(Time(0), &status("a"));
    ledger.conflicted(Time(5));
    assert_eq!(ledger.due(), None);
    assert_eq!(ledger.reread_due(), Some(Time(1_005)));
    assert_eq!(ledger.seen(2, &MapTaskStatus::default()), Seen::Ours, "only the spec was changed");
    assert!(ledger.due().is_some());
}

#[test]
fn a_conflict_without_a_newer_object_is_tried_again_after_a_while() {
    let mut ledger = Ledger::new(1, None);
    ledger.change();
    ledger.begin(Time(0), &status("a"));
    ledger.conflicted(Time(5));
    assert_eq!(ledger.seen(1, &MapTaskStatus::default()), Seen::Old, "what was asked for is what was known");
    assert_eq!(ledger.due(), Some(Time(505)));
}

#[test]
fn a_write_without_an_answer_is_known_again_in_the_watch() {
    let mut ledger = Ledger::new(1, None);
    let revision = ledger.change();
    ledger.begin(Time(0), &status("a"));
    ledger.failed(Time(5));
    assert_eq!(ledger.seen(2, &status("a")), Seen::Ours);
    assert!(ledger.is_written(revision));
    assert_eq!(ledger.due(), None);
}

#[test]
fn a_write_without_an_answer_is_known_again_after_another_one() {
    let mut ledger = Ledger::new(1, None);
    let first = ledger.change();
    ledger.begin(Time(0), &status("a"));
    ledger.failed(Time(5));
    let second = ledger.change();
    ledger.begin(Time(1_000), &status("b"));
    ledger.conflicted(Time(1_005));
    assert_eq!(ledger.seen(2, &status("a")), Seen::Ours);
    assert!(ledger.is_written(first) && !ledger.is_written(second));
}

#[test]
fn what_another_wrote_is_told_and_old_news_is_not() {
    let mut ledger = Ledger::new(5, Some(&status("a")));
    assert_eq!(ledger.seen(5, &status("b")), Seen::Old);
    assert_eq!(ledger.seen(6, &status("a")), Seen::Ours);
    assert_eq!(ledger.seen(7, &status("b")), Seen::Foreign);
}

#[test]
fn of_writes_without_an_answer_the_last_ones_are_known_again() {
    let mut ledger = Ledger::new(1, None).remembering(2);
    for (time, phases) in [(0, "a"), (1, "b"), (2, "c")] {
        ledger.change();
        ledger.begin(Time(time), &status(phases));
        ledger.failed(Time(time));
    }
    assert_eq!(ledger.clone().seen(2, &status("b")), Seen::Ours);
    assert_eq!(ledger.seen(2, &status("a")), Seen::Foreign, "the task is loaded anew from it");
}

#[test]
fn a_write_names_the_newest_version_that_is_known() {
    let mut ledger = Ledger::new(5, None);
    assert_eq!(ledger.resource_version(), 5);
    ledger.seen(7, &status("b"));
    assert_eq!(ledger.resource_version(), 7);
    ledger.change();
    ledger.begin(Time(0), &status("a"));
    ledger.succeeded(9, 0);
    assert_eq!(ledger.resource_version(), 9);
}

#[test]
fn a_note_is_one_of_the_writes_of_which_there_is_one_at_a_time() {
    let mut ledger = Ledger::new(5, None);
    let revision = ledger.change();
    assert!(ledger.may_note());
    ledger.begin(Time(0), &status("a"));
    assert!(!ledger.may_note(), "a write is on its way");
    ledger.failed(Time(0));
    assert!(ledger.may_note());
    ledger.begin_note();
    assert_eq!((ledger.may_note(), ledger.due()), (false, None), "and now a note is");
    ledger.noted(Some(6));
    assert!(ledger.may_note() && ledger.due().is_some());
    assert_eq!((ledger.resource_version(), ledger.is_written(revision)), (6, false), "it records nothing");
    // A note that meets a newer object than it named waits for it.
    ledger.begin_note();
    ledger.conflicted(Time(0));
    assert_eq!((ledger.may_note(), ledger.reread_due()), (false, Some(Time(1_000))));
}

#[test]
fn writes_that_fail_in_a_row_are_counted_and_further_and_further_apart() {
    let mut ledger = Ledger::new(5, None);
    ledger.change();
    for (failures, delay) in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].into_iter().enumerate() {
        assert_eq!(ledger.failures() as usize, failures);
        ledger.begin(Time(0), &status("a"));
        ledger.failed(Time(0));
        assert_eq!(ledger.due(), Some(Time(delay)));
    }
    ledger.begin(Time(0), &status("a"));
    ledger.succeeded(6, 0);
    assert_eq!(ledger.failures(), 0);
}

#[test]
fn the_newer_object_is_asked_for_again_a_second_after_it_was_asked_for() {
    let mut ledger = Ledger::new(5, None);
    ledger.change();
    ledger.begin(Time(0), &status("a"));
    ledger.conflicted(Time(0));
    ledger.reread_begun(Time(1_000));
    assert_eq!(ledger.reread_due(), Some(Time(2_000)));
}

#[test]
fn changes_that_are_to_be_forgotten_are_not_written() {
    let mut ledger = Ledger::new(5, None);
    ledger.change();
    ledger.forget_changes();
    assert!(ledger.is_clean());
    assert_eq!(ledger.due(), None);
}
