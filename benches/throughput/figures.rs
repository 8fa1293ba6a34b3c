//! What a turn cost.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::meter::Reading;

/// What one turn cost.
#[derive(Clone, Debug)]
pub struct Figures {
    pub rate: f64,
    pub seconds: f64,
    pub first_millis: f64,
    /// CPU seconds for 1,000 items, by program.
    pub cpu: BTreeMap<String, f64>,
    /// Write requests for each item, by resource and verb.
    pub writes: BTreeMap<String, f64>,
    pub controller_megabytes: f64,
    pub etcd_bytes: f64,
    pub object_bytes: f64,
    pub restart: Option<Restart>,
    pub left: Left,
}

/// The pods that exist when the task's end is reported.
#[derive(Clone, Debug, Default)]
pub struct Left {
    pub pods: f64,
    /// `None` where they stay until somebody deletes them.
    pub gone: Option<Gone>,
}

/// How they were cleaned up.
#[derive(Clone, Debug)]
pub struct Gone {
    pub seconds: f64,
    /// CPU seconds for 1,000 items, by program.
    pub cpu: BTreeMap<String, f64>,
}

impl Figures {
    pub fn new(items: f64, took: Duration, first: Duration, done: Reading, megabytes: f64, bytes: usize) -> Self {
        Self {
            rate: items / took.as_secs_f64(),
            seconds: took.as_secs_f64(),
            first_millis: first.as_secs_f64() * 1e3,
            cpu: cpu_per_thousand(&done, items),
            etcd_bytes: done.etcd_bytes / items,
            writes: done.writes.into_iter().map(|(key, count)| (key, count / items)).collect(),
            controller_megabytes: megabytes,
            object_bytes: bytes as f64,
            restart: None,
            left: Left::default(),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} items/s, {:.1} s, first pod after {:.0} ms", self.rate, self.seconds, self.first_millis)
    }
}

pub fn median(figures: &[Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<f64> = figures.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().unwrap_or(0.0);
    // Of an even number the two in the middle have a say.
    f64::midpoint(at(values.len().saturating_sub(1) / 2), at(values.len() / 2))
}

/// What an operator that was killed in the middle of a task had taken, and how soon the next one was at work.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    pub megabytes: f64,
    /// From its start to the first pod that it made.
    pub seconds: f64,
}

/// CPU seconds for 1,000 items, by program.
pub fn cpu_per_thousand(reading: &Reading, items: f64) -> BTreeMap<String, f64> {
    reading.cpu.iter().map(|(program, seconds)| (program.clone(), seconds * 1_000.0 / items)).collect()
}
