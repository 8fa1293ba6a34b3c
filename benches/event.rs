//! A pod's event, as a real API server sends it.

use kube::core::WatchEvent;
use maptask::core::pod::PodSeen;
use maptask::watch::pods::LeanPod;

/// Of a pod that ended well on a real node.
pub const EVENT: &[u8] = include_bytes!("event.json");

/// What the core gets to see of it.
pub fn decode(event: &[u8]) -> PodSeen {
    let event: WatchEvent<LeanPod> = serde_json::from_slice(event).unwrap();
    let WatchEvent::Modified(pod) = event else { panic!("another event") };
    pod.seen().unwrap()
}
