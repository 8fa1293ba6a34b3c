//! When is the next request due?

use std::time::Duration;

/// An end waits at least this long for company, unless the worker would idle.
const SHORTEST: Duration = Duration::from_millis(10);
/// And at most this long: an end is reported within 100 ms.
const LONGEST: Duration = Duration::from_millis(80);

/// Requests that only park are at least this far apart, whatever the operator answers.
const SPACING: Duration = Duration::from_millis(5);

/// Ends are sent together: a request for each would cost the operator more than the items. How long they wait depends
/// on how long the stock lasts, and doubles while grants get lost because the next request overtakes them.
#[derive(Debug)]
pub struct Pacer {
    /// Mean time between two ends in microseconds, of the last 8 or so.
    interval: u64,
    last_end: Option<Duration>,
    floor: Duration,
    /// Since when there is something that no request has said.
    news: Option<Duration>,
    /// No request that only parks before this time.
    not_parked_before: Duration,
    /// No request before this time.
    not_before: Duration,
}

impl Default for Pacer {
    fn default() -> Self {
        Self {
            interval: 0,
            last_end: None,
            floor: SHORTEST,
            news: None,
            not_parked_before: Duration::ZERO,
            not_before: Duration::ZERO,
        }
    }
}

impl Pacer {
    /// An item has ended.
    pub fn ended(&mut self, now: Duration) {
        if let Some(last) = self.last_end.replace(now) {
            let interval = u64::try_from((now.saturating_sub(last)).as_micros()).unwrap_or(u64::MAX / 8);
            self.interval = (self.interval.saturating_mul(7).saturating_add(interval)) / 8;
        }
        self.news(now);
    }

    /// There is something to say.
    pub fn news(&mut self, now: Duration) {
        self.news.get_or_insert(now);
    }

    /// A request says everything.
    pub fn said(&mut self, now: Duration) {
        self.news = None;
        self.not_parked_before = now + SPACING;
    }

    /// An answer came after the next request had been sent; whether it would have granted something.
    pub fn overtaken(&mut self, granted: bool) {
        if granted {
            self.floor = (self.floor * 2).min(LONGEST);
        }
    }

    /// An answer came in time.
    pub fn in_time(&mut self) {
        self.floor = self.floor.mul_f32(0.9).max(SHORTEST);
    }

    /// Sends no request before this time.
    pub fn pause(&mut self, until: Duration) {
        self.not_before = until;
    }

    /// When the next request is due: `None` while one is parked and there is nothing to say. `idle`: a slot is free and
    /// nothing can begin.
    pub fn due(&self, parked: bool, idle: bool, stock: usize) -> Option<Duration> {
        let at = match self.news {
            Some(since) if idle => since,
            Some(since) => since + self.wait(stock),
            None if parked => return None,
            None => self.not_parked_before,
        };
        Some(at.max(self.not_before))
    }

    /// As long as what is left of the stock lasts, within bounds. It shrinks meanwhile, so that a request is due when
    /// half of it is used up, and the answer may take as long again before a slot is idle.
    fn wait(&self, stock: usize) -> Duration {
        let lasts = Duration::from_micros(self.interval.saturating_mul(stock as u64));
        lasts.clamp(self.floor, LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn an_end_waits_for_company_only_while_others_run() {
        let mut pacer = Pacer::default();
        assert_eq!(pacer.due(true, false, 0), None);
        assert_eq!(pacer.due(false, false, 0), Some(Duration::ZERO));
        pacer.ended(100 * MS);
        assert_eq!(pacer.due(true, true, 0), Some(100 * MS));
        assert_eq!(pacer.due(true, false, 0), Some(110 * MS));
    }

    #[test]
    fn an_end_is_reported_within_100_ms_whatever_the_stock() {
        let mut pacer = Pacer::default();
        for second in 1..20 {
            pacer.ended(second * 1_000 * MS);
        }
        pacer.said(19_000 * MS);
        pacer.ended(30_000 * MS);
        assert!(pacer.due(true, false, 40).unwrap() < 30_100 * MS);
    }

    #[test]
    fn a_request_is_due_when_half_of_the_stock_is_used_up() {
        let mut pacer = Pacer::default();
        let begun = 1_000;
        (0..=begun).for_each(|ms| pacer.ended(ms * MS));
        let begun = Duration::from_millis(begun.into());
        pacer.said(begun);
        let ends = (1..=40).find(|end: &u32| {
            let now = begun + *end * MS;
            pacer.ended(now);
            pacer.due(true, false, 40 - *end as usize).is_some_and(|due| due <= now)
        });
        assert_eq!(ends, Some(21), "the first end begins the wait");
    }

    #[test]
    fn a_slow_operator_is_asked_less_often() {
        let mut pacer = Pacer::default();
        pacer.ended(Duration::ZERO);
        for _ in 0..5 {
            pacer.overtaken(true);
        }
        assert_eq!(pacer.due(true, false, 0), Some(80 * MS));
        for _ in 0..50 {
            pacer.in_time();
        }
        assert_eq!(pacer.due(true, false, 0), Some(10 * MS));
    }

    #[test]
    fn nothing_is_sent_during_a_pause() {
        let mut pacer = Pacer::default();
        pacer.pause(500 * MS);
        pacer.ended(100 * MS);
        assert_eq!(pacer.due(false, true, 0), Some(500 * MS));
    }
}
