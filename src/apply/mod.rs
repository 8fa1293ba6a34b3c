//! From plans to the API server, and from its answers back to the core.

mod answer;
pub mod cache;
mod config_map;
mod explain;
mod home;
mod items;
pub mod pods;
mod request;
pub mod results;
mod status;
mod stores;
mod turns;
mod workloads;

use std::sync::Arc;

pub use home::Home;
pub use items::fetch_items;
use kube::Client;
pub use request::Failure;
pub use stores::{Stores, result_store};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use turns::Turns;

use crate::core::port::{Action, Answer, CacheLookupOutcome, CreateOutcome, PieceOutcome, Plan, WriteOutcome};
use crate::serve::events::Events;
use crate::serve::metrics::Metrics;

/// Answers in the queue to the core at most. While it is full, answered requests keep their turn: backpressure.
pub const ANSWERS: usize = 4_096;

/// Executes plans. Each action is a task of its own. The core's window limits the creates in progress, since creates
/// that waited here would lose their order. Other actions are at most one for each pod or task.
#[derive(Clone)]
pub struct Apply {
    client: Client,
    stores: Stores,
    events: Events,
    metrics: Metrics,
    answers: mpsc::Sender<Answer>,
    running: TaskTracker,
    turns: Arc<Turns>,
    /// The address and the image for pods of workers.
    home: Home,
}

impl Apply {
    /// `client` must not repeat requests by itself: how often is for the core to say.
    pub fn new(
        client: Client,
        stores: Stores,
        events: Events,
        metrics: Metrics,
        answers: mpsc::Sender<Answer>,
    ) -> Self {
        let turns = Arc::new(Turns::new());
        Self { client, stores, events, metrics, answers, running: TaskTracker::new(), turns, home: Home::default() }
    }

    /// Tells pods of workers where their home is.
    #[must_use]
    pub fn with_home(self, home: Home) -> Self {
        Self { home, ..self }
    }

    /// Starts all of a plan.
    pub fn start(&self, plan: Plan) {
        for action in plan.actions {
            tracing::debug!(%action, "plan");
            let apply = self.clone();
            self.running.spawn(async move {
                let turns = Arc::clone(&apply.turns);
                turns.run(turns.of(&action), Box::pin(apply.carry_out(action))).await;
            });
        }
    }

    /// Waits until what was started has been answered.
    pub async fn finish(&self) {
        self.running.close();
        self.running.wait().await;
    }

