//! How phases become text for the status, and how text that may be anything becomes phases. See
//! docs/architecture/phases.md.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitvec::prelude::BitVec;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use super::{ItemPhase, Phases};
use crate::core::ids::{Index, ItemCount};

/// The first byte of all that this version writes.
pub(super) const VERSION: u8 = 1;
/// Version, form, item count and checksum; the numbers little-endian.
const HEADER: usize = 2 + 4 + 4;
/// The second byte: the body as it is.
const PLAIN: u8 = 0;
/// The second byte: the body compressed with DEFLATE.
const DEFLATED: u8 = 1;
/// The second byte: three items in a byte, in base 6.
const PACKED: u8 = 2;

/// Why a text is no phases, or no attempts.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// Not base64.
    #[error("it is not base64")]
    Base64,
    /// Not even a header.
    #[error("it has {0} bytes, fewer than its header of {HEADER}")]
    NoHeader(usize),
    /// Of another task.
    #[error("it has {found} items, but the task has {expected}")]
    Count {
        /// Items by the header.
        found: u32,
        /// Items of the task.
        expected: u32,
    },
    /// Changed since it was written.
    #[error("its checksum does not match: it was changed after it was written")]
    Checksum,
    /// Written by something newer, or by something else.
    #[error("its version is {0}, but this operator supports only version {VERSION}")]
    Version(u8),
    /// A form that this version does not have.
    #[error("its form is {0}, but only 0, 1 and 2 exist")]
    Form(u8),
    /// Too much or too little.
    #[error("its body has at least {found} bytes instead of {expected}")]
    Length {
        /// Bytes found, at least.
        found: usize,
        /// Bytes expected, at most.
        expected: usize,
    },
    /// A broken DEFLATE stream.
    #[error("its body can't be decompressed")]
    Inflate,
    /// Bits that are no phase, or bits beyond the last item.
    #[error("item {0} has an invalid phase")]
    NoPhase(u32),
    /// An entry of the attempts that can't be.
    #[error("entry {0} of the attempts is out of range")]
    Entry(usize),
}

impl Phases {
    /// The shortest of three forms, as base64: the planes, the planes deflated, or three items in a byte.
    pub fn encode(&self) -> String {
        let planes = self.plane_bytes();
        let mut best = (DEFLATED, deflate(&planes));
        if planes.len() < best.1.len() {
            best = (PLAIN, planes);
        }
        let packed_len = (self.count.get() as usize).div_ceil(3);
        if packed_len < best.1.len() {
            best = (PACKED, self.packed_bytes());
        }
        envelope(best.0, self.count, &best.1)
    }

    /// Reads what [`Self::encode`] wrote for `count` items. Never allocates more than such a text needs.
    pub fn decode(text: &str, count: ItemCount) -> Result<Self, DecodeError> {
        let plane_len = (count.get() as usize).div_ceil(8);
        let (form, body) = open(text, count, 3 * plane_len)?;
        match form {
            PLAIN => Self::from_planes(&exactly(body, 3 * plane_len)?, count),
            DEFLATED => Self::from_planes(&exactly(inflate(&body, 3 * plane_len)?, 3 * plane_len)?, count),
            PACKED => Self::from_packed(&exactly(body, (count.get() as usize).div_ceil(3))?, count),
            other => Err(DecodeError::Form(other)),
        }
    }

    /// The body of the plain form: three planes of bits, one after the other, each of a byte for eight items.
    pub fn plane_bytes(&self) -> Vec<u8> {
        let plane_len = (self.count.get() as usize).div_ceil(8);
        let words = self.planes.iter().map(|plane| plane.as_raw_slice().iter().flat_map(|word| word.to_le_bytes()));
        words.flat_map(|bytes| bytes.take(plane_len)).collect()
    }

    fn packed_bytes(&self) -> Vec<u8> {
        let digit = |index: u32| self.get(Index(index)).map_or(0, |phase| phase as u8);
        (0..self.count.get()).step_by(3).map(|i| digit(i) + 6 * digit(i + 1) + 36 * digit(i + 2)).collect()
    }

    fn from_planes(bytes: &[u8], count: ItemCount) -> Result<Self, DecodeError> {
        let plane_len = (count.get() as usize).div_ceil(8);
        let mut phases = Self::new(count);
        for (k, plane) in phases.planes.iter_mut().enumerate() {
            let bytes = &bytes[k * plane_len..(k + 1) * plane_len];
            let word = |chunk: &[u8]| chunk.iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
            *plane = BitVec::from_vec(bytes.chunks(8).map(word).collect());
            if plane.iter_ones().next_back().is_some_and(|last| last >= count.get() as usize) {
                return Err(DecodeError::NoPhase(count.get()));
            }
            plane.truncate(count.get() as usize);
        }
        phases.recount()
    }

