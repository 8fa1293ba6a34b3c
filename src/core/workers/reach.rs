//! Which pods may speak as workers, and which workers have never spoken though they run.

use crate::core::ids::{PodRole, Time};
use crate::core::pod::PodSeen;
use crate::core::port::ExchangeRefusal;
use crate::core::workers::table::WorkerTable;
use crate::core::workers::worker::Worker;

/// A worker that can reach the operator speaks within a second of its start. After this many milliseconds it is
/// reported.
const SPEAKS_WITHIN_MILLIS: u64 = 30_000;
/// A pod that is not shown within this many milliseconds of its first request does not exist any more: the watch shows
/// a new pod within a second, or within half a minute if it has to connect again.
const SHOWN_WITHIN_MILLIS: u64 = 60_000;
/// A kubelet reports within this many milliseconds that a program runs.
const REPORTED_WITHIN_MILLIS: u64 = 30_000;
/// Pods that have spoken and are not known: each was made by an earlier operator, or is gone. Of more, the oldest are
/// forgotten.
const MOST_STRANGERS: usize = 256;

impl WorkerTable {
    /// The pod of a worker is shown. `running`: the time now, if its program runs.
    pub fn show(&mut self, role: PodRole, pod: &PodSeen, running: Option<Time>) {
        if let Some(worker) = self.workers.get_mut(&role) {
            worker.uid = Some(pod.uid.clone());
            worker.node = pod.node.as_deref().map(str::to_owned);
            worker.memory = pod.memory_raises;
            worker.runs_since = worker.runs_since.or(running);
        }
    }

    /// Whether the pod with this UID may speak as this worker. One that was not shown yet is to try again.
    pub fn admit(&mut self, now: Time, role: PodRole, uid: &str) -> Result<(), ExchangeRefusal> {
        match self.workers.get(&role).map(|worker| worker.uid.as_deref()) {
            Some(Some(known)) if known == uid => Ok(()),
            Some(Some(_)) => Err(ExchangeRefusal::NotAWorker),
            Some(None) => Err(ExchangeRefusal::NotReady),
            None => Err(self.refuse_stranger(now, role)),
        }
    }

    fn refuse_stranger(&mut self, now: Time, role: PodRole) -> ExchangeRefusal {
        let since = *self.strangers.entry(role).or_insert(now);
        if self.strangers.len() > MOST_STRANGERS {
            let oldest = self.strangers.iter().min_by_key(|(_, since)| **since).map(|(role, _)| *role);
            oldest.map(|role| self.strangers.remove(&role));
        }
        let is_gone = now.millis_since(since) >= SHOWN_WITHIN_MILLIS;
        if is_gone { ExchangeRefusal::NotAWorker } else { ExchangeRefusal::NotReady }
    }

    /// What a worker holds that another leader may have granted to it is known once it speaks. One whose pod is still
    /// not shown to run holds nothing.
    pub fn presume_empty(&mut self, now: Time) {
        for worker in self.workers.values_mut() {
            worker.announced |= presumed_at(worker).is_some_and(|time| time <= now);
        }
    }

    /// When the next worker is presumed to hold nothing.
    pub(super) fn next_presumption(&self) -> Option<Time> {
        self.workers.values().filter_map(presumed_at).min()
    }

    /// Notes which workers have run for too long without a word.
    pub fn note_unheard(&mut self, now: Time) {
        for worker in self.workers.values_mut() {
            worker.unheard = due(worker).is_some_and(|due| due <= now);
        }
    }

    /// A worker that has run for too long without a word.
    pub fn unheard(&self) -> Option<PodRole> {
        self.workers.iter().find(|(_, worker)| worker.unheard).map(|(role, _)| *role)
    }

    /// When the next worker will have run for too long without a word.
    pub(super) fn next_unheard(&self) -> Option<Time> {
        self.workers.values().filter(|worker| !worker.unheard).filter_map(due).min()
    }
}

/// When a worker that was shown, and not yet shown to run, is presumed to hold nothing.
fn presumed_at(worker: &Worker) -> Option<Time> {
    let is_unclear = !worker.announced && worker.uid.is_some() && worker.runs_since.is_none();
    is_unclear.then(|| worker.since.plus_millis(REPORTED_WITHIN_MILLIS))
}

