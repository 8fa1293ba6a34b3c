//! The command line and its environment variables.

use std::net::SocketAddr;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::core::limits::{Limits, MEGABYTE};
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
    /// Run a task of two items in a namespace that the operator watches, and delete it.
    SelfTest(SelfTestArgs),
}

/// Options of the self-test.
#[derive(Clone, Debug, Args)]
pub struct SelfTestArgs {
    /// Namespace of the task.
    #[arg(long = "in", env = "POD_NAMESPACE", default_value = "default")]
    pub within: String,
    /// Secrets for pulling the image, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub pull_secrets: Vec<String>,
    /// Image of its pods, which has this program.
    #[arg(long, default_value = concat!("maptask-operator:", env!("CARGO_PKG_VERSION")))]
    pub image: String,
    /// When that image is pulled: `Always`, `IfNotPresent` or `Never`.
    #[arg(long, default_value = "IfNotPresent")]
    pub pull_policy: String,
    /// Seconds until it fails.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub seconds: u32,
}

/// Most namespaces: each has two watches of its own.
const MAX_NAMESPACES: usize = 100;

/// The namespaces to watch; none: all of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces(pub Vec<String>);

impl Namespaces {
    fn parse(text: &str) -> Result<Self, String> {
        let mut names: Vec<String> =
            text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
        names.sort();
        names.dedup();
        if names.len() > MAX_NAMESPACES {
            let count = names.len();
            return Err(format!(
                "{count} namespaces, at most {MAX_NAMESPACES} are allowed: watch all with an empty value"
            ));
        }
        Ok(Self(names))
    }
}

/// Options of the operator.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Namespaces to watch, separated by commas; empty: all namespaces.
    #[arg(long = "namespace", env = "MAPTASK_NAMESPACE", default_value = "", value_parser = Namespaces::parse, global = true)]
    pub namespaces: Namespaces,
    /// Maximum number of pods over all tasks, creates in progress included: one for each running item, or for each
    /// worker.
    #[arg(long, env = "MAPTASK_MAX_PODS", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..), global = true)]
    pub max_pods: u32,
    /// Maximum number of pods in each namespace, counted in the same way; 0: no limit.
    #[arg(long, env = "MAPTASK_MAX_PODS_PER_NAMESPACE", default_value_t = 0, global = true)]
    pub max_pods_per_namespace: u32,
    /// Maximum number of pods created in one second; 0: no limit.
    #[arg(long, env = "MAPTASK_PODS_PER_SECOND", default_value_t = 0, global = true)]
    pub pods_per_second: u32,
    /// Finished pods that each task keeps for `kubectl logs` if its `spec.finishedPods` is not set.
    #[arg(long, alias = "kept-pods", env = "MAPTASK_FINISHED_PODS", default_value_t = 10, global = true)]
    pub finished_pods: u32,
    /// Maximum number of finished pods that a task may keep with `spec.finishedPods`.
    #[arg(long, alias = "max-kept-pods", env = "MAPTASK_MAX_FINISHED_PODS", default_value_t = 100, global = true)]
    pub max_finished_pods: u32,
    /// Maximum size of each cache in megabytes, in ConfigMaps of its namespace; the oldest entries are deleted first.
    #[arg(long, env = "MAPTASK_CACHE_MEGABYTES", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_024), global = true)]
    pub cache_megabytes: u32,
    /// Maximum size of all lists of items in memory, in megabytes; lists in specs do not count.
    #[arg(long, env = "MAPTASK_LIST_MEGABYTES", default_value_t = 96, value_parser = clap::value_parser!(u32).range(1..=100_000), global = true)]
    pub list_megabytes: u32,
    /// Image that has the worker program, for the pods of workers.
    #[arg(long, env = "MAPTASK_WORKER_IMAGE", default_value = concat!("maptask-operator:", env!("CARGO_PKG_VERSION")), global = true)]
    pub worker_image: String,
    /// When that image is pulled: `Always`, `IfNotPresent` or `Never`.
    #[arg(long, env = "MAPTASK_WORKER_PULL_POLICY", default_value = "IfNotPresent", global = true)]
    pub worker_pull_policy: String,
    /// Let tasks with the label `kueue.x-k8s.io/queue-name` wait for their admission by Kueue. If false, the label is
    /// ignored.
    #[arg(long, env = "MAPTASK_KUEUE", default_value_t = false, action = ArgAction::Set, global = true)]
    pub kueue: bool,
    /// Address to serve /livez, /readyz and /metrics on. `[::]` takes IPv4 as well, and only IPv4 where IPv6 is off.
    #[arg(long, env = "MAPTASK_LISTEN", default_value = "[::]:8080", global = true)]
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
            finished_pods: self.finished_pods as usize,
            max_finished_pods: self.max_finished_pods as usize,
            list_bytes: u64::from(self.list_megabytes) * MEGABYTE,
            ..Limits::DEFAULT
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_a_list_in_which_each_counts_once() {
        let parsed = |text: &str| Namespaces::parse(text).map(|names| names.0.join(" "));
        assert_eq!(parsed(""), Ok(String::new()));
        assert_eq!(parsed("b, a,b,"), Ok("a b".to_owned()));
        let many = (0..101).map(|n| format!("n{n}")).collect::<Vec<_>>().join(",");
        let error = parsed(&many).unwrap_err();
        assert!(error.starts_with("101 namespaces, at most 100"), "{error}");
    }
}
