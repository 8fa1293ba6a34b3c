//! Numbers for Prometheus. Labels are of closed sets: no task, item or namespace ever becomes one.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::exchange::ExchangeMetrics;
use crate::api::{MapTaskStatus, OutcomeCategory, TaskPhase};
use crate::core::fleet::Gauges;
use crate::core::phases::ItemPhase;
use crate::core::port::{CreateOutcome, DeleteOutcome, WriteOutcome};

type Label = [(&'static str, &'static str); 1];

/// How a create ends.
const CREATES: [&str; 9] =
    ["created", "name_taken", "quota", "throttled", "indeterminate", "contended", "failed", "refused", "invalid"];
/// How a delete ends.
const DELETES: [&str; 3] = ["taken", "failed", "changed"];
/// How a status write ends.
const WRITES: [&str; 5] = ["written", "conflict", "gone", "damaged", "failed"];

/// All metrics of the operator.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    tasks: Family<Label, Gauge>,
    attempts: Family<Label, Counter>,
    items: Family<Label, Gauge>,
    suspended: Gauge,
    window: Gauge,
    blocked: Gauge,
    blocked_tasks: Gauge,
    cached: Counter,
    creates: Family<Label, Counter>,
    deletes: Family<Label, Counter>,
    writes: Family<Label, Counter>,
    status_bytes: Histogram,
    planning: Histogram,
    leader: Gauge,
    counted: Arc<Mutex<std::collections::BTreeMap<&'static str, u64>>>,
    watch_events: Counter<u64, AtomicU64>,
    /// Those of the exchange with workers.
    pub exchange: ExchangeMetrics,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Arc::default(),
            tasks: Family::default(),
            attempts: Family::default(),
            items: Family::default(),
            suspended: Gauge::default(),
            window: Gauge::default(),
            blocked: Gauge::default(),
            blocked_tasks: Gauge::default(),
            cached: Counter::default(),
            creates: Family::default(),
            deletes: Family::default(),
            writes: Family::default(),
            status_bytes: Histogram::new(exponential_buckets(256.0, 4.0, 8)),
            planning: Histogram::new(exponential_buckets(0.000_05, 4.0, 9)),
            leader: Gauge::default(),
            counted: Arc::default(),
            watch_events: Counter::default(),
            exchange: ExchangeMetrics::default(),
        };
        let mut registry = Registry::with_prefix("maptask");
        let r = &mut registry;
        r.register("tasks", "MapTasks by phase", metrics.tasks.clone());
        r.register("item_attempts", "Ended attempts by outcome", metrics.attempts.clone());
        r.register("items", "Items of the MapTasks that have not ended, by phase", metrics.items.clone());
        r.register(
            "suspended_items",
            "Pending items of MapTasks that are suspended or wait for Kueue",
            metrics.suspended.clone(),
        );
        r.register("create_window", "Pod creates that may be in progress at once", metrics.window.clone());
        r.register("blocked_namespaces", "Namespaces whose quota is used up", metrics.blocked.clone());
        r.register(
            "blocked_tasks",
            "MapTasks that are probed with one pod at a time because their creates fail",
            metrics.blocked_tasks.clone(),
        );
        r.register("cached_items", "Items with a cached result", metrics.cached.clone());
        r.register("pod_creates", "Pod creates by outcome", metrics.creates.clone());
        r.register("pod_deletes", "Pod deletes by outcome", metrics.deletes.clone());
        r.register("status_writes", "Status writes by outcome", metrics.writes.clone());
        r.register(
            "status_bytes",
            "Bytes of packed phases and attempts in a status write",
            metrics.status_bytes.clone(),
        );
        r.register("planning_seconds", "Duration of a planning round", metrics.planning.clone());
        r.register("leader", "1 while this instance holds the lease", metrics.leader.clone());
        r.register("watch_events", "Events received from the watches", metrics.watch_events.clone());
        metrics.exchange.register(r);
        metrics.announce();
        Self { registry: Arc::new(Mutex::new(registry)), ..metrics }
    }
}

