//! The installed operator on a real cluster: what users type, and what they then see.
//!
//! Run by `make test-cluster`, which starts the cluster, builds the image and installs the chart. The tests use the
//! cluster of `KUBECONFIG`, each a namespace of its own. Waiting is for conditions; no test sleeps for luck.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a test that can't go on has failed")]

#[path = "../blocks/mod.rs"]
mod blocks;
mod browser;
mod cache;
mod cancel;
mod chains;
mod chart;
mod cli;
mod cli_changes;
mod cli_docs;
mod cli_elsewhere;
mod cli_older;
mod cli_run;
mod completion;
mod crash;
mod dashboard;
mod documented;
mod endings;
mod endings_elsewhere;
mod examples;
mod exchange;
mod isolation;
mod kubectl;
mod kueue;
mod life;
mod limits;
mod listing;
mod multikueue;
mod namespaced;
mod network;
mod page;
mod page_elsewhere;
mod pages;
mod plugin;
mod policies;
mod readme;
mod reduce;
mod refusals;
mod release;
#[allow(dead_code, reason = "shared with the benchmarks")]
#[path = "../../benches/resident.rs"]
mod resident;
mod results;
mod rights;
mod serve;
mod silence;
mod templates;
mod tools;
mod values;
mod variables;
mod volume;
mod waits;
mod words;
mod workers;
mod workers_memory;
mod workers_node;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Held for reading by tests that need an undisturbed operator, for writing by those that kill it.
static OPERATOR: RwLock<()> = RwLock::new(());

/// For a test during which nobody kills the operator.
fn undisturbed() -> RwLockReadGuard<'static, ()> {
    OPERATOR.read().unwrap_or_else(PoisonError::into_inner)
}

/// For a test that kills it.
fn alone() -> RwLockWriteGuard<'static, ()> {
    OPERATOR.write().unwrap_or_else(PoisonError::into_inner)
}
