//! What of a task is in the API server: its status, written one at a time.

pub mod ledger;
