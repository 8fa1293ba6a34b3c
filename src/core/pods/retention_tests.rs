//! Where finished pods stay, and when they go.

use super::*;
use crate::core::ids::{Attempt, Index};
use crate::core::pod::{Detail, PodOutcome};

fn role(index: u32) -> PodRole {
    PodRole::Item(Index(index), Attempt(1))
}

fn alike(message: &str) -> Alike {
    let end = PodOutcome::Failed { exit_code: 1, container: "main".to_owned() };
    Alike::of(&end, &Detail { message: Some(message.to_owned()), ..Detail::default() }).unwrap()
}

fn pod(index: u32, failed: bool) -> FinishedPod {
    let failure = failed.then(|| alike("no luck"));
    FinishedPod { role: role(index), uid: index.to_string(), version: 1, ended: true, failure, not_before: Time(0) }
}

const WRITTEN: Revision = Revision(1);

#[test]
fn no_pod_is_deleted_before_its_end_is_recorded() {
    let mut retention = Retention::default();
    retention.put(Revision(1), pod(0, false));
    retention.sort(Time(0), Revision(0), Keeping::default());
    assert_eq!(retention.next_delete(Time(0)), None);
    retention.sort(Time(0), WRITTEN, Keeping::default());
    assert_eq!(retention.next_delete(Time(0)), Some(pod(0, false)));
    assert_eq!(retention.next_delete(Time(0)), None);
}

#[test]
fn failed_pods_are_kept_before_others_and_newer_ones_before_older() {
    let mut retention = Retention::default();
    for (index, failed) in [(0, true), (1, false), (2, true), (3, false)] {
        retention.put(Revision(1), pod(index, failed));
    }
    retention.sort(Time(0), WRITTEN, Keeping { count: 1, ..Keeping::default() });
    let gone: Vec<PodRole> = std::iter::from_fn(|| retention.next_delete(Time(0))).map(|p| p.role).collect();
    assert_eq!(gone, [0, 1, 3].map(role), "the failed pod 2 stays");
}

#[test]
fn the_newest_pod_of_each_failure_group_is_kept_before_others() {
    let kept = |count: usize| -> Vec<PodRole> {
        let mut retention = Retention::default();
        for (index, message) in ["no file /a/1", "no luck", "no file /b/2", "no luck", "no luck", ""].iter().enumerate()
        {
            let failure = (!message.is_empty()).then(|| alike(message));
            let pod = pod(u32::try_from(index).unwrap(), false);
            retention.put(Revision(1), FinishedPod { failure, ..pod });
        }
        retention.sort(Time(0), WRITTEN, Keeping { count, ..Keeping::default() });
        retention.kept.iter().map(|(_, pod)| pod.role).collect()
    };
    assert_eq!(kept(1), [4].map(role), "the newest");
    assert_eq!(kept(2), [2, 4].map(role), "one of each");
    assert_eq!(kept(3), [2, 3, 4].map(role), "then the next failed one");
    assert_eq!(kept(6).len(), 6);
}

#[test]
fn a_spec_asks_for_no_more_finished_pods_than_the_operator_allows() {
    let keeping = Keeping { count: 10, most: 100, ..Keeping::default() };
    let counts = [None, Some(0), Some(50), Some(500)].map(|asked| keeping.asked_for(asked).count);
    assert_eq!(counts, [10, 0, 50, 100]);
    assert_eq!(Keeping::default().asked_for(Some(5)).count, 0, "a full quota of pods");
}

#[test]
fn a_failed_deletion_is_tried_again_later() {
    let mut retention = Retention::default();
    retention.delete_now(pod(0, false));
    assert!(retention.next_delete(Time(0)).is_some());
    retention.delete_failed(role(0), Time(9), DeleteOutcome::Failed);
    assert_eq!((retention.next_delete(Time(8)), retention.next_wake()), (None, Some(Time(9))));
    assert!(retention.next_delete(Time(9)).is_some());
    retention.gone(role(0), "0");
    assert!(retention.get(role(0)).is_none());
}

#[test]
fn old_news_of_a_name_condemns_nothing_that_has_ended() {
    let mut retention = Retention::default();
    retention.put(Revision(1), FinishedPod { version: 9, uid: "new".to_owned(), ..pod(0, false) });
    retention.delete_now(FinishedPod { version: 3, uid: "old".to_owned(), ended: false, ..pod(0, false) });
    retention.gone(role(0), "old");
    retention.delete_now(FinishedPod { version: 8, uid: "new".to_owned(), ended: false, ..pod(0, false) });
    assert_eq!(retention.next_delete(Time(9)), None);
    retention.sort(Time(9), WRITTEN, Keeping::default());
    assert_eq!(retention.next_delete(Time(9)).map(|pod| pod.version), Some(9), "it is still there");
}

