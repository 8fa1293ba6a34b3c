//! How much may those who speak to the operator take from it?

use std::sync::Mutex;
use std::time::{Duration, Instant};

use maptask_exchange::MAX_REQUEST_BYTES;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Bounds of the exchange. They are fields, and not constants where they bind, so that tests can draw them small.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Connections that have not shown a valid token yet, in all.
    pub(super) strangers: usize,
    /// Connections from one IP address that have not shown a valid token yet.
    pub(super) strangers_of_address: usize,
    /// Connections whose token was accepted, in all.
    pub(super) workers: usize,
    /// Connections of one pod whose token was accepted.
    pub(super) connections_of_pod: usize,
    /// Bytes of requests that are being read or wait for the core, in all.
    pub(super) bytes: usize,
    /// Bytes of requests of one pod that are being read or wait for the core.
    pub(super) bytes_of_pod: usize,
    /// Connections accepted in a second, and how many at once after a pause.
    pub(super) accepts: (u32, u32),
    /// How long a TLS handshake may take.
    pub(super) handshake: Duration,
    /// How long after its start a connection must have shown a valid token.
    pub(super) introduction: Duration,
    /// How long the body of a request may take to arrive.
    pub(super) body: Duration,
    /// How long a connection may rest between two requests, and the head of a request may take to arrive.
    pub(super) idle: Duration,
    /// How long a request waits for the core's reply.
    pub(super) reply: Duration,
}

impl Bounds {
    pub(super) const DEFAULT: Self = Self {
        // An outsider can take these, and none of the places of those who are known.
        strangers: 512,
        // Workers share an address where traffic within the cluster is translated, or with hostNetwork: as many as a
        // node has.
        strangers_of_address: 128,
        // Two for each of 2,000 workers; one that rests after its handshake takes 18 KB.
        workers: 4_096,
        // A worker has two: one is parked, ends go by the other. After a cut network it may have twice that for a
        // while.
        connections_of_pod: 8,
        // A quarter of the memory that the chart gives the operator.
        bytes: 64 << 20,
        bytes_of_pod: 2 * MAX_REQUEST_BYTES,
        // A handshake takes 0.3 ms of the operator's only thread.
        accepts: (500, 2_000),
        handshake: Duration::from_secs(5),
        introduction: Duration::from_secs(10),
        body: Duration::from_secs(10),
        // Longer than a worker's poll, after which it speaks again.
        idle: Duration::from_secs(30),
        // The core answers within 12 s.
        reply: Duration::from_secs(15),
    };
}

/// Descriptors for all but the exchange: the API server's connections, metrics, logs.
const OTHER_DESCRIPTORS: usize = 256;

impl Bounds {
    /// These bounds with no more connections than there are descriptors: without one, nothing reaches the API server
    /// either.
    pub(super) fn within(self, descriptors: usize) -> Self {
        let connections = descriptors.saturating_sub(OTHER_DESCRIPTORS);
        let strangers = self.strangers.min(connections / 4);
        Self { strangers, workers: self.workers.min(connections - strangers), ..self }
    }
}

/// How many descriptors this process may have. Where the limit is a soft one, as in many container runtimes, it is
/// raised.
pub(super) fn descriptors() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, ..limit };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limit = raised;
        }
    }
    limit.current.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
}

/// A limit for each second, and a larger one after a pause.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: f64,
    most: f64,
    level: Mutex<(f64, Instant)>,
}

impl Bucket {
    pub(super) fn new((per_second, most): (u32, u32)) -> Self {
        let most = f64::from(most);
        Self { per_second: f64::from(per_second), most, level: Mutex::new((most, Instant::now())) }
    }

    /// Whether one more is within the bound, which then counts.
    pub(super) fn take(&self, now: Instant) -> bool {
        let Ok(mut level) = self.level.lock() else { return false };
        let filled = level.0 + now.saturating_duration_since(level.1).as_secs_f64() * self.per_second;
        *level = (filled.min(self.most), now);
        let some = level.0 >= 1.0;
        if some {
            level.0 -= 1.0;
        }
        some
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_api_server() {
        let of = |descriptors: usize| {
            let bounds = Bounds::DEFAULT.within(descriptors);
            (bounds.strangers, bounds.workers)
        };
        assert_eq!(of(usize::MAX), (512, 4_096));
        assert_eq!(of(1_024), (192, 576));
        assert_eq!(of(100), (0, 0));
        assert!(descriptors() >= 100);
    }

    #[test]
    fn a_bucket_fills_with_time_and_never_above_its_most() {
        let bucket = Bucket::new((10, 3));
        let now = Instant::now();
        let took = |at: Duration| (0..100).filter(|_| bucket.take(now + at)).count();
        assert_eq!(took(Duration::ZERO), 3);
        assert_eq!(took(Duration::from_millis(210)), 2);
        assert_eq!(took(Duration::from_hours(1)), 3);
    }
}
