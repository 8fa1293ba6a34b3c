//! How far have pods come with their start, and what holds them up?

use crate::core::ids::{PodRole, Time};
use crate::core::pod::explain::{explain, together};
use crate::core::pod::{BlockerKind, Gating, PodSeen, Progress, StartBlocker, StopReason};
use crate::core::pods::explaining::PATIENCE_MILLIS;
use crate::core::pods::outlived;
use crate::core::pods::state::PodState;
use crate::core::pods::table::{PodTable, PodTimer};
use crate::core::port::{Action, Explain, ExplainOutcome, PodId};

fn is_never_started(why: StopReason) -> bool {
    matches!(why, StopReason::NeverStarted(_))
}

impl PodTable {
    /// A pod of this table is shown, and has come so far.
    pub fn show(&mut self, now: Time, role: PodRole, pod: &PodSeen, epoch: u32, progress: &Progress) {
        if self.get(role).is_some_and(|state| state.is_another(&pod.uid)) {
            // What held up the one before holds up nothing any more.
            self.forget_silence(role);
            self.set_blocker(role, None);
        }
        let Some(state) = self.get_mut(role) else { return };
        let first = state.sight(pod, epoch);
        match progress {
            // What held it up until its end is why it never started.
            Progress::Ended(_) => {}
            Progress::Started => self.show_started(now, role, pod),
            Progress::Pending(blocker) => {
                self.forget_outlived(role);
                self.note_gates(now, role, first, pod);
                self.show_pending(now, role, first, blocker.as_ref());
            }
        }
    }

    fn show_started(&mut self, now: Time, role: PodRole, pod: &PodSeen) {
        self.timers.stop((role.into(), PodTimer::StartDeadline));
        self.forget_silence(role);
        self.explaining.of_template = None;
        if let Some(state) = self.get_mut(role) {
            let start = state.start_mut();
            (start.waiting_since, start.is_gated, start.explained) = (None, false, None);
            state.unwant_stopped(is_never_started);
        }
        self.report_blocker(role, None);
        match self.blueprint.template.main_container().outlived(pod) {
            Some((since, names)) => self.note_outlived(role, since.unwrap_or(now).min(now), &names),
            None => self.forget_outlived(role),
        }
    }

    /// The time of a pod for its start begins once no scheduling gate holds it back any more. When that was is not
    /// known of a pod that was not seen with its gates: no later than it got a node.
    fn note_gates(&mut self, now: Time, role: PodRole, first: bool, pod: &PodSeen) {
        let Some(start) = self.get_mut(role).map(PodState::start_mut) else { return };
        let was_gated = std::mem::replace(&mut start.is_gated, pod.is_gated());
        if pod.is_gated() {
            return self.timers.stop((role.into(), PodTimer::StartDeadline));
        }
        if was_gated || first && pod.gating == Gating::Open {
            let opened = pod.status.scheduled_at().filter(|_| !was_gated).map_or(now, |time| time.min(now));
            start.waiting_since = start.waiting_since.map(|since| since.max(opened));
        }
        if was_gated || first {
            self.restore_start_deadline(role);
        }
    }

    fn show_pending(&mut self, now: Time, role: PodRole, first: bool, blocker: Option<&StartBlocker>) {
        let Some(state) = self.get_mut(role) else { return };
        let waiting_since = state.start().waiting_since;
        if blocker.is_some_and(|blocker| blocker.kind.is_told_by_status()) {
            self.forget_silence(role);
            if let Some(state) = self.get_mut(role) {
                state.start_mut().explained = None;
            }
        } else if !self.timers.is_set((role.into(), PodTimer::Silence)) && !self.explaining.is_silent(role) {
            let since = waiting_since.filter(|_| first).unwrap_or(now);
            self.timers.set((role.into(), PodTimer::Silence), since.plus_millis(self.patience_millis()));
        }
        if let (Some(BlockerKind::ImageName), Some(state)) = (blocker.map(|blocker| blocker.kind), self.get_mut(role)) {
            state.want_stopped(StopReason::NeverStarted(BlockerKind::ImageName));
        }
        self.report_blocker(role, blocker);
    }

    /// The status of a pod says what holds it up. Once it is being deleted for that, nothing takes it back.
    fn report_blocker(&mut self, role: PodRole, blocker: Option<&StartBlocker>) {
        let Some(state) = self.get_mut(role) else { return };
        if blocker.is_none() && (state.start().is_clear() || state.stop_reason().is_some_and(is_never_started)) {
            return;
        }
        state.start_mut().reported = blocker.cloned();
        let blocker = together(blocker, state.start().explained.as_ref());
        self.set_blocker(role, blocker.as_ref());
    }

    /// Whether scheduling gates hold the pod back, as far as is known.
    pub fn is_gated(&self, role: PodRole) -> bool {
        self.get(role).is_some_and(|pod| pod.start().is_gated)
    }

    /// Whether a container of any pod has run.
    pub fn has_started(&self) -> bool {
        self.pods.values().any(|slot| slot.pod.start().waiting_since.is_none())
    }

    /// By when a pod must have started that has waited since then.
    fn start_deadline(&self, waiting_since: Option<Time>) -> Option<Time> {
        waiting_since.zip(self.start_deadline_millis).map(|(since, millis)| since.plus_millis(millis))
    }

