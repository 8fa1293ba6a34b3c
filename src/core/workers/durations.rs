//! How long the items of a task take: the latest of them stand for those to come.

/// Attempts that are remembered.
const REMEMBERED: usize = 128;
/// Fewer than this say nothing about the others.
const ENOUGH: usize = 3;

/// The durations of the latest attempts, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    latest: Vec<u64>,
    next: usize,
    /// The 90th percentile, as of when it was last asked for.
    known: Option<u64>,
}

impl Durations {
    /// Adds the duration of an attempt.
    pub fn add(&mut self, micros: u64) {
        if self.latest.len() < REMEMBERED {
            self.latest.push(micros);
        } else if let Some(oldest) = self.latest.get_mut(self.next) {
            *oldest = micros;
        }
        self.next = (self.next + 1) % REMEMBERED;
        self.known = None;
    }

    /// The 90th percentile in microseconds, at least 1; `None` until enough attempts have ended.
    pub fn ninetieth_percentile(&mut self) -> Option<u64> {
        if self.latest.len() < ENOUGH {
            return None;
        }
        let of = |latest: &[u64]| {
            let mut sorted = latest.to_vec();
            let place = (sorted.len() * 9 / 10).min(sorted.len() - 1);
            (*sorted.select_nth_unstable(place).1).max(1)
        };
        Some(*self.known.get_or_insert_with(|| of(&self.latest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_of_ten_attempts_take_no_longer_than_the_percentile_says() {
        let mut durations = Durations::default();
        assert_eq!(durations.ninetieth_percentile(), None);
        (1..=2).for_each(|micros| durations.add(micros));
        assert_eq!(durations.ninetieth_percentile(), None, "two say nothing");
        (3..=10).for_each(|micros| durations.add(micros));
        assert_eq!(durations.ninetieth_percentile(), Some(10));
        (0..REMEMBERED).for_each(|_| durations.add(5));
        assert_eq!(durations.ninetieth_percentile(), Some(5), "the oldest are forgotten");
    }
}
