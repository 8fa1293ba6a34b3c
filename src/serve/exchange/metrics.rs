//! Numbers about the exchange. No label names a pod, a task or a namespace.

use std::sync::atomic::AtomicU64;

use http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The statuses of docs/architecture/exchange.md that the operator itself answers with, and 500.
const STATUSES: [u16; 11] = [200, 400, 401, 403, 404, 405, 408, 409, 413, 500, 503];
/// How a review of a token ends.
const REVIEWS: [&str; 4] = ["accepted", "rejected", "no_pod", "failed"];

/// Numbers about the exchange with workers.
#[derive(Clone, Default)]
pub struct ExchangeMetrics {
    requests: Family<[(&'static str, u16); 1], Counter>,
    connections: Gauge,
    refused: Counter<u64, AtomicU64>,
    parked: Gauge,
    reviews: Family<[(&'static str, &'static str); 1], Counter>,
}

impl ExchangeMetrics {
    /// Adds the metrics to those that are served.
    pub(in crate::serve) fn register(&self, registry: &mut Registry) {
        let r = registry;
        r.register("exchange_requests", "Requests of workers by HTTP status", self.requests.clone());
        r.register("exchange_connections", "Open connections of workers", self.connections.clone());
        r.register(
            "exchange_connections_refused",
            "Connections closed because there are too many",
            self.refused.clone(),
        );
        r.register("exchange_waiting_requests", "Requests of workers that wait for their answer", self.parked.clone());
        r.register("token_reviews", "Reviews of workers' tokens by outcome", self.reviews.clone());
        // Every series at 0, as for the others.
        for status in STATUSES {
            drop(self.requests.get_or_create(&[("status", status)]));
        }
        for outcome in REVIEWS {
            drop(self.reviews.get_or_create(&[("outcome", outcome)]));
        }
    }

    pub(super) fn answered(&self, status: StatusCode) {
        self.requests.get_or_create(&[("status", status.as_u16())]).inc();
    }

    pub(super) fn connections(&self, open: usize) {
        self.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    pub(super) fn refused(&self) {
        self.refused.inc();
    }

    pub(super) fn parked(&self, parked: usize) {
        self.parked.set(i64::try_from(parked).unwrap_or(i64::MAX));
    }

    pub(super) fn reviewed(&self, outcome: &'static str) {
        self.reviews.get_or_create(&[("outcome", outcome)]).inc();
    }
}
