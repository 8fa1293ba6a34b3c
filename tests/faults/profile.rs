//! What may go wrong in a run, and how often; drawn from its seed.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::random::Random;

/// Chances in percent, and habits, of one run.
#[derive(Clone, Debug)]
pub struct Profile {
    /// An error, and the request is not carried out.
    pub refuse: u64,
    /// Carried out, and an error or no answer.
    pub lose: u64,
    /// An error or no answer, and carried out up to 20 s later.
    pub late: u64,
    /// Up to 3 s slower.
    pub slow: u64,
    /// A watch breaks off.
    pub cut: u64,
    /// A watch that resumes is told that its version is gone.
    pub gone: u64,
    /// A fault of a lease request.
    pub lease: u64,
    /// Seconds from one SIGKILL to the next, at most; 0 for none.
    pub kill_every: u64,
    /// In percent: the lease is left to expire after a SIGKILL.
    pub expire: u64,
    /// A restarted operator has the identity that it had.
    pub same_identity: bool,
    /// Somebody takes the lease away, once.
    pub thief: bool,
    /// Operators at one time.
    pub operators: usize,
    /// When all this stops.
    pub calm_after: Duration,
    /// The first attempt at every such item fails.
    pub fail_every: usize,
    /// Items of the task. Many: a run so long that finished pods are deleted while things go wrong.
    pub items: u32,
    /// Seconds from one SIGKILL of a worker to the next, at most; 0 for none.
    pub kill_workers: u64,
    /// A worker's connection is refused, breaks off or stalls.
    pub connections: u64,
    /// Shortest and longest life of a pod, in ms.
    pub life: (usize, usize),
}

impl Profile {
    pub fn draw(random: &mut Random) -> Self {
        let pick = |random: &mut Random, of: &[u64]| of[random.below(of.len())];
        let long = random.chance(10);
        let mut profile = Self {
            refuse: pick(random, &[0, 2, 5, 15, 30]),
            lose: pick(random, &[0, 2, 5, 15]),
            late: pick(random, &[0, 1, 3, 8]),
            slow: pick(random, &[0, 2, 10]),
            cut: pick(random, &[0, 30, 80]),
            gone: pick(random, &[0, 10, 40]),
            lease: pick(random, &[0, 2, 5]),
            kill_every: pick(random, &[0, 4, 6, 6, 10]),
            expire: pick(random, &[0, 0, 15]),
            same_identity: random.chance(25),
            thief: random.chance(25),
            operators: if random.chance(25) { 2 } else { 1 },
            calm_after: Duration::from_secs(if long { 110 } else { 20 } + random.below(10) as u64),
            fail_every: [3, 5, 7, 11][random.below(4)],
            items: if long { 1_200 } else { 300 },
            kill_workers: 0,
            connections: 0,
            life: [(100, 400), (300, 2_000), (1_000, 4_000)][random.below(3)],
        };
        // Last, so that they change nothing else of a seed.
        // What ran in a worker that was killed runs alone next, one item after another: few kills make long runs.
        profile.kill_workers = pick(random, &[0, 6, 12, 20]);
        profile.connections = pick(random, &[0, 10, 30, 60]);
        if long {
            // Finished pods are deleted 75 s after a start at the earliest.
            profile.kill_every *= 20;
            profile.life = (2_000, 5_000);
        }
        profile
    }
}

/// Faults by kind.
#[derive(Default)]
pub struct Counters(Mutex<BTreeMap<String, u32>>);

impl Counters {
    pub fn add(&self, kind: impl Into<String>) {
        *self.0.lock().unwrap().entry(kind.into()).or_default() += 1;
    }

    pub fn text(&self) -> String {
        let counts = self.0.lock().unwrap();
        counts.iter().map(|(kind, n)| format!("{kind} {n}")).collect::<Vec<_>>().join(", ")
    }
}
