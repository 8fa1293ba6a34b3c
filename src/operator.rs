//! The operator at work: watches in, plans out, answers back in, in one loop around the core.

use std::io::ErrorKind::NotFound;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kube::config::{InferConfigError, KubeconfigError};
use kube::{Client, Config};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::apply::{ANSWERS, Apply, Home, Stores};
use crate::args::RunArgs;
use crate::core::fleet::Fleet;
use crate::core::ids::Time;
use crate::core::port::Event;
use crate::core::workload::Queueing;
use crate::lease::{self, LeaseError};
use crate::plain::plain_chain;
use crate::serve::events::Events;
use crate::serve::exchange::{ExchangeError, ExchangeServer};
use crate::serve::health::{self, Health, ServeError, Server};
use crate::serve::metrics::Metrics;
use crate::watch;

/// Events and answers within this time are planned for together.
const GATHER: Duration = Duration::from_millis(10);
/// Minimum time between rounds for requests of workers alone. The first is answered at once: a worker with an empty
/// stock waits for it; many that come together share a round.
const GATHER_EXCHANGES: Duration = Duration::from_millis(1);
/// Events taken in before the next plan.
const BATCH: usize = 2_048;
/// Maximum age of metrics about the fleet.
const METRICS_EVERY: Duration = Duration::from_secs(5);
/// How long a shutdown may take: less than the default grace period of a pod.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// Why the operator ends by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its health and metrics can't be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The exchange with workers can't be served.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// Nothing says where the API server is.
    #[error(
        "failed to load Kubernetes configuration: not running in a pod and no kubeconfig found: run it in the cluster (helm \
         install), or set KUBECONFIG"
    )]
    NoConfig,
    /// There is a kubeconfig that can't be used.
    #[error(
        "failed to load Kubernetes configuration: not running in a pod, and the kubeconfig can't be used: {0}: set KUBECONFIG \
         to one that can"
    )]
    BadKubeconfig(String),
    /// What a pod has in place of a kubeconfig can't be used, such as the token of its service account.
    #[error("failed to load Kubernetes configuration of this pod: {0}")]
    BadPod(InferConfigError),
    /// No client can be made of the configuration: a certificate, or a proxy.
    #[error("failed to set up the client for {url}: {}", plain_chain(.problem))]
    Client {
        /// The API server.
        url: String,
        /// What is wrong with it.
        problem: kube::Error,
    },
    /// The first request had no good answer.
    #[error("the API server at {url} does not answer: {}: check that it can be reached from here", plain_chain(.problem))]
    Unreachable {
        /// The API server.
        url: String,
        /// What came in place of an answer.
        problem: kube::Error,
    },
    /// Another instance works, or this one can't know whether one does.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Nothing is heard of the cluster any more.
    #[error("the watches of MapTasks and pods have ended")]
    WatchesEnded,
}

impl From<InferConfigError> for RunError {
    fn from(error: InferConfigError) -> Self {
        let source = std::error::Error::source(&error);
        match source.and_then(|source| source.downcast_ref::<KubeconfigError>()) {
            Some(kubeconfig) if std::env::var_os("KUBERNETES_SERVICE_HOST").is_none() => outside(kubeconfig),
            _ => Self::BadPod(error),
        }
    }
}

/// Why there is no configuration outside of a pod.
fn outside(kubeconfig: &KubeconfigError) -> RunError {
    match kubeconfig {
        KubeconfigError::ReadConfig(problem, _) if problem.kind() == NotFound => RunError::NoConfig,
        KubeconfigError::FindPath => RunError::NoConfig,
        other => RunError::BadKubeconfig(plain_chain(other)),
    }
}

/// Runs until stopped. Fails when the API server can't be reached at all, or the lease is lost.
pub async fn run(args: RunArgs, stop: CancellationToken) -> Result<(), RunError> {
    let (health, metrics) = (Health::default(), Metrics::default());
    let server = Server::start(health::listen(args.listen).await?, health.clone(), metrics.clone());
    let config = Config::infer().await?;
    let clients = Clients::new(&config)?;
    let version = clients.watching.apiserver_version().await;
    let version = version.map_err(|problem| RunError::Unreachable { url: config.cluster_url.to_string(), problem })?;
    let minor: u32 = version.minor.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0);
    tracing::info!(server = version.git_version, operator = env!("CARGO_PKG_VERSION"), "connected");
    Work { args: &args, health, metrics, minor }.lead(clients, server, stop).await
}

/// Clients for the API server, each with connections of its own.
struct Clients {
    /// For all but the rest.
    watching: Client,
    /// For what is planned. Does not repeat requests by itself.
    working: Client,
    leasing: Client,
}

impl Clients {
    fn new(config: &Config) -> Result<Self, RunError> {
        let client = |config: Config| {
            let url = config.cluster_url.to_string();
            Client::try_from(config).map_err(|problem| RunError::Client { url, problem })
        };
        let mut once = config.clone();
        once.default_retry = false;
        let (watching, working, leasing) = (client(config.clone())?, client(once)?, client(lease::config(config))?);
        Ok(Self { watching, working, leasing })
    }
}

struct Work<'a> {
    args: &'a RunArgs,
    health: Health,
    metrics: Metrics,
    minor: u32,
}

