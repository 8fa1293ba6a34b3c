//! Who has a place? Connections and bytes are counted for those who have shown a token by pod, for all others by
//! address, so that an outsider takes nothing from workers, and one pod nothing from the others.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bounds::Bounds;
use super::metrics::ExchangeMetrics;

/// Counts connections and the bytes of requests.
pub(super) struct Doors {
    bounds: Bounds,
    metrics: ExchangeMetrics,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    strangers: Tally<IpAddr>,
    workers: Tally<Arc<str>>,
    bytes: Tally<Arc<str>>,
}

/// A sum and its parts.
struct Tally<K> {
    all: usize,
    parts: HashMap<K, usize>,
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self { all: 0, parts: HashMap::new() }
    }
}

impl<K: Eq + Hash + Clone> Tally<K> {
    /// Counts `some` more, unless that is more than `most` in all or than `most_of_part`.
    fn add(&mut self, key: &K, some: usize, most: usize, most_of_part: usize) -> bool {
        let part = self.parts.get(key).copied().unwrap_or(0) + some;
        let fits = self.all + some <= most && part <= most_of_part;
        if fits {
            self.all += some;
            self.parts.insert(key.clone(), part);
        }
        fits
    }

    fn remove(&mut self, key: &K, some: usize) {
        self.all = self.all.saturating_sub(some);
        if let Some(part) = self.parts.get_mut(key) {
            *part = part.saturating_sub(some);
            if *part == 0 {
                self.parts.remove(key);
            }
        }
    }
}

impl Doors {
    pub(super) fn new(bounds: Bounds, metrics: ExchangeMetrics) -> Arc<Self> {
        Arc::new(Self { bounds, metrics, counts: Mutex::default() })
    }

    /// A place for a connection that nobody knows yet; `None` if there are too many.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        let Bounds { strangers, strangers_of_address, .. } = self.bounds;
        let mut counts = self.counts();
        if !counts.strangers.add(&address, 1, strangers, strangers_of_address) {
            self.metrics.refused();
            return None;
        }
        self.show(&counts);
        Some(Place { doors: Arc::clone(self), standing: Mutex::new(Standing::Stranger(address)) })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, counts: &Counts) {
        self.metrics.connections(counts.strangers.all + counts.workers.all);
    }
}

/// The place of one connection, until it is dropped.
pub(super) struct Place {
    doors: Arc<Doors>,
    standing: Mutex<Standing>,
}

enum Standing {
    Stranger(IpAddr),
    Worker(Arc<str>),
}

impl Place {
    /// The connection has shown the token of this pod. False if there are too many of the pod, or in all.
    pub(super) fn is_of(&self, pod: &Arc<str>) -> bool {
        let mut standing = self.standing();
        if matches!(&*standing, Standing::Worker(known) if known == pod) {
            return true;
        }
        let Bounds { workers, connections_of_pod, .. } = self.doors.bounds;
        let mut counts = self.doors.counts();
        if !counts.workers.add(pod, 1, workers, connections_of_pod) {
            self.doors.metrics.refused();
            return false;
        }
        counts.leave(&standing);
        *standing = Standing::Worker(Arc::clone(pod));
        true
    }

    /// Whether it has shown no valid token yet.
    pub(super) fn is_stranger(&self) -> bool {
        matches!(&*self.standing(), Standing::Stranger(_))
    }

    /// Room for this number of bytes of a request of this pod; `None` if it or all have too much in progress.
    pub(super) fn reserve(&self, pod: &Arc<str>, bytes: usize) -> Option<Room> {
        let Bounds { bytes: most, bytes_of_pod, .. } = self.doors.bounds;
        let fits = self.doors.counts().bytes.add(pod, bytes, most, bytes_of_pod);
        fits.then(|| Room { doors: Arc::clone(&self.doors), pod: Arc::clone(pod), bytes })
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn leave(&mut self, standing: &Standing) {
        match standing {
            Standing::Stranger(address) => self.strangers.remove(address, 1),
            Standing::Worker(pod) => self.workers.remove(pod, 1),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.doors.counts();
        counts.leave(&self.standing());
        self.doors.show(&counts);
    }
}

/// Room for the bytes of a request, until it is dropped.
pub(super) struct Room {
    doors: Arc<Doors>,
    pod: Arc<str>,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.doors.counts().bytes.remove(&self.pod, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outsider_takes_no_place_of_a_worker_and_one_pod_none_of_another() {
        let bounds =
            Bounds { strangers: 3, strangers_of_address: 2, workers: 3, connections_of_pod: 2, ..Bounds::DEFAULT };
        let doors = Doors::new(bounds, ExchangeMetrics::default());
        let address = |n: u8| IpAddr::from([10, 0, 0, n]);
        let (first, second) = (doors.enter(address(1)).unwrap(), doors.enter(address(1)).unwrap());
        assert!(doors.enter(address(1)).is_none(), "two of one address");
        let third = doors.enter(address(2)).unwrap();
        assert!(doors.enter(address(3)).is_none(), "three in all");
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        assert!(first.is_of(&a) && first.is_of(&a) && second.is_of(&a) && !third.is_of(&a), "two of one pod");
        assert!(third.is_of(&b), "places of others are left");
        let fourth = doors.enter(address(1)).unwrap();
        assert!(fourth.is_stranger() && !fourth.is_of(&b), "three workers in all");
        drop(first);
        assert!(fourth.is_of(&b), "a place that was left is free");
        drop((second, third, fourth));
        let counts = doors.counts();
        assert_eq!((counts.workers.all, counts.strangers.all), (0, 0));
        assert!(counts.workers.parts.is_empty() && counts.strangers.parts.is_empty());
    }

    #[test]
    fn the_bytes_in_progress_are_bounded_for_each_pod_and_in_all() {
        let doors = Doors::new(Bounds { bytes: 10, bytes_of_pod: 6, ..Bounds::DEFAULT }, ExchangeMetrics::default());
        let place = doors.enter(IpAddr::from([10, 0, 0, 1])).unwrap();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let first = place.reserve(&a, 5).unwrap();
        assert!(place.reserve(&a, 2).is_none());
        let second = place.reserve(&b, 5).unwrap();
        assert!(place.reserve(&a, 1).is_none(), "in all");
        drop(second);
        assert!(place.reserve(&a, 1).is_some());
        drop(first);
        assert!(doors.counts().bytes.parts.is_empty());
    }
}
