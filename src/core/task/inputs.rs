//! Items that are not in the spec: read once when the task is accepted, and again by an operator that has been
//! restarted.

use std::sync::Arc;

use crate::api::reasons::ConditionReason;
use crate::api::status::WaitingReason;
use crate::core::ids::Time;
use crate::core::items::{ExternalSource, ReadList};
use crate::core::limits::ListMemory;
use crate::core::port::{Action, Fetch, FetchOutcome};
use crate::core::spec::{AcceptedSpec, Given};
use crate::core::task::observe::not_accepted_message;
use crate::core::task::{PollContext, Stage, Task};

impl Task {
    /// The list that has to be read.
    fn wanted_items(&self) -> Option<Fetch> {
        let source = match &self.stage {
            Stage::Fetching(spec) if self.templates.problem().is_none() => ExternalSource::of(&spec.items)?,
            Stage::Running(run) if !run.spec().blueprint.items.is_known() => run.spec().source.as_ref()?.0.clone(),
            _ => return None,
        };
        Some(Fetch { task: self.key.clone(), uid: self.uid.clone(), source })
    }

    pub(super) fn poll_fetch(&mut self, poll: &PollContext, actions: &mut Vec<Action>) {
        if !self.fetching.is_due(poll.now) || !self.may_check() {
            return;
        }
        let Some(fetch) = self.wanted_items() else { return };
        if let Some(problem) = fetch.source.known_bytes().and_then(|bytes| poll.lists.problem(bytes)) {
            return self.not_read(poll.now, WaitingReason::OperatorLimit, &fetch.source, &problem);
        }
        self.fetching.send();
        actions.push(Action::Fetch(fetch));
    }

    /// The memory that the list takes, if it was read.
    pub fn list_bytes(&self) -> u64 {
        let spec = match &self.stage {
            Stage::Checking { spec, .. } => spec,
            Stage::Running(run) | Stage::Ended { run: Some(run), .. } => run.spec(),
            Stage::Listing(_) | Stage::Fetching(_) | Stage::Ended { run: None, .. } => return 0,
        };
        spec.blueprint.items.bytes()
    }

    pub(super) fn next_fetch(&self) -> Option<Time> {
        let wanted = self.may_check() && self.wanted_items().is_some();
        self.fetching.next_wake().filter(|_| wanted)
    }

    /// The task whose results are waited for, until this one is accepted.
    pub fn awaited_task(&self) -> Option<&str> {
        match &self.stage {
            Stage::Fetching(spec) => ExternalSource::task_of(&spec.items),
            Stage::Listing(_) | Stage::Checking { .. } | Stage::Running(_) | Stage::Ended { .. } => None,
        }
    }

    /// The task whose results are waited for has ended: they are asked for at once.
    pub fn awaited_task_ended(&mut self) {
        self.fetching.source_changed();
    }

    /// Tasks wait for each other's results, each for the next one of these, and the last for the first.
    pub fn refuse_cycle(&mut self, now: Time, names: &[String]) {
        self.fetching.answered();
        let first = names.first().map(String::as_str).unwrap_or_default();
        let message = format!(
            "spec.items.resultsOf: {} -> {first} is a cycle, in which no task can start: delete one of them and create it \
             with other items",
            names.join(" -> ")
        );
        self.refuse(now, ConditionReason::DependencyCycle, &message);
    }

    /// The list was read, or could not be.
    pub fn handle_fetched(&mut self, now: Time, outcome: FetchOutcome, memory: ListMemory) {
        self.fetching.answered();
        let Some(source) = self.wanted_items().map(|fetch| fetch.source) else { return };
        match outcome {
            FetchOutcome::Found(list) if source.known_hash().is_some_and(|known| known != list.hash) => {
                let message = format!("{source} has changed since it was recorded; {}", source.to_restore());
                self.not_read(now, WaitingReason::ItemsChanged, &source, &message);
            }
            FetchOutcome::Found(list) => match memory.problem(list.items.bytes()) {
                Some(problem) => self.not_read(now, WaitingReason::OperatorLimit, &source, &problem),
                None => self.handle_list(now, &list),
            },
            FetchOutcome::Missing(message) | FetchOutcome::Indeterminate(message) => {
                self.not_read(now, WaitingReason::ItemsMissing, &source, &message);
            }
            FetchOutcome::Waits(message) => self.not_read(now, WaitingReason::DependsOn, &source, &message),
            FetchOutcome::Invalid(error) => match &self.stage {
                Stage::Fetching(_) => self.refuse(now, error.reason(), &error.to_string()),
                _ => self.fetching.failed(now, WaitingReason::ItemsChanged, error.to_string()),
            },
            FetchOutcome::Failed(message) => match &self.stage {
                Stage::Fetching(_) => {
                    let message = format!("{}: {message}", source.field());
                    self.refuse(now, ConditionReason::DependencyFailed, &message);
                }
                _ => self.not_read(now, WaitingReason::ItemsChanged, &source, &message),
            },
        }
    }

    fn not_read(&mut self, now: Time, reason: WaitingReason, source: &ExternalSource, message: &str) {
        if let Stage::Fetching(_) = self.stage {
            let message = not_accepted_message(message);
            if self.summary.message.as_ref() != Some(&message) {
                self.summary.message = Some(message);
                self.writer.change();
            }
        }
        self.fetching.failed(now, reason, format!("{}: {message}", source.field()));
    }

    fn handle_list(&mut self, now: Time, list: &ReadList) {
        match &mut self.stage {
            Stage::Fetching(spec) => match AcceptedSpec::accept(&self.key, &self.uid, spec, Given::Read(list)) {
                Ok(spec) => self.check_or_accept(now, Arc::new(spec)),
                Err(refusal) => self.refuse(now, refusal.reason(), &refusal.to_string()),
            },
            Stage::Running(run) => match run.spec().read_again(list) {
                Ok(items) => {
                    run.set_items(items);
                    self.fetching.read();
                }
                Err(problem) => self.fetching.failed(now, WaitingReason::ItemsChanged, problem),
            },
            Stage::Listing(_) | Stage::Checking { .. } | Stage::Ended { .. } => {}
        }
    }
}
