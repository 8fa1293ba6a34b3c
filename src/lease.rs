//! Who works when several replicas run: the one that holds the lease.

use std::time::Duration;

use k8s_openapi::api::coordination::v1;
use kube::{Api, Client, Config};
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::args::RunArgs;

/// Seconds after which a lease that is not renewed is free.
const DURATION_SECONDS: u64 = 15;
/// Seconds before its end at which a lease is renewed.
const GRACE_SECONDS: u64 = 10;
/// How long a release may take.
const RELEASE: Duration = Duration::from_secs(5);
/// How long a connection, or an answer about the lease, may take: two tries fit between a renewal that is due and the
/// end of the lease.
const PATIENCE: Duration = Duration::from_secs(4);
/// Pause after a request about the lease that has failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the holder looks whether the lease is still its own.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The API server refuses it, or does not answer.
    #[error(
        "failed to read or create the lease {name} in namespace {namespace}: {}: the operator needs get, create and patch \
         on leases there (--lease-name, --lease-namespace), or --leader-election=false with one replica",
        crate::plain::plain_chain(.problem)
    )]
    Refused {
        /// The value of `--lease-name`.
        name: String,
        /// The value of `--lease-namespace`.
        namespace: String,
        /// What stood in the way.
        problem: LeaseManagerError,
    },
    /// Nobody renews it any more.
    #[error("the lease {0} is not renewed any more: its watch has ended")]
    Ended(String),
    /// Another instance has it.
    #[error("the lease {0} is lost: another instance takes over")]
    Lost(String),
}

/// A lease that this instance holds, or has lost.
pub struct Lease {
    held: watch::Receiver<bool>,
    renewing: tokio::task::JoinHandle<()>,
    leases: Api<v1::Lease>,
    name: String,
    identity: String,
}

/// How the lease is asked for: on connections of its own, each of which is given up after seconds. On one that is dead,
/// a renewal would otherwise hang for minutes, while another instance leads.
pub fn config(config: &Config) -> Config {
    let mut config = config.clone();
    config.connect_timeout = Some(PATIENCE);
    config.read_timeout = Some(PATIENCE);
    config.write_timeout = Some(PATIENCE);
    // Else the time between two requests counts as well.
    config.reset_reader_on_write = true;
    // The next renewal is soon enough.
    config.default_retry = false;
    config
}

/// Waits for the lease; `None` if stopped before.
pub async fn acquire(client: Client, args: &RunArgs, stop: &CancellationToken) -> Result<Option<Lease>, LeaseError> {
    let leases = Api::namespaced(client.clone(), &args.lease_namespace);
    let manager = LeaseManagerBuilder::new(client, &args.lease_name)
        .with_namespace(&args.lease_namespace)
        .with_identity(&args.identity)
        .with_duration(DURATION_SECONDS)
        .with_grace(GRACE_SECONDS)
        // Not the same for two replicas: that the API server refuses to change what another manager has set is all that
        // keeps both from taking a free lease at once.
        .with_field_manager(field_manager(&args.identity))
        .build()
        .await
        .map_err(|problem| LeaseError::Refused {
            name: args.lease_name.clone(),
            namespace: args.lease_namespace.clone(),
            problem,
        })?;
    tracing::info!(
        lease = args.lease_name,
        namespace = args.lease_namespace,
        identity = args.identity,
        "waiting for the lease"
    );
    let (says, mut held) = watch::channel(false);
    let renewing = tokio::spawn(renew(manager, says));
    tokio::select! {
        () = stop.cancelled() => return Ok(None),
        result = held.wait_for(|held| *held) => {
            drop(result.map_err(|_| LeaseError::Ended(args.lease_name.clone()))?);
        }
    }
    tracing::info!(lease = args.lease_name, "holding the lease");
    let (name, identity) = (args.lease_name.clone(), args.identity.clone());
    Ok(Some(Lease { held, renewing, leases, name, identity }))
}

/// Takes the lease and renews it until nobody asks any more. Not by the manager's own `watch`, whose pauses after
/// errors grow to 30 s and never shrink while the lease is held: one error too many would cost the lease.
async fn renew(manager: LeaseManager, says: watch::Sender<bool>) {
    loop {
        tokio::select! {
            () = says.closed() => break,
            changed = manager.changed() => match changed {
                Ok(is_held) => drop(says.send_replace(is_held)),
                Err(error) => {
                    tracing::warn!(error = crate::plain::plain(&error), "lease not renewed, will try again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
    if let Err(error) = manager.release().await {
        tracing::warn!(error = crate::plain::plain(&error), "lease not released");
    }
}

/// The API server takes at most 128 characters. Pods of one Deployment differ in the last ones.
fn field_manager(identity: &str) -> String {
    let suffix: Vec<char> = identity.chars().rev().take(100).collect();
    format!("{}-{}", crate::api::FIELD_MANAGER, suffix.into_iter().rev().collect::<String>())
}

/// Returns when the lease is lost; never without a lease.
pub async fn lost(lease: Option<&Lease>) {
    match lease {
        Some(lease) => {
            let mut held = lease.held.clone();
            tokio::select! {
                // An error means that nobody renews it any more, which comes to the same.
                _ = held.wait_for(|held| !*held) => {}
                () = lease.taken(LOOK_EVERY) => {}
            }
        }
        None => std::future::pending().await,
    }
}

impl Lease {
    /// Returns when the lease is another's, or nobody's. That it can't be read, or its time is over, says nothing:
    /// while the API server does not answer, nobody can take it, and nothing can be written without it either.
    async fn taken(&self, look_every: Duration) {
        loop {
            match self.leases.get(&self.name).await {
                Ok(lease) if self.is_ours(&lease) => {}
                Ok(_) => return,
                Err(error) => tracing::debug!(error = crate::plain::plain(&error), "lease not read"),
            }
            tokio::time::sleep(look_every).await;
        }
    }

    fn is_ours(&self, lease: &v1::Lease) -> bool {
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        holder == Some(&self.identity)
    }

    /// Gives the lease to the next.
    pub async fn release(self) {
        let Self { held, renewing, .. } = self;
        drop(held);
        if tokio::time::timeout(RELEASE, renewing).await.is_err() {
            tracing::warn!("lease not released in time");
        }
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
