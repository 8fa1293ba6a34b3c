//! What a pod state says of itself after each step.

use super::*;
use crate::core::pod::{BlockerKind, PodStatus};

fn pod() -> PodSeen {
    PodSeen::in_state(PodStatus::default())
}

#[test]
fn a_pod_needs_attention_when_it_is_to_be_asked_for_or_its_stop_may_be_sent() {
    let mut state = PodState::found(Time(5));
    assert_eq!(state.next_wake(), None);
    state.want_stopped(StopReason::Suspended);
    assert_eq!((state.next_wake(), state.may_stop(Time(0))), (None, true));
    state.put_off_stop(Time(9));
    assert_eq!((state.next_wake(), state.may_stop(Time(8)), state.may_stop(Time(9))), (Some(Time(9)), false, true));
    state.suspect(Time(7));
    assert_eq!((state.next_wake(), state.is_ask_due(Time(7))), (Some(Time(7)), true));
    state.ask_sent();
    assert_eq!((state.next_wake(), state.is_ask_due(Time(99))), (None, false));
    state.sight(&pod(), 1);
    state.stop_sent();
    assert_eq!((state.next_wake(), state.answered(), state.may_stop(Time(99))), (None, false, false));
}

#[test]
fn an_answer_from_before_the_pod_was_shown_does_not_count_for_a_later_question() {
    let mut state = PodState::unconfirmed(Time(0));
    state.ask_sent();
    state.sight(&pod(), 1);
    state.suspect_gone(Time(5), &pod());
    assert_eq!((state.next_wake(), state.is_ask_due(Time(9))), (None, false), "one GET at a time");
    assert!(!state.answered(), "the answer to the first says nothing of the time since");
    assert_eq!((state.next_wake(), state.is_ask_due(Time(5))), (Some(Time(5)), true));
    state.ask_sent();
    assert!(state.answered() && matches!(state.absent(), Absent::Gone(Some(_))));
}

#[test]
fn what_was_stopped_is_the_pod_of_that_uid_also_after_a_reload() {
    let of = |uid: &str| PodSeen { uid: uid.to_owned(), ..pod() };
    for (uid, is_stopped) in [("a", true), ("b", false)] {
        let mut state = PodState::found(Time(0));
        state.sight(&of("a"), 1);
        state.want_stopped(StopReason::Silent);
        state.stop_sent();
        let mut state = state.unseen();
        state.sight(&of(uid), 1);
        assert_eq!((state.is_stop_sent(), state.stop_reason()), (is_stopped, Some(StopReason::Silent)), "{uid}");
    }
}

#[test]
fn a_pod_that_is_seen_before_the_answer_of_its_create_exists_whatever_the_answer_is() {
    let mut state = PodState::requested(Time(0));
    assert!(state.is_create_pending() && !state.is_present());
    assert!(state.sight(&pod(), 1) && !state.sight(&pod(), 1), "first once");
    assert!(state.is_create_pending() && state.settle_create() && !state.is_create_pending());
    assert!(matches!(state.absent(), Absent::Gone(None)));
    let mut state = PodState::requested(Time(0));
    assert!(!state.settle_create() && matches!(state.absent(), Absent::Requested));
    state.unconfirm(Time(3));
    assert!(!state.is_create_pending() && state.is_ask_due(Time(3)) && matches!(state.absent(), Absent::NeverCreated));
    state.confirm(1);
    assert!(state.is_present() && state.is_ask_due(Time(3)), "it is still asked for");
}

#[test]
fn another_pod_of_the_name_that_a_late_create_has_made_is_stopped_as_well() {
    let never = StopReason::NeverStarted(BlockerKind::Image);
    let mut state = PodState::found(Time(0));
    assert!(state.sight(&pod(), 1));
    state.want_stopped(never);
    state.stop_sent();
    assert!(!state.sight(&pod(), 2) && state.is_stop_sent(), "the same pod");
    let other = PodSeen { uid: "other".to_owned(), created: Some(Time(7)), ..pod() };
    assert!(state.sight(&other, 2) && !state.is_stop_sent() && state.may_stop(Time(0)));
    assert_eq!((state.stop_reason(), state.start().waiting_since), (Some(never), Some(Time(7))));
}

#[test]
fn a_stop_that_is_on_its_way_says_why_and_one_that_is_only_wanted_does_not() {
    let never = StopReason::NeverStarted(BlockerKind::Image);
    let stop = |state: &PodState| state.clone().end(PodOutcome::Deleted, Detail::default()).stop;
    let mut state = PodState::found(Time(0));
    state.want_stopped(never);
    state.want_stopped(StopReason::Suspended);
    assert_eq!((state.stop_reason(), stop(&state)), (Some(never), None));
    assert!(!state.unwant_stopped(|why| why == StopReason::Suspended));
    state.stop_sent();
    assert_eq!(stop(&state), Some(never));
    assert!(!state.unwant_stopped(|_| true), "it is too late");
    let mut state = PodState::found(Time(0));
    state.stop_sent();
    assert_eq!(stop(&state), Some(StopReason::Decided));
}

#[test]
fn the_end_of_a_task_gives_way_to_other_reasons_to_stop_a_pod() {
    let never = StopReason::NeverStarted(BlockerKind::Image);
    let mut state = PodState::found(Time(0));
    state.put_off_stop(Time(9));
    state.want_stopped(never);
    assert_eq!((state.stop_reason(), state.may_stop(Time(8))), (Some(never), false));
}

#[test]
fn a_pod_that_was_taken_for_stopped_is_wanted_once_it_is_seen() {
    let mut state = PodState::recorded(Time(0), true);
    let stop = state.clone().end(PodOutcome::Lost, Detail::default()).stop;
    assert_eq!((stop, state.is_ask_due(Time(0))), (Some(StopReason::Suspended), true));
    state.sight(&pod(), 1);
    assert_eq!((state.stop_reason(), state.is_stop_sent()), (None, false));
}
