//! Has a program broken, so that it fails everything? Some do, as after a failed assertion on a GPU.

use std::time::Duration;

use tokio::time::Instant;

/// Errors in a row after which the program is started again.
const IN_A_ROW: u32 = 3;
/// How long an error is held back: a third one may show that the program is at fault.
const HELD: Duration = Duration::from_secs(1);
/// How long an error is held back while the program has nothing to do: its next item may wait for this end.
const HELD_IDLE: Duration = Duration::from_millis(80);

/// The errors of one program that are not reported yet.
#[derive(Debug)]
pub(super) struct Errors<T> {
    held: Vec<(T, String, Instant)>,
    in_a_row: u32,
    limit: u32,
}

impl<T> Default for Errors<T> {
    fn default() -> Self {
        Self { held: Vec::new(), in_a_row: 0, limit: IN_A_ROW }
    }
}

impl<T> Errors<T> {
    /// An item has failed: it is held back. Returns those that no longer are.
    pub(super) fn failed(&mut self, line: T, error: String) -> Vec<(T, String)> {
        self.in_a_row += 1;
        self.held.push((line, error, Instant::now()));
        let more = self.held.len().saturating_sub(IN_A_ROW as usize);
        self.held.drain(..more).map(|(line, error, _)| (line, error)).collect()
    }

    /// An item has succeeded; whether it was tried again in a new program, which then has helped.
    pub(super) const fn succeeded(&mut self, again: bool) {
        self.in_a_row = 0;
        if again {
            self.limit = IN_A_ROW;
        }
    }

    /// An item has failed in the new program as well: programs are started again less often.
    pub(super) const fn failed_again(&mut self, again: bool) {
        if again {
            self.limit = self.limit.saturating_mul(2);
        }
    }

    /// Whether the program is to be started again.
    pub(super) const fn are_too_many(&self) -> bool {
        self.in_a_row >= self.limit
    }

    /// The items that are tried again.
    pub(super) fn take_again(&mut self) -> impl Iterator<Item = T> {
        self.in_a_row = 0;
        std::mem::take(&mut self.held).into_iter().map(|(line, _, _)| line)
    }

    /// All that was held back.
    pub(super) fn release(&mut self) -> Vec<(T, String)> {
        self.held.drain(..).map(|(line, error, _)| (line, error)).collect()
    }

    /// When the oldest is to be reported.
    pub(super) fn due(&self, idle: bool) -> Option<Instant> {
        let (_, _, since) = self.held.first()?;
        Some(*since + if idle { HELD_IDLE } else { HELD })
    }
}
