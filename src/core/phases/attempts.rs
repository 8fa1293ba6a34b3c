//! The items beyond their first attempt: which attempt they are at, and what the earlier ones cost.

use std::collections::BTreeMap;

use super::Raises;
use super::codec::{self, DecodeError};
use crate::core::ids::{Attempt, Index, ItemCount};

/// Most bytes of one entry before compression: five varints of 32 bits and one of 64.
const ENTRY_BYTES: usize = 5 * 5 + 10;

/// Most items whose groups of failures are recorded: at ten groups their column has at most 170 KB. Where more are
/// beyond their first attempt, an item that fails on after a restart may count again in its group.
const MAX_WITH_GROUPS: usize = 100_000;

/// Where an item stands with its attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// The attempt that runs, or the next one: more than the sum of the others.
    pub attempt: Attempt,
    /// Application failures so far.
    pub application: u32,
    /// Infrastructure failures so far.
    pub infrastructure: u32,
    /// How often the memory of its containers was raised.
    pub memory_raises: Raises,
    /// The groups of failures that its attempts so far are in: bit g stands for group g of the status.
    pub failure_groups: u32,
}

impl Tries {
    /// Attempts that ended and cost nothing.
    fn free(self) -> u32 {
        self.attempt.0.saturating_sub(1).saturating_sub(self.application).saturating_sub(self.infrastructure)
    }
}

impl Default for Tries {
    fn default() -> Self {
        Self::before(Attempt::FIRST)
    }
}

impl Tries {
    /// Nothing has been tried, and this attempt is the next one.
    pub fn before(attempt: Attempt) -> Self {
        Self { attempt, application: 0, infrastructure: 0, memory_raises: Raises::NONE, failure_groups: 0 }
    }
}

/// The tries of the items beyond their first attempt; all others stand before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempts {
    first: Attempt,
    tries: BTreeMap<Index, Tries>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self::beginning_at(Attempt::FIRST)
    }
}

impl Attempts {
    /// Of items that have not been tried. Of a list that replaces another, the first attempt is above all of the other.
    pub fn beginning_at(first: Attempt) -> Self {
        Self { first, tries: BTreeMap::new() }
    }

    /// The first attempt of every item.
    pub fn first(&self) -> Attempt {
        self.first
    }

    /// The highest attempt of an item.
    pub fn highest(&self) -> Attempt {
        self.tries.values().map(|tries| tries.attempt).fold(self.first, Attempt::max)
    }

    /// The tries of an item.
    pub fn get(&self, index: Index) -> Tries {
        self.tries.get(&index).copied().unwrap_or(Tries::before(self.first))
    }

    /// Sets the tries of an item.
    pub fn set(&mut self, index: Index, tries: Tries) {
        if tries == Tries::before(self.first) {
            self.tries.remove(&index);
        } else {
            self.tries.insert(index, tries);
        }
    }

    /// Forgets the groups of failures of all items: a rerun starts with new groups.
    pub fn forget_failure_groups(&mut self) {
        self.tries.values_mut().for_each(|tries| tries.failure_groups = 0);
    }

    /// Number of items beyond their first attempt.
    pub fn count(&self) -> usize {
        self.tries.len()
    }

    /// The items beyond their first attempt, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Index, Tries)> + '_ {
        self.tries.iter().map(|(index, tries)| (*index, *tries))
    }

    /// As base64 of six columns of varints, compressed; empty when there is nothing to tell.
    pub fn encode(&self, count: ItemCount) -> String {
        if self.tries.is_empty() {
            return String::new();
        }
        let mut body = Vec::new();
        let mut next = 0;
        for index in self.tries.keys() {
            put(&mut body, index.0 - next);
            next = index.0 + 1;
        }
        // Columns of like numbers compress better than rows of unlike ones.
        self.tries.values().for_each(|tries| put(&mut body, tries.free()));
        self.tries.values().for_each(|tries| put(&mut body, tries.application));
        self.tries.values().for_each(|tries| put(&mut body, tries.infrastructure));
        self.tries.values().for_each(|tries| put64(&mut body, tries.memory_raises.bits()));
        let recorded = if self.tries.len() > MAX_WITH_GROUPS { 0 } else { u32::MAX };
        self.tries.values().for_each(|tries| put(&mut body, tries.failure_groups & recorded));
        let mut entries = Vec::new();
        put(&mut entries, u32::try_from(self.tries.len()).unwrap_or(u32::MAX));
        entries.extend(codec::deflate(&body));
        codec::envelope(1, count, &entries)
    }

    /// Reads what [`Self::encode`] wrote for a task of `count` items, whose first attempt is `first`.
    pub fn decode(text: &str, count: ItemCount, first: Attempt) -> Result<Self, DecodeError> {
        if text.is_empty() {
            return Ok(Self::beginning_at(first));
        }
        let most = ENTRY_BYTES * count.get() as usize + 64;
        let (form, body) = codec::open(text, count, most)?;
        if form != 1 {
            return Err(DecodeError::Form(form));
        }
        let mut body = body.as_slice();
        let entries = take(&mut body).filter(|n| *n > 0 && *n <= count.get()).ok_or(DecodeError::Entry(0))? as usize;
        let columns = codec::inflate(body, ENTRY_BYTES * entries)?;
        Self::read_columns(&columns, entries, count, first)
    }

    fn read_columns(mut columns: &[u8], entries: usize, count: ItemCount, first: Attempt) -> Result<Self, DecodeError> {
        let mut column = || (0..entries).map(|entry| take(&mut columns).ok_or(DecodeError::Entry(entry))).collect();
        let [gaps, free, own, infrastructure]: [Result<Vec<u32>, _>; 4] = [column(), column(), column(), column()];
        let (gaps, free, own, infrastructure) = (gaps?, free?, own?, infrastructure?);
        let raises: Result<Vec<u64>, _> =
            (0..entries).map(|entry| take64(&mut columns).ok_or(DecodeError::Entry(entry))).collect();
        let raises = raises?;
        let groups: Result<Vec<u32>, _> =
            (0..entries).map(|entry| take(&mut columns).ok_or(DecodeError::Entry(entry))).collect();
        let groups = groups?;
        if !columns.is_empty() {
            return Err(DecodeError::Length { found: columns.len(), expected: 0 });
        }
        let mut all = Self::beginning_at(first);
        let mut next = 0u32;
        for entry in 0..entries {
            let index = next.checked_add(gaps[entry]).filter(|i| *i < count.get()).ok_or(DecodeError::Entry(entry))?;
            let (own, infrastructure) = (own[entry], infrastructure[entry]);
            let before = free[entry].checked_add(own).and_then(|sum| sum.checked_add(infrastructure));
            let attempt = before.filter(|n| *n > 0).and_then(|n| n.checked_add(1)).ok_or(DecodeError::Entry(entry))?;
            let tries = Tries {
                attempt: Attempt(attempt),
                application: own,
                infrastructure,
                memory_raises: Raises::from_bits(raises[entry]),
                failure_groups: groups[entry],
            };
            all.tries.insert(Index(index), tries);
            next = index + 1;
        }
        Ok(all)
    }
}

fn put(bytes: &mut Vec<u8>, number: u32) {
    put64(bytes, u64::from(number));
}

fn put64(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn take(bytes: &mut &[u8]) -> Option<u32> {
    u32::try_from(take64(bytes)?).ok()
}

fn take64(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits.checked_shl(shift).is_none_or(|shifted| shifted >> shift != bits) {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
