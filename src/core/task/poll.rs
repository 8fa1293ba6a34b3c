//! What is to be done for one task now?

use crate::api::status::{Waiting, WaitingReason};
use crate::core::cache::claims::Claims;
use crate::core::ids::{Index, PodRole, Time};
use crate::core::pod::pod_name;
use crate::core::port::{Action, Budget, Check, Create, Delete, EmitEvent, Expire, PodId, Write};
use crate::core::queue::Denial;
use crate::core::record::meta_time;
use crate::core::revision::Revision;
use crate::core::run::{Run, Startable};
use crate::core::task::{PollContext, Stage, Task};
use std::collections::{BTreeMap, VecDeque};

/// Most characters of a message in `status.waiting`.
const WAITING_LIMIT: usize = 512;

/// How often it is looked whether the pod of an attempt that counts no more has gone, in milliseconds.
const FORMER_POD_MILLIS: u64 = 1_000;

/// A reason, and its message.
type Why = (WaitingReason, Option<String>);

impl Task {
    /// The item to start next, if one may start as far as this task is concerned.
    pub fn peek_startable(&mut self) -> Option<Startable> {
        if !self.may_start() {
            return None;
        }
        let limit = self.concurrency().unwrap_or(usize::MAX);
        let (takes_workers, lists) = (self.takes_workers, self.is_listing());
        let (granted, left) = (self.granted_pods(), self.left_pods());
        let run = self.active_mut()?;
        // A worker that is about to end, or runs fewer items than others, is one pod all the same.
        let has_room = |limit: Option<usize>| limit.is_none_or(|limit| run.pods().len() < limit);
        let (is_granted, is_left) = (has_room(granted), has_room(left));
        run.peek_startable(limit).filter(|next| {
            let is_worker = matches!(next, Startable::Worker(..));
            (takes_workers || !lists && !is_worker) && (is_granted || !is_worker) && is_left
        })
    }

    /// Whether anything may start, as far as the task as a whole is concerned.
    pub(super) fn may_start(&self) -> bool {
        !self.deleting
            && !self.mutable.suspend
            && !self.mutable.cancel
            && self.unstored.is_none()
            && self.templates.problem().is_none()
            && self.may_start_by_queue()
    }

    /// How many more are in flight once this has started, which [`Self::peek_startable`] named.
    pub fn slots_to_start(&self, next: Startable) -> usize {
        let keeps_slot = |index| self.active().is_some_and(|run| run.items().keeps_slot(index));
        usize::from(!matches!(next, Startable::Item(index) if keeps_slot(index)))
    }

    /// Whether the item that [`Self::peek_startable`] named has to wait after all; then that names something else. If
    /// not, the item has its key in the cache.
    pub fn is_kept_waiting(&mut self, now: Time, claims: &mut Claims, index: Index) -> bool {
        let Some(run) = self.active() else { return false };
        let role = run.spec().blueprint.role_of(index, run.items().attempt(index));
        if self.retention.is_alive(role.lineage())
            && let Some(run) = self.active_mut()
        {
            run.items_mut().put_off(index, now.plus_millis(FORMER_POD_MILLIS));
            return true;
        }
        let conflict = self.claim(claims, &self.key, index).err();
        conflict.inspect(|conflict| self.block(index, conflict)).is_some()
    }

    /// Starts what [`Self::peek_startable`] named.
    pub fn launch(&mut self, poll: &PollContext, next: Startable) -> Option<Create> {
        let placement = self.placement();
        Some(Create { placement, ..self.active_mut()?.launch(poll.now, next) })
    }

    /// Notes why nothing more starts; `denied` is what the queue said, and `exchange` is the URL where workers reach
    /// the operator. Answers whether that is news.
    pub fn note_waiting(&mut self, now: Time, denied: Option<Denial>, exchange: Option<&str>) -> bool {
        let mut waiting = self.why_waiting(denied, exchange);
        let before = self.summary.waiting.take();
        if let Some(waiting) = &mut waiting {
            let same = before.as_ref().filter(|before| before.reason == waiting.reason);
            waiting.since = same.and_then(|before| before.since.clone()).or_else(|| Some(meta_time(now)));
        }
        if waiting == before {
            self.summary.waiting = before;
            return false;
        }
        if let Some(waiting) = &waiting {
            self.emit_blocked(now, waiting);
        }
        self.summary.waiting = waiting;
        self.writer.change();
        true
    }

    fn why_waiting(&self, denied: Option<Denial>, exchange: Option<&str>) -> Option<Waiting> {
        let Some(run) = self.active() else { return self.why_not_accepted() };
        let starts = self.wants_to_start(run);
        let denial = || match denied {
            Some(Denial::Waiting(reason, message)) if starts => Some((reason, message)),
            _ => None,
        };
        let name_taken = || self.name_taken.as_ref().map(|(_, words)| (WaitingReason::NameTaken, Some(words.clone())));
        let (reason, message) = self
            .why_held(run, exchange)
            .or_else(denial)
            .or_else(|| name_taken().filter(|_| starts))
            .or_else(|| self.why_pods_wait(run))
            .or_else(|| self.why_items_wait(run).filter(|_| starts))?;
        Some(Waiting::new(reason, message.map(|m| crate::text::cut(&m, WAITING_LIMIT))))
    }

