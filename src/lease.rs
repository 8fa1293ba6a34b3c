//! Who works when several replicas run: the one that holds the lease.

use kube::Client;
use kube_lease_manager::{LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::args::RunArgs;

/// Seconds after which a lease that is not renewed is free.
const DURATION_SECONDS: u64 = 15;
/// Seconds before its end at which a lease is renewed.
const GRACE_SECONDS: u64 = 10;
/// How long a release may take.
const RELEASE: std::time::Duration = std::time::Duration::from_secs(5);

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
}

/// Waits for the lease; `None` if stopped before.
pub async fn acquire(client: Client, args: &RunArgs, stop: &CancellationToken) -> Result<Option<Lease>, LeaseError> {
    let manager = LeaseManagerBuilder::new(client, &args.lease_name)
        .with_namespace(&args.lease_namespace)
        .with_identity(&args.identity)
        .with_duration(DURATION_SECONDS)
        .with_grace(GRACE_SECONDS)
        .with_field_manager(crate::api::FIELD_MANAGER)
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
    let (mut held, renewing) = manager.watch().await;
    let renewing = tokio::spawn(async move {
        if let Ok(Err(error)) = renewing.await {
            tracing::warn!(error = crate::plain::plain(&error), "lease not released");
        }
    });
    tokio::select! {
        () = stop.cancelled() => return Ok(None),
        result = held.wait_for(|held| *held) => {
            drop(result.map_err(|_| LeaseError::Ended(args.lease_name.clone()))?);
        }
    }
    tracing::info!(lease = args.lease_name, "holding the lease");
    Ok(Some(Lease { held, renewing }))
}

/// Returns when the lease is lost; never without a lease.
pub async fn lost(lease: Option<&Lease>) {
    match lease {
        Some(lease) => {
            let mut held = lease.held.clone();
            // An error means that nobody renews it any more, which comes to the same.
            let _ = held.wait_for(|held| !*held).await;
        }
        None => std::future::pending().await,
    }
}

impl Lease {
    /// Gives the lease to the next.
    pub async fn release(self) {
        let Self { held, renewing } = self;
        drop(held);
        if tokio::time::timeout(RELEASE, renewing).await.is_err() {
            tracing::warn!("lease not released in time");
        }
    }
}
