//! Which container of a pod is the item's, and does the attempt end with it?

use super::ending::Ending;
use super::message::{Message, MessageLimit};
use super::progress::brought_about;
use super::seen::{ContainerStatus, PodSeen, PodStatus, Terminated};
use crate::core::ids::Time;

/// The container that speaks for the attempt.
#[derive(Clone, Copy, Debug)]
pub struct Role<'a> {
    /// Its name.
    pub container: &'a str,
    /// Whether the attempt ends with it, whatever else runs in the pod: `spec.completion`.
    pub ends_attempt: bool,
}

impl<'a> From<&'a str> for Role<'a> {
    /// A container whose pod has to end.
    fn from(container: &'a str) -> Self {
        Self { container, ends_attempt: false }
    }
}

impl Role<'_> {
    /// The end of the item's container, where the attempt ends with it, if nothing from outside brought it about. It stays the
    /// same whatever becomes of the pod: another operator may see no more than what is left of it.
    pub(super) fn own_end<'p>(&self, pod: &'p PodSeen) -> Option<(Ending, &'p Terminated)> {
        let status = &pod.status;
        let terminated = self.terminated(status).filter(|_| self.ends_attempt)?;
        if terminated.exit_code == 0 {
            let text = terminated.message.clone().filter(|message| !message.is_empty());
            let message = text.map(|text| Message { text, limit: MessageLimit::of(status.count()) });
            return Some((Ending::Succeeded { message }, terminated));
        }
        let target = status.condition("DisruptionTarget", "True");
        let since = target.map(|target| target.last_transition_time);
        let disrupted =
            since.is_some_and(|since| terminated.finished_at.zip(since).is_none_or(|(end, since)| end >= since));
        // The deadline of a pod has no time of its own: a container that was told to stop has the exit code of that.
        let late = status.reason.as_deref() == Some("DeadlineExceeded") && matches!(terminated.exit_code, 137 | 143);
        if disrupted || late || pod.deleted.is_some_and(|deletion| brought_about(deletion, terminated)) {
            return None;
        }
        let (exit_code, container) = (terminated.exit_code, self.container.to_owned());
        let ending = match terminated.reason.as_deref() {
            Some("OOMKilled") => Ending::OutOfMemory { exit_code, container },
            _ => Ending::Failed { exit_code, container },
        };
        Some((ending, terminated))
    }

    fn terminated<'p>(&self, status: &'p PodStatus) -> Option<&'p Terminated> {
        let item = status.containers().find(|container| container.name == self.container)?;
        item.terminated().filter(|terminated| !terminated.is_unknown())
    }

    /// The containers that still run though the item's has ended, and since when, if that is told. Sidecars of the new kind, which are
    /// init containers, end with the others by themselves.
    pub fn outlived(&self, pod: &PodSeen) -> Option<(Option<Time>, Vec<String>)> {
        let ended = self.terminated(&pod.status)?;
        let running = pod.status.containers().filter(|container| container.is_running());
        let names: Vec<String> = running.map(|ContainerStatus { name, .. }| name.clone()).collect();
        let since = ended.finished_at.map(|time| Time(time.as_millisecond()));
        (!names.is_empty()).then_some((since, names))
    }
}

/// Whether a pod has yet to end, though the attempt that it stands for may have.
pub fn lives(pod: &PodSeen) -> bool {
    !matches!(pod.status.phase.as_deref(), Some("Succeeded" | "Failed"))
}
