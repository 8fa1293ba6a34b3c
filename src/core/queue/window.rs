//! How many creates may be on their way at once? As many as the API server takes without congestion; at first a few.

use crate::core::ids::Time;

/// Creates in flight at the start and after a while without any: the first pod of many waits for all that set out with
/// it.
const START: u32 = 4;
/// After this many milliseconds without a create, the window is that of the start.
const IDLE_MILLIS: u64 = 1_000;
/// Good answers for one more create in flight, once as many had caused congestion.
const GOOD_FOR_ONE: u32 = 50;
/// Bad answers within this many milliseconds count as one: they report the same congestion.
const SAME_CONGESTION_MILLIS: u64 = 1_000;
/// For this many milliseconds after congestion no create goes out beyond the window.
const CONGESTION_MILLIS: u64 = 60_000;
/// The longest pause that the API server may ask for, in milliseconds.
const MAX_PAUSE_MILLIS: u64 = 30_000;

/// The number of creates in flight: one more after each good answer, until half of what caused congestion;
/// from there on one more after 50. It grows only while it is the limit: what was never sent proves nothing.
#[derive(Debug)]
pub struct Window {
    size: u32,
    /// It never grows beyond this.
    most: u32,
    /// Up to this size there was no congestion.
    ssthresh: u32,
    in_flight: u32,
    /// Whether another create would have gone out during this round trip, had there been room.
    was_limit: bool,
    /// Answers until this round trip is over.
    left: u32,
    good: u32,
    began: Option<Time>,
    halved: Option<Time>,
    paused_until: Option<Time>,
}

impl Window {
    /// Nothing on its way, and never more than `most`, which is at least 1.
    pub fn new(most: u32) -> Self {
        let (most, size) = (most.max(1), START.min(most.max(1)));
        Self {
            size,
            most,
            ssthresh: most,
            in_flight: 0,
            was_limit: false,
            left: 0,
            good: 0,
            began: None,
            halved: None,
            paused_until: None,
        }
    }

    /// Creates that may be in flight.
    pub fn size(&self) -> usize {
        self.size as usize
    }

    /// Whether the API server has asked for a pause.
    pub fn is_paused(&self, now: Time) -> bool {
        self.paused_until.is_some_and(|until| until > now)
    }

    /// Whether there was congestion lately.
    pub fn is_congested(&self, now: Time) -> bool {
        self.halved.is_some_and(|last| now.millis_since(last) < CONGESTION_MILLIS)
    }

    /// When a pause ends.
    pub fn paused_until(&self) -> Option<Time> {
        self.paused_until
    }

    /// A create goes out.
    pub fn begin(&mut self, now: Time) {
        if self.in_flight == 0 && self.began.is_some_and(|last| now.millis_since(last) >= IDLE_MILLIS) {
            self.size = self.size.min(START);
        }
        self.began = Some(now);
        self.in_flight += 1;
    }

    /// A create has to wait for room.
    pub fn note_limited(&mut self) {
        self.was_limit = true;
    }

    /// A create was answered without a sign of congestion.
    pub fn on_success(&mut self) {
        let was_limit = self.was_limit;
        self.neutral();
        if !was_limit {
            return;
        }
        self.good += 1;
        if self.size < self.ssthresh || self.good >= GOOD_FOR_ONE {
            self.good = 0;
            self.size = (self.size + 1).min(self.most);
            self.ssthresh = self.ssthresh.max(self.size);
        }
    }

    /// A create was answered, and that says nothing about load.
    pub fn neutral(&mut self) {
        if self.left == 0 {
            self.left = self.in_flight;
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.was_limit = false;
        }
    }

