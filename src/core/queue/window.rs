//! How many creates may be on their way at once? As many as the API server takes without complaint.

use crate::core::ids::Time;

/// Creates in flight at the start.
const START: u32 = 16;
/// The most creates in flight: more than this brings no more pods, only more connections.
const MAX: u32 = 128;
/// Good answers for one more create in flight.
const GOOD_FOR_ONE: u32 = 50;
/// Bad answers within this many milliseconds count as one: they complain about the same load.
const SAME_COMPLAINT_MILLIS: u64 = 1_000;
/// The longest pause that the API server may ask for, in milliseconds.
const MAX_PAUSE_MILLIS: u64 = 30_000;

/// The number of creates in flight: one more after 50 good answers, half after a complaint.
#[derive(Debug)]
pub struct Window {
    size: u32,
    in_flight: u32,
    good: u32,
    halved: Option<Time>,
    paused_until: Option<Time>,
}

impl Default for Window {
    fn default() -> Self {
        Self { size: START, in_flight: 0, good: 0, halved: None, paused_until: None }
    }
}

impl Window {
    /// Whether another create may go out.
    pub fn is_open(&self, now: Time) -> bool {
        self.in_flight < self.size && !self.is_paused(now)
    }

    /// Whether the API server has asked for a pause.
    pub fn is_paused(&self, now: Time) -> bool {
        self.paused_until.is_some_and(|until| until > now)
    }

    /// When a pause ends.
    pub fn paused_until(&self) -> Option<Time> {
        self.paused_until
    }

    /// A create goes out.
    pub fn begin(&mut self) {
        self.in_flight += 1;
    }

    /// A create was answered, and not with a complaint.
    pub fn good(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.good += 1;
        if self.good >= GOOD_FOR_ONE {
            self.good = 0;
            self.size = (self.size + 1).min(MAX);
        }
    }

    /// The API server asked for less, or did not answer in time.
    pub fn bad(&mut self, now: Time, pause_millis: Option<u64>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.good = 0;
        if self.halved.is_none_or(|last| now.millis_since(last) >= SAME_COMPLAINT_MILLIS) {
            self.size = (self.size / 2).max(1);
            self.halved = Some(now);
        }
        let pause = pause_millis.unwrap_or(100).min(MAX_PAUSE_MILLIS);
        self.paused_until = Some(now.plus_millis(pause));
    }

    /// Creates that may be in flight, and creates that are.
    pub fn size_and_use(&self) -> (u32, u32) {
        (self.size, self.in_flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_creates(window: &mut Window, now: Time) -> u32 {
        let before = window.in_flight;
        while window.is_open(now) {
            window.begin();
        }
        window.in_flight - before
    }

    #[test]
    fn good_answers_widen_it_one_by_one() {
        let mut window = Window::default();
        assert_eq!(open_creates(&mut window, Time(0)), 16);
        (0..50).for_each(|_| {
            window.begin();
            window.good();
        });
        assert_eq!(window.size_and_use(), (17, 16));
    }

    #[test]
    fn complaints_about_the_same_load_halve_it_once() {
        let mut window = Window::default();
        open_creates(&mut window, Time(0));
        (0..16).for_each(|_| window.bad(Time(5), Some(1_000)));
        assert_eq!(window.size_and_use(), (8, 0));
        assert!(!window.is_open(Time(1_004)));
        assert!(window.is_open(Time(1_005)));
        window.bad(Time(1_005), None);
        assert_eq!(window.size_and_use().0, 4);
    }

    #[test]
    fn it_never_closes_for_good() {
        let mut window = Window::default();
        (0..100).for_each(|i| window.bad(Time(i * 2_000), None));
        assert!(window.is_open(Time(1_000_000)));
    }
}
