//! The installed operator on a real cluster: what users type, and what they then see.
//!
//! Run by `make test-cluster`, which starts the cluster, builds the image and installs the chart. The tests use the
//! cluster of `KUBECONFIG`, each a namespace of its own. Waiting is for conditions; no test sleeps for luck.

mod crash;
mod examples;
mod kubectl;
mod life;
mod refusals;

use std::sync::RwLock;

/// Held for reading by tests that need an undisturbed operator, for writing by those that kill it.
static OPERATOR: RwLock<()> = RwLock::new(());
