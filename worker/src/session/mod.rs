//! The rules of the exchange on the worker's side, without I/O: time is an argument.

mod backoff;
mod ledger;
mod outbox;
mod pacer;

pub use backoff::{Backoff, PARKED};
pub use ledger::{Effects, Ledger, Taken};
pub use outbox::Outbox;
pub use pacer::Pacer;

#[cfg(test)]
mod ledger_tests;
