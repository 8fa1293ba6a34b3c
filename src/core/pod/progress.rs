//! How far has an attempt's pod come, and how did it end? Read off its last seen state.

use super::end::{Detail, PodOutcome};
use super::explain::unschedulable;
use super::main_container::MainContainer;
use super::message::{Message, MessageLimit};
use super::seen::{ContainerStatus, Gating, PodSeen, PodStatus, Terminated};
use super::start_blocker::{BlockerKind, StartBlocker};
use crate::core::ids::Time;

/// Most characters of what holds up a start: it is kept for each pod.
const MESSAGE_LIMIT: usize = 400;

/// How far an attempt's pod has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No container of it has run yet; and what holds it up, as far as it tells.
    Pending(Option<StartBlocker>),
    /// A container of it runs or has run.
    Started,
    /// It has ended.
    Ended(PodOutcome),
}

/// How far a pod has come. `main` is the item's container, whose termination message is the result.
pub fn progress<'a>(pod: &PodSeen, main: impl Into<MainContainer<'a>>) -> Progress {
    let main = main.into();
    let (status, container) = (&pod.status, main.container);
    if let Some((outcome, _)) = main.own_outcome(pod) {
        return Progress::Ended(outcome);
    }
    match status.phase.as_deref() {
        Some("Succeeded") => Progress::Ended(PodOutcome::Succeeded { message: message_of(status, container) }),
        Some("Failed") => Progress::Ended(failure(pod, container)),
        _ if has_started(status) => Progress::Started,
        _ => Progress::Pending(blocker(pod)),
    }
}

/// How an attempt ended whose pod was deleted by somebody else, judged by the pod's last state.
pub fn outcome_when_gone<'a>(pod: &PodSeen, main: impl Into<MainContainer<'a>>) -> PodOutcome {
    let main = main.into();
    match progress(pod, main) {
        Progress::Ended(outcome) => outcome,
        Progress::Pending(_) | Progress::Started => {
            disruption(&pod.status, main.container).unwrap_or(PodOutcome::Deleted)
        }
    }
}

/// What a pod says about how it ended.
pub fn detail<'a>(pod: &PodSeen, main: impl Into<MainContainer<'a>>) -> Detail {
    let main = main.into();
    let (status, container) = (&pod.status, main.container);
    let own = main.own_outcome(pod).map(|(_, terminated)| terminated);
    let disrupted = disruption(status, container).and_then(|_| status.disruption());
    let failed = failed_container(status, container).filter(|(_, terminated)| !terminated.is_unknown());
    let (reason, message) = if let Some(terminated) = own {
        (terminated.reason.clone(), terminated.message.clone())
    } else if status.reason.is_some() {
        (status.reason.clone(), status.message.clone())
    } else if let Some(target) = disrupted {
        // It tells more than the exit code of what was evicted.
        (target.reason.clone(), target.message.clone())
    } else if let Some((_, terminated)) = failed {
        (terminated.reason.clone(), terminated.message.clone())
    } else {
        (None, blocker(pod).map(|blocker| blocker.message))
    };
    let message = message.filter(|m| !m.is_empty());
    Detail { reason, message, node: pod.node.as_deref().map(str::to_owned) }
}

/// Whether a container of the item has run. One that only prepares it counts while it runs: behind it, an image may
/// still be missing.
fn has_started(status: &PodStatus) -> bool {
    let is_said = status.phase.as_deref() == Some("Running") && status.container_statuses.is_none();
    is_said
        || status.containers().any(ContainerStatus::has_run)
        || status.init_containers().any(ContainerStatus::is_running)
}

/// Whether any container has run, so that the attempt may have had effects.
fn has_run(status: &PodStatus) -> bool {
    status.containers().chain(status.init_containers()).any(ContainerStatus::has_run)
}

fn message_of(status: &PodStatus, container: &str) -> Option<Message> {
    let of_item = status.containers().find(|c| c.name == container)?;
    let text = of_item.terminated()?.message.clone().filter(|m| !m.is_empty())?;
    Some(Message { text, limit: MessageLimit::of(status.count()) })
}

