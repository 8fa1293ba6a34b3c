//! The operator at work: watches in, plans out, answers back in, in one loop around the core.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use kube::runtime::watcher;
use kube::{Api, Client, Config};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::api::labels;
use crate::apply::cache::ConfigMaps;
use crate::apply::{ANSWERS, Apply};
use crate::args::RunArgs;
use crate::core::fleet::Fleet;
use crate::core::ids::Time;
use crate::core::port::Event;
use crate::lease;
use crate::serve::events::Events;
use crate::serve::health::{self, Health};
use crate::serve::metrics::Metrics;
use crate::watch;
use crate::watch::pods::LeanPod;
use crate::watch::tasks::GuardedTask;

/// What happens within so many milliseconds is planned for together.
const GATHER: Duration = Duration::from_millis(10);
/// Events taken in before the next plan.
const BATCH: usize = 2_048;
/// Metrics about the fleet are at most so old.
const METRICS_EVERY: Duration = Duration::from_secs(5);
/// How long a shutdown may take: less than the default grace period of a pod.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// Runs until stopped. Fails when the API server can't be reached at all, or the lease is lost.
pub async fn run(args: RunArgs, stop: CancellationToken) -> anyhow::Result<()> {
    let (health, metrics) = (Health::default(), Metrics::default());
    let listener = health::listen(args.listen).await?;
    let serving = tokio::spawn(health::serve(listener, health.clone(), metrics.clone(), stop.clone()));
    let config = Config::infer().await.context("no way to the API server: neither in a pod nor with a kubeconfig")?;
    let watching = Client::try_from(config.clone())?;
    let version = watching.apiserver_version().await.context("the API server does not answer")?;
    let minor: u32 = version.minor.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0);
    tracing::info!(server = version.git_version, operator = env!("CARGO_PKG_VERSION"), "connected");
    // Standing by counts as ready.
    health.ready();
    let lease = if args.leader_election {
        let Some(lease) = lease::acquire(watching.clone(), &args, &stop).await? else { return Ok(()) };
        Some(lease)
    } else {
        None
    };
    metrics.lead(true);
    let mut config = config;
    config.default_retry = false;
    let working = Client::try_from(config)?;
    let work = Work { args: &args, health, metrics, minor };
    let result = tokio::select! {
        result = work.run(watching, working, stop.clone()) => result,
        result = serving => result.map_err(anyhow::Error::from).and_then(|served| served),
        () = lease::lost(lease.as_ref()) => bail!("the lease {} is lost: another instance takes over", args.lease_name),
    };
    if let Some(lease) = lease {
        lease.release().await;
    }
    result
}

struct Work<'a> {
    args: &'a RunArgs,
    health: Health,
    metrics: Metrics,
    minor: u32,
}

impl Work<'_> {
    async fn run(&self, watching: Client, working: Client, stop: CancellationToken) -> anyhow::Result<()> {
        let (events_in, mut events) = mpsc::channel(watch::QUEUE);
        let (answers_in, mut answers) = mpsc::channel(ANSWERS);
        let watches = self.start_watches(&watching, &events_in, &stop);
        let recorder = Events::new(watching, self.args.identity.clone());
        let cache = ConfigMaps::new(working.clone(), u64::from(self.args.cache_megabytes) << 20);
        let apply = Apply::new(working, Arc::new(cache), recorder, self.metrics.clone(), answers_in);
        let clock = Clock::start();
        let mut fleet = Fleet::new(self.args.limits(), seed());
        let mut measured = Instant::now();
        loop {
            self.health.beat();
            let now = clock.now();
            let wait = fleet.next_wake(now).map_or(1_000, |wake| wake.millis_since(now).clamp(1, 1_000));
            tokio::select! {
                () = stop.cancelled() => break,
                event = events.recv() => match event {
                    Some(event) => self.event(&mut fleet, clock.now(), event),
                    None => bail!("the watches have ended"),
                },
                Some(answer) = answers.recv() => fleet.handle_answer(clock.now(), answer),
                () = tokio::time::sleep(Duration::from_millis(wait)) => {}
            }
            if !events.is_empty() || !answers.is_empty() {
                tokio::time::sleep(GATHER).await;
            }
            for _ in 0..BATCH {
                let Ok(event) = events.try_recv() else { break };
                self.event(&mut fleet, clock.now(), event);
            }
            while let Ok(answer) = answers.try_recv() {
                fleet.handle_answer(clock.now(), answer);
            }
            let began = Instant::now();
            apply.start(fleet.poll_plan(clock.now()));
            self.metrics.planned(began.elapsed().as_secs_f64());
            if measured.elapsed() >= METRICS_EVERY {
                measured = Instant::now();
                self.metrics.set(&fleet.gauges());
            }
        }
        tracing::info!("stopping: what is on its way is finished, nothing new is started");
        drop(watches);
        // No answer is read after this point.
        drop(answers);
        if tokio::time::timeout(SHUTDOWN, apply.finish()).await.is_err() {
            tracing::warn!("not everything was answered in time");
        }
        Ok(())
    }

    fn start_watches(
        &self,
        client: &Client,
        events: &mpsc::Sender<Event>,
        stop: &CancellationToken,
    ) -> [AbortOnDrop; 2] {
        let config = watch::config(self.minor);
        let pods_config = config.clone().labels(labels::NAME);
        let (tasks, pods): (Api<GuardedTask>, Api<LeanPod>) = match self.args.namespace.as_str() {
            "" => (Api::all(client.clone()), Api::all(client.clone())),
            namespace => (Api::namespaced(client.clone(), namespace), Api::namespaced(client.clone(), namespace)),
        };
        let tasks =
            watch::forward("maptasks", watcher(tasks, config), watch::tasks::translate, events.clone(), stop.clone());
        let pods =
            watch::forward("pods", watcher(pods, pods_config), watch::pods::translate, events.clone(), stop.clone());
        [AbortOnDrop(tokio::spawn(tasks)), AbortOnDrop(tokio::spawn(pods))]
    }

    fn event(&self, fleet: &mut Fleet, now: Time, event: Event) {
        self.metrics.watched();
        fleet.handle_event(now, event);
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Wall-clock time at the start, and from then on the time that has passed: never goes back.
struct Clock {
    start: Instant,
    millis: i64,
}

impl Clock {
    fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), millis: i64::try_from(since.as_millis()).unwrap_or(0) }
    }

    fn now(&self) -> Time {
        Time(self.millis.saturating_add(i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Different at each start: retries of two operators don't fall together.
fn seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) ^ since.as_secs()
}
