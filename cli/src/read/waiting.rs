//! What to do when a task waits: one sentence for each reason, for all clients and the docs.

use maptask::api::WaitingReason;
use serde_json::Value;

/// What to do about a reason of this word; `None` for one that this version does not know.
pub fn to_do(reason: &str) -> Option<&'static str> {
    serde_json::from_value::<WaitingReason>(Value::from(reason)).ok().map(sentence)
}

/// Whether items end and start all the time while a task waits for this, so that its rate tells when it ends.
pub fn is_steady(reason: &str) -> bool {
    matches!(reason, "Concurrency" | "Quota" | "OperatorLimit")
}

/// What to do about a reason.
pub fn sentence(reason: WaitingReason) -> &'static str {
    match reason {
        WaitingReason::Concurrency => {
            "nothing: items start as others end. Faster: kubectl maptask scale NAME --concurrency N"
        }
        WaitingReason::Quota => "nothing: items start as others end. Faster: a larger quota, or smaller requests",
        WaitingReason::OperatorLimit => {
            "nothing: it continues as others end. Faster: a higher spec.priority, or a higher limit in the operator's chart"
        }
        WaitingReason::Backoff => "nothing: the next attempts start by themselves (spec.retryPolicy)",
        WaitingReason::NameTaken => "delete or rename the object that has the name of the next pod",
        WaitingReason::Throttled => "nothing: the operator slows down until the API server has room again",
        WaitingReason::NoCapacity => "free capacity, add nodes or request less (kubectl describe pod shows why)",
        WaitingReason::NotStarting => "create or correct what the message names: an image, a volume, another object",
        WaitingReason::ContainersRunning => "set completion: Container, or end the pod's other containers",
        WaitingReason::SchedulingGated => "nothing, if a queueing system set the gates of the pods; else remove them",
        WaitingReason::NotAdmitted => "nothing: Kueue admits the task when its queue has room (kubectl get workloads)",
        WaitingReason::ItemsMissing => "create what the message names: a ConfigMap of spec.items.configMap, or its key",
        WaitingReason::DependsOn => "nothing: the task starts once the one named in spec.items.resultsOf has succeeded",
        WaitingReason::ItemsChanged => "restore the list of the items, or run the new list as another task",
        WaitingReason::TemplateChanged => "restore the template, or run the new one as another task",
        WaitingReason::Serialized => "nothing: another task with the same cache computes the remaining items",
        WaitingReason::ResultsNotStored => "correct what the message names: a quota, a webhook, the operator's rights",
        WaitingReason::FailedCreate => "correct what the message names: a webhook, a ServiceAccount, a policy",
        WaitingReason::WorkersUnreachable => {
            "let pods reach the operator: look at NetworkPolicies, and at workers.enabled of the chart"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_operator_has_a_sentence_and_an_entry_in_the_documentation() {
        let page = include_str!("../../../docs/operations/troubleshooting.md");
        let crd = serde_json::to_value(maptask::api::crd()).unwrap();
        let schema = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/waiting/properties/reason";
        // Enums of the status are open strings: their words are in the description.
        let text = crd.pointer(&format!("{schema}/description")).and_then(Value::as_str).unwrap();
        let words: Vec<&str> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- ")?.split_once(':'))
            .map(|(word, _)| word.trim_matches('`'))
            .collect();
        assert!(words.len() >= 17, "{words:?} of {text}");
        for word in words {
            let sentence = to_do(word).unwrap_or_else(|| panic!("nothing to do about {word}"));
            assert!(sentence.len() > 20 && sentence.len() <= 110 && !sentence.contains('\n'), "{word}: {sentence}");
            assert!(page.contains(&format!("\n### `{word}`\n")), "{word} in docs/operations/troubleshooting.md");
        }
        assert_eq!(to_do("Eclipse"), None);
    }
}
