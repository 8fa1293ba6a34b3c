//! Where finished pods stay, and when they go.

use super::*;
use crate::core::ids::{Attempt, Index};

fn role(index: u32) -> PodRole {
    PodRole::Item(Index(index), Attempt(1))
}

fn pod(index: u32, failed: bool) -> Leftover {
    Leftover { role: role(index), uid: index.to_string(), version: 1, ended: true, failed, not_before: Time(0) }
}

const WRITTEN: Revision = Revision(1);

#[test]
fn no_pod_goes_before_its_end_is_recorded() {
    let mut shelf = Shelf::default();
    shelf.put(Revision(1), pod(0, false));
    shelf.sort(Time(0), Revision(0), Keeping::default());
    assert_eq!(shelf.next_delete(Time(0)), None);
    shelf.sort(Time(0), WRITTEN, Keeping::default());
    assert_eq!(shelf.next_delete(Time(0)), Some(pod(0, false)));
    assert_eq!(shelf.next_delete(Time(0)), None);
}

#[test]
fn failed_pods_stay_before_others_and_the_newest_of_each() {
    let mut shelf = Shelf::default();
    for (index, failed) in [(0, true), (1, false), (2, true), (3, false)] {
        shelf.put(Revision(1), pod(index, failed));
    }
    shelf.sort(Time(0), WRITTEN, Keeping { count: 1, ..Keeping::default() });
    let gone: Vec<PodRole> = std::iter::from_fn(|| shelf.next_delete(Time(0))).map(|p| p.role).collect();
    assert_eq!(gone, [0, 1, 3].map(role), "the failed pod 2 stays");
}

#[test]
fn a_failed_deletion_is_tried_again_later() {
    let mut shelf = Shelf::default();
    shelf.condemn(pod(0, false));
    assert!(shelf.next_delete(Time(0)).is_some());
    shelf.delete_failed(role(0), Time(9));
    assert_eq!((shelf.next_delete(Time(8)), shelf.next_wake()), (None, Some(Time(9))));
    assert!(shelf.next_delete(Time(9)).is_some());
    shelf.gone(role(0), Some("0"));
    assert!(shelf.get(role(0)).is_none());
}

#[test]
fn old_news_of_a_name_condemns_nothing_that_has_ended() {
    let mut shelf = Shelf::default();
    shelf.put(Revision(1), Leftover { version: 9, uid: "new".to_owned(), ..pod(0, false) });
    shelf.condemn(Leftover { version: 3, uid: "old".to_owned(), ended: false, ..pod(0, false) });
    shelf.gone(role(0), Some("old"));
    shelf.condemn(Leftover { version: 8, uid: "new".to_owned(), ended: false, ..pod(0, false) });
    assert_eq!(shelf.next_delete(Time(9)), None);
    shelf.sort(Time(9), WRITTEN, Keeping::default());
    assert_eq!(shelf.next_delete(Time(9)).map(|pod| pod.version), Some(9), "it is still there");
}

#[test]
fn a_finished_pod_lingers_unless_there_are_too_many() {
    let mut shelf = Shelf::default();
    for index in 0..3 {
        shelf.put(Revision(1), pod(index, false));
        shelf.sort(Time(i64::from(index)), WRITTEN, Keeping { linger_millis: 60, ..Keeping::default() });
    }
    assert_eq!((shelf.next_delete(Time(59)), shelf.next_wake(), shelf.lingering()), (None, Some(Time(60)), 3));
    shelf.sort(Time(60), WRITTEN, Keeping::default());
    assert_eq!(shelf.next_delete(Time(60)), Some(pod(0, false)), "its time is over");
    shelf.sort(Time(60), WRITTEN, Keeping { excess: 1, ..Keeping::default() });
    assert_eq!(shelf.next_delete(Time(60)), Some(pod(1, false)), "one is too many");
    assert_eq!((shelf.next_delete(Time(60)), shelf.lingering()), (None, 1));
}

#[test]
fn a_pod_that_a_late_create_could_bring_back_stays_though_there_are_too_many() {
    let mut shelf = Shelf::default();
    shelf.put(Revision(1), Leftover { not_before: Time(75), ..pod(0, false) });
    shelf.sort(Time(0), WRITTEN, Keeping { excess: 1, ..Keeping::default() });
    assert_eq!((shelf.next_delete(Time(74)), shelf.next_wake()), (None, Some(Time(75))));
    assert!(shelf.next_delete(Time(75)).is_some());
}

const ID: PodRole = PodRole::Item(Index(0), Attempt(1));

/// A pod of this version that lives on though its attempt has ended, or may have been made again under the same name.
fn living(version: u64, uid: &str) -> Leftover {
    Leftover { version, uid: uid.to_owned(), ended: false, ..pod(0, false) }
}

fn next(shelf: &mut Shelf, time: i64) -> Option<(u64, String)> {
    shelf.next_delete(Time(time)).map(|pod| (pod.version, pod.uid))
}

