//! What crosses the border of the core, as plain values: events come in, plans go out, answers come back in.

mod answer;
mod event;
mod plan;

pub use answer::{
    Answer, CheckOutcome, CreateOutcome, DeleteOutcome, ExplainOutcome, FetchOutcome, LookOutcome, RecallOutcome,
    WriteOutcome,
};
pub use event::{Event, TaskSeen};
pub use plan::{Action, Create, Delete, Expire, Explain, Fetch, Note, Plan, PodId, Recall, Tell, Write};