impl Metrics {
    /// Makes every series at 0: the rate of a counter that appears with its first event misses that event, and an alert
    /// on it can't fire.
    fn announce(&self) {
        for phase in TaskPhase::ALL.map(TaskPhase::as_str) {
            drop(self.tasks.get_or_create(&[("phase", phase)]));
        }
        for phase in ItemPhase::ALL.map(ItemPhase::as_str) {
            drop(self.items.get_or_create(&[("phase", phase)]));
        }
        for (family, outcomes) in [(&self.creates, &CREATES[..]), (&self.deletes, &DELETES), (&self.writes, &WRITES)] {
            for outcome in outcomes {
                drop(family.get_or_create(&[("outcome", *outcome)]));
            }
        }
        for outcome in OutcomeCategory::ALL.map(OutcomeCategory::as_str).into_iter().chain(["Succeeded", "Stopped"]) {
            drop(self.attempts.get_or_create(&[("outcome", outcome)]));
        }
    }

    /// Counts a create.
    pub fn created(&self, outcome: &CreateOutcome) {
        let outcome = match outcome {
            CreateOutcome::Created => "created",
            CreateOutcome::NameTaken(_) => "name_taken",
            CreateOutcome::Quota(_) => "quota",
            CreateOutcome::Throttled(_) => "throttled",
            CreateOutcome::Indeterminate => "indeterminate",
            CreateOutcome::Contended => "contended",
            CreateOutcome::Failed { .. } => "failed",
            CreateOutcome::Refused(_) => "refused",
            CreateOutcome::Invalid(_) => "invalid",
        };
        self.creates.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Counts a delete.
    pub fn deleted(&self, outcome: DeleteOutcome) {
        let outcome = match outcome {
            DeleteOutcome::Taken => "taken",
            DeleteOutcome::Failed => "failed",
            DeleteOutcome::Changed => "changed",
        };
        self.deletes.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Counts a status write and its size.
    #[expect(clippy::cast_precision_loss, reason = "a size in bytes, for a histogram")]
    pub fn written(&self, outcome: &WriteOutcome, status: &MapTaskStatus) {
        let outcome = match outcome {
            WriteOutcome::Written { .. } => "written",
            WriteOutcome::Conflict => "conflict",
            WriteOutcome::Gone => "gone",
            WriteOutcome::Damaged(_) => "damaged",
            WriteOutcome::NotStored { .. } | WriteOutcome::Failed(_) => "failed",
        };
        self.writes.get_or_create(&[("outcome", outcome)]).inc();
        let bytes = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        self.status_bytes.observe((bytes(&status.phases) + bytes(&status.attempts)) as f64);
    }

    /// Counts an event of the watches.
    pub fn watched(&self) {
        self.watch_events.inc();
    }

    /// Notes how long a round of planning took.
    pub fn planned(&self, seconds: f64) {
        self.planning.observe(seconds);
    }

    /// Notes whether this instance leads.
    pub fn lead(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Takes over the numbers of the fleet.
    pub fn set(&self, gauges: &Gauges) {
        let Gauges { tasks, items, suspended_items, blocked_namespaces, blocked_tasks, window, cached, outcomes } =
            gauges;
        for phase in TaskPhase::ALL.map(TaskPhase::as_str) {
            let tasks = tasks.get(phase).copied().unwrap_or(0);
            self.tasks.get_or_create(&[("phase", phase)]).set(i64::try_from(tasks).unwrap_or(i64::MAX));
        }
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        for phase in ItemPhase::ALL.map(ItemPhase::as_str) {
            let items = items.get(phase).copied().unwrap_or(0);
            self.items.get_or_create(&[("phase", phase)]).set(number(items));
        }
        self.suspended.set(number(*suspended_items));
        self.window.set(i64::from(window.0));
        self.blocked.set(number(*blocked_namespaces));
        self.blocked_tasks.set(number(*blocked_tasks));
        self.cached.inc_by(cached.saturating_sub(self.cached.get()));
        let Ok(mut counted) = self.counted.lock() else { return };
        for (category, total) in outcomes {
            let before = counted.insert(category, *total).unwrap_or(0);
            self.attempts.get_or_create(&[("outcome", category)]).inc_by(total.saturating_sub(before));
        }
    }

    /// All metrics in the text format of `OpenMetrics`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Ok(registry) = self.registry.lock() {
            // Writing to a string can't fail.
            let _ = encode(&mut text, &registry);
        }
        text
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