#[test]
fn a_finished_pod_stays_for_a_minute_unless_there_are_too_many() {
    let mut retention = Retention::default();
    for index in 0..3 {
        retention.put(Revision(1), pod(index, false));
        retention.sort(Time(i64::from(index)), WRITTEN, Keeping { linger_millis: 60, ..Keeping::default() });
    }
    assert_eq!(
        (retention.next_delete(Time(59)), retention.next_wake(), retention.lingering()),
        (None, Some(Time(60)), 3)
    );
    retention.sort(Time(60), WRITTEN, Keeping::default());
    assert_eq!(retention.next_delete(Time(60)), Some(pod(0, false)), "its time is over");
    retention.sort(Time(60), WRITTEN, Keeping { excess: 1, ..Keeping::default() });
    assert_eq!(retention.next_delete(Time(60)), Some(pod(1, false)), "one is too many");
    assert_eq!((retention.next_delete(Time(60)), retention.lingering()), (None, 1));
}

#[test]
fn a_pod_that_a_late_create_could_bring_back_stays_though_there_are_too_many() {
    let mut retention = Retention::default();
    retention.put(Revision(1), FinishedPod { not_before: Time(75), ..pod(0, false) });
    retention.sort(Time(0), WRITTEN, Keeping { excess: 1, ..Keeping::default() });
    assert_eq!((retention.next_delete(Time(74)), retention.next_wake()), (None, Some(Time(75))));
    assert!(retention.next_delete(Time(75)).is_some());
}

const ID: PodRole = PodRole::Item(Index(0), Attempt(1));

/// A pod of this version that lives on though its attempt has ended, or may have been made again under the same name.
fn living(version: u64, uid: &str) -> FinishedPod {
    FinishedPod { version, uid: uid.to_owned(), ended: false, ..pod(0, false) }
}

fn next(retention: &mut Retention, time: i64) -> Option<(u64, String)> {
    retention.next_delete(Time(time)).map(|pod| (pod.version, pod.uid))
}

/// A shelf with this pod in each of the places in which a pod that lives can be, and what brings its deletion about.
fn places(first: &FinishedPod) -> [Retention; 3] {
    let mut places = [Retention::default(), Retention::default(), Retention::default()];
    places[0].put(
        Revision(1),
        FinishedPod { uid: "other".to_owned(), role: role(1), not_before: Time(99), ..first.clone() },
    );
    for retention in &mut places {
        retention.put(Revision(1), first.clone());
    }
    for retention in &mut places[1..] {
        retention.sort(Time(0), WRITTEN, Keeping::default());
    }
    assert!(places[2].next_delete(first.not_before).is_some());
    places
}

/// What is then sent at 9, if the deletion that was sent has failed.
fn sent(retention: &mut Retention) -> Option<(u64, String)> {
    retention.sort(Time(0), WRITTEN, Keeping::default());
    retention.delete_failed(ID, Time(9), DeleteOutcome::Failed);
    assert_eq!(next(retention, 4), None, "not before its time");
    let sent = next(retention, 9);
    assert_eq!(next(retention, 9), None, "once");
    sent
}

#[test]
fn a_pod_that_lives_on_is_deleted_as_it_was_seen_last_and_no_sooner() {
    let first = FinishedPod { not_before: Time(5), ..living(2, "a") };
    for mut retention in places(&first) {
        retention.put(Revision(9), living(3, "a"));
        retention.put(Revision(9), living(1, "a"));
        assert_eq!(sent(&mut retention), Some((3, "a".to_owned())), "in its place, and of old news nothing");
    }
}

#[test]
fn what_has_ended_stays_in_its_place_whatever_is_seen_of_it() {
    let mut retention = Retention::default();
    retention.put(Revision(1), pod(0, false));
    retention.put(Revision(9), FinishedPod { version: 2, ..pod(0, false) });
    retention.sort(Time(0), WRITTEN, Keeping::default());
    assert_eq!(next(&mut retention, 0), Some((1, "0".to_owned())), "its end was recorded with revision 1");
    // One that lived and has ended by now needs no grace, but its end is yet to be recorded.
    let mut retention = Retention::default();
    retention.put(Revision(1), living(1, "0"));
    retention.put(Revision(9), FinishedPod { version: 2, ..pod(0, false) });
    retention.sort(Time(0), WRITTEN, Keeping::default());
    assert_eq!(next(&mut retention, 0), None);
}