    /// Whether more of it would start, but for what keeps it from that.
    fn wants_to_start(&self, run: &Run) -> bool {
        !self.mutable.suspend && run.may_start_more()
    }

    /// Why nothing more of the task may start, whatever the queue says.
    fn why_held(&self, run: &Run, exchange: Option<&str>) -> Option<Why> {
        let starts = self.wants_to_start(run);
        let is_at_work = starts || run.items().counts().running > 0;
        if let Some(problem) = self.templates.problem().filter(|_| starts || self.is_listing()) {
            return Some((WaitingReason::TemplateChanged, Some(problem.to_owned())));
        }
        if let Some((reason, message)) = self.fetching.problem()
            && starts
            && !run.spec().blueprint.items.is_known()
        {
            return Some((*reason, Some(message.clone())));
        }
        if let Some(message) = self.why_not_admitted().filter(|_| is_at_work) {
            return Some((WaitingReason::NotAdmitted, Some(message)));
        }
        // Whatever keeps more workers from starting, those that there are do nothing.
        let (reason, message) = self.why_no_workers(run, exchange).filter(|_| is_at_work)?;
        Some((reason, Some(message)))
    }

    /// What its pods wait for.
    fn why_pods_wait(&self, run: &Run) -> Option<Why> {
        if let Some(stalled) = run.pods().waiting() {
            return Some((stalled.reason, stalled.message));
        }
        let (role, names) = run.pods().outlived()?;
        let pod = pod_name(&self.key.name, role);
        let own = run.spec().blueprint.template.container();
        let message = format!(
            "pod {pod}: container {own} has ended, still running: {names}; with spec.completion: Container the pod would \
             end now"
        );
        Some((WaitingReason::ContainersRunning, Some(message)))
    }

    /// What items wait for that have no pod.
    fn why_items_wait(&self, run: &Run) -> Option<Why> {
        let items = run.items();
        let is_full = || self.concurrency().is_some_and(|limit| items.in_flight() >= limit);
        if run.lacks_slots() && is_full() {
            return Some((WaitingReason::Concurrency, self.words_of_part()));
        }
        if let Some((_, message)) = &self.create_failed {
            return Some((WaitingReason::FailedCreate, Some(message.clone())));
        }
        if let Some(behind) = items.blocked_behind() {
            return Some((WaitingReason::Serialized, Some(behind.to_owned())));
        }
        (items.assignments().is_empty() && items.is_holding()).then_some((WaitingReason::Backoff, None))
    }

    /// What a task waits for that is not accepted yet.
    fn why_not_accepted(&self) -> Option<Waiting> {
        let (reason, message) = match &self.stage {
            Stage::Fetching(_) if self.templates.problem().is_some() => {
                (WaitingReason::TemplateChanged, self.templates.problem()?)
            }
            Stage::Fetching(_) => self.fetching.problem().map(|(reason, message)| (*reason, message.as_str()))?,
            Stage::Checking { problem, .. } => (WaitingReason::FailedCreate, problem.as_deref()?),
            Stage::Listing(_) | Stage::Running(_) | Stage::Ended { .. } => return None,
        };
        Some(Waiting::new(reason, Some(crate::text::cut(message, WAITING_LIMIT))))
    }

    /// Puts into `actions` what is to be done for this task now, creates and the status write apart.
    pub fn poll(&mut self, poll: &PollContext, claims: &mut Claims, budget: &mut Budget, actions: &mut Vec<Action>) {
        if !self.deleting {
            self.poll_life(poll, claims, budget, actions);
        }
        let (due, later) = self.events.drain(..).partition(|(revision, _)| self.writer.is_written(*revision));
        self.events = later;
        let due: VecDeque<(Revision, EmitEvent)> = due;
        actions.extend(due.into_iter().map(|(_, event)| Action::EmitEvent(event)));
    }