impl Work<'_> {
    /// Waits for the lease, works until stopped, and gives the lease to the next only when no request is in progress
    /// any more. Until then, health is served.
    async fn lead(self, clients: Clients, mut server: Server, stop: CancellationToken) -> Result<(), RunError> {
        let Clients { watching, working, leasing } = clients;
        let (options, namespace) = (&self.args.exchange, &self.args.lease_namespace);
        // Those who stand by answer workers as well, that they don't lead.
        let mut exchange =
            ExchangeServer::start(options, namespace, watching.clone(), self.metrics.exchange.clone()).await?;
        // Standing by counts as ready.
        self.health.ready();
        let lease = if self.args.leader_election {
            let Some(lease) = lease::acquire(leasing, self.args, &stop).await? else { return Ok(()) };
            Some(lease)
        } else {
            None
        };
        self.metrics.lead(true);
        let stop = stop.child_token();
        let work = async {
            let mut work = std::pin::pin!(self.run(watching, working, &mut exchange, stop.clone()));
            tokio::select! {
                result = &mut work => result,
                ended = server.ended() => {
                    stop.cancel();
                    work.await.and(ended.map_err(RunError::from))
                }
            }
        };
        let result = tokio::select! {
            result = work => result,
            () = lease::lost(lease.as_ref()) => {
                // Another instance may lead by now: no worker waits for this one.
                exchange.end().await;
                return Err(LeaseError::Lost(self.args.lease_name.clone()).into());
            }
        };
        server.stop.cancel();
        exchange.end().await;
        if let Some(lease) = lease {
            lease.release().await;
        }
        result
    }

    async fn run(
        &self,
        watching: Client,
        working: Client,
        exchange: &mut ExchangeServer,
        stop: CancellationToken,
    ) -> Result<(), RunError> {
        let (events_in, mut events) = mpsc::channel(watch::QUEUE);
        let (answers_in, mut answers) = mpsc::channel(ANSWERS);
        let (namespaces, config) = (&self.args.namespaces.0, watch::config(self.minor));
        let watches = watch::start(&watching, namespaces, config, self.args.kueue, &events_in, &stop);
        let recorder = Events::new(watching, self.args.identity.clone());
        let stores = Stores::in_config_maps(&working, u64::from(self.args.cache_megabytes) << 20);
        let (image, pull_policy) = (self.args.worker_image.clone(), self.args.worker_pull_policy.clone());
        let home = Home::new(exchange.address.clone(), image, pull_policy);
        let apply = Apply::new(working, stores, recorder, self.metrics.clone(), answers_in).with_home(home);
        let clock = Clock::start();
        let mut fleet = Fleet::new(self.args.limits(), seed());
        fleet.set_queueing(if self.args.kueue { Queueing::Unknown } else { Queueing::Off });
        fleet.set_exchange(exchange.address.borrow_and_update().clone());
        exchange.desk.open();
        let (mut measured, mut planned) = (Instant::now(), Instant::now());
        loop {
            self.health.beat();
            let now = clock.now();
            let wait = fleet.next_wake(now).map_or(1_000, |wake| wake.millis_since(now).clamp(1, 1_000));
            tokio::select! {
                () = stop.cancelled() => break,
                event = events.recv() => match event {
                    Some(event) => self.event(&mut fleet, clock.now(), event),
                    None => return Err(RunError::WatchesEnded),
                },
                Some(answer) = answers.recv() => fleet.handle_answer(clock.now(), answer),
                Some(incoming) = exchange.incoming.recv() => fleet.handle_event(clock.now(), incoming.into_event()),
                Ok(()) = exchange.address.changed() => {
                    fleet.set_exchange(exchange.address.borrow_and_update().clone());
                }
                () = tokio::time::sleep(Duration::from_millis(wait)) => {}
            }
            if !events.is_empty() || !answers.is_empty() {
                tokio::time::sleep(GATHER).await;
            } else if let Some(rest) = GATHER_EXCHANGES.checked_sub(planned.elapsed()) {
                tokio::time::sleep(rest).await;
            }
            for _ in 0..BATCH {
                let Ok(event) = events.try_recv() else { break };
                self.event(&mut fleet, clock.now(), event);
            }
            while let Ok(answer) = answers.try_recv() {
                fleet.handle_answer(clock.now(), answer);
            }
            while let Ok(incoming) = exchange.incoming.try_recv() {
                fleet.handle_event(clock.now(), incoming.into_event());
            }
            planned = Instant::now();
            let mut plan = fleet.poll_plan(clock.now());
            for reply in plan.replies.drain(..) {
                tracing::debug!(%reply, "plan");
                exchange.desk.reply(reply);
            }
            apply.start(plan);
            self.metrics.planned(planned.elapsed().as_secs_f64());
            if measured.elapsed() >= METRICS_EVERY {
                measured = Instant::now();
                self.metrics.set(&fleet.gauges());
            }
        }
        tracing::info!("stopping: waiting for requests in progress, starting nothing new");
        exchange.desk.close();
        drop(watches);
        // No answer is read after this point.
        drop(answers);
        if tokio::time::timeout(SHUTDOWN, apply.finish()).await.is_err() {
            tracing::warn!("some requests got no answer in time");
        }
        Ok(())
    }

    fn event(&self, fleet: &mut Fleet, now: Time, event: Event) {
        self.metrics.watched();
        fleet.handle_event(now, event);
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

#[cfg(test)]
#[path = "operator_tests.rs"]
mod tests;
