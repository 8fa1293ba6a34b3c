//! How much of a termination message does a kubelet keep, and is this one whole?
//!
//! Of the file it reads the last 4,096 bytes (`MaxContainerTerminationMessageLength` in
//! `pkg/kubelet/container/runtime.go`), and of those it reports the first 12 KiB divided by the number of the pod's
//! containers, init and ephemeral ones included (`MaxPodTerminationMessageLogLength`, `normalizeStatus` in
//! `pkg/kubelet/status/status_manager.go`). It does not say that it has cut anything.

use std::fmt;

use serde_json::Value;

/// Where a kubelet looks for a container's message if the container does not say.
const DEFAULT_PATH: &str = "/dev/termination-log";
/// Most bytes of one container's message.
const OF_CONTAINER: usize = 4_096;
/// Most bytes of the messages of all containers of a pod.
const OF_POD: usize = 12 * 1_024;

/// The file of a container's termination message.
pub(super) fn path(container: &Value) -> &str {
    let own = container.get("terminationMessagePath").and_then(Value::as_str);
    own.filter(|path| !path.is_empty()).unwrap_or(DEFAULT_PATH)
}

/// How much of each container's message a kubelet keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageLimit {
    containers: usize,
}

impl MessageLimit {
    /// Of what comes another way than through a kubelet: all of it.
    pub const NONE: Self = Self { containers: 0 };

    /// For a pod with this number of containers, init and ephemeral ones included.
    pub fn of(containers: usize) -> Self {
        Self { containers: containers.max(1) }
    }

    /// Most bytes that are kept. A message with as many may have been longer.
    pub fn bytes(self) -> usize {
        if self == Self::NONE { usize::MAX } else { OF_CONTAINER.min(OF_POD / self.containers) }
    }
}

impl fmt::Display for MessageLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes();
        if bytes == OF_CONTAINER {
            write!(f, "the kubelet keeps the last {bytes} bytes of a termination message")
        } else {
            write!(
                f,
                "the kubelet keeps {bytes} bytes of a termination message: {OF_POD} for the pod, divided by its {} containers (init \
                 containers and sidecars count)",
                self.containers
            )
        }
    }
}

/// What a container said at its end, as far as its kubelet kept it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What came of it.
    pub text: String,
    /// How much may come.
    pub limit: MessageLimit,
}

impl Message {
    /// Whether some of it may be missing: it is as long as messages are kept, or longer, since halves of characters
    /// that the cut leaves become replacement characters of three bytes.
    pub fn may_be_cut(&self) -> bool {
        self.text.len() >= self.limit.bytes()
    }

    /// Whether it says nothing.
    pub fn is_blank(&self) -> bool {
        !self.may_be_cut() && self.text.trim().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_share_what_a_kubelet_keeps_of_a_pod() {
        let limits = [0, 1, 3, 4, 5, 12, 13].map(|containers| MessageLimit::of(containers).bytes());
        assert_eq!(limits, [4_096, 4_096, 4_096, 3_072, 2_457, 1_024, 945]);
        let words = MessageLimit::of(4).to_string();
        assert!(words.contains("3072 bytes") && words.contains("12288") && words.contains("4 containers"), "{words}");
    }

    #[test]
    fn a_message_as_long_as_is_kept_may_be_cut() {
        let message =
            |bytes: usize, containers| Message { text: " ".repeat(bytes), limit: MessageLimit::of(containers) };
        assert!(!message(4_095, 1).may_be_cut() && message(4_096, 1).may_be_cut() && message(4_098, 1).may_be_cut());
        assert!(!message(3_071, 4).may_be_cut() && message(3_072, 4).may_be_cut());
        assert!(message(9, 1).is_blank() && !message(4_096, 1).is_blank());
    }
}
