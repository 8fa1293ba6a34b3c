//! What holds up the start of a pod, in the words of the scheduler and of the Events about it?

use super::start_blocker::{BlockerKind, StartBlocker};
use crate::core::ids::Time;

/// The ConfigMap that the cluster itself puts into each namespace, a little later: no template is to blame where it is
/// missing.
const ROOT_CA: &str = "\"kube-root-ca.crt\" not found";

/// The type of a Kubernetes Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventType {
    /// Information.
    Normal,
    /// Somebody should look at it.
    Warning,
}

/// An Event about a pod, or about a claim of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The claim, if it is not about the pod itself.
    pub claim: Option<String>,
    /// Normal or Warning.
    pub type_: EventType,
    /// One word, such as `FailedMount`.
    pub reason: String,
    /// Its message.
    pub message: String,
    /// When it was last said.
    pub at: Time,
}

/// What the scheduler means who has found no node.
pub(super) fn unschedulable(message: &str) -> BlockerKind {
    let text = message.to_lowercase();
    let names_object = text.contains("persistentvolumeclaim \"") || text.contains("resourceclaim \"");
    if names_object && text.contains("\" not found") {
        BlockerKind::Config
    } else if is_about_volumes(&text) && !text.contains("insufficient") {
        BlockerKind::Volume
    } else {
        BlockerKind::NoCapacity
    }
}

fn is_about_volumes(text: &str) -> bool {
    ["persistentvolume", "persistent volume", "storageclass", "volume node affinity", "volume controller"]
        .iter()
        .any(|words| text.contains(words))
}

/// What the Events about a pod say that has not started: the warnings since the last good news, first of all those that
/// name what is missing.
pub fn explain(said: &[Said]) -> Option<StartBlocker> {
    let of_pod = || said.iter().filter(|said| said.claim.is_none() && !is_of_scheduler(&said.reason));
    let good_news = of_pod().filter(|said| said.type_ == EventType::Normal).max_by_key(|said| said.at);
    let warnings =
        of_pod().filter(|said| said.type_ == EventType::Warning && good_news.is_none_or(|news| said.at >= news.at));
    let worst =
        warnings.map(|said| (kind_of(said), said)).max_by_key(|(kind, said)| (*kind == BlockerKind::Config, said.at));
    if let Some((kind, said)) = worst {
        return Some(StartBlocker { kind, message: words(said) });
    }
    let mut claims: Vec<&Said> = said.iter().filter(|said| said.claim.is_some()).collect();
    claims.sort_by_key(|said| (said.type_, said.at));
    if let Some(said) = claims.last() {
        let claim = said.claim.as_deref().unwrap_or_default();
        return Some(StartBlocker { kind: BlockerKind::Volume, message: format!("claim {claim}: {}", words(said)) });
    }
    good_news
        .filter(|said| said.reason == "Pulling")
        .map(|said| StartBlocker { kind: BlockerKind::Silent, message: words(said) })
}

/// The status of a pod and the Events about it, together. The status is newer and of one voice, but says less.
pub fn together(status: Option<&StartBlocker>, explained: Option<&StartBlocker>) -> Option<StartBlocker> {
    match (status, explained) {
        (Some(told), Some(more))
            if told.kind == more.kind && matches!(told.kind, BlockerKind::Image | BlockerKind::Volume) =>
        {
            Some(StartBlocker { kind: told.kind, message: format!("{}; {}", told.message, more.message) })
        }
        (Some(told), _) if told.kind != BlockerKind::Other => Some(told.clone()),
        (told, more) => more.or(told).cloned(),
    }
}

fn words(said: &Said) -> String {
    format!("{}: {}", said.reason, said.message)
}

fn is_of_scheduler(reason: &str) -> bool {
    matches!(reason, "Scheduled" | "FailedScheduling" | "NotTriggerScaleUp" | "TriggeredScaleUp" | "Preempted")
}

fn kind_of(said: &Said) -> BlockerKind {
    let is_missing = said.message.contains("\" not found") || said.message.contains("non-existent");
    match said.reason.as_str() {
        "FailedMount" | "FailedMapVolume" if is_missing && !said.message.contains(ROOT_CA) => BlockerKind::Config,
        "FailedMount" | "FailedMapVolume" | "FailedAttachVolume" => BlockerKind::Volume,
        "FailedToRetrieveImagePullSecret" => BlockerKind::Image,
        _ => BlockerKind::Node,
    }
}

#[cfg(test)]
mod tests {
    use super::EventType::{Normal, Warning};
    use super::*;

    fn said(at: i64, type_: EventType, reason: &str, message: &str) -> Said {
        Said { claim: None, type_, reason: reason.to_owned(), message: message.to_owned(), at: Time(at) }
    }

    const MISSING: &str = "MountVolume.SetUp failed for volume \"conf\" : configmap \"nobody\" not found";

