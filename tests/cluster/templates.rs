//! Specs that mean the same are the same, however a client writes them; and a template that is changed is noticed.

use serde_json::{Value, json};

use crate::kubectl::{Namespace, condition, fake_task, kubectl, kubectl_with, real_task};
use crate::{alone, undisturbed};

fn merged(task: &Value, changes: &Value) -> Value {
    let mut task = task.clone();
    merge(&mut task, changes);
    task
}

fn merge(into: &mut Value, from: &Value) {
    match from.as_object().filter(|_| into.is_object()) {
        Some(from) => from.iter().for_each(|(key, value)| merge(&mut into[key], value)),
        None => *into = from.clone(),
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_spec_that_is_only_written_differently_has_not_changed() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("same");
    let mut task =
        fake_task("t", &json!({ "items": { "values": [1, { "a": null, "b": [] }] }, "suspend": true }), &json!({}));
    task["spec"]["cache"] = json!({ "version": "1" });
    let mut reduce = task["spec"]["template"].clone();
    reduce["spec"]["containers"] = json!([{ "name": "r", "image": "fake" }]);
    task["spec"]["reduce"] = json!({ "template": reduce });
    let pod = |changes: Value| json!({ "spec": { "template": { "spec": changes } } });
    let mut containers = task["spec"]["template"]["spec"]["containers"].clone();
    containers[0]["command"] = json!([]);
    containers[0]["args"] = Value::Null;
    containers[0]["terminationMessagePath"] = json!("/dev/termination-log");
    containers[0]["imagePullPolicy"] = json!("Always");
    namespace.apply(&task);
    for changes in [
        json!({}),
        json!({ "spec": { "retryPolicy": {} } }),
        json!({ "spec": { "retryPolicy": { "rules": [], "outOfMemory": null } } }),
        json!({ "spec": { "results": {}, "retries": 0, "remainingItems": { "onSuccess": "Cancel" } } }),
        json!({ "spec": { "container": "main" } }),
        json!({ "spec": { "container": null, "minSuccesses": null, "artifacts": null, "startDeadlineSeconds": null } }),
        json!({ "spec": { "minSuccessRatio": 1 } }),
        json!({ "spec": { "cache": { "name": "t", "serialize": false, "ignoreTemplate": false } } }),
        json!({ "spec": { "reduce": { "container": "r", "retries": 0 } } }),
        json!({ "spec": { "reduce": { "template": { "metadata": {}, "spec": { "volumes": [] } } } } }),
        json!({ "spec": { "template": { "metadata": { "labels": {}, "creationTimestamp": null } } } }),
        pod(json!({ "affinity": null, "volumes": [], "securityContext": {}, "runtimeClassName": null })),
        pod(json!({ "restartPolicy": "Never", "dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 30 })),
        pod(json!({ "containers": containers })),
        json!({}),
    ] {
        let same = merged(&task, &changes);
        // What is null in a manifest is another thing for `kubectl` the second time.
        namespace.apply(&same);
        namespace.apply(&same);
    }
    namespace.kubectl(&["patch", "maptask", "t", "--type=merge", "-p", r#"{"spec":{"suspend":false}}"#]);
    let status = namespace.wait_for_end("t");
    assert_eq!(status["phase"], "Succeeded", "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_task_waits_for_its_changed_template_to_be_restored_even_after_a_restart() {
    let _alone = alone();
    let namespace = Namespace::new("changed");
    let script =
        "test $MAPTASK_INDEX = 0 || exit 0; until test -e /tmp/maptask-changed-$MAPTASK_NAME; do sleep 0.2; done";
    let mut task = real_task("t", &json!({ "items": { "count": 3 }, "concurrency": 1 }), script);
    let name = format!("t-{}", std::process::id());
    task["metadata"]["name"] = json!(name);
    let spec = &mut task["spec"]["template"]["spec"];
    spec["volumes"] = json!([{ "name": "tmp", "hostPath": { "path": "/tmp" } }]);
    spec["containers"][0]["volumeMounts"] = json!([{ "name": "tmp", "mountPath": "/tmp" }]);
    let changed = merged(&task, &json!({ "spec": { "template": { "spec": { "restartPolicy": "Always" } } } }));
    namespace.apply(&task);
    namespace.wait("the first pod to run", || (namespace.status(&name)["counts"]["running"] == 1).then_some(()));
    namespace.apply(&changed);
    let waits = || {
        namespace.wait("word of the change", || {
            let waiting = namespace.status(&name)["waiting"].clone();
            (waiting["reason"] == "TemplateChanged").then_some(waiting["message"].as_str().unwrap().to_owned())
        })
    };
    let words = waits();
    assert!(words.contains("spec.template has changed") && words.contains("restore it"), "{words}");
    kubectl_with("", &["-n", "maptask-system", "delete", "pod", "--all", "--wait=true"]);
    std::fs::write(format!("/tmp/maptask-changed-{name}"), "").unwrap();
    namespace.wait("the end of the first item", || (namespace.status(&name)["counts"]["succeeded"] == 1).then_some(()));
    waits();
    assert_eq!(namespace.list("pods").len(), 1, "nothing has started");
    namespace.apply(&task);
    let status = namespace.wait_for_end(&name);
    assert_eq!((&status["phase"], &status["counts"]["succeeded"]), (&json!("Succeeded"), &json!(3)), "{status}");
    std::fs::remove_file(format!("/tmp/maptask-changed-{name}")).unwrap();
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_suspended_task_takes_over_the_node_that_is_written_into_its_template_when_it_is_resumed() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("moved");
    let nodes = kubectl(&["get", "nodes", "-l", "type=kwok", "-o", "jsonpath={.items[*].metadata.name}"]);
    let node = nodes.split_whitespace().last().unwrap();
    namespace.apply(&fake_task("t", &json!({ "items": { "count": 4 }, "suspend": true }), &json!({})));
    namespace.wait("the suspension", || (namespace.status("t")["phase"] == "Suspended").then_some(()));
    let pod = json!({ "nodeSelector": { "kubernetes.io/hostname": node } });
    let template = json!({ "metadata": { "labels": { "team": "a" } }, "spec": pod });
    let patch = json!({ "spec": { "suspend": false, "template": template } });
    namespace.kubectl(&["patch", "maptask", "t", "--type=merge", "-p", &patch.to_string()]);
    let status = namespace.wait_for_end("t");
    assert_eq!((&status["phase"], &status["counts"]["succeeded"]), (&json!("Succeeded"), &json!(4)), "{status}");
    let pods = namespace.list("pods");
    let of_change = |pod: &&Value| pod["spec"]["nodeName"] == node && pod["metadata"]["labels"]["team"] == "a";
    assert_eq!((pods.len(), pods.iter().filter(of_change).count()), (4, 4), "{pods:?}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn unknown_fields_anywhere_in_a_template_are_refused() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("unknown");
    let pod = |changes: Value| {
        let spec = json!({ "containers": [{ "name": "m", "image": "x" }] });
        json!({ "spec": merged(&spec, &changes) })
    };
    let context = json!([{ "name": "m", "image": "x", "securityContext": { "capabilities": { "ad": [] } } }]);
    let cases = [
        ("deep", pod(json!({ "containers": context })), "spec.containers[0].securityContext.capabilities.ad"),
        (
            "init",
            pod(json!({ "initContainers": [{ "name": "i", "image": "x", "envs": [] }] })),
            "spec.initContainers[0].envs",
        ),
        (
            "volume",
            pod(json!({ "volumes": [{ "name": "v", "configMap": { "nam": "c" } }] })),
            "spec.volumes[0].configMap.nam",
        ),
        (
            "affinity",
            pod(json!({ "affinity": { "nodeAffinity": { "required": {} } } })),
            "spec.affinity.nodeAffinity.required",
        ),
        ("top", pod(json!({ "dnsPolici": "None" })), "spec.dnsPolici"),
    ];
    for (name, template, _) in &cases {
        namespace.apply(&fake_task(name, &json!({ "items": { "count": 1 }, "template": template }), &json!({})));
        let reduce = json!({ "items": { "count": 1 }, "reduce": { "template": template } });
        namespace.apply(&fake_task(&format!("{name}-reduce"), &reduce, &json!({})));
    }
    for (name, _, field) in &cases {
        for (name, place) in [((*name).to_owned(), "spec.template"), (format!("{name}-reduce"), "spec.reduce.template")]
        {
            let accepted = condition(&namespace.wait_for_end(&name), "Accepted");
            assert!(accepted.starts_with("False") && accepted.contains(place), "{name}: {accepted}");
            assert!(accepted.contains(&format!("unknown field \"{field}\"")), "{name}: {accepted}");
        }
    }
}
