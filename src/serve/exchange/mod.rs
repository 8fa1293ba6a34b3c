//! The exchange with workers over HTTPS: `POST /v1/exchange`, as docs/architecture/exchange.md describes it.
//!
//! A request goes from the `listener` through the `doors` (is there room?), the `service` (what is it answered?) and
//! the `tokens` (who speaks?) to the `desk`, where it waits for the core's reply. The `keeper` sees to certificate and
//! address.

mod address;
mod bounds;
mod certificate;
mod contents;
mod desk;
mod doors;
#[cfg(test)]
mod fake_api;
mod issue;
mod keeper;
mod listener;
mod metrics;
mod options;
mod review;
mod secret;
mod service;
#[cfg(test)]
mod test_rig;
mod tokens;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::bounds::Bounds;
use self::certificate::LiveCertificate;
pub use self::desk::{Desk, Incoming};
use self::keeper::Keeper;
pub use self::metrics::ExchangeMetrics;
pub use self::options::{ExchangeArgs, ListenAddress};
use self::service::Service;
use self::tokens::Tokens;
use crate::core::exchange_address::ExchangeAddress;

/// How long the last answers may take: parked requests get the answer that this operator does not lead any more.
const FAREWELL: Duration = Duration::from_millis(250);

/// Why the exchange can't be served.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The address is taken, is of another machine, or needs a right.
    #[error("failed to listen on {address}: {problem}: choose another address with --exchange-listen, or none")]
    Listen {
        /// The value of `--exchange-listen`.
        address: SocketAddr,
        /// The system's word.
        problem: std::io::Error,
    },
    /// The TLS library has none of what is needed.
    #[error("no TLS: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// The exchange, from before this instance leads until it ends.
pub struct ExchangeServer {
    /// Where requests wait.
    pub desk: Desk,
    /// Requests for the core.
    pub incoming: mpsc::Receiver<Incoming>,
    /// Where workers reach this operator; `None` while they can't.
    pub address: watch::Receiver<Option<ExchangeAddress>>,
    stop: CancellationToken,
    connections: TaskTracker,
    keeper: Option<JoinHandle<()>>,
}

impl ExchangeServer {
    /// Takes the address and listens. Every request is answered with 503 until the desk is open.
    pub async fn start(
        args: &ExchangeArgs,
        namespace: &str,
        client: Client,
        metrics: ExchangeMetrics,
    ) -> Result<Self, ExchangeError> {
        let (desk, incoming) = Desk::new(metrics.clone());
        let (address_in, address) = watch::channel(None);
        let (stop, connections) = (CancellationToken::new(), TaskTracker::new());
        let mut server = Self { desk: desk.clone(), incoming, address, stop, connections, keeper: None };
        let Some(listen) = args.listen() else { return Ok(server) };
        let listener = super::listen::listen(listen).await;
        let listener = listener.map_err(|problem| ExchangeError::Listen { address: listen, problem })?;
        let descriptors = bounds::descriptors();
        let bounds = Bounds::DEFAULT.within(descriptors);
        if bounds.workers < Bounds::DEFAULT.workers {
            tracing::warn!(
                descriptors,
                connections = bounds.workers,
                "the limit of open files leaves fewer connections for workers than 4,096"
            );
        }
        let live = Arc::new(LiveCertificate::default());
        let tls = certificate::acceptor(Arc::clone(&live))?;
        let tokens = Tokens::new(client.clone(), metrics.clone());
        let service = Arc::new(Service { bounds, desk, tokens, metrics });
        let serving = listener::serve(listener, tls, service, server.stop.clone(), server.connections.clone());
        server.connections.spawn(serving);
        server.keeper = Some(tokio::spawn(Keeper::new(client, args, namespace, live, address_in).keep()));
        Ok(server)
    }

    /// Answers all who wait with 503, and ends all connections.
    pub async fn end(self) {
        self.desk.close();
        self.stop.cancel();
        if let Some(keeper) = &self.keeper {
            keeper.abort();
        }
        self.connections.close();
        // A client that does not read its answer is none to wait for.
        let _ = tokio::time::timeout(FAREWELL, self.connections.wait()).await;
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
