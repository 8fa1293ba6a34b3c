//! Why no more items start: `status.waiting`. All that is said about a reason is here; what sets it is a rule of the
//! core.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Why no more items start at the moment.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The cause, in one word.
    pub reason: WaitingReason,
    /// Details, such as the message of the API server, the scheduler or the kubelet; at most 512 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When the task began to wait for this reason, to the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::schema::timestamp")]
    pub since: Option<Time>,
}

impl Waiting {
    /// A reason that has begun, or may have: [`Self::since`] is for who knows what was before.
    pub fn new(reason: WaitingReason, message: Option<String>) -> Self {
        Self { reason, message, since: None }
    }
}

/// A reason of a later version that is not known here counts as none: it is found out again, and nothing depends on it.
pub(super) fn if_known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Waiting>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(deserializer)?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
}

/// What the Event `Blocked` says of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockedEvent {
    /// There is none: it is the normal course of a task, or is reported otherwise.
    None,
    /// It passes without help.
    Normal(&'static str),
    /// Somebody has to do something.
    Warning(&'static str),
}

/// The reasons, each with its documentation, its Event, and what to do about it in at most 110 characters.
macro_rules! waiting_reasons {
    ($(#[$of_enum:meta])* $name:ident { $($(#[$of_word:meta])* $word:ident: $event:expr, $advice:literal;)+ }) => {
        $(#[$of_enum])*
        #[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$of_word])* $word,)+
        }

        impl $name {
            /// The word as it stands in the status.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => stringify!($word),)+
                }
            }

            /// What its Event says.
            pub fn event(self) -> BlockedEvent {
                match self {
                    $(Self::$word => $event,)+
                }
            }

            /// What to do about it.
            pub fn advice(self) -> &'static str {
                match self {
                    $(Self::$word => $advice,)+
                }
            }
        }
    };
}

waiting_reasons! {
    /// Why items wait.
    WaitingReason {
        /// `spec.concurrency` items occupy all slots, and others wait for one.
        Concurrency: BlockedEvent::None,
            "nothing: items start as others end. Faster: kubectl maptask scale NAME --concurrency N";
        /// A ResourceQuota of the namespace is used up.
        Quota: BlockedEvent::Normal("waits for the namespace's quota"),
            "nothing: items start as others end. Faster: a larger quota, or smaller requests";
        /// A limit of the operator is reached, on pods or on the memory of lists; with the limit.
        OperatorLimit: BlockedEvent::Normal("waits because a limit of the operator is reached"),
            "nothing: it continues as others end. Faster: a higher spec.priority, or a higher limit in the operator's chart";
        /// The remaining items wait for the time of their next attempt.
        Backoff: BlockedEvent::None, "nothing: the next attempts start by themselves (spec.retryPolicy)";
        /// Another object has the name of the next pod.
        NameTaken: BlockedEvent::Warning("waits for the name of a pod, which another object has"),
            "delete or rename the object that has the name of the next pod";
        /// The API server is overloaded and asks for fewer requests.
        Throttled: BlockedEvent::None, "nothing: the operator slows down until the API server has room again";
        /// No node has capacity for existing pods; with the scheduler's message.
        NoCapacity: BlockedEvent::Normal("waits for capacity on the nodes"),
            "free capacity, add nodes or request less (kubectl describe pod shows why)";
        /// Pods can't start because an image, a volume or another object of their template is missing, or have not
        /// started for ten seconds.
        NotStarting: BlockedEvent::Warning("has pods that can't start"),
            "create or correct what the message names: an image, a volume, another object";
        /// The item's container has ended, and other containers of its pod have run for ten seconds since; see
        /// `spec.completion`.
        ContainersRunning: BlockedEvent::Normal("has pods whose other containers outlive the item's container"),
            "set completion: Container, or end the pod's other containers";
        /// Scheduling gates hold back existing pods; with their number and the gates. Whatever set the gates, such as a
        /// queueing system, must remove them.
        SchedulingGated: BlockedEvent::Normal("has pods held back by scheduling gates"),
            "nothing, if a queueing system set the gates of the pods; else remove them";
        /// Kueue has not admitted the task's Workload; with its message.
        NotAdmitted: BlockedEvent::Normal("waits for its admission by Kueue"),
            "nothing: Kueue admits the task when its queue has room (kubectl get workloads)";
        /// The ConfigMap of the items, its key, or a result of `spec.items.resultsOf` does not exist.
        ItemsMissing: BlockedEvent::Warning("waits for its list of items"),
            "create what the message names: a ConfigMap of spec.items.configMap, or its key";
        /// The MapTask of `spec.items.resultsOf` has not succeeded yet.
        DependsOn: BlockedEvent::Normal("waits for another MapTask"),
            "nothing: the task starts once the one named in spec.items.resultsOf has succeeded";
        /// The list of items has changed since acceptance, and the operator has restarted since.
        ItemsChanged: BlockedEvent::Warning("waits because its list of items has changed"),
            "restore the list of the items, or run the new list as another task";
        /// A template of the task (`spec.template`, `spec.reduce.template` or `spec.items.pod.template`) has changed
        /// since acceptance.
        TemplateChanged: BlockedEvent::Normal("waits because its pod template has changed"),
            "restore the template, or run the new one as another task";
        /// Other items with the same cache key are being computed; see `spec.cache.serialize`.
        Serialized: BlockedEvent::None, "nothing: another task with the same cache computes the remaining items";
        /// The API server does not store results, or the status. The rest of the status is older. Until it does,
        /// finished pods stay and nothing new starts.
        ResultsNotStored: BlockedEvent::None,
            "correct what the message names: a quota, a webhook, the operator's rights";
        /// The API server can't create the task's pods, for a reason that can be repaired, such as a webhook that is
        /// down or a missing `ServiceAccount`; with its message. The operator retries up to a minute apart.
        FailedCreate: BlockedEvent::Warning("waits until its pods can be created"),
            "correct what the message names: a webhook, a ServiceAccount, a policy";
        /// Pods of spec.workers or spec.items.pod can't reach the operator, or workers end without having done
        /// anything: with a pod's name and what to open, or with what the pod said.
        WorkersUnreachable: BlockedEvent::Warning("has pods that can't reach the operator"),
            "let pods reach the operator: look at NetworkPolicies, and at workers.enabled of the chart";
    }
}
