//! The items of a ConfigMap: read once when the task is accepted, and again by an operator that has been restarted.

use std::sync::Arc;

use crate::core::backoff::Backoff;
use crate::core::ids::Time;
use crate::core::items::{ExternalSource, ItemList};
use crate::core::port::{Action, Fetch, FetchOutcome};
use crate::core::spec::{AcceptedSpec, Given};
use crate::core::task::{Stage, Task};

/// The delay before a ConfigMap is asked for again, in milliseconds, doubling up to [`MAX_AGAIN_MILLIS`].
const AGAIN_MILLIS: u64 = 1_000;
/// The longest delay.
const MAX_AGAIN_MILLIS: u64 = 30_000;

/// How it goes with reading a ConfigMap.
#[derive(Debug)]
pub(super) struct Fetching {
    asked: bool,
    again: Backoff,
    /// Why the items are not known.
    pub(super) problem: Option<String>,
}

impl Default for Fetching {
    fn default() -> Self {
        Self { asked: false, again: Backoff::new(AGAIN_MILLIS, MAX_AGAIN_MILLIS), problem: None }
    }
}

impl Fetching {
    /// The items are not known, and are asked for again later.
    fn failed(&mut self, now: Time, problem: String) {
        self.again.failed(now);
        self.problem = Some(problem);
    }
}

impl Task {
    /// The ConfigMap that has to be read.
    fn wanted_items(&self) -> Option<Fetch> {
        let source = match &self.stage {
            Stage::Fetching(spec) => ExternalSource::of(&spec.items)?,
            Stage::Running(run) if !run.spec().blueprint.items.is_known() => run.spec().source.as_ref()?.0.clone(),
            _ => return None,
        };
        Some(Fetch { task: self.key.clone(), uid: self.uid.clone(), source })
    }

    pub(super) fn poll_fetch(&mut self, now: Time, actions: &mut Vec<Action>) {
        if !self.fetching.asked
            && self.fetching.again.is_due(now)
            && self.may_check()
            && let Some(fetch) = self.wanted_items()
        {
            self.fetching.asked = true;
            actions.push(Action::Fetch(fetch));
        }
    }

    pub(super) fn next_fetch(&self) -> Option<Time> {
        let wanted = !self.fetching.asked && self.may_check() && self.wanted_items().is_some();
        self.fetching.again.until().filter(|_| wanted)
    }

    /// The ConfigMap was read, or could not be.
    pub fn handle_fetched(&mut self, now: Time, outcome: FetchOutcome) {
        self.fetching.asked = false;
        let source = self.wanted_items().map(|fetch| fetch.source);
        let text = match outcome {
            FetchOutcome::Found(text) => text,
            FetchOutcome::Missing(message) | FetchOutcome::Indeterminate(message) => {
                let field = source.map_or("spec.items", |source| source.field());
                if let Stage::Fetching(_) = self.stage {
                    self.summary.message =
                        Some(format!("not accepted yet, will retry: {}", crate::text::cut(&message, 400)));
                    self.writer.change();
                }
                self.fetching.failed(now, format!("{field}: {message}"));
                return;
            }
        };
        match &mut self.stage {
            Stage::Fetching(spec) => match AcceptedSpec::accept(&self.key, &self.uid, spec, Given::Text(&text)) {
                Ok(spec) => self.check_or_accept(now, Arc::new(spec)),
                Err(refusal) => self.refuse(now, refusal.reason(), &refusal.to_string()),
            },
            Stage::Running(run) => match read_again(run.spec(), &text) {
                Ok(items) => {
                    run.set_items(items);
                    self.fetching.problem = None;
                }
                Err(problem) => self.fetching.failed(now, problem),
            },
            Stage::Checking { .. } | Stage::Ended { .. } => {}
        }
    }
}

/// The items of this text, if it is the text that they were read from at first.
fn read_again(spec: &AcceptedSpec, text: &[u8]) -> Result<ItemList, String> {
    let Some((source, known)) = &spec.source else { return Ok(spec.blueprint.items.clone()) };
    let found = crate::core::items::hash(text);
    if known.as_ref().is_some_and(|known| *known != found) {
        return Err(format!(
            "{source} has changed since the task was accepted, and the operator has restarted since: pending items \
             can't start; restore the content of {} ({}), or create another MapTask",
            source.part(),
            known.as_deref().unwrap_or_default()
        ));
    }
    let items = source.list(text).map_err(|error| error.to_string())?;
    if items.count() != spec.count() {
        let (has, had) = (items.count().get(), spec.count().get());
        return Err(format!("{source} has {has} items instead of {had}"));
    }
    Ok(items)
}
