//! What people wait for, and what they read meanwhile: tasks that ignore failures, results that find no room.

use serde_json::{Value, json};

use crate::kubectl::{Namespace, condition, kubectl_with, real_task};
use crate::life::counts;
use crate::undisturbed;

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn items_run_though_no_success_is_required() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("zero");
    let script = "echo ran > /dev/termination-log; test \"$MAPTASK_ITEM\" = ok";
    let items = json!({ "values": ["ok", "bad", "ok", "bad"] });
    namespace.apply(&real_task("ratio", &json!({ "items": items, "minSuccessRatio": 0 }), script));
    namespace.apply(&real_task("number", &json!({ "items": items, "minSuccesses": 0 }), script));
    for name in ["ratio", "number"] {
        let status = namespace.wait_for_end(name);
        assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Succeeded"), [2, 2, 0, 0]), "{status}");
        assert!(condition(&status, "Complete").contains("0 were required"), "{status}");
    }
}

const QUICK: &str = "echo ok > /dev/termination-log";

/// The notes of the Events on a task, each with its reason.
fn events(namespace: &Namespace, task: &str) -> Vec<(String, String)> {
    let of_task = |event: &&Value| event["involvedObject"]["name"] == task;
    let word = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
    let all = namespace.list("events");
    all.iter().filter(of_task).map(|event| (word(event, "reason"), word(event, "message"))).collect()
}

/// Waits for the reason; asserts that nothing untrue is reported meanwhile.
fn wait_for_room(namespace: &Namespace, task: &str, words: &str) {
    let waiting = namespace.wait("word on the results", || {
        let waiting = namespace.status(task)["waiting"].clone();
        (waiting["reason"] == "ResultsNotStored").then_some(waiting)
    });
    assert!(waiting["message"].as_str().unwrap().contains(words), "{waiting}");
    let status = namespace.status(task);
    assert_eq!((status["phase"].as_str(), counts(&status)[0]), (Some("Running"), 0), "{status}");
    let told = namespace.wait("an Event on that", || {
        let told = events(namespace, task);
        told.iter().any(|(reason, _)| reason == "Blocked").then_some(told)
    });
    for (reason, note) in &told {
        assert!(reason != "Succeeded" && !note.contains(" {") && !note.contains("ErrorResponse"), "{reason}: {note}");
    }
}