/// When a worker that has not spoken should have.
fn due(worker: &Worker) -> Option<Time> {
    let since = worker.runs_since.filter(|_| !worker.has_spoken())?;
    Some(since.plus_millis(SPEAKS_WITHIN_MILLIS))
}

#[cfg(test)]
mod tests {
    use maptask_exchange::{Request, State};

    use super::*;
    use crate::core::pod::PodStatus;
    use crate::core::workers::worker::Holdings;

    const A: PodRole = PodRole::Worker(1);
    const B: PodRole = PodRole::Worker(2);

    fn pod() -> PodSeen {
        PodSeen { uid: "a".to_owned(), ..PodSeen::in_state(PodStatus::default()) }
    }

    fn first_request() -> Request {
        let session = "0000000000000001".to_owned();
        let (running, stock, ended) = (Vec::new(), Vec::new(), Vec::new());
        Request { session, number: 1, epoch: 1, running, stock, ended, begun: 0, state: State::Working }
    }

    #[test]
    fn a_pod_that_was_not_shown_yet_tries_again_and_one_that_is_gone_ends_after_a_minute() {
        let mut table = WorkerTable::new(1);
        assert_eq!(table.admit(Time(5), A, "a"), Err(ExchangeRefusal::NotReady), "an operator before may have made it");
        table.add(Time(6), A, Holdings::None);
        assert_eq!(table.admit(Time(7), A, "a"), Err(ExchangeRefusal::NotReady), "it may be that of a task before");
        table.show(A, &pod(), None);
        assert_eq!(table.admit(Time(8), A, "a"), Ok(()));
        assert_eq!(table.admit(Time(8), A, "b"), Err(ExchangeRefusal::NotAWorker), "the name's earlier pod");
        table.remove(A);
        assert_eq!(table.admit(Time(60_009), A, "a"), Err(ExchangeRefusal::NotReady));
        assert_eq!(table.admit(Time(120_008), A, "a"), Err(ExchangeRefusal::NotReady));
        assert_eq!(table.admit(Time(120_009), A, "a"), Err(ExchangeRefusal::NotAWorker));
    }

    #[test]
    fn what_a_pending_pod_may_hold_is_awaited_for_half_a_minute() {
        let mut table = WorkerTable::new(1);
        table.add(Time(0), A, Holdings::Unknown);
        table.add(Time(0), B, Holdings::Unknown);
        table.show(A, &pod(), None);
        table.presume_empty(Time(29_999));
        assert!(table.awaits_announcements());
        assert_eq!(table.next_presumption(), Some(Time(30_000)));
        table.presume_empty(Time(30_000));
        assert_eq!((table.awaits_announcements(), table.next_presumption()), (true, None), "the other was not shown");
        table.show(B, &pod(), Some(Time(40_000)));
        table.presume_empty(Time(90_000));
        assert!(table.awaits_announcements(), "it runs, and will speak");
    }

    #[test]
    fn pods_that_nobody_knows_are_remembered_up_to_a_bound() {
        let mut table = WorkerTable::new(1);
        for number in 0..1_000 {
            let _ = table.admit(Time(i64::from(number)), PodRole::Worker(number), "a");
        }
        assert_eq!(table.strangers.len(), MOST_STRANGERS);
        assert_eq!(table.admit(Time(60_999), PodRole::Worker(999), "a"), Err(ExchangeRefusal::NotAWorker));
    }

    #[test]
    fn a_worker_that_runs_and_is_not_heard_is_named_after_half_a_minute() {
        let mut table = WorkerTable::new(1);
        table.add(Time(0), A, Holdings::None);
        table.add(Time(0), B, Holdings::None);
        table.show(A, &pod(), None);
        table.note_unheard(Time(99_999));
        assert_eq!((table.unheard(), table.next_unheard()), (None, None), "its image may take long");
        table.show(A, &pod(), Some(Time(100_000)));
        table.show(A, &pod(), Some(Time(110_000)));
        assert_eq!(table.next_unheard(), Some(Time(130_000)));
        table.note_unheard(Time(130_000));
        assert_eq!((table.unheard(), table.next_unheard()), (Some(A), None));
        table.hear(Time(130_001), A, 1, first_request()).unwrap();
        table.note_unheard(Time(130_001));
        assert_eq!(table.unheard(), None);
    }
}