    /// The API server asked for less, or did not answer in time.
    pub fn on_congestion(&mut self, now: Time, pause_millis: Option<u64>) {
        self.neutral();
        self.good = 0;
        if self.halved.is_none_or(|last| now.millis_since(last) >= SAME_CONGESTION_MILLIS) {
            self.size = (self.size / 2).max(1);
            self.ssthresh = self.size;
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

    fn is_open(window: &Window, now: Time) -> bool {
        window.in_flight < window.size && !window.is_paused(now)
    }

    fn open_creates(window: &mut Window, now: Time) -> u32 {
        let before = window.in_flight;
        while is_open(window, now) {
            window.begin(now);
        }
        window.note_limited();
        window.in_flight - before
    }

    /// One answer for each create on its way, and as many more sent as there is room for.
    fn round_trip(window: &mut Window, now: Time) -> u32 {
        (0..window.in_flight).for_each(|_| window.on_success());
        open_creates(window, now);
        window.in_flight
    }

    fn with_32_in_flight() -> Window {
        let mut window = Window::new(128);
        for _ in 0..4 {
            round_trip(&mut window, Time(0));
        }
        assert_eq!(window.size_and_use(), (32, 32));
        window
    }

    #[test]
    fn it_doubles_with_each_round_trip() {
        let mut window = Window::new(128);
        assert_eq!(open_creates(&mut window, Time(0)), 4);
        let sizes: Vec<u32> = (0..6).map(|_| round_trip(&mut window, Time(0))).collect();
        assert_eq!(sizes, [8, 16, 32, 64, 128, 128]);
    }

    #[test]
    fn it_starts_over_after_a_while_without_creates() {
        let mut window = with_32_in_flight();
        (0..32).for_each(|_| window.on_success());
        assert_eq!(open_creates(&mut window, Time(999)), 64);
        (0..64).for_each(|_| window.on_success());
        assert_eq!(open_creates(&mut window, Time(2_000)), 4);
    }

    #[test]
    fn several_signs_of_the_same_overload_halve_the_window_once() {
        let mut window = with_32_in_flight();
        (0..32).for_each(|_| window.on_congestion(Time(5), Some(1_000)));
        assert_eq!(window.size_and_use(), (16, 0));
        assert!(!is_open(&window, Time(1_004)));
        assert!(is_open(&window, Time(1_005)));
        window.on_congestion(Time(1_005), None);
        assert_eq!(window.size_and_use().0, 8);
    }

    #[test]
    fn congestion_is_remembered_for_a_minute_and_its_pause_until_it_ends() {
        let mut window = with_32_in_flight();
        assert!(!window.is_congested(Time(0)) && window.paused_until().is_none());
        window.on_congestion(Time(5), Some(1_000));
        assert_eq!(window.paused_until(), Some(Time(1_005)));
        assert!(window.is_congested(Time(5)) && window.is_congested(Time(60_004)));
        assert!(!window.is_congested(Time(60_005)));
        window.on_congestion(Time(70_000), Some(99_000));
        assert_eq!(window.paused_until(), Some(Time(100_000)), "half a minute at most");
    }

    #[test]
    fn after_congestion_it_widens_slowly() {
        let mut window = Window::new(128);
        window.begin(Time(0));
        window.on_congestion(Time(0), None);
        assert_eq!(window.size_and_use().0, 2);
        for answers in 0..50 {
            assert_eq!(window.size_and_use().0, 2, "{answers}");
            open_creates(&mut window, Time(200));
            window.on_success();
        }
        assert_eq!(window.size_and_use().0, 3);
    }

    #[test]
    fn the_window_does_not_grow_while_it_is_not_the_limit() {
        let mut window = Window::new(128);
        for _ in 0..1_000 {
            (0..4).for_each(|_| window.begin(Time(0)));
            (0..4).for_each(|_| window.on_success());
        }
        assert_eq!(window.size_and_use(), (4, 0), "four at a time prove no more than that");
    }

    #[test]
    fn an_answer_that_says_nothing_about_load_changes_nothing() {
        let mut window = Window::new(128);
        open_creates(&mut window, Time(0));
        (0..4).for_each(|_| window.neutral());
        assert_eq!(window.size_and_use(), (4, 0));
    }

    #[test]
    fn it_never_closes_for_good() {
        let mut window = Window::new(128);
        (0..100).for_each(|i| window.on_congestion(Time(i * 2_000), None));
        assert!(is_open(&window, Time(1_000_000)));
    }
}
