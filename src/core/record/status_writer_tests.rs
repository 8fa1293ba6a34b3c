use super::*;

fn status(phases: &str) -> MapTaskStatus {
    MapTaskStatus { phases: Some(phases.to_owned()), ..MapTaskStatus::default() }
}

#[test]
fn only_one_write_is_in_flight_and_they_keep_their_distance() {
    let mut writer = StatusWriter::new(1, None);
    assert_eq!(writer.due(), None);
    let first = writer.change();
    assert!(writer.due().unwrap() <= Time(0));
    writer.begin(Time(0), &status("a"));
    let second = writer.change();
    assert_eq!(writer.due(), None);
    writer.succeeded(2, 0);
    assert!(writer.is_written(first) && !writer.is_written(second));
    assert_eq!(writer.due(), Some(Time(1_000)));
    writer.change_urgently();
    assert!(writer.due().unwrap() <= Time(0));
}

#[test]
fn a_large_status_is_written_less_often() {
    let mut writer = StatusWriter::new(1, None);
    writer.change();
    writer.begin(Time(0), &status(&"x".repeat(500_000)));
    writer.change();
    writer.succeeded(2, 0);
    assert_eq!(writer.due(), Some(Time(10_000)));
}

#[test]
fn many_tasks_write_their_status_less_often_but_within_five_seconds() {
    for (busy, due) in [(1, 1_000), (10, 1_000), (30, 3_000), (50, 5_000), (10_000, 5_000)] {
        let mut writer = StatusWriter::new(1, None);
        writer.share(busy);
        writer.change();
        writer.begin(Time(0), &status("a"));
        writer.change();
        writer.succeeded(2, 0);
        assert_eq!(writer.due(), Some(Time(due)));
        writer.change_urgently();
        assert!(writer.due().unwrap() <= Time(0), "the end of a task waits for nobody");
    }
}

#[test]
fn large_configmaps_are_written_less_often_but_within_ten_seconds() {
    for (rewritten, due) in [(50_000, 1_000), (256_000, 2_560), (50_000_000, 10_000)] {
        let mut writer = StatusWriter::new(1, None);
        writer.change();
        writer.begin(Time(0), &status("a"));
        writer.change();
        writer.succeeded(2, rewritten);
        assert_eq!(writer.due(), Some(Time(due)));
        writer.change_urgently();
        assert!(writer.due().unwrap() <= Time(0));
    }
}

#[test]
fn a_conflict_waits_for_the_newer_object_and_then_asks_for_it() {
    let mut writer = StatusWriter::new(1, None);
    writer.change();
    writer.begin(Time(0), &status("a"));
    writer.conflicted(Time(5));
    assert_eq!(writer.due(), None);
    assert_eq!(writer.reread_due(), Some(Time(1_005)));
    assert_eq!(writer.seen(2, &MapTaskStatus::default()), Observed::Own, "only the spec was changed");
    assert!(writer.due().is_some());
}

#[test]
fn a_conflict_without_a_newer_object_is_retried_after_a_while() {
    let mut writer = StatusWriter::new(1, None);
    writer.change();
    writer.begin(Time(0), &status("a"));
    writer.conflicted(Time(5));
    assert_eq!(writer.seen(1, &MapTaskStatus::default()), Observed::Stale, "what was asked for is what was known");
    assert_eq!(writer.due(), Some(Time(505)));
}

#[test]
fn a_write_without_an_answer_is_recognised_in_the_watch() {
    let mut writer = StatusWriter::new(1, None);
    let revision = writer.change();
    writer.begin(Time(0), &status("a"));
    writer.failed(Time(5));
    assert_eq!(writer.seen(2, &status("a")), Observed::Own);
    assert!(writer.is_written(revision));
    assert_eq!(writer.due(), None);
}

#[test]
fn a_write_without_an_answer_is_known_again_after_another_one() {
    let mut writer = StatusWriter::new(1, None);
    let first = writer.change();
    writer.begin(Time(0), &status("a"));
    writer.failed(Time(5));
    let second = writer.change();
    writer.begin(Time(1_000), &status("b"));
    writer.conflicted(Time(1_005));
    assert_eq!(writer.seen(2, &status("a")), Observed::Own);
    assert!(writer.is_written(first) && !writer.is_written(second));
}

#[test]
fn what_another_wrote_is_told_and_old_news_is_not() {
    let mut writer = StatusWriter::new(5, Some(&status("a")));
    assert_eq!(writer.seen(5, &status("b")), Observed::Stale);
    assert_eq!(writer.seen(6, &status("a")), Observed::Own);
    assert_eq!(writer.seen(7, &status("b")), Observed::External);
}

