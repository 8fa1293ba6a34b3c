//! What is reported about workers: why they do nothing, and what is worth an Event.

use crate::api::reasons::EventReason;
use crate::core::ids::PodRole;
use crate::core::run::{Run, Workers};

/// A report, as an Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The reason of the Event.
    pub reason: EventReason,
    /// One sentence.
    pub message: String,
}

/// Why workers do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble<'a> {
    /// One has ended without having done anything, and said this.
    Ended(&'a str),
    /// This one runs and was never heard.
    Unheard(PodRole),
    /// Many have become silent together.
    CutOff,
}

impl Workers {
    /// Why workers do nothing, as far as is known.
    pub fn trouble(&self) -> Option<Trouble<'_>> {
        if self.cut_off {
            return Some(Trouble::CutOff);
        }
        let ended = self.creation.problem().map(Trouble::Ended);
        ended.or_else(|| self.table.unheard().map(Trouble::Unheard))
    }
}

impl Run {
    /// Takes the reports that are yet to be made.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        self.workers.as_mut().map(|workers| std::mem::take(&mut workers.notices)).unwrap_or_default()
    }
}
