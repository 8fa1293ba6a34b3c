//! Which requests of a kind are on their way, whose are they, and since when? What is slow is its task's trouble: it
//! takes no more than half of the room from others.

use std::collections::BTreeSet;

use crate::core::ids::{PodRole, TaskKey, Time};

/// A request that has no answer after this many milliseconds is slow: a webhook of its namespace may be the reason.
const SLOW_MILLIS: u64 = 1_000;

/// The requests of one kind that are on their way.
#[derive(Debug)]
pub struct OnTheWay {
    requests: Vec<Request>,
    /// Tasks that have a slow request on its way, or whose last answer was slow: all of their requests count as slow.
    slow_tasks: BTreeSet<TaskKey>,
    /// Requests beyond the room for all: bounds the connections when many tasks are in trouble.
    max_beyond: usize,
}

#[derive(Debug)]
struct Request {
    task: TaskKey,
    role: PodRole,
    since: Time,
    /// It counts as slow, whatever becomes of its task.
    slow: bool,
    /// Its task is gone: what it says is not about the next one of that name.
    orphaned: bool,
}

impl OnTheWay {
    /// None yet; never more than `max_beyond` beyond the room for all.
    pub fn new(max_beyond: usize) -> Self {
        Self { requests: Vec::new(), slow_tasks: BTreeSet::new(), max_beyond }
    }

    /// Requests on their way.
    pub fn count(&self) -> usize {
        self.requests.len()
    }

    /// Takes note of what has become slow. To be called before [`Self::room`] is asked at this time.
    pub fn advance(&mut self, now: Time) {
        for request in &mut self.requests {
            request.slow = now.millis_since(request.since) >= SLOW_MILLIS;
            if request.slow && !request.orphaned && !self.slow_tasks.contains(&request.task) {
                self.slow_tasks.insert(request.task.clone());
            }
        }
    }

    /// How many more the task may send, where `most` is how many may be on their way; one all the same, if it has none
    /// on its way: only its answer tells whether the task is in trouble.
    pub fn room_or_trial(&self, task: &TaskKey, most: usize) -> usize {
        let room = self.room(task, most);
        let is_first = || self.requests.iter().all(|request| request.task != *task);
        let is_trial = room == 0 && self.requests.len() < most + self.max_beyond && is_first();
        if is_trial { 1 } else { room }
    }

    /// How many more the task may send, where `most` is how many may be on their way.
    pub fn room(&self, task: &TaskKey, most: usize) -> usize {
        let all = self.requests.len();
        let is_slow = |request: &&Request| request.slow || self.slow_tasks.contains(&request.task);
        let slow = self.requests.iter().filter(is_slow).count();
        if self.slow_tasks.contains(task) {
            let room = most.saturating_sub(all);
            return room.min((most / 2).max(1).saturating_sub(slow));
        }
        let counted = all - slow.saturating_sub(most / 2);
        most.saturating_sub(counted).min((most + self.max_beyond).saturating_sub(all))
    }

    /// When a request that is on its way becomes slow, which makes room for others.
    pub fn next_wake(&self, now: Time) -> Option<Time> {
        let slow_at = |request: &Request| request.since.plus_millis(SLOW_MILLIS);
        self.requests.iter().map(slow_at).filter(|time| *time > now).min()
    }

    /// A request goes out.
    pub fn begin(&mut self, now: Time, task: &TaskKey, role: PodRole) {
        self.requests.push(Request { task: task.clone(), role, since: now, slow: false, orphaned: false });
    }

    /// A request was answered; when it went out.
    pub fn end(&mut self, now: Time, task: &TaskKey, role: PodRole) -> Option<Time> {
        let place = self.requests.iter().position(|request| request.role == role && request.task == *task)?;
        let Request { since, orphaned, .. } = self.requests.swap_remove(place);
        if orphaned {
            return Some(since);
        }
        if now.millis_since(since) < SLOW_MILLIS {
            self.slow_tasks.remove(task);
        } else if !self.slow_tasks.contains(task) {
            self.slow_tasks.insert(task.clone());
        }
        Some(since)
    }