    /// Sets the start deadline of a pod, unless it was not shown yet, or scheduling gates hold it back.
    pub(super) fn restore_start_deadline(&mut self, role: PodRole) {
        let shown = self.get(role).filter(|pod| pod.version().is_some());
        let start = shown.map(PodState::start).filter(|start| !start.is_gated);
        let deadline = self.start_deadline(start.and_then(|start| start.waiting_since));
        if let Some(deadline) = deadline {
            self.timers.set((role.into(), PodTimer::StartDeadline), deadline);
        }
    }

    /// How long a pod may take to start before it is looked into: no longer than half of the time that it has.
    fn patience_millis(&self) -> u64 {
        self.start_deadline_millis.map_or(PATIENCE_MILLIS, |millis| PATIENCE_MILLIS.min(millis / 2))
    }

    /// What is due at this time.
    pub fn expire(&mut self, now: Time) {
        while let Some((key, timer)) = self.timers.pop_due(now) {
            let role = key.into();
            match timer {
                PodTimer::StartDeadline => {
                    let why = StopReason::NeverStarted(self.last_blocker(role));
                    if let Some(pod) = self.get_mut(role) {
                        pod.want_stopped(why);
                    }
                }
                PodTimer::Silence => self.note_silence(role),
                PodTimer::Outlived => self.outlived.expire(role),
            }
        }
    }

    fn note_silence(&mut self, role: PodRole) {
        self.explaining.note_silent(role);
        let seconds = self.patience_millis() / 1_000;
        let reported = self.get(role).and_then(|pod| pod.start().reported.as_ref());
        let words = reported.map(|blocker| format!(": {}", blocker.message)).unwrap_or_default();
        let message = format!("no container of it has run for {seconds} s{words}");
        self.set_explained(role, Some(StartBlocker { kind: BlockerKind::Silent, message }));
    }

    pub(super) fn forget_silence(&mut self, role: PodRole) {
        self.timers.stop((role.into(), PodTimer::Silence));
        self.explaining.forget(role);
    }

    fn note_outlived(&mut self, role: PodRole, since: Time, containers: &[String]) {
        if self.outlived.note(role, containers) {
            self.timers.set((role.into(), PodTimer::Outlived), since.plus_millis(outlived::PATIENCE_MILLIS));
        }
    }

    pub(super) fn forget_outlived(&mut self, role: PodRole) {
        if self.outlived.forget(role) {
            self.timers.stop((role.into(), PodTimer::Outlived));
        }
    }

    /// One pod whose other containers have run on for long enough, and their names.
    pub fn outlived(&self) -> Option<(PodRole, &str)> {
        self.outlived.late()
    }

    /// Reads the Events about one silent pod.
    pub fn poll_explain(&mut self, now: Time, actions: &mut Vec<Action>) {
        let Some(role) = self.explaining.next_explain(now) else { return };
        let Some(pod) = self.get(role) else { return };
        let Some(uid) = pod.uid().map(str::to_owned) else { return };
        let of_claims = pod.start().reported.as_ref().is_some_and(|blocker| blocker.kind == BlockerKind::Volume);
        let id = PodId { key: self.blueprint.key.clone(), role };
        let claims = if of_claims { self.blueprint.template.claims(&id.pod_name()) } else { Vec::new() };
        actions.push(Action::Explain(Explain { id, task_uid: self.blueprint.uid.clone(), uid, claims }));
        self.explaining.asked(now, role);
    }

    /// The Events about a pod were read, or could not be.
    pub fn explained(&mut self, now: Time, role: PodRole, outcome: &ExplainOutcome) {
        if !self.explaining.answered(role) {
            return;
        }
        match outcome {
            ExplainOutcome::Said(said) => {
                let blocker = explain(said);
                if blocker.is_some() && self.explaining.is_silent(role) {
                    self.explaining.of_template = blocker.clone().filter(|blocker| blocker.kind == BlockerKind::Config);
                    self.set_explained(role, blocker);
                }
            }
            ExplainOutcome::Denied => self.explaining.denied(now),
            ExplainOutcome::Indeterminate => {}
        }
    }

    /// What the Events about a pod say holds it up.
    fn set_explained(&mut self, role: PodRole, explained: Option<StartBlocker>) {
        let Some(start) = self.get_mut(role).map(PodState::start_mut) else { return };
        if start.waiting_since.is_some() {
            let blocker = together(start.reported.as_ref(), explained.as_ref());
            start.explained = explained;
            self.set_blocker(role, blocker.as_ref());
        }
    }

    fn set_blocker(&mut self, role: PodRole, blocker: Option<&StartBlocker>) {
        let Some(start) = self.get_mut(role).map(PodState::start_mut) else { return };
        let before = std::mem::replace(&mut start.blocker, blocker.cloned()).map(|blocker| blocker.kind);
        if before.is_some() || blocker.is_some() {
            let id = PodId { key: self.blueprint.key.clone(), role };
            self.blockers.change(&id.pod_name(), before, blocker);
        }
    }

    /// What held up a pod until its time was over. One that never said so is taken to be like one of the same template
    /// that did.
    fn last_blocker(&mut self, role: PodRole) -> BlockerKind {
        let known = self.get(role).and_then(|pod| pod.start().blocker.as_ref()).map(|blocker| blocker.kind);
        match (known, self.explaining.of_template.clone()) {
            (Some(kind), _) if !matches!(kind, BlockerKind::Other | BlockerKind::Silent) => kind,
            (_, None) => BlockerKind::Other,
            (_, Some(blocker)) => {
                let kind = blocker.kind;
                self.set_blocker(role, Some(&blocker));
                kind
            }
        }
    }

    /// What holds up the start of pods, in words for the user.
    pub fn waiting(&self) -> Option<crate::api::status::Waiting> {
        self.blockers.waiting()
    }
}
