//! Does the pod of a list reach the operator? It says so from its start on: its command may run for hours before there
//! is a list to send.

use crate::core::ids::{PodRole, Time};
use crate::core::spec::reduce::SELF;
use crate::core::task::listing::Listing;

/// A pod speaks at its start and every 20 seconds. After this many milliseconds without a word it is reported.
const SPEAKS_WITHIN_MILLIS: u64 = 45_000;

/// A pod that runs.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    pod_uid: String,
    /// When it was last heard, or first seen to run.
    heard: Time,
    is_silent: bool,
}

impl Listing {
    /// The pod with this UID has spoken.
    pub(super) fn heard(&mut self, now: Time, pod_uid: &str) {
        self.reach = Some(Reach { pod_uid: pod_uid.to_owned(), heard: now, is_silent: false });
    }

    /// Notes which pod runs, and whether it has been silent for too long.
    pub(super) fn note_silence(&mut self, now: Time) {
        match (self.speaker(), &mut self.reach) {
            (Some(uid), Some(reach)) if reach.pod_uid == uid => reach.is_silent = due(reach) <= now,
            (Some(uid), _) => self.heard(now, &uid),
            (None, reach) => *reach = None,
        }
    }

    /// The pod that runs, and of which nothing was heard for too long.
    pub(super) fn silent(&self) -> Option<PodRole> {
        self.reach.as_ref().filter(|reach| reach.is_silent).map(|_| self.role())
    }

    /// When that will be so.
    pub(super) fn next_silence(&self) -> Option<Time> {
        self.reach.as_ref().filter(|reach| !reach.is_silent).map(due)
    }

    fn role(&self) -> PodRole {
        PodRole::List(self.run.items().tries(SELF).attempt)
    }

    /// The UID of the pod that runs and has yet to send its list.
    fn speaker(&self) -> Option<String> {
        let role = self.role();
        let runs = self.list.is_none() && self.run.pods().has_started();
        self.run.pods().get(role).filter(|_| runs)?.uid().map(str::to_owned)
    }
}

fn due(reach: &Reach) -> Time {
    reach.heard.plus_millis(SPEAKS_WITHIN_MILLIS)
}