/// A shelf with this pod in each of the places in which a pod that lives can be, and what brings its deletion about.
fn places(first: &Leftover) -> [Shelf; 3] {
    let mut places = [Shelf::default(), Shelf::default(), Shelf::default()];
    places[0]
        .put(Revision(1), Leftover { uid: "other".to_owned(), role: role(1), not_before: Time(99), ..first.clone() });
    for shelf in &mut places {
        shelf.put(Revision(1), first.clone());
    }
    for shelf in &mut places[1..] {
        shelf.sort(Time(0), WRITTEN, Keeping::default());
    }
    assert!(places[2].next_delete(first.not_before).is_some());
    places
}

/// What is then sent at 9, if the deletion that was sent has failed.
fn sent(shelf: &mut Shelf) -> Option<(u64, String)> {
    shelf.sort(Time(0), WRITTEN, Keeping::default());
    shelf.delete_failed(ID, Time(9));
    assert_eq!(next(shelf, 4), None, "not before its time");
    let sent = next(shelf, 9);
    assert_eq!(next(shelf, 9), None, "once");
    sent
}

#[test]
fn a_pod_that_lives_on_is_deleted_as_it_was_seen_last_and_no_sooner() {
    let first = Leftover { not_before: Time(5), ..living(2, "a") };
    for mut shelf in places(&first) {
        shelf.put(Revision(9), living(3, "a"));
        shelf.put(Revision(9), living(1, "a"));
        assert_eq!(sent(&mut shelf), Some((3, "a".to_owned())), "in its place, and of old news nothing");
    }
}

#[test]
fn what_has_ended_stays_in_its_place_whatever_is_seen_of_it() {
    let mut shelf = Shelf::default();
    shelf.put(Revision(1), pod(0, false));
    shelf.put(Revision(9), Leftover { version: 2, ..pod(0, false) });
    shelf.sort(Time(0), WRITTEN, Keeping::default());
    assert_eq!(next(&mut shelf, 0), Some((1, "0".to_owned())), "its end was recorded with revision 1");
    // One that lived and has ended by now needs no grace, but its end is yet to be recorded.
    let mut shelf = Shelf::default();
    shelf.put(Revision(1), living(1, "0"));
    shelf.put(Revision(9), Leftover { version: 2, ..pod(0, false) });
    shelf.sort(Time(0), WRITTEN, Keeping::default());
    assert_eq!(next(&mut shelf, 0), None);
}

#[test]
fn another_pod_of_the_same_name_takes_the_place_of_the_first() {
    for mut shelf in places(&living(2, "a")) {
        shelf.put(Revision(9), living(3, "b"));
        assert_eq!(sent(&mut shelf), None, "its end is not recorded");
        assert_eq!(shelf.get(ID).map(|pod| pod.uid.as_str()), Some("b"));
    }
}

#[test]
fn a_condemned_pod_is_deleted_at_once_and_once_for_all_that_is_seen_of_it() {
    let mut shelf = Shelf::default();
    shelf.condemn(living(2, "a"));
    shelf.condemn(living(3, "a"));
    assert_eq!(next(&mut shelf, 0), Some((3, "a".to_owned())));
    shelf.condemn(living(4, "a"));
    shelf.condemn(living(3, "a"));
    assert_eq!(next(&mut shelf, 9), None, "it is on its way out");
    shelf.delete_failed(ID, Time(9));
    assert_eq!(next(&mut shelf, 9), Some((4, "a".to_owned())), "sent again, as it was seen last");
    shelf.condemn(living(5, "b"));
    assert_eq!(next(&mut shelf, 9), Some((5, "b".to_owned())), "another pod of the same name goes, too");
}

#[test]
fn only_the_pod_that_is_gone_leaves_its_place() {
    for recorded in [false, true] {
        let mut shelf = Shelf::default();
        (0..3).for_each(|index| shelf.put(Revision(1), pod(index, false)));
        let keep = |shelf: &mut Shelf, count| {
            shelf.sort(Time(0), WRITTEN, Keeping { count, ..Keeping::default() });
        };
        if recorded {
            keep(&mut shelf, 3);
        }
        shelf.gone(role(1), Some("1"));
        keep(&mut shelf, 0);
        let gone: Vec<PodRole> = std::iter::from_fn(|| shelf.next_delete(Time(0))).map(|pod| pod.role).collect();
        assert_eq!(gone, [0, 2].map(role));
    }
}

#[test]
fn an_end_that_another_writer_knows_nothing_of_is_seen_and_recorded_once_more() {
    let mut shelf = Shelf::default();
    shelf.put(Revision(9), pod(0, false));
    shelf.forget_unrecorded();
    assert_eq!(shelf.get(ID), None);
    shelf.put(Revision(1), pod(0, false));
    shelf.sort(Time(0), WRITTEN, Keeping::default());
    assert_eq!(next(&mut shelf, 0), Some((1, "0".to_owned())));
}