    /// The task is gone. Its requests stay on their way.
    pub fn forget(&mut self, task: &TaskKey) {
        self.slow_tasks.remove(task);
        self.requests.iter_mut().filter(|request| request.task == *task).for_each(|request| request.orphaned = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{Attempt, Index};

    fn key(name: &str) -> TaskKey {
        TaskKey::new("ns", name)
    }

    /// How many requests the task sends at this time until there is no room.
    fn send(requests: &mut OnTheWay, now: Time, task: &str, room: usize) -> usize {
        let before = requests.count();
        requests.advance(now);
        while requests.room(&key(task), room) > 0 {
            let role = PodRole::Item(Index(u32::try_from(requests.count()).unwrap()), Attempt::FIRST);
            requests.begin(now, &key(task), role);
        }
        requests.count() - before
    }

    #[test]
    fn a_task_alone_has_all_the_room() {
        let mut requests = OnTheWay::new(128);
        assert_eq!(send(&mut requests, Time(0), "a", 8), 8);
        assert_eq!(send(&mut requests, Time(0), "b", 8), 0);
        assert_eq!(requests.end(Time(0), &key("a"), PodRole::Item(Index(3), Attempt::FIRST)), Some(Time(0)));
        assert_eq!(requests.end(Time(0), &key("a"), PodRole::Item(Index(3), Attempt::FIRST)), None);
        assert_eq!(send(&mut requests, Time(9), "b", 8), 1);
    }

    #[test]
    fn slow_requests_leave_half_the_room_to_others() {
        let mut requests = OnTheWay::new(128);
        send(&mut requests, Time(0), "a", 8);
        assert_eq!(requests.next_wake(Time(0)), Some(Time(1_000)));
        assert_eq!(send(&mut requests, Time(999), "b", 8), 0);
        assert_eq!(send(&mut requests, Time(1_000), "b", 8), 4);
        assert_eq!(requests.next_wake(Time(1_999)), Some(Time(2_000)));
        assert_eq!(requests.next_wake(Time(2_000)), None);
    }

    #[test]
    fn tasks_whose_requests_are_slow_have_half_the_room_in_all() {
        let mut requests = OnTheWay::new(128);
        requests.begin(Time(0), &key("a"), PodRole::Item(Index(77), Attempt::FIRST));
        requests.begin(Time(0), &key("c"), PodRole::Item(Index(78), Attempt::FIRST));
        assert_eq!(send(&mut requests, Time(1_000), "a", 8), 2);
        assert_eq!(send(&mut requests, Time(1_000), "c", 8), 0);
        assert_eq!(send(&mut requests, Time(1_000), "b", 8), 4);
        let mut one = OnTheWay::new(128);
        assert_eq!(send(&mut one, Time(0), "a", 1), 1, "there is always room for one");
        assert_eq!(send(&mut one, Time(1_000), "a", 1), 0);
        assert_eq!(send(&mut one, Time(1_000), "b", 1), 1);
    }

    #[test]
    fn a_task_whose_last_answer_was_slow_takes_half_the_room_from_the_start() {
        let role = PodRole::Item(Index(77), Attempt::FIRST);
        let mut requests = OnTheWay::new(128);
        requests.begin(Time(0), &key("a"), role);
        requests.end(Time(1_000), &key("a"), role);
        assert_eq!(send(&mut requests, Time(1_000), "a", 8), 4);
        assert_eq!(send(&mut requests, Time(1_000), "b", 8), 4);
        requests.end(Time(1_999), &key("a"), PodRole::Item(Index(0), Attempt::FIRST));
        assert!(requests.slow_tasks.is_empty(), "its last answer was quick");
    }

    #[test]
    fn what_is_answered_after_its_task_is_gone_is_not_remembered_of_the_name() {
        let mut requests = OnTheWay::new(128);
        send(&mut requests, Time(0), "a", 8);
        requests.advance(Time(1_000));
        requests.forget(&key("a"));
        assert_eq!(send(&mut requests, Time(1_500), "b", 8), 4, "what is slow stays so until it is answered");
        for index in 0..8 {
            assert!(requests.end(Time(1_600), &key("a"), PodRole::Item(Index(index), Attempt::FIRST)).is_some());
        }
        assert!(requests.slow_tasks.is_empty(), "nobody would ever take it out");
        assert_eq!(
            send(&mut requests, Time(1_600), "a", 8),
            4,
            "the next one of the name has all the room that there is"
        );
    }

    #[test]
    fn a_task_without_any_on_its_way_may_try_one_where_it_is_a_trial() {
        let mut requests = OnTheWay::new(2);
        send(&mut requests, Time(0), "a", 4);
        let room = |requests: &OnTheWay, task| requests.room_or_trial(&key(task), 4);
        assert_eq!((room(&requests, "b"), requests.room(&key("b"), 4), room(&requests, "a")), (1, 0, 0));
        requests.begin(Time(0), &key("b"), PodRole::Item(Index(0), Attempt::FIRST));
        assert_eq!((room(&requests, "b"), room(&requests, "c")), (0, 1));
        requests.begin(Time(0), &key("c"), PodRole::Item(Index(0), Attempt::FIRST));
        assert_eq!(room(&requests, "d"), 0, "up to the bound");
    }

    #[test]
    fn however_many_tasks_are_in_trouble_another_has_room_until_the_bound() {
        let mut requests = OnTheWay::new(128);
        for number in 0..1_000 {
            send(&mut requests, Time(i64::from(number) * 2_000), &format!("t{number}"), 4);
        }
        assert_eq!(requests.count(), 4 + 128);
    }
}