#[test]
fn of_writes_without_an_answer_the_last_ones_are_known_again() {
    let mut writer = StatusWriter::new(1, None).remembering(2);
    for (time, phases) in [(0, "a"), (1, "b"), (2, "c")] {
        writer.change();
        writer.begin(Time(time), &status(phases));
        writer.failed(Time(time));
    }
    assert_eq!(writer.clone().seen(2, &status("b")), Observed::Own);
    assert_eq!(writer.seen(2, &status("a")), Observed::External, "the task is loaded from it again");
}

#[test]
fn a_write_names_the_newest_version_that_is_known() {
    let mut writer = StatusWriter::new(5, None);
    assert_eq!(writer.resource_version(), 5);
    writer.seen(7, &status("b"));
    assert_eq!(writer.resource_version(), 7);
    writer.change();
    writer.begin(Time(0), &status("a"));
    writer.succeeded(9, 0);
    assert_eq!(writer.resource_version(), 9);
}

#[test]
fn a_note_is_one_of_the_writes_of_which_there_is_one_at_a_time() {
    let mut writer = StatusWriter::new(5, None);
    let revision = writer.change();
    assert!(writer.may_note());
    writer.begin(Time(0), &status("a"));
    assert!(!writer.may_note(), "a write is on its way");
    writer.failed(Time(0));
    assert!(writer.may_note());
    writer.begin_note();
    assert_eq!((writer.may_note(), writer.due()), (false, None), "and now a note is");
    writer.noted(Some(6));
    assert!(writer.may_note() && writer.due().is_some());
    assert_eq!((writer.resource_version(), writer.is_written(revision)), (6, false), "it records nothing");
    // A note that meets a newer object than it named waits for it.
    writer.begin_note();
    writer.conflicted(Time(0));
    assert_eq!((writer.may_note(), writer.reread_due()), (false, Some(Time(1_000))));
}

#[test]
fn writes_that_fail_in_a_row_are_counted_and_further_and_further_apart() {
    let mut writer = StatusWriter::new(5, None);
    writer.change();
    for (failures, delay) in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].into_iter().enumerate() {
        assert_eq!(writer.failures() as usize, failures);
        writer.begin(Time(0), &status("a"));
        writer.failed(Time(0));
        assert_eq!(writer.due(), Some(Time(delay)));
    }
    writer.begin(Time(0), &status("a"));
    writer.succeeded(6, 0);
    assert_eq!(writer.failures(), 0);
}

#[test]
fn the_newer_object_is_asked_for_again_a_second_after_it_was_asked_for() {
    let mut writer = StatusWriter::new(5, None);
    writer.change();
    writer.begin(Time(0), &status("a"));
    writer.conflicted(Time(0));
    writer.reread_begun(Time(1_000));
    assert_eq!(writer.reread_due(), Some(Time(2_000)));
}

#[test]
fn changes_that_are_to_be_forgotten_are_not_written() {
    let mut writer = StatusWriter::new(5, None);
    writer.change();
    writer.forget_changes();
    assert!(writer.is_clean());
    assert_eq!(writer.due(), None);
}

#[test]
fn a_change_of_the_spec_is_no_sign_of_a_write_that_would_change_little() {
    let before = MapTaskStatus { workers: Some(WorkersStatus { epoch: 1, granted_below: 5 }), ..status("a") };
    let granted = MapTaskStatus { workers: Some(WorkersStatus { epoch: 1, granted_below: 9 }), ..status("a") };
    let told = MapTaskStatus { message: Some("waits".to_owned()), ..before.clone() };
    for after in [granted, told] {
        let mut writer = StatusWriter::new(1, Some(&before));
        let revision = writer.change();
        writer.begin(Time(0), &after);
        writer.conflicted(Time(5));
        assert_eq!((writer.seen(2, &before), writer.is_written(revision)), (Observed::Own, false));
        writer.begin(Time(1_000), &after);
        writer.succeeded(3, 0);
        assert!(writer.is_written(revision));
    }
}

#[test]
fn a_list_or_an_epoch_that_another_recorded_is_not_taken_for_ours() {
    let before = MapTaskStatus { workers: Some(WorkersStatus { epoch: 1, granted_below: 5 }), ..status("a") };
    let taken_over = MapTaskStatus { workers: Some(WorkersStatus { epoch: 2, granted_below: 5 }), ..status("a") };
    let mut writer = StatusWriter::new(1, Some(&before));
    assert_eq!(writer.seen(2, &taken_over), Observed::External);
}

#[test]
fn of_two_writes_that_look_the_same_the_watch_confirms_only_the_first() {
    let mut writer = StatusWriter::new(1, None);
    let first = writer.change();
    writer.begin(Time(0), &status("a"));
    writer.failed(Time(1));
    let second = writer.change();
    writer.begin(Time(5_000), &status("a"));
    writer.conflicted(Time(5_001));
    assert_eq!(writer.seen(2, &status("a")), Observed::Own);
    assert_eq!((writer.is_written(first), writer.is_written(second)), (true, false));
}
