//! What crosses the border of the core, as plain values: events come in, plans go out, answers come back in.

mod answer;
mod event;
mod exchange;
mod plan;

pub use answer::{
    Answer, CacheLookupOutcome, CheckOutcome, CreateOutcome, DeleteOutcome, ExplainOutcome, FetchOutcome,
    FlavorsOutcome, GetPodOutcome, INDETERMINATE_MILLIS, PieceOutcome, WorkloadOutcome, WriteOutcome,
};
pub use event::{Event, TaskSeen};
pub use exchange::{Exchange, ExchangeRefusal, ListAnswer, ListEnd, ListPart, Listed, Reply, Said};
pub use plan::{
    Action, Budget, CacheLookup, ChangeWorkload, Check, Create, Delete, EmitEvent, Expire, Explain, Fetch, Note,
    PieceId, Plan, PodId, ReadFlavors, StorePiece, WorkloadChange, Write,
};
