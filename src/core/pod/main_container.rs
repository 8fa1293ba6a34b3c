//! Which container of a pod is the item's, and does the attempt end with it?

use super::end::PodOutcome;
use super::message::{Message, MessageLimit};
use super::seen::{ContainerStatus, PodSeen, PodStatus, Terminated};
use crate::core::ids::Time;

/// The container that speaks for the attempt.
#[derive(Clone, Copy, Debug)]
pub struct MainContainer<'a> {
    /// Its name.
    pub container: &'a str,
    /// Whether the attempt ends with it, whatever else runs in the pod: `spec.completion`.
    pub ends_attempt: bool,
}

impl<'a> From<&'a str> for MainContainer<'a> {
    /// A container whose pod has to end.
    fn from(container: &'a str) -> Self {
        Self { container, ends_attempt: false }
    }
}

impl MainContainer<'_> {
    /// The end of the item's container, where the attempt ends with it, if nothing from outside brought it about. It
    /// stays the same whatever becomes of the pod: another operator may see no more than what is left of it.
    pub(super) fn own_outcome<'p>(&self, pod: &'p PodSeen) -> Option<(PodOutcome, &'p Terminated)> {
        let status = &pod.status;
        let terminated = self.terminated(status).filter(|_| self.ends_attempt)?;
        if terminated.exit_code == 0 {
            let text = terminated.message.clone().filter(|message| !message.is_empty());
            let message = text.map(|text| Message { text, limit: MessageLimit::of(status.count()) });
            return Some((PodOutcome::Succeeded { message }, terminated));
        }
        let target = status.disruption();
        let since = target.map(|target| target.last_transition_time);
        let disrupted =
            since.is_some_and(|since| terminated.finished_at.zip(since).is_none_or(|(end, since)| end >= since));
        // The deadline of a pod has no time of its own: a container that was stopped has the exit code of the signal.
        let late = status.reason.as_deref() == Some("DeadlineExceeded") && matches!(terminated.exit_code, 137 | 143);
        if disrupted || late || pod.deleted.is_some_and(|deletion| deletion.brought_about(terminated)) {
            return None;
        }
        let (exit_code, container) = (terminated.exit_code, self.container.to_owned());
        let outcome = match terminated.reason.as_deref() {
            Some("OOMKilled") => PodOutcome::OutOfMemory { exit_code, container },
            _ => PodOutcome::Failed { exit_code, container },
        };
        Some((outcome, terminated))
    }

    fn terminated<'p>(&self, status: &'p PodStatus) -> Option<&'p Terminated> {
        let item = status.containers().find(|container| container.name == self.container)?;
        item.terminated().filter(|terminated| !terminated.is_unknown())
    }

    /// Whether the item's container runs.
    pub fn runs(&self, pod: &PodSeen) -> bool {
        pod.status.containers().any(|container| container.name == self.container && container.is_running())
    }

    /// The containers that still run though the item's has ended, and since when, if that is known. Sidecars of the new
    /// kind, which are init containers, end with the others by themselves.
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::core::ids::Time;
    use crate::core::pod::{Deletion, Progress, detail, progress};

    const ENDS: MainContainer<'_> = MainContainer { container: "main", ends_attempt: true };

    /// A pod that runs on though the item's container has ended at second 10, with these fields of its end and of its
    /// status.
    fn pod(end: &Value, status: &Value) -> PodSeen {
        let mut terminated = json!({ "exitCode": 3, "finishedAt": "1970-01-01T00:00:10Z" });
        terminated.as_object_mut().unwrap().extend(end.as_object().unwrap().clone());
        let mut all = json!({ "phase": "Running", "containerStatuses": [
            { "name": "proxy", "state": { "running": {} } },
            { "name": "main", "state": { "terminated": terminated } },
        ] });
        all.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
        PodSeen::in_state(serde_json::from_value(all).unwrap())
    }

    const FAILED: &str = "Failed(exit 3)";
    /// It is for the pod to say how it ends.
    const NOT_ITS_OWN: &str = "";

    fn outcome(pod: &PodSeen) -> String {
        match progress(pod, ENDS) {
            Progress::Ended(end) => crate::core::attempt_end::AttemptOutcome::from(end).to_string(),
            _ => NOT_ITS_OWN.to_owned(),
        }
    }

    #[test]
    fn the_end_of_the_items_container_is_that_of_the_attempt_only_where_it_is_asked_for() {
        let nothing = json!({});
        let (succeeded, failing) = (pod(&json!({ "exitCode": 0, "message": "7" }), &nothing), pod(&nothing, &nothing));
        assert_eq!((progress(&succeeded, "main"), progress(&failing, "main")), (Progress::Started, Progress::Started));
        let message = |text: &str| Some(Message { text: text.to_owned(), limit: MessageLimit::of(2) });
        assert_eq!(progress(&succeeded, ENDS), Progress::Ended(PodOutcome::Succeeded { message: message("7") }));
        let silent = pod(&json!({ "exitCode": 0, "message": "" }), &nothing);
        assert_eq!(progress(&silent, ENDS), Progress::Ended(PodOutcome::Succeeded { message: None }));
        assert_eq!(outcome(&failing), FAILED);
        let short = pod(&json!({ "exitCode": 137, "reason": "OOMKilled", "message": "no room" }), &nothing);
        let out_of_memory = PodOutcome::OutOfMemory { exit_code: 137, container: "main".to_owned() };
        assert_eq!(progress(&short, ENDS), Progress::Ended(out_of_memory));
        assert_eq!(detail(&short, ENDS).message.as_deref(), Some("no room"));
        let unknown = pod(&json!({ "exitCode": 137, "reason": "ContainerStatusUnknown" }), &nothing);
        assert_eq!(outcome(&unknown), NOT_ITS_OWN, "its kubelet has lost it");
    }

    #[test]
    fn a_container_that_had_failed_before_its_pod_was_disrupted_has_failed() {
        let target = |since: Option<u8>| {
            let mut target = json!({ "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI" });
            if let Some(since) = since {
                target["lastTransitionTime"] = json!(format!("1970-01-01T00:00:{since:02}Z"));
            }
            json!({ "conditions": [target] })
        };
        for (since, own) in [(Some(9), NOT_ITS_OWN), (Some(10), NOT_ITS_OWN), (Some(11), FAILED), (None, NOT_ITS_OWN)] {
            assert_eq!(outcome(&pod(&json!({}), &target(since))), own, "disrupted at {since:?}");
        }
        assert_eq!(
            outcome(&pod(&json!({ "finishedAt": null }), &target(Some(11)))),
            NOT_ITS_OWN,
            "nobody knows when it ended"
        );
        let success = outcome(&pod(&json!({ "exitCode": 0 }), &target(Some(9))));
        assert_eq!(success, "Succeeded", "whatever came before it");
    }

    #[test]
    fn a_container_that_was_told_to_stop_has_not_failed_by_itself() {
        let late = json!({ "reason": "DeadlineExceeded" });
        for (code, status, own) in [
            (3, &late, FAILED),
            (137, &late, NOT_ITS_OWN),
            (143, &late, NOT_ITS_OWN),
            (143, &json!({ "reason": "Other" }), "Failed(exit 143)"),
        ] {
            assert_eq!(outcome(&pod(&json!({ "exitCode": code }), status)), own, "{code} {status}");
        }
        for (asked, own) in [(9_000, NOT_ITS_OWN), (10_000, NOT_ITS_OWN), (11_000, FAILED)] {
            let deleted = Some(Deletion { asked: Time(asked), last: false });
            assert_eq!(outcome(&PodSeen { deleted, ..pod(&json!({}), &json!({})) }), own, "deleted at {asked}");
        }
    }
}
