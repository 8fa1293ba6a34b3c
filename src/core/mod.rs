//! Decides. Pure: no client, no clock, no async, no I/O. Time comes in as an argument, randomness as a seed.
//!
//! Data flows one way: the watches' events go into the [`fleet`], plans come out of it, and what became of
//! their actions goes in again.

pub mod admission;
pub mod attempt_end;
pub mod attempts;
pub mod backoff;
pub mod blueprint;
pub mod cache;
pub mod exchange_address;
pub mod failures;
pub mod fleet;
pub mod ids;
pub mod items;
pub mod limits;
pub mod phases;
pub mod pod;
pub mod pods;
pub mod port;
pub mod quantity;
pub mod queue;
pub mod ranges;
pub mod record;
pub mod results;
pub mod revision;
pub mod run;
pub mod solo;
pub mod spec;
pub mod task;
pub mod workers;
pub mod workload;

#[cfg(test)]
mod rooms_tests;