    #[test]
    fn each_warning_has_its_kind() {
        for (reason, message, kind) in [
            ("FailedMount", MISSING, BlockerKind::Config),
            (
                "FailedMount",
                "MountVolume.SetUp failed for volume \"s\" : secret \"nobody\" not found",
                BlockerKind::Config,
            ),
            ("FailedMount", "references non-existent config key: a", BlockerKind::Config),
            ("FailedMount", "[configmap \"a\" not found, secret \"b\" not found]", BlockerKind::Config),
            ("FailedMount", "configmap \"kube-root-ca.crt\" not found", BlockerKind::Volume),
            ("FailedMount", "hostPath type check failed: /x is not a directory", BlockerKind::Volume),
            ("FailedAttachVolume", "Multi-Attach error for volume \"pvc-1\"", BlockerKind::Volume),
            ("FailedCreatePodSandBox", "plugin type=\"bridge\" failed", BlockerKind::Node),
            (
                "FailedToRetrieveImagePullSecret",
                "Unable to retrieve some image pull secrets (nobody)",
                BlockerKind::Image,
            ),
        ] {
            let blocker = explain(&[said(1, Warning, reason, message)]).unwrap();
            assert_eq!((blocker.kind, blocker.message), (kind, format!("{reason}: {message}")));
        }
    }

    #[test]
    fn what_names_the_missing_object_is_told_before_what_is_newer() {
        let newer = said(9, Warning, "FailedMount", "Unable to attach or mount volumes: timed out");
        let blocker = explain(&[said(3, Warning, "FailedMount", MISSING), newer]).unwrap();
        assert!(blocker.message.contains("\"nobody\" not found"), "{blocker:?}");
    }

    #[test]
    fn good_news_outdates_older_warnings_and_the_schedulers_are_of_the_past() {
        let (scheduled, pulling) = (said(2, Normal, "Scheduled", "t-0-1"), said(4, Normal, "Pulling", "image x"));
        let before = said(1, Warning, "FailedScheduling", "0/1 nodes");
        assert_eq!(explain(&[before.clone(), scheduled.clone()]), None);
        let blocker = explain(&[before, scheduled, said(3, Warning, "FailedMount", MISSING), pulling]).unwrap();
        assert_eq!((blocker.kind, blocker.message.as_str()), (BlockerKind::Silent, "Pulling: image x"));
    }

    #[test]
    fn a_claim_that_is_not_bound_is_told_with_its_own_events() {
        let of_claim = Said {
            claim: Some("data".to_owned()),
            ..said(5, Warning, "ProvisioningFailed", "storageclass \"fast\" not found")
        };
        let more = explain(&[said(1, Warning, "FailedScheduling", "0/1 nodes"), of_claim]).unwrap();
        let status = StartBlocker {
            kind: BlockerKind::Volume,
            message: "pod has unbound immediate PersistentVolumeClaims".to_owned(),
        };
        let both = together(Some(&status), Some(&more)).unwrap();
        assert_eq!(
            both.message,
            "pod has unbound immediate PersistentVolumeClaims; claim data: ProvisioningFailed: storageclass \"fast\" not found"
        );
        assert_eq!(together(None, Some(&more)).as_ref(), Some(&more));
        let room = StartBlocker { kind: BlockerKind::NoCapacity, message: "0/1 nodes".to_owned() };
        assert_eq!(together(Some(&room), Some(&more)).as_ref(), Some(&room), "what the status says is newer");
    }

    #[test]
    fn of_a_status_and_events_the_one_that_says_more_is_told_and_both_only_of_the_same_image_or_volume() {
        let blocker = |kind, message: &str| StartBlocker { kind, message: message.to_owned() };
        for (status, events, told) in [
            (BlockerKind::Image, BlockerKind::Image, "status; events"),
            (BlockerKind::Volume, BlockerKind::Volume, "status; events"),
            (BlockerKind::Config, BlockerKind::Config, "status"),
            (BlockerKind::Image, BlockerKind::Node, "status"),
            (BlockerKind::Image, BlockerKind::Volume, "status"),
            (BlockerKind::Other, BlockerKind::Node, "events"),
        ] {
            let both = together(Some(&blocker(status, "status")), Some(&blocker(events, "events"))).unwrap();
            assert_eq!(both.message, told, "{status:?} {events:?}");
        }
        let other = blocker(BlockerKind::Other, "status");
        assert_eq!((together(Some(&other), None), together(None, None)), (Some(other), None));
    }

    #[test]
    fn what_the_scheduler_says_has_its_kind() {
        for (message, kind) in [
            ("persistentvolumeclaim \"nobody\" not found", BlockerKind::Config),
            (
                "0/1 nodes are available: persistentvolumeclaim \"nobody\" not found. preemption: no help",
                BlockerKind::Config,
            ),
            ("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", BlockerKind::Volume),
            (
                "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind.",
                BlockerKind::Volume,
            ),
            (
                "waiting for ephemeral volume controller to create the persistentvolumeclaim \"t-0-1-x\"",
                BlockerKind::Volume,
            ),
            ("0/3 nodes are available: 3 Insufficient cpu.", BlockerKind::NoCapacity),
            (
                "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had volume node affinity conflict.",
                BlockerKind::NoCapacity,
            ),
            ("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", BlockerKind::NoCapacity),
        ] {
            assert_eq!(unschedulable(message), kind, "{message}");
        }
    }
}
