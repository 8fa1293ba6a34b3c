//! How fast a task proceeds: at most 64 samples of the ended items, and the rate of the last minute.

use std::collections::VecDeque;
use std::fmt::Write as _;

use crate::api::progress::Progress as Shown;
use crate::core::ids::Time;
use crate::core::phases::Counts;
use crate::core::record::{meta_time, number};

/// Most samples: enough for a curve, and some 600 bytes of text.
const MAX_SAMPLES: usize = 64;
/// Seconds between the first samples: the least time between two status writes.
const FIRST_STRIDE: u32 = 1;
/// The rate is that of this time, in milliseconds.
const RATE_MILLIS: u64 = 60_000;
/// Least milliseconds between two numbers that the rate is made from, so that a minute takes at most 13 of them, and
/// least time that a rate is of.
const RATE_STEP_MILLIS: u64 = 5_000;

/// What had ended at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    time: Time,
    ended: u32,
    failed: u32,
}

/// The samples of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    stride: u32,
    samples: Vec<Sample>,
    /// For the rate: what is not older than a minute, and one that is.
    recent: VecDeque<Sample>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { stride: FIRST_STRIDE, samples: Vec::new(), recent: VecDeque::new() }
    }
}

impl Progress {
    /// Continues from an earlier status. Samples that can't be decoded are dropped: nothing depends on them.
    pub fn from_status(shown: Option<&Shown>) -> Self {
        shown.and_then(Self::read).unwrap_or_default()
    }

    fn read(shown: &Shown) -> Option<Self> {
        let mut last =
            Sample { time: whole_second(shown.start_time.as_ref()?.0.as_millisecond()), ended: 0, failed: 0 };
        let mut samples = Vec::new();
        for text in shown.samples.split(';').take(MAX_SAMPLES) {
            let numbers: Vec<u32> = text.split(',').map(|n| n.parse().ok()).collect::<Option<_>>()?;
            let [seconds, ended, failed] = numbers.as_slice() else { return None };
            last = Sample {
                time: last.time.plus_millis(u64::from(*seconds) * 1_000),
                ended: last.ended.checked_add(*ended)?,
                failed: last.failed.checked_add(*failed)?,
            };
            samples.push(last);
        }
        let recent = samples.iter().copied().collect();
        Some(Self { stride: u32::try_from(shown.stride_seconds).ok()?.max(FIRST_STRIDE), samples, recent })
    }

    /// A status is written now, with these numbers of items.
    pub fn note(&mut self, now: Time, counts: Counts) {
        let sample = Sample::of(now, counts);
        match self.samples.last() {
            // A rerun, or a status that somebody set back: another curve begins.
            Some(last) if last.ended > sample.ended || last.failed > sample.failed => {
                *self = Self::default();
                self.samples.push(sample);
            }
            Some(last) if sample.time.millis_since(last.time) < u64::from(self.stride) * 1_000 => {}
            _ => self.push(sample),
        }
        if self.recent.back().is_none_or(|last| now.millis_since(last.time) >= RATE_STEP_MILLIS) {
            self.recent.push_back(Sample { time: now, ..sample });
        }
        while self.recent.get(1).is_some_and(|second| now.millis_since(second.time) >= RATE_MILLIS) {
            self.recent.pop_front();
        }
    }

    /// The task has ended with these numbers, which the last sample shows.
    pub fn close(&mut self, now: Time, counts: Counts) {
        let sample = Sample::of(now, counts);
        if self.samples.last().is_some_and(|last| (last.ended, last.failed) != (sample.ended, sample.failed)) {
            self.push(sample);
        }
        self.recent.clear();
    }

    /// As the status shows it; `None` before the first sample.
    pub fn to_status(&self, now: Time, counts: Counts) -> Option<Shown> {
        let first = self.samples.first()?;
        let mut before = Sample { time: first.time, ended: 0, failed: 0 };
        let mut samples = String::new();
        for sample in &self.samples {
            let separator = if samples.is_empty() { "" } else { ";" };
            let (seconds, ended) = (sample.time.millis_since(before.time) / 1_000, sample.ended - before.ended);
            // Writing to a string can't fail.
            let _ = write!(samples, "{separator}{seconds},{ended},{}", sample.failed - before.failed);
            before = *sample;
        }
        Some(Shown {
            start_time: Some(meta_time(first.time)),
            time: Some(meta_time(now)),
            items_per_minute: self.rate(now, counts),
            stride_seconds: number(self.stride),
            samples,
        })
    }

    fn push(&mut self, sample: Sample) {
        self.samples.push(sample);
        if self.samples.len() > MAX_SAMPLES {
            let mut place = 0;
            // The first and the last of an odd number stay.
            self.samples.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.stride = self.stride.saturating_mul(2);
        }
    }

    /// Items that ended in the last minute.
    fn rate(&self, now: Time, counts: Counts) -> Option<i32> {
        let base = self.recent.front()?;
        let millis = now.millis_since(base.time);
        if millis < RATE_STEP_MILLIS {
            return None;
        }
        let ended = u64::from(counts.ended().saturating_sub(base.ended));
        i32::try_from(ended * RATE_MILLIS / millis).ok()
    }
}

impl Sample {
    fn of(now: Time, counts: Counts) -> Self {
        Self { time: whole_second(now.0), ended: counts.ended(), failed: counts.failed }
    }
}

/// Samples have the precision that the status shows, so that they are the same after a restart.
fn whole_second(millis: i64) -> Time {
    Time(millis.div_euclid(1_000) * 1_000)
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