#[test]
fn another_pod_of_the_same_name_takes_the_place_of_the_first() {
    for mut retention in places(&living(2, "a")) {
        retention.put(Revision(9), living(3, "b"));
        assert_eq!(sent(&mut retention), None, "its end is not recorded");
        assert_eq!(retention.get(ID).map(|pod| pod.uid.as_str()), Some("b"));
    }
}

#[test]
fn a_pod_that_is_deleted_alive_is_deleted_at_once_and_once_for_all_that_is_seen_of_it() {
    let mut retention = Retention::default();
    retention.delete_now(living(2, "a"));
    retention.delete_now(living(3, "a"));
    assert_eq!(next(&mut retention, 0), Some((3, "a".to_owned())));
    retention.delete_now(living(4, "a"));
    retention.delete_now(living(3, "a"));
    assert_eq!(next(&mut retention, 9), None, "it is on its way out");
    retention.delete_failed(ID, Time(9), DeleteOutcome::Failed);
    assert_eq!(next(&mut retention, 9), Some((4, "a".to_owned())), "sent again, as it was seen last");
    retention.delete_now(living(5, "b"));
    assert_eq!(next(&mut retention, 9), Some((5, "b".to_owned())), "another pod of the same name goes, too");
}

#[test]
fn a_version_that_was_in_vain_is_named_again_only_if_it_was_not_the_version() {
    let mut retention = Retention::default();
    retention.delete_now(living(2, "a"));
    let precondition = |retention: &mut Retention, outcome| {
        let pod = retention.next_delete(Time(0)).unwrap();
        let precondition = retention.precondition(&pod);
        retention.delete_failed(ID, Time(0), outcome);
        precondition
    };
    assert_eq!(precondition(&mut retention, DeleteOutcome::Failed), Some(2));
    assert_eq!(precondition(&mut retention, DeleteOutcome::Changed), Some(2));
    assert_eq!(precondition(&mut retention, DeleteOutcome::Failed), None, "no watch shows the pod any more");
    retention.delete_now(living(3, "a"));
    assert_eq!(precondition(&mut retention, DeleteOutcome::Failed), Some(3), "it does");
    // The news came before the answer.
    let pod = retention.next_delete(Time(0)).unwrap();
    retention.delete_now(living(4, "a"));
    retention.delete_failed(ID, Time(0), DeleteOutcome::Changed);
    assert_eq!((pod.version, precondition(&mut retention, DeleteOutcome::Failed)), (3, Some(4)));
    // As it does while a deletion that names none is on its way.
    retention.delete_now(living(5, "a"));
    assert_eq!(precondition(&mut retention, DeleteOutcome::Changed), Some(5));
    let pod = retention.next_delete(Time(0)).unwrap();
    assert_eq!(retention.precondition(&pod), None);
    retention.delete_now(living(6, "a"));
    retention.delete_failed(ID, Time(0), DeleteOutcome::Failed);
    assert_eq!(precondition(&mut retention, DeleteOutcome::Failed), Some(6));
    // Another pod of the name is known by its own version.
    assert_eq!(precondition(&mut retention, DeleteOutcome::Changed), Some(6));
    retention.delete_now(living(7, "b"));
    assert_eq!(precondition(&mut retention, DeleteOutcome::Failed), Some(7));
    let ended = FinishedPod { ended: true, ..living(8, "b") };
    assert_eq!(retention.precondition(&ended), None);
}

#[test]
fn only_the_pod_that_is_gone_leaves_its_place() {
    for recorded in [false, true] {
        let mut retention = Retention::default();
        (0..3).for_each(|index| retention.put(Revision(1), pod(index, false)));
        let keep = |retention: &mut Retention, count| {
            retention.sort(Time(0), WRITTEN, Keeping { count, ..Keeping::default() });
        };
        if recorded {
            keep(&mut retention, 3);
        }
        retention.gone(role(1), "1");
        keep(&mut retention, 0);
        let gone: Vec<PodRole> = std::iter::from_fn(|| retention.next_delete(Time(0))).map(|pod| pod.role).collect();
        assert_eq!(gone, [0, 2].map(role));
    }
}

#[test]
fn an_end_that_another_writer_knows_nothing_of_is_seen_and_recorded_once_more() {
    let mut retention = Retention::default();
    retention.put(Revision(9), pod(0, false));
    retention.forget_unrecorded();
    assert_eq!(retention.get(ID), None);
    retention.put(Revision(1), pod(0, false));
    retention.sort(Time(0), WRITTEN, Keeping::default());
    assert_eq!(next(&mut retention, 0), Some((1, "0".to_owned())));
}