    fn from_packed(bytes: &[u8], count: ItemCount) -> Result<Self, DecodeError> {
        let mut phases = Self::new(count);
        for (start, byte) in (0..count.get()).step_by(3).zip(bytes) {
            let mut rest = *byte;
            for index in start..start + 3 {
                let phase = ItemPhase::from_bits(rest % 6).ok_or(DecodeError::NoPhase(index))?;
                rest /= 6;
                if phases.set(Index(index), phase).is_none() && phase != ItemPhase::Pending {
                    return Err(DecodeError::NoPhase(index));
                }
            }
            if rest != 0 {
                return Err(DecodeError::NoPhase(start));
            }
        }
        Ok(phases)
    }

    /// Counts the planes again and finds bits that are no phase.
    fn recount(mut self) -> Result<Self, DecodeError> {
        let [_, b, c] = &self.planes;
        for (word, (b, c)) in b.as_raw_slice().iter().zip(c.as_raw_slice()).enumerate() {
            let neither = b & c;
            if neither != 0 {
                let index = word * 64 + neither.trailing_zeros() as usize;
                return Err(DecodeError::NoPhase(u32::try_from(index).unwrap_or(u32::MAX)));
            }
        }
        let words = (self.count.get() as usize).div_ceil(64);
        let mut counts = super::Counts::default();
        for phase in &ItemPhase::ALL[1..] {
            *counts.of(*phase) = (0..words).map(|word| self.hits(*phase, word).count_ones()).sum();
        }
        counts.pending = self.count.get() - counts.total();
        self.counts = counts;
        Ok(self)
    }
}

/// Header and body as base64.
pub(super) fn envelope(form: u8, count: ItemCount, body: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend([VERSION, form]);
    bytes.extend(count.get().to_le_bytes());
    bytes.extend(checksum(form, count.get(), body).to_le_bytes());
    bytes.extend(body);
    STANDARD.encode(bytes)
}

/// Form and body of a text for `count` items, whose body has at most `most` bytes.
pub(super) fn open(text: &str, count: ItemCount, most: usize) -> Result<(u8, Vec<u8>), DecodeError> {
    if text.len() > (HEADER + most).div_ceil(3) * 4 {
        let found = (text.len() / 4 * 3).saturating_sub(HEADER + 2);
        return Err(DecodeError::Length { found, expected: most });
    }
    let bytes = STANDARD.decode(text).map_err(|_| DecodeError::Base64)?;
    let Some((&[version, form, n0, n1, n2, n3, c0, c1, c2, c3], body)) = bytes.split_first_chunk::<HEADER>() else {
        return Err(DecodeError::NoHeader(bytes.len()));
    };
    let found = u32::from_le_bytes([n0, n1, n2, n3]);
    if version != VERSION {
        Err(DecodeError::Version(version))
    } else if found != count.get() {
        Err(DecodeError::Count { found, expected: count.get() })
    } else if u32::from_le_bytes([c0, c1, c2, c3]) != checksum(form, found, body) {
        Err(DecodeError::Checksum)
    } else {
        Ok((form, body.to_vec()))
    }
}

/// CRC-32 of all that the checksum does not cover itself.
fn checksum(form: u8, count: u32, body: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(&[VERSION, form]);
    crc.update(&count.to_le_bytes());
    crc.update(body);
    crc.sum()
}

pub(super) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(6));
    // Writing into memory can't fail; an empty body would be refused when read, never taken for all waiting.
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// At most `most` bytes; a stream that holds more is refused before they are made.
pub(super) fn inflate(bytes: &[u8], most: usize) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    let mut decoder = DeflateDecoder::new(bytes).take(most as u64 + 1);
    decoder.read_to_end(&mut out).map_err(|_| DecodeError::Inflate)?;
    if out.len() > most {
        return Err(DecodeError::Length { found: out.len(), expected: most });
    }
    // Bytes behind the stream's end were not written by us.
    if decoder.into_inner().total_in() != bytes.len() as u64 {
        return Err(DecodeError::Inflate);
    }
    Ok(out)
}

fn exactly(bytes: Vec<u8>, expected: usize) -> Result<Vec<u8>, DecodeError> {
    if bytes.len() == expected { Ok(bytes) } else { Err(DecodeError::Length { found: bytes.len(), expected }) }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
