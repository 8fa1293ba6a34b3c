//! `/livez`, `/readyz` and `/metrics` over HTTP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;

/// A main loop that has made no round for this many seconds is stuck.
const STUCK_SECONDS: i64 = 120;

/// Why there is no `/livez`, `/readyz` and `/metrics`.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, is of another machine, or needs a right.
    #[error("failed to listen on {address}: {problem}: choose another address with --listen")]
    Listen {
        /// The value of `--listen`.
        address: SocketAddr,
        /// The system's word.
        problem: io::Error,
    },
    /// The listener broke.
    #[error("failed to serve /livez, /readyz and /metrics: {0}")]
    Serve(io::Error),
    /// A handler panicked.
    #[error("the server of /livez, /readyz and /metrics has ended: {0}")]
    Ended(#[from] tokio::task::JoinError),
}

/// Whether the operator is alive and ready, as its parts report.
#[derive(Clone, Default)]
pub struct Health {
    ready: Arc<AtomicI64>,
    beat: Arc<AtomicI64>,
}

impl Health {
    /// The operator does its work, or stands by to.
    pub fn ready(&self) {
        self.ready.store(1, Ordering::Relaxed);
    }

    /// The main loop has come round.
    pub fn beat(&self) {
        self.beat.store(now(), Ordering::Relaxed);
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed) == 1
    }

    fn is_alive(&self) -> bool {
        let beat = self.beat.load(Ordering::Relaxed);
        beat == 0 || now() - beat < STUCK_SECONDS
    }
}

/// Takes the address, so that one that is taken shows before any work is done.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    super::listen::listen(address).await.map_err(|problem| ServeError::Listen { address, problem })
}

/// The server of `/livez`, `/readyz` and `/metrics`, with a stop of its own: an operator that is shutting down works
/// for a while, and must look alive until then.
pub struct Server {
    serving: JoinHandle<Result<(), ServeError>>,
    /// Ends it.
    pub stop: CancellationToken,
}

impl Server {
    /// Serves until stopped.
    pub fn start(listener: TcpListener, health: Health, metrics: Metrics) -> Self {
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, health, metrics, stop.clone()));
        Self { serving, stop }
    }

    /// Returns when it serves no more; why, unless it was stopped.
    pub async fn ended(&mut self) -> Result<(), ServeError> {
        (&mut self.serving).await?
    }
}

async fn serve(
    listener: TcpListener,
    health: Health,
    metrics: Metrics,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let live = health.clone();
    let app = Router::new()
        .route("/livez", get(async move || answer(live.is_alive())))
        .route("/readyz", get(async move || answer(health.is_ready())))
        .route(
            "/metrics",
            get(async move || {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                ([(header::CONTENT_TYPE, kind)], metrics.text())
            }),
        );
    axum::serve(listener, app)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await
        .map_err(ServeError::Serve)
}

fn answer(good: bool) -> (StatusCode, &'static str) {
    if good { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not yet\n") }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_is_taken_is_named_with_the_way_out() {
        let first = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = first.local_addr().unwrap();
        let error = listen(address).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("failed to listen on {address}: ")), "{error}");
        assert!(error.contains("in use") && error.ends_with("--listen"), "{error}");
    }
}
