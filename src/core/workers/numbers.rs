//! The numbers of workers, which are in the names of their pods. None is given twice.

/// The numbers of a run's workers.
#[derive(Debug)]
pub struct Numbers {
    /// That of the first worker of this run. Those below are of a run before, and end.
    first: u32,
    next: u32,
}

impl Numbers {
    /// None is taken; the first will be this.
    pub fn new(first: u32) -> Self {
        Self { first, next: first }
    }

    /// The number of the next worker.
    pub fn next(&self) -> u32 {
        self.next
    }

    /// The number of the newest worker, 0 if there was none.
    pub fn last(&self) -> u32 {
        self.next.saturating_sub(1)
    }

    /// This number is taken.
    pub fn take(&mut self, number: u32) {
        self.next = self.next.max(number.saturating_add(1));
    }

    /// Those that are taken are of a run before.
    pub fn begin_run(&mut self) {
        self.first = self.next;
    }

    /// Whether the number is of a run before.
    pub fn is_of_run_before(&self, number: u32) -> bool {
        number < self.first
    }

    /// Whether one of this run is taken.
    pub fn any_taken(&self) -> bool {
        self.next > self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_given_twice() {
        let mut numbers = Numbers::new(3);
        assert_eq!((numbers.next(), numbers.any_taken(), numbers.is_of_run_before(2)), (3, false, true));
        numbers.take(7);
        numbers.take(4);
        assert_eq!((numbers.next(), numbers.last(), numbers.any_taken()), (8, 7, true));
        assert!(!numbers.is_of_run_before(7));
        numbers.begin_run();
        assert!(numbers.is_of_run_before(7) && !numbers.any_taken());
        numbers.take(u32::MAX);
        assert_eq!(numbers.next(), u32::MAX);
    }
}