    fn poll_life(&mut self, poll: &PollContext, claims: &mut Claims, budget: &mut Budget, actions: &mut Vec<Action>) {
        let now = poll.now;
        self.takes_workers = poll.takes_workers;
        self.name_taken.take_if(|(until, _)| *until <= now);
        self.create_failed.take_if(|(until, _)| *until <= now);
        self.poll_cancel(now);
        self.poll_fetch(poll, actions);
        self.poll_lookup(now, actions);
        self.poll_check(now, actions);
        self.poll_rerun(now);
        self.poll_listing(now, actions);
        self.poll_admission(poll, actions);
        let stops = self.mutable.stops() || self.awaits_admission();
        if let (Some(run), context) = self.context(now) {
            run.poll(&context, stops, actions);
        }
        self.decide(now);
        self.poll_workers(now, claims);
        if let (Some(run), context) = self.context(now) {
            run.poll_pods(&context, budget, actions);
        }
        if self.writer.reread_due().is_some_and(|due| due <= now) {
            self.writer.reread_begun(now);
            actions.push(Action::Reread(self.key.clone()));
        }
        self.retention.sort(now, self.writer.written(), poll.keeping.asked_for(self.mutable.finished_pods));
        self.poll_finished_pods(now, budget, actions);
        if self.expiry().is_some_and(|time| time <= now) {
            self.expiring = Some(now.plus_millis(Expire::AGAIN_MILLIS));
            actions.push(Action::Expire(Expire {
                key: self.key.clone(),
                uid: self.uid.clone(),
                resource_version: self.writer.resource_version(),
            }));
        }
    }

    /// Deletes finished pods that do not stay.
    fn poll_finished_pods(&mut self, now: Time, budget: &mut Budget, actions: &mut Vec<Action>) {
        while budget.deletes > 0 {
            let Some(pod) = self.retention.next_delete(now) else { break };
            budget.deletes -= 1;
            let id = self.pod_id(pod.role);
            let version = self.retention.precondition(&pod);
            let task_uid = self.uid.clone();
            actions.push(Action::Delete(Delete { id, uid: pod.uid, task_uid, version, ended: pod.ended }));
        }
    }

    /// When a deadline passes. Once one has, only the end of pods is awaited.
    fn next_deadline(&self) -> Option<Time> {
        let deadlines = [self.deadline(), self.reduce_deadline(), self.listing_deadline()];
        deadlines.into_iter().flatten().min().filter(|_| !self.active().is_some_and(Run::is_forced_to_end))
    }

    /// When this task must be polled again if nothing happens. Some may be over, of what waits for a limit.
    pub fn wakes(&self) -> impl Iterator<Item = Time> {
        let stage = match &self.stage {
            Stage::Checking { request, .. } if self.may_check() => request.next_wake(),
            Stage::Running(_) | Stage::Listing(_) if !self.mutable.suspend => {
                self.active().and_then(|run| run.items().next_wake())
            }
            _ => None,
        };
        let times = [
            stage,
            self.active().and_then(Run::next_wake),
            // Until its revision is written, the answer to that write is what counts.
            self.active()
                .and_then(Run::not_before)
                .filter(|(revision, _)| self.writer.is_written(*revision))
                .map(|(_, time)| time),
            self.name_taken.as_ref().map(|(until, _)| *until),
            self.create_failed.as_ref().map(|(until, _)| *until),
            self.next_fetch(),
            self.admission.next_wake(),
            self.next_lookup(),
            self.next_deadline(),
            self.next_silence(),
            self.expiry(),
            self.writer.due(),
            self.writer.reread_due(),
            self.retention.next_wake(),
        ];
        let lives = !self.deleting;
        times.into_iter().flatten().filter(move |_| lives)
    }

    fn poll_check(&mut self, now: Time, actions: &mut Vec<Action>) {
        let may = self.may_check();
        if let Stage::Checking { spec, request, .. } = &mut self.stage
            && may
            && request.is_due(now)
        {
            request.send();
            let (key, uid) = (self.key.clone(), self.uid.clone());
            actions.push(Action::Check(Check { key, uid, blueprints: spec.blueprints() }));
        }
    }

    /// Puts a status write into `actions`, if one is due, given the number of tasks that have items in flight.
    pub fn poll_write(&mut self, now: Time, busy: u32, actions: &mut Vec<Action>) {
        self.writer.share(busy);
        self.poll_note(actions);
        if self.deleting || self.writer.due().is_none_or(|due| due > now) {
            return;
        }
        let mut results = self.shards_to_store(now);
        results.extend(self.shards_to_empty());
        self.emptying = self.map().is_some();
        let status = self.compose_status(now);
        let (storing, entries) = match self.map() {
            Some(run) => (run.items().results().clone(), run.items().new_entries(run.spec())),
            None => (BTreeMap::new(), Vec::new()),
        };
        let cache = self.map().and_then(|run| run.spec().cache.as_ref()).filter(|_| !entries.is_empty());
        let cache = cache.map(|keys| (keys.id.clone(), entries));
        self.storing = storing;
        self.writer.begin(now, &status);
        actions.push(Action::Write(Box::new(Write {
            key: self.key.clone(),
            uid: self.uid.clone(),
            resource_version: self.writer.resource_version(),
            results,
            cache,
            status,
        })));
    }

    pub(super) fn pod_id(&self, role: PodRole) -> PodId {
        PodId { key: self.key.clone(), role }
    }
}
