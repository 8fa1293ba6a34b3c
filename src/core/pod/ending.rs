//! How did an attempt end? One closed enum, read off the last seen state of its pod.

use std::fmt;

use super::seen::{PodStatus, Terminated};

/// How far an attempt's pod has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No container of it has run yet.
    Pending,
    /// A container of it runs or has run.
    Started,
    /// It has ended.
    Ended(Ending),
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The pod succeeded by its own word, even if it was being evicted; with its termination message.
    Succeeded {
        /// The termination message of the item's container.
        message: Option<String>,
    },
    /// A container of the item exited with an error.
    Failed {
        /// Its exit code.
        exit_code: i32,
    },
    /// A container of the item used more memory than its limit.
    OutOfMemory,
    /// `activeDeadlineSeconds` of the template passed.
    Deadline,
    /// The result of a success is longer than may be kept.
    ResultTooLarge {
        /// Its size in bytes as a line of the results.
        size: usize,
    },
    /// The API server refused to create the pod.
    Refused {
        /// Its message.
        message: String,
    },
    /// The node, its pressure or its drain ended the pod.
    Evicted {
        /// Whether a container had run.
        started: bool,
    },
    /// A pod of higher priority took its place.
    Preempted {
        /// Whether a container had run.
        started: bool,
    },
    /// The pod vanished, or its node did, before it told how it ended.
    NodeLost,
}

/// Which budget an ending is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// The item's `retries`.
    Own,
    /// The budget for failures of the cluster.
    Infrastructure,
    /// None: the item never ran.
    Free,
}

impl Ending {
    /// What another attempt costs after this ending; `None` for a success.
    pub fn cost(&self) -> Option<Cost> {
        match self {
            Self::Succeeded { .. } => None,
            Self::Failed { .. } | Self::OutOfMemory | Self::Deadline | Self::ResultTooLarge { .. } => Some(Cost::Own),
            Self::Evicted { started: false } | Self::Preempted { started: false } => Some(Cost::Free),
            Self::Evicted { started: true }
            | Self::Preempted { started: true }
            | Self::NodeLost
            | Self::Refused { .. } => Some(Cost::Infrastructure),
        }
    }

    /// The ending's category, for metrics and messages.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Succeeded { .. } => "Succeeded",
            Self::Failed { .. } => "Failed",
            Self::OutOfMemory => "OutOfMemory",
            Self::Deadline => "Deadline",
            Self::ResultTooLarge { .. } => "ResultTooLarge",
            Self::Refused { .. } => "Refused",
            Self::Evicted { .. } => "Evicted",
            Self::Preempted { .. } => "Preempted",
            Self::NodeLost => "NodeLost",
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { exit_code } => write!(f, "Failed(exit {exit_code})"),
            Self::ResultTooLarge { size } => write!(f, "ResultTooLarge({size} bytes)"),
            Self::Evicted { started: false } | Self::Preempted { started: false } => {
                write!(f, "{} before it started", self.category())
            }
            _ => f.write_str(self.category()),
        }
    }
}

/// How far a pod has come. `container` is the item's, whose termination message is the result.
pub fn progress(status: &PodStatus, container: &str) -> Progress {
    let started = status.containers().any(super::seen::ContainerStatus::has_run);
    match status.phase.as_deref() {
        Some("Succeeded") => Progress::Ended(Ending::Succeeded { message: message_of(status, container) }),
        Some("Failed") => Progress::Ended(failure(status, container, started)),
        _ if started => Progress::Started,
        _ => Progress::Pending,
    }
}

/// How the attempt of a pod that is gone from the API server ended.
pub fn ending_when_gone(status: &PodStatus, container: &str) -> Ending {
    match progress(status, container) {
        Progress::Ended(ending) => ending,
        Progress::Pending | Progress::Started => Ending::NodeLost,
    }
}

fn message_of(status: &PodStatus, container: &str) -> Option<String> {
    let of_item = status.containers().find(|c| c.name == container)?;
    of_item.terminated()?.message.clone().filter(|m| !m.is_empty())
}

fn failure(status: &PodStatus, container: &str, started: bool) -> Ending {
    if let Some(disruption) = disruption(status, started) {
        return disruption;
    }
    match status.reason.as_deref() {
        Some("DeadlineExceeded") => return Ending::Deadline,
        Some("NodeLost") => return Ending::NodeLost,
        // Shutdown of the node, and what the kubelet says when it takes no pod it was given.
        Some(
            "Evicted"
            | "NodeShutdown"
            | "Terminated"
            | "Shutdown"
            | "UnexpectedAdmissionError"
            | "NodeAffinity"
            | "OutOfcpu"
            | "OutOfmemory"
            | "OutOfpods"
            | "OutOfephemeral-storage",
        ) => return Ending::Evicted { started },
        _ => {}
    }
    let Some(terminated) = failed_container(status, container) else {
        // Phase Failed without a word about any container: no container of it can have run to an end.
        return Ending::NodeLost;
    };
    if terminated.reason.as_deref() == Some("OOMKilled") {
        Ending::OutOfMemory
    } else {
        Ending::Failed { exit_code: terminated.exit_code }
    }
}

