//! Does the pod of a list reach the operator? It says so from its start on: its command may run for hours before there
//! is a list to send.

use crate::core::ids::Time;

/// A pod speaks at its start and every 20 seconds. After this many milliseconds without a word it is reported.
const SPEAKS_WITHIN_MILLIS: u64 = 45_000;

/// Whether the pod that runs is heard.
#[derive(Debug, Default)]
pub(super) struct Reach(Option<Speaker>);

#[derive(Debug)]
struct Speaker {
    pod_uid: String,
    /// When it was last heard, or first seen to run.
    heard: Time,
    is_silent: bool,
}

impl Speaker {
    fn due(&self) -> Time {
        self.heard.plus_millis(SPEAKS_WITHIN_MILLIS)
    }
}

impl Reach {
    /// The pod with this UID has spoken.
    pub(super) fn heard(&mut self, now: Time, pod_uid: &str) {
        self.0 = Some(Speaker { pod_uid: pod_uid.to_owned(), heard: now, is_silent: false });
    }

    /// Notes which pod runs that should speak, if one does, and whether it has been silent for too long.
    pub(super) fn note(&mut self, now: Time, pod_uid: Option<&str>) {
        match (pod_uid, &mut self.0) {
            (Some(uid), Some(speaker)) if speaker.pod_uid == uid => speaker.is_silent = speaker.due() <= now,
            (Some(uid), _) => self.heard(now, uid),
            (None, speaker) => *speaker = None,
        }
    }

    /// Whether the pod that runs was not heard for too long.
    pub(super) fn is_silent(&self) -> bool {
        self.0.as_ref().is_some_and(|speaker| speaker.is_silent)
    }

    /// When that will be so.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.0.as_ref().filter(|speaker| !speaker.is_silent).map(Speaker::due)
    }
}
