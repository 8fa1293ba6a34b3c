//! The command line and its environment variables.

use std::net::SocketAddr;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::core::limits::Limits;
use crate::serve::exchange::ExchangeArgs;
use crate::serve::logs::LogFormat;

/// Runs one pod for each item of a list on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "maptask-operator", version)]
pub struct Cli {
    /// Command to run; defaults to running the operator.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of the operator.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Command to run.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator.
    Run,
    /// Print the CustomResourceDefinition as YAML.
    Crd,
}

/// Options of the operator.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Namespace to watch; empty: all namespaces.
    #[arg(long, env = "MAPTASK_NAMESPACE", default_value = "", global = true)]
    pub namespace: String,
    /// Most items in flight at once, over all tasks.
    #[arg(long, env = "MAPTASK_MAX_PODS", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..), global = true)]
    pub max_pods: u32,
    /// Most items in flight at once in each namespace; 0: no limit.
    #[arg(long, env = "MAPTASK_MAX_PODS_PER_NAMESPACE", default_value_t = 0, global = true)]
    pub max_pods_per_namespace: u32,
    /// Most pods created in one second; 0: no limit.
    #[arg(long, env = "MAPTASK_PODS_PER_SECOND", default_value_t = 0, global = true)]
    pub pods_per_second: u32,
    /// Finished pods that each task keeps for `kubectl logs` if its `spec.finishedPods` is not set.
    #[arg(long, env = "MAPTASK_KEPT_PODS", default_value_t = 10, global = true)]
    pub kept_pods: u32,
    /// Most finished pods that a task may keep with `spec.finishedPods`.
    #[arg(long, env = "MAPTASK_MAX_KEPT_PODS", default_value_t = 100, global = true)]
    pub max_kept_pods: u32,
    /// Most megabytes of each cache, in ConfigMaps of its namespace; the oldest entries are deleted first.
    #[arg(long, env = "MAPTASK_CACHE_MEGABYTES", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_024), global = true)]
    pub cache_megabytes: u32,
    /// Image that has the worker program, for the pods of workers.
    #[arg(long, env = "MAPTASK_WORKER_IMAGE", default_value = concat!("maptask-operator:", env!("CARGO_PKG_VERSION")), global = true)]
    pub worker_image: String,
    /// When that image is pulled: `Always`, `IfNotPresent` or `Never`.
    #[arg(long, env = "MAPTASK_WORKER_PULL_POLICY", default_value = "IfNotPresent", global = true)]
    pub worker_pull_policy: String,
    /// Address to serve /livez, /readyz and /metrics on.
    #[arg(long, env = "MAPTASK_LISTEN", default_value = "0.0.0.0:8080", global = true)]
    pub listen: SocketAddr,
    /// Format of the log.
    #[arg(long, env = "MAPTASK_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, global = true)]
    pub log_format: LogFormat,
    /// Level of the log: error, warn, info, debug, or a comma-separated list of target=level.
    #[arg(long, env = "MAPTASK_LOG_LEVEL", default_value = "info", global = true)]
    pub log_level: String,
    /// Work only while holding a lease, so that other replicas can stand by.
    #[arg(long, env = "MAPTASK_LEADER_ELECTION", default_value_t = true, action = ArgAction::Set, global = true)]
    pub leader_election: bool,
    /// Name of the lease.
    #[arg(long, env = "MAPTASK_LEASE_NAME", default_value = "maptask-operator", global = true)]
    pub lease_name: String,
    /// Namespace of the lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default", global = true)]
    pub lease_namespace: String,
    /// Name of this instance, unique among the replicas.
    #[arg(long, env = "POD_NAME", default_value = "maptask-operator", global = true)]
    pub identity: String,
    /// Options of the exchange with workers.
    #[command(flatten)]
    pub exchange: ExchangeArgs,
}

impl RunArgs {
    /// The limits for the core.
    pub fn limits(&self) -> Limits {
        let limit = |n: u32| (n > 0).then_some(n);
        Limits {
            max_pods: self.max_pods as usize,
            max_pods_per_namespace: limit(self.max_pods_per_namespace).map(|n| n as usize),
            pods_per_second: limit(self.pods_per_second),
            kept_pods: self.kept_pods as usize,
            max_kept_pods: self.max_kept_pods as usize,
            ..Limits::DEFAULT
        }
    }
}