fn wait_for_success(namespace: &Namespace, task: &str) {
    let status = namespace.wait_for_end(task);
    assert_eq!((status["phase"].as_str(), &status["waiting"]), (Some("Succeeded"), &Value::Null), "{status}");
    assert!(namespace.results(task).iter().all(|line| line == "ok"));
    namespace
        .wait("the Event on its end", || events(namespace, task).iter().any(|(r, _)| r == "Succeeded").then_some(()));
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_full_quota_for_configmaps_is_waited_for_in_its_words() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("unstored");
    namespace.wait("the namespace's own ConfigMap", || namespace.get("configmap", "kube-root-ca.crt").map(drop));
    let quota = |number: &str| {
        json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "q" },
            "spec": { "hard": { "configmaps": number } } })
    };
    namespace.apply(&quota("1"));
    namespace.wait("quota in force", || {
        (namespace.get("resourcequota", "q")?["status"]["used"]["configmaps"] == "1").then_some(())
    });
    namespace.apply(&real_task("t", &json!({ "items": { "count": 2 } }), QUICK));
    wait_for_room(&namespace, "t", "exceeded quota: q, requested: configmaps=1");
    namespace.apply(&quota("9"));
    wait_for_success(&namespace, "t");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn results_whose_configmap_is_taken_or_immutable_wait_and_say_so() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("taken");
    namespace.apply(&json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "taken-results-0" } }));
    namespace.apply(&real_task("taken", &json!({ "items": { "count": 2 } }), QUICK));
    // The second item ends after somebody has closed the ConfigMap.
    let slow = "test $MAPTASK_INDEX = 0 || sleep 8; echo ok > /dev/termination-log";
    namespace.apply(&real_task("closed", &json!({ "items": { "count": 2 } }), slow));
    namespace.wait("the first result", || namespace.get("configmap", "closed-results-0").map(drop));
    let close = |closed: &str| {
        namespace.kubectl(&["patch", "configmap", "closed-results-0", "--type=merge", "-p", closed]);
    };
    close(r#"{"immutable":true}"#);
    wait_for_room(&namespace, "taken", "ConfigMap taken-results-0 exists and belongs to another owner");
    namespace.kubectl(&["delete", "configmap", "taken-results-0"]);
    wait_for_success(&namespace, "taken");
    let waiting = namespace.wait("word on the results", || {
        let waiting = namespace.status("closed")["waiting"].clone();
        (waiting["reason"] == "ResultsNotStored").then_some(waiting)
    });
    assert!(waiting["message"].as_str().unwrap().contains("field is immutable"), "{waiting}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn results_that_an_admission_policy_denies_wait_and_say_so() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("denied");
    let name = namespace.0.clone();
    let rule = json!({ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"] });
    namespace.apply(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": { "name": name },
        "spec": {
            "matchConstraints": { "resourceRules": [rule] },
            "validations": [{ "expression": "false", "message": "no ConfigMaps here, says the policy" }],
        },
    }));
    namespace.apply(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": { "name": name },
        "spec": {
            "policyName": name, "validationActions": ["Deny"],
            "matchResources": { "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": name } } },
        },
    }));
    namespace.wait("the policy in force", || {
        let (good, _) = kubectl_with("", &["-n", &namespace.0, "create", "configmap", "x", "--dry-run=server"]);
        (!good).then_some(())
    });
    namespace.apply(&real_task("t", &json!({ "items": { "count": 2 } }), QUICK));
    wait_for_room(&namespace, "t", "no ConfigMaps here, says the policy");
    namespace.kubectl(&["delete", "validatingadmissionpolicybinding", &name]);
    wait_for_success(&namespace, "t");
    namespace.kubectl(&["delete", "validatingadmissionpolicy", &name]);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn either_end_can_be_waited_for_by_one_condition() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("wait");
    namespace.apply(&real_task("good", &json!({ "items": { "count": 1 } }), "true"));
    namespace.apply(&real_task("bad", &json!({ "items": { "count": 1 } }), "false"));
    // Refused at once.
    namespace.apply(&real_task("never", &json!({ "items": { "count": 1 }, "minSuccesses": 2 }), "true"));
    for (name, phase) in [("good", "Succeeded"), ("bad", "Failed"), ("never", "Failed")] {
        for what in ["condition=Finished", "jsonpath={.status.completionTime}"] {
            let target = format!("maptask/{name}");
            namespace.kubectl(&["wait", &format!("--for={what}"), &target, "--timeout=120s"]);
        }
        assert_eq!(namespace.kubectl(&["get", "maptask", name, "-o", "jsonpath={.status.phase}"]), phase);
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn reruns_of_refused_and_of_running_tasks_are_told() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("rerun");
    let rerun = |name: &str, id: &str| {
        let patch = json!({ "spec": { "rerun": { "id": id, "items": "All" } } }).to_string();
        namespace.kubectl(&["patch", "maptask", name, "--type=merge", "-p", &patch]);
    };
    // Refused for a limit that somebody then lifts.
    let limit = json!({ "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "tight" },
        "spec": { "limits": [{ "type": "Container", "max": { "memory": "1Gi" } }] } });
    namespace.apply(&limit);
    let mut large = real_task("large", &json!({ "items": { "count": 1 } }), "true");
    large["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({ "requests": { "memory": "16Mi" }, "limits": { "memory": "2Gi" } });
    namespace.apply(&large);
    namespace.apply(&real_task("slow", &json!({ "items": { "count": 1 } }), "sleep 10"));
    namespace.wait("the first pod", || namespace.get("pod", "slow-0-1").map(drop));
    rerun("slow", "again");
    let pending = namespace.wait("word on the rerun", || {
        let status = namespace.status("slow");
        (status["pendingRerun"]["id"] == "again").then_some(status)
    });
    assert_eq!((pending["phase"].as_str(), &pending["rerun"]), (Some("Running"), &Value::Null), "{pending}");
    assert_eq!(namespace.wait_for_end("large")["phase"], "Failed");
    namespace.kubectl(&["delete", "limitrange", "tight"]);
    rerun("large", "1");
    let status = namespace.wait("its success", || {
        let status = namespace.status("large");
        (status["phase"] == "Succeeded").then_some(status)
    });
    assert_eq!(status["rerun"]["id"], "1", "{status}");
    let status = namespace.wait("the second end", || {
        let status = namespace.status("slow");
        (status["phase"] == "Succeeded" && status["rerun"]["id"] == "again").then_some(status)
    });
    assert_eq!((&status["pendingRerun"], &status["rerun"]["items"]), (&Value::Null, &json!(1)), "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn results_that_a_user_deletes_or_edits_are_restored_or_told() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("tamper");
    let script = "test $MAPTASK_INDEX = 0 || sleep 12; echo ok > /dev/termination-log";
    for name in ["gone", "edited", "lost"] {
        namespace.apply(&real_task(name, &json!({ "items": { "count": 2 } }), script));
    }
    let shard = |name: &str| namespace.get("configmap", &format!("{name}-results-0"));
    for name in ["gone", "edited", "lost"] {
        namespace.wait("the first success", || (namespace.status(name)["counts"]["succeeded"] == 1).then_some(()));
        assert!(shard(name).is_some());
    }
    // Pods that are still there tell it again.
    namespace.kubectl(&["delete", "configmap", "gone-results-0"]);
    let edit = json!({ "data": { "results.jsonl": "\"other\"\nnull\n" } }).to_string();
    namespace.kubectl(&["patch", "configmap", "edited-results-0", "--type=merge", "-p", &edit]);
    namespace.kubectl(&["delete", "pod", "lost-0-1", "--now"]);
    namespace.kubectl(&["delete", "configmap", "lost-results-0"]);
    for name in ["gone", "edited"] {
        wait_for_success(&namespace, name);
        assert_eq!(condition(&namespace.status(name), "ResultsDamaged"), "none");
        assert!(events(&namespace, name).iter().any(|(reason, _)| reason == "ResultsRestored"));
    }
    let status = namespace.wait_for_end("lost");
    let told = condition(&status, "ResultsDamaged");
    assert!(told.starts_with("True") && told.contains("ConfigMap lost-results-0 (items 0)"), "{told}");
    assert_eq!(namespace.results("lost"), [Value::Null, json!("ok")]);
    // What the message says to do.
    let patch = json!({ "spec": { "rerun": { "id": "1", "items": "0" } } }).to_string();
    namespace.kubectl(&["patch", "maptask", "lost", "--type=merge", "-p", &patch]);
    namespace.wait("the results", || {
        let status = namespace.status("lost");
        (status["rerun"]["id"] == "1" && status["phase"] == "Succeeded").then_some(())
    });
    assert!(condition(&namespace.status("lost"), "ResultsDamaged").starts_with("False"));
    assert_eq!(namespace.results("lost"), [json!("ok"), json!("ok")]);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_whose_label_is_removed_or_changed_runs_to_its_end() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("labels");
    for (name, change) in [("bare", "maptask.dev/name-"), ("other", "maptask.dev/name=nobody")] {
        namespace.apply(&real_task(
            name,
            &json!({ "items": { "count": 1 } }),
            "sleep 10; echo ok > /dev/termination-log",
        ));
        let pod = format!("{name}-0-1");
        namespace.wait("the pod", || (namespace.get("pod", &pod)?["status"]["phase"] == "Running").then_some(()));
        namespace.kubectl(&["label", "pod", &pod, "--overwrite", change]);
    }
    for name in ["bare", "other"] {
        let status = namespace.wait_for_end(name);
        // No second attempt: the pod was there all the time.
        assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Succeeded"), [1, 0, 0, 0]), "{status}");
        assert_eq!(namespace.results(name), [json!("ok")]);
        assert!(namespace.get("pod", &format!("{name}-0-2")).is_none());
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_name_held_by_a_terminating_pod_is_waited_for_in_words() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("terminating");
    let finalizer = json!({ "metadata": { "finalizers": ["example.com/keep"] } });
    let task = real_task("t", &json!({ "items": { "count": 1 } }), "sleep 600");
    namespace.apply(&task);
    namespace.wait("the pod", || namespace.get("pod", "t-0-1").map(drop));
    namespace.kubectl(&["patch", "pod", "t-0-1", "--type=merge", "-p", &finalizer.to_string()]);
    namespace.kubectl(&["delete", "maptask", "t"]);
    namespace.apply(&real_task("t", &json!({ "items": { "count": 1 } }), QUICK));
    let message = namespace.wait("word on the pod", || {
        let waiting = namespace.status("t")["waiting"].clone();
        let message = waiting["message"].as_str()?.to_owned();
        (waiting["reason"] == "NameTaken" && message.contains("terminating")).then_some(message)
    });
    assert!(message.contains("waits for pod t-0-1") && message.contains("example.com/keep"), "{message}");
    assert!(!message.contains("delete it"), "{message}");
    let none = json!({ "metadata": { "finalizers": null } });
    namespace.kubectl(&["patch", "pod", "t-0-1", "--type=merge", "-p", &none.to_string()]);
    wait_for_success(&namespace, "t");
}