fn blocker(pod: &PodSeen) -> Option<StartBlocker> {
    let status = &pod.status;
    if let Gating::Held { names } = &pod.gating {
        return Some(StartBlocker { kind: BlockerKind::Gated, message: words(None, Some(names)) });
    }
    if let Some(unscheduled) = status.condition("PodScheduled", "False") {
        let message = unscheduled.message.as_deref();
        let kind = match unscheduled.reason.as_deref() {
            Some("Unschedulable") => unschedulable(message.unwrap_or_default()),
            // Without a gate, the scheduler has yet to look at it again.
            _ => BlockerKind::Other,
        };
        return Some(StartBlocker { kind, message: words(None, message) });
    }
    let waiting = status.init_containers().chain(status.containers()).filter_map(ContainerStatus::waiting);
    waiting.into_iter().find_map(|waiting| {
        let reason = waiting.reason.as_deref()?;
        let kind = match reason {
            "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "ImageInspectError" | "RegistryUnavailable" => {
                BlockerKind::Image
            }
            "InvalidImageName" => BlockerKind::ImageName,
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => BlockerKind::Config,
            _ => return None,
        };
        Some(StartBlocker { kind, message: words(Some(reason), waiting.message.as_deref()) })
    })
}

fn words(reason: Option<&str>, message: Option<&str>) -> String {
    let text = match (reason, message.filter(|m| !m.is_empty())) {
        (Some(reason), Some(message)) => format!("{reason}: {message}"),
        (Some(word), None) | (None, Some(word)) => word.to_owned(),
        (None, None) => String::new(),
    };
    crate::text::cut(&text, MESSAGE_LIMIT)
}

fn failure(pod: &PodSeen, container: &str) -> PodOutcome {
    let status = &pod.status;
    if let Some(disruption) = disruption(status, container) {
        return disruption;
    }
    let ran = has_run(status);
    match status.reason.as_deref() {
        Some("DeadlineExceeded") => return PodOutcome::Deadline,
        Some("NodeLost") => return PodOutcome::Lost,
        Some("Preempting") => return PodOutcome::Preempted { ran },
        Some("Evicted" | "NodeShutdown" | "Terminated" | "Shutdown") => return PodOutcome::Evicted { ran },
        // UnexpectedAdmissionError, NodeAffinity, OutOfcpu, …: the kubelet takes no pod it was given.
        Some(_) if !ran => return PodOutcome::Rejected,
        _ => {}
    }
    let Some((name, terminated)) = failed_container(status, container) else {
        // Phase Failed without a word about any container: none can have run to an end.
        return if pod.deleted.is_some() { PodOutcome::Deleted } else { PodOutcome::Lost };
    };
    if terminated.is_unknown() && pod.deleted.is_none() {
        return PodOutcome::Lost;
    }
    if terminated.reason.as_deref() == Some("OOMKilled") {
        return PodOutcome::OutOfMemory { exit_code: terminated.exit_code, container: name.to_owned() };
    }
    if pod.deleted.is_some_and(|deletion| deletion.brought_about(terminated)) {
        return PodOutcome::Deleted;
    }
    PodOutcome::Failed { exit_code: terminated.exit_code, container: name.to_owned() }
}

/// Who else ended the pod, unless a container of it had failed before.
fn disruption(status: &PodStatus, container: &str) -> Option<PodOutcome> {
    let target = status.disruption()?;
    let failed = failed_container(status, container).and_then(|(_, terminated)| terminated.finished_at);
    if failed.zip(target.last_transition_time).is_some_and(|(failed, since)| failed < since) {
        return None;
    }
    if target.is_of_queue() {
        return Some(PodOutcome::TakenBack);
    }
    let ran = has_run(status);
    Some(match target.reason.as_deref() {
        Some("PreemptionByScheduler") => PodOutcome::Preempted { ran },
        Some("DeletionByPodGC") => PodOutcome::Lost,
        Some("TerminationByKubelet") if status.reason.as_deref() == Some("Preempting") => PodOutcome::Preempted { ran },
        _ => PodOutcome::Evicted { ran },
    })
}

/// When the container ended whose failure speaks for the pod, to the second.
pub fn ended_at<'a>(pod: &PodSeen, main: impl Into<MainContainer<'a>>) -> Option<Time> {
    let (_, terminated) = failed_container(&pod.status, main.into().container)?;
    terminated.finished_at.map(|time| Time(time.as_millisecond()))
}

/// The container whose failure speaks for the pod: the item's, else the first other one, else an init container.
fn failed_container<'a>(status: &'a PodStatus, container: &str) -> Option<(&'a str, &'a Terminated)> {
    let item = status.containers().filter(|c| c.name == container);
    item.chain(status.containers())
        .chain(status.init_containers())
        .filter_map(|c| Some((c.name.as_str(), c.terminated()?)))
        .find(|(_, terminated)| terminated.exit_code != 0)
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "states_tests.rs"]
mod states_tests;