fn disruption(status: &PodStatus, started: bool) -> Option<Ending> {
    let target = status.conditions.iter().flatten().find(|c| c.type_ == "DisruptionTarget" && c.status == "True")?;
    Some(match target.reason.as_deref() {
        Some("PreemptionByScheduler") => Ending::Preempted { started },
        Some("DeletionByPodGC") => Ending::NodeLost,
        _ => Ending::Evicted { started },
    })
}

/// The container whose failure speaks for the pod: the item's, else the first other one, else an init container.
fn failed_container<'a>(status: &'a PodStatus, container: &str) -> Option<&'a Terminated> {
    let failed = |t: &&Terminated| t.exit_code != 0;
    let item = status.containers().filter(|c| c.name == container);
    item.chain(status.containers())
        .chain(status.init_containers())
        .filter_map(super::seen::ContainerStatus::terminated)
        .find(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(json: &str) -> PodStatus {
        serde_json::from_str(json).unwrap()
    }

    fn ended(json: &str) -> Ending {
        match progress(&status(json), "main") {
            Progress::Ended(ending) => ending,
            other => panic!("not ended: {other:?}"),
        }
    }

    #[test]
    fn an_exit_0_while_evicted_is_a_success() {
        let json = r#"{"phase":"Succeeded","conditions":[{"type":"DisruptionTarget","status":"True","reason":"EvictionByEvictionAPI"}],
            "containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":0,"message":"7"}}}]}"#;
        assert_eq!(ended(json), Ending::Succeeded { message: Some("7".to_owned()) });
    }

    #[test]
    fn the_items_container_speaks_before_its_sidecar() {
        let json = r#"{"phase":"Failed","containerStatuses":[
            {"name":"log","state":{"terminated":{"exitCode":9}}},{"name":"main","state":{"terminated":{"exitCode":3}}}]}"#;
        assert_eq!(ended(json), Ending::Failed { exit_code: 3 });
    }

    #[test]
    fn an_init_container_fails_the_attempt() {
        let json = r#"{"phase":"Failed","initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":4}}}],
            "containerStatuses":[{"name":"main","state":{"waiting":{"reason":"PodInitializing"}}}]}"#;
        assert_eq!(ended(json), Ending::Failed { exit_code: 4 });
    }

    #[test]
    fn each_way_to_fail_has_its_ending() {
        let oom = r#"{"phase":"Failed","containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}}]}"#;
        assert_eq!(ended(oom), Ending::OutOfMemory);
        assert_eq!(ended(r#"{"phase":"Failed","reason":"DeadlineExceeded"}"#), Ending::Deadline);
        assert_eq!(ended(r#"{"phase":"Failed","reason":"OutOfcpu"}"#), Ending::Evicted { started: false });
        let preempted = r#"{"phase":"Failed","conditions":[{"type":"DisruptionTarget","status":"True","reason":"PreemptionByScheduler"}],
            "containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":143}}}]}"#;
        assert_eq!(ended(preempted), Ending::Preempted { started: true });
        assert_eq!(ended(r#"{"phase":"Failed"}"#), Ending::NodeLost);
    }

    #[test]
    fn a_pod_gone_while_it_ran_is_lost_and_one_gone_after_its_end_is_not() {
        let running = status(r#"{"phase":"Running","containerStatuses":[{"name":"main","state":{"running":{}}}]}"#);
        assert_eq!(progress(&running, "main"), Progress::Started);
        assert_eq!(ending_when_gone(&running, "main"), Ending::NodeLost);
        let done = status(r#"{"phase":"Succeeded"}"#);
        assert_eq!(ending_when_gone(&done, "main"), Ending::Succeeded { message: None });
    }

    #[test]
    fn only_what_ran_costs() {
        assert_eq!(Ending::Evicted { started: false }.cost(), Some(Cost::Free));
        assert_eq!(Ending::Evicted { started: true }.cost(), Some(Cost::Infrastructure));
        assert_eq!(Ending::Failed { exit_code: 1 }.cost(), Some(Cost::Own));
        assert_eq!(Ending::Succeeded { message: None }.cost(), None);
    }
}
