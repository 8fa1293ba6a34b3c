//! Which ends has the operator yet to record?

use std::collections::{HashSet, VecDeque};

use maptask_exchange::{AttemptId, End, MAX_UNACKNOWLEDGED_BYTES, Outcome};

/// Ends that are not acknowledged, oldest first. One is sent until a request with it was answered, and again to a later
/// epoch.
#[derive(Debug, Default)]
pub struct Outbox {
    ends: VecDeque<(End, usize)>,
    ids: HashSet<AttemptId>,
    bytes: usize,
    last: u64,
    /// Up to this end, the operator of this epoch has received them.
    received: u64,
}

impl Outbox {
    /// Nothing to say.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an end and gives it its number.
    pub fn push(&mut self, id: AttemptId, micros: u64, outcome: Outcome) {
        self.last += 1;
        let end = End { sequence: self.last, id, micros, outcome };
        // Its share of a request's body, with the comma.
        let size = serde_json::to_vec(&end).map_or(0, |text| text.len() + 1);
        self.bytes += size;
        self.ids.insert(id);
        self.ends.push_back((end, size));
    }

    /// The ends that a request has to say, as many as fit and no more than `most`, and the number of the last one.
    pub fn to_send(&self, room: usize, most: usize) -> (Vec<End>, u64) {
        let mut through = self.received;
        let mut used = 0;
        let mut ends = Vec::new();
        let known = self.ends.partition_point(|(end, _)| end.sequence <= self.received);
        for (end, size) in self.ends.range(known..).take(most) {
            used += size;
            if used > room {
                break;
            }
            through = end.sequence;
            ends.push(end.clone());
        }
        (ends, through)
    }

    /// Whether there is an end after this one.
    pub const fn has_after(&self, sequence: u64) -> bool {
        self.last > sequence
    }

    /// The operator has ends up to this one.
    pub fn received(&mut self, through: u64) {
        self.received = self.received.max(through);
    }

    /// The operator has recorded ends up to this one.
    pub fn acknowledge(&mut self, through: u64) {
        while let Some((end, size)) = self.ends.front()
            && end.sequence <= through
        {
            self.bytes -= size;
            self.ids.remove(&end.id);
            self.ends.pop_front();
        }
        self.received = self.received.max(through.min(self.last));
    }

    /// Another operator leads, and has received nothing.
    pub fn send_all_again(&mut self) {
        self.received = self.ends.front().map_or(self.last, |(end, _)| end.sequence - 1);
    }

    /// Whether the end of this attempt is not yet acknowledged.
    pub fn holds(&self, id: AttemptId) -> bool {
        self.ids.contains(&id)
    }

    /// Whether everything is acknowledged.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether so much waits for its acknowledgement that nothing more may begin.
    pub const fn is_full(&self) -> bool {
        self.bytes > MAX_UNACKNOWLEDGED_BYTES
    }
}