    async fn carry_out(&self, action: Action) {
        let answer = match action {
            Action::Check(check) => {
                let outcome = pods::check(&self.client, &check, self.home.now().as_ref()).await;
                Answer::Checked(check.key, check.uid, outcome)
            }
            Action::Create(create) => {
                let outcome = pods::create(&self.client, &create, self.home.now().as_ref()).await;
                self.metrics.created(&outcome);
                if let CreateOutcome::Refused(message)
                | CreateOutcome::Invalid(message)
                | CreateOutcome::Failed { message, .. } = &outcome
                {
                    let (key, pod) = (&create.blueprint.key, create.id().pod_name());
                    tracing::warn!(namespace = &*key.namespace, task = &*key.name, pod, message, "pod not created");
                }
                Answer::Created(create.id(), create.blueprint.uid.clone(), outcome)
            }
            Action::Delete(delete) => {
                let outcome = pods::delete(&self.client, &delete).await;
                self.metrics.deleted(outcome);
                Answer::Deleted(delete.id, delete.task_uid, outcome)
            }
            Action::GetPod(id, uid) => {
                let outcome = pods::get(&self.client, &id).await;
                Answer::GotPod(id, uid, outcome)
            }
            Action::Explain(explain) => {
                let outcome = explain::explain(&self.client, &explain).await;
                Answer::Explained(explain.id, explain.task_uid, outcome)
            }
            Action::Write(write) => {
                let outcome = status::write(&self.client, &self.stores, &write).await;
                self.metrics.written(&outcome, &write.status);
                if let WriteOutcome::Failed(message) | WriteOutcome::NotStored { message, .. } = &outcome {
                    tracing::warn!(task = %write.key, message, "status not written, will try again");
                }
                Answer::Written(write.key.clone(), write.uid.clone(), outcome)
            }
            Action::Note(note) => {
                let outcome = status::note(&self.client, &note).await;
                Answer::Noted(note.key, note.uid, outcome)
            }
            Action::Reread(key) => match status::read(&self.client, &key).await {
                Some(seen) => Answer::Reread(Box::new(seen)),
                None => return,
            },
            Action::Fetch(fetch) => {
                let (client, results) = (&self.client, &*self.stores.results);
                let outcome = fetch_items(client, results, &fetch.task.namespace, &fetch.source).await;
                Answer::Fetched(fetch.task, fetch.uid, outcome)
            }
            Action::CacheLookup(lookup) => {
                let outcome = cache::lookup(&*self.stores.cache, &lookup).await;
                if let CacheLookupOutcome::Indeterminate(message) = &outcome {
                    tracing::warn!(task = %lookup.task, message, "cache not read, will try again");
                }
                Answer::CacheLookedUp(lookup.task, lookup.uid, outcome)
            }
            Action::ChangeWorkload(change) => {
                let outcome = workloads::change(&self.client, &change).await;
                Answer::WorkloadChanged(change.key, change.uid, outcome)
            }
            Action::ReadFlavors(read) => {
                let outcome = workloads::flavors(&self.client, &read).await;
                Answer::FlavorsRead(read.key, read.uid, outcome)
            }
            Action::StorePiece(piece) => {
                let outcome = items::store(&self.client, &piece).await;
                if let PieceOutcome::Failed(message) = &outcome {
                    tracing::warn!(piece = %piece.id, message, "piece of a list not stored, will try again");
                }
                Answer::PieceStored(piece.id, piece.uid, outcome)
            }
            Action::Expire(expire) => {
                status::expire(&self.client, &expire).await;
                return;
            }
            Action::EmitEvent(event) => {
                tracing::info!(task = %event.key, reason = event.reason.as_str(), note = event.note, "task");
                // A task is no worse off without.
                if let Err(error) = request::in_time(self.events.emit(&event)).await {
                    tracing::debug!(task = %event.key, %error, "event not published");
                }
                return;
            }
        };
        // Nobody listens any more only when the operator ends.
        let _ = self.answers.send(answer).await;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::time::Duration;

    use http::{Request, Response};
    use kube::client::Body;

    use super::*;
    use crate::core::ids::{Attempt, Index, PodRole, TaskKey};
    use crate::core::port::{Delete, PodId};

    #[tokio::test]
    async fn only_a_few_of_thousands_of_deletes_are_in_progress_at_once() {
        static NOW: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let service = tower::service_fn(|_: Request<Body>| async {
            MOST.fetch_max(NOW.fetch_add(1, SeqCst) + 1, SeqCst);
            tokio::time::sleep(Duration::from_millis(2)).await;
            NOW.fetch_sub(1, SeqCst);
            Ok::<_, Infallible>(Response::new(Body::from(b"{}".to_vec())))
        });
        let client = Client::new(service, "ns");
        let (answers_in, mut answers) = mpsc::channel(ANSWERS);
        let stores = Stores::in_config_maps(&client, 0);
        let events = Events::new(client.clone(), "test".to_owned());
        let apply = Apply::new(client, stores, events, Metrics::default(), answers_in);
        let delete = |index| {
            let id = PodId { key: TaskKey::new("ns", "t"), role: PodRole::Item(Index(index), Attempt::FIRST) };
            Action::Delete(Delete { id, uid: "u".to_owned(), task_uid: "t".to_owned(), version: None, ended: true })
        };
        apply.start(Plan { actions: (0..2_000).map(delete).collect(), ..Plan::default() });
        for _ in 0..2_000 {
            assert!(matches!(answers.recv().await, Some(Answer::Deleted(..))));
        }
        assert_eq!(MOST.load(SeqCst), turns::AT_ONCE);
    }
}
