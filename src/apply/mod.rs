//! From plans to the API server, and from its answers back to the core.

mod answer;
pub mod cache;
mod config_map;
mod items;
pub mod pods;
mod request;
mod results;
mod status;

use std::sync::Arc;
use std::time::Duration;

use cache::Store;
use kube::Client;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::core::fleet::plan::{Action, Answer, CreateOutcome, Plan, RecallOutcome, WriteOutcome};
use crate::serve::events::Events;
use crate::serve::metrics::Metrics;

/// The manager that the API server notes for our fields.
pub const FIELD_MANAGER: &str = "maptask-operator";
/// A request without an answer after this time counts as unanswered. Admission webhooks may take 30 s.
const PATIENCE: Duration = Duration::from_secs(35);

/// Carries plans out. Every action runs on its own; the core never has more on their way than its windows allow.
#[derive(Clone)]
pub struct Apply {
    client: Client,
    cache: Arc<dyn Store>,
    events: Events,
    metrics: Metrics,
    answers: mpsc::UnboundedSender<Answer>,
    running: TaskTracker,
}

impl Apply {
    /// `client` must not repeat requests by itself: how often is for the core to say.
    pub fn new(
        client: Client,
        cache: Arc<dyn Store>,
        events: Events,
        metrics: Metrics,
        answers: mpsc::UnboundedSender<Answer>,
    ) -> Self {
        Self { client, cache, events, metrics, answers, running: TaskTracker::new() }
    }

    /// Starts all of a plan.
    pub fn start(&self, plan: Plan) {
        for action in plan.actions {
            tracing::debug!(%action, "plan");
            let apply = self.clone();
            self.running.spawn(async move { apply.carry_out(action).await });
        }
    }

    /// Waits until what was started has been answered.
    pub async fn finish(&self) {
        self.running.close();
        self.running.wait().await;
    }

    async fn carry_out(&self, action: Action) {
        let answer = match action {
            Action::Check(job) => {
                let outcome = pods::check(&self.client, &job).await;
                Answer::Checked(job.key.clone(), job.uid.clone(), outcome)
            }
            Action::Create(create) => {
                let outcome = pods::create(&self.client, &create).await;
                self.metrics.created(&outcome);
                if let CreateOutcome::Refused(message) = &outcome {
                    tracing::warn!(pod = %create.id(), message, "pod refused");
                }
                Answer::Created(create.id(), create.job.uid.clone(), outcome)
            }
            Action::Delete(delete) => {
                let outcome = pods::delete(&self.client, &delete).await;
                self.metrics.deleted(outcome);
                Answer::Deleted(delete.id, outcome)
            }
            Action::Look(id) => {
                let outcome = pods::look(&self.client, &id).await;
                Answer::Looked(id, outcome)
            }
            Action::Write(write) => {
                let outcome = status::write(&self.client, &*self.cache, &write).await;
                self.metrics.written(&outcome, &write.status);
                if let WriteOutcome::Failed(message) = &outcome {
                    tracing::warn!(task = %write.key, message, "status not written, will try again");
                }
                Answer::Written(write.key.clone(), write.uid.clone(), outcome)
            }
            Action::Reread(key) => match status::read(&self.client, &key).await {
                Some(seen) => Answer::Reread(Box::new(seen)),
                None => return,
            },
            Action::Fetch(fetch) => {
                let outcome = items::fetch(&self.client, &fetch).await;
                Answer::Fetched(fetch.task, fetch.uid, outcome)
            }
            Action::Recall(recall) => {
                let outcome = cache::recall(&*self.cache, &recall).await;
                if let RecallOutcome::Unclear(message) = &outcome {
                    tracing::warn!(task = %recall.task, message, "cache not read, will try again");
                }
                Answer::Recalled(recall.task, recall.uid, outcome)
            }
            Action::Expire(expire) => {
                status::expire(&self.client, &expire).await;
                return;
            }
            Action::Tell(tell) => {
                tracing::info!(task = %tell.key, reason = tell.reason, note = tell.note, "task");
                self.events.tell(&tell).await;
                return;
            }
        };
        // Nobody listens any more only when the operator ends.
        let _ = self.answers.send(answer);
    }
}
