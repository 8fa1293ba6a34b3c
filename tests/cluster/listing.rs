//! A list that a pod computes, on a real node: mapped when it is whole, and told about when it is none.

use serde_json::{Value, json};

use crate::crash::kill_operator;
use crate::kubectl::{Namespace, kubectl_with, real_task};
use crate::plugin::maptask;
use crate::{alone, undisturbed};

/// A task whose list this script writes, and whose items' results are themselves.
pub fn listed(name: &str, extra: &Value, script: &str) -> Value {
    let container = json!({ "name": "list", "image": "busybox:1.36", "command": ["sh", "-c", script] });
    let mut pod = json!({ "template": { "spec": {
        "terminationGracePeriodSeconds": 2, "containers": [container],
    } } });
    for (field, value) in extra.as_object().unwrap() {
        pod[field] = value.clone();
    }
    let spec = json!({ "items": { "pod": pod }, "retryPolicy": { "backoffSeconds": 0 } });
    real_task(name, &spec, "echo $MAPTASK_ITEM > $MAPTASK_RESULT")
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_lines_that_a_pod_writes_are_the_items() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::restricted("listed");
    let strict = json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] },
        "runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": { "type": "RuntimeDefault" } });
    let restrict = |mut task: Value| {
        for pointer in ["/spec/template", "/spec/items/pod/template"] {
            let container = task.pointer_mut(&format!("{pointer}/spec/containers/0")).unwrap();
            container["securityContext"] = strict.clone();
        }
        task
    };
    let lines = "for n in 1 2 3 4 5; do echo \"{\\\"n\\\": $n.10}\"; done; echo on stderr >&2";
    namespace.apply(&restrict(listed("lines", &json!({ "format": "JsonLines" }), lines)));
    let file = "echo this is a log; printf '[\\n \"a\",\\n [1]]' > $MAPTASK_ITEMS_FILE";
    namespace.apply(&restrict(listed("file", &json!({ "format": "JsonArray" }), file)));
    namespace.apply(&restrict(listed("empty", &json!({}), "true")));
    let status = namespace.wait_for_end("lines");
    assert_eq!((&status["phase"], &status["items"]), (&json!("Succeeded"), &json!(5)), "{status}");
    let text = namespace.results_text("lines");
    let expected: Vec<String> = (1..=5).map(|n| format!("{{\"n\":{n}.10}}\n")).collect();
    assert_eq!(text, expected.concat());
    let list = &status["listing"]["list"];
    assert_eq!((&list["items"], &list["pieces"], &list["attempt"]), (&json!(5), &json!(1), &json!(1)), "{status}");
    assert_eq!(list["hash"], status["itemsHash"]);
    let map = namespace.get("configmap", "lines-items-1-0").expect("the list is stored");
    assert_eq!(map["metadata"]["ownerReferences"][0]["name"], "lines");
    let log = namespace.kubectl(&["logs", "lines-list-1", "-c", "list"]);
    assert!(log.contains("{\"n\": 3.10}") && log.contains("on stderr"), "{log}");
    assert_eq!(namespace.wait_for_end("file")["phase"], "Succeeded");
    assert_eq!(namespace.results("file"), [json!("a"), json!([1])]);
    let status = namespace.wait_for_end("empty");
    assert_eq!((&status["phase"], &status["items"]), (&json!("Succeeded"), &json!(0)), "{status}");
    let events = namespace.kubectl(&["get", "events", "-o", "custom-columns=R:.reason,M:.message"]);
    assert!(events.contains("attempt 1 of spec.items.pod has listed 5 items"), "{events}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_that_gives_no_list_fails_the_task_with_what_it_said() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("unlisted");
    let once = "test $MAPTASK_ATTEMPT = 2 || { echo no such query >&2; exit 3; }; echo a; echo b";
    namespace.apply(&listed("again", &json!({ "retries": 1 }), once));
    namespace.apply(&listed("broken", &json!({}), "echo a; echo no such query >&2; exit 3"));
    namespace.apply(&listed("bad", &json!({ "format": "JsonLines" }), "echo 1; echo; echo '{oops}'"));
    namespace.apply(&listed("endless", &json!({}), "while :; do echo y; done"));
    namespace.apply(&listed("late", &json!({ "activeDeadlineSeconds": 5 }), "sleep 300"));
    for (task, reason, words) in [
        ("broken", "ItemsPodFailed", "exit 3 in container list: "),
        ("broken", "ItemsPodFailed", "no such query"),
        ("bad", "ItemsPodFailed", "line 3: \"{oops}\": key must be a string at column 2"),
        ("endless", "ItemsPodFailed", "the list has more than 1000000 items"),
        ("late", "DeadlineExceeded", "spec.items.pod.activeDeadlineSeconds"),
    ] {
        let (found, message) = namespace.reason_and_message(task);
        assert!(found == reason && message.contains(words), "{task}: {found}: {message}");
        assert_eq!(namespace.status(task)["items"], Value::Null, "{task}");
    }
    let status = namespace.wait_for_end("again");
    assert_eq!((&status["phase"], &status["listing"]["attempt"]), (&json!("Succeeded"), &json!(2)), "{status}");
    assert_eq!(namespace.results("again"), ["a", "b"]);
    let mut none = listed("none", &json!({}), "true");
    none["spec"]["items"]["pod"]["template"]["spec"]["containers"][0].as_object_mut().unwrap().remove("command");
    let (taken, words) = namespace.try_apply(&none);
    assert!(!taken && words.contains("the container has no command: give command"), "{words}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_operator_killed_while_a_list_is_written_repeats_no_pod_and_maps_all_of_it() {
    let _alone = alone();
    let namespace = Namespace::new("listing-kill");
    // About two megabytes that hardly compress: several pieces.
    let script = "echo begun; sleep 8; dd if=/dev/urandom bs=100000 count=15 2>/dev/null | base64 -w 20000";
    let mut task = listed("t", &json!({}), script);
    task["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["true"]);
    task["spec"]["concurrency"] = json!(20);
    task["spec"]["workers"] = json!({ "slots": 10 });
    namespace.apply(&task);
    namespace.wait("the pod to write", || {
        let (good, log) = crate::kubectl::kubectl_with("", &["-n", &namespace.0, "logs", "t-list-1"]);
        (good && log.contains("begun")).then_some(())
    });
    namespace.wait("operator to kill", || (kill_operator() > 0).then_some(()));
    let status = namespace.wait("the list", || {
        let status = namespace.status("t");
        status["listing"]["list"].is_object().then_some(status)
    });
    assert!(status["listing"]["list"]["pieces"].as_i64() > Some(1), "{status}");
    namespace.wait("operator to kill", || (kill_operator() > 0).then_some(()));
    let status = namespace.wait_for_end("t");
    // 1,500,000 bytes are 2,000,000 characters, in lines of 20,000, and one line before them.
    assert_eq!((&status["phase"], &status["items"]), (&json!("Succeeded"), &json!(101)), "{status}");
    assert_eq!(
        (&status["listing"]["attempt"], &status["listing"]["phase"]),
        (&json!(1), &json!("Succeeded")),
        "{status}"
    );
    assert_eq!(status["listing"]["list"]["hash"], status["itemsHash"], "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_listing_can_be_suspended_resumed_and_cancelled_like_the_map() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("listing-stops");
    let script = "test $MAPTASK_ATTEMPT = 1 && sleep 600; echo a; echo b";
    for name in ["paused", "cancelled"] {
        let mut task = listed(name, &json!({}), script);
        task["spec"]["suspendPolicy"] = json!("Stop");
        namespace.apply(&task);
    }
    let is_running = |pod: &str| namespace.get("pod", pod).is_some_and(|pod| pod["status"]["phase"] == "Running");
    namespace
        .wait("both pods to run", || (is_running("paused-list-1") && is_running("cancelled-list-1")).then_some(()));
    let set = |task: &str, spec: Value| {
        let patch = json!({ "spec": spec }).to_string();
        namespace.kubectl(&["patch", "maptask", task, "--type", "merge", "-p", &patch])
    };
    set("paused", json!({ "suspend": true }));
    set("cancelled", json!({ "cancel": true }));
    let (reason, message) = namespace.reason_and_message("cancelled");
    assert_eq!(reason, "Cancelled", "{message}");
    namespace.wait("the suspended pod to go", || {
        let phase = &namespace.status("paused")["phase"];
        (namespace.get("pod", "paused-list-1").is_none() && phase == "Suspended").then_some(())
    });
    set("paused", json!({ "suspend": false }));
    let status = namespace.wait_for_end("paused");
    assert_eq!((&status["phase"], &status["items"]), (&json!("Succeeded"), &json!(2)), "{status}");
    let listing = &status["listing"];
    let charged = (&listing["applicationFailures"], &listing["infrastructureFailures"]);
    assert_eq!((&listing["attempt"], charged), (&json!(2), (&json!(0), &json!(0))), "{status}");
    assert_eq!(namespace.results("paused"), ["a", "b"]);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_rerun_of_the_list_computes_another_one_whose_results_replace_those_of_the_former() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("relisted");
    // The second list is shorter, and its only item fails at first. The third one is empty.
    let script = "case $MAPTASK_ATTEMPT in 1) echo a; echo b; echo c;; 2) echo x;; esac";
    for (name, workers) in [("pods", false), ("workers", true)] {
        let mut task = listed(name, &json!({}), script);
        task["spec"]["retries"] = json!(1);
        if workers {
            task["spec"]["workers"] = json!({});
        }
        let command =
            "test $MAPTASK_ITEM = x -a $MAPTASK_ATTEMPT -le 2 && exit 3; echo $MAPTASK_ITEM > $MAPTASK_RESULT";
        task["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["sh", "-c", command]);
        namespace.apply(&task);
    }
    for name in ["pods", "workers"] {
        let status = namespace.wait_for_end(name);
        assert_eq!((&status["phase"], &status["items"]), (&json!("Succeeded"), &json!(3)), "{status}");
        assert_eq!(namespace.results(name), ["a", "b", "c"]);
        let said = maptask(&namespace, "", &["rerun", name, "--list", "--yes"]).good();
        assert_eq!(
            said,
            format!("maptask.maptask.dev/{name} rerun: the list is read again, and all items of it run\n")
        );
        maptask(&namespace, "", &["wait", name, "--quiet", "--timeout", "3m"]).good();
        let status = namespace.status(name);
        assert_eq!((&status["phase"], &status["items"]), (&json!("Succeeded"), &json!(1)), "{status}");
        assert!(status["attemptBase"].as_i64() >= Some(1), "{status}");
        assert_eq!(namespace.results_text(name), "\"x\"\n");
        assert_eq!(maptask(&namespace, "", &["results", name]).good(), "\"x\"\n");
        assert_eq!(status["listing"]["attempt"], 2, "{status}");
    }
    // The first attempt of the second list is the one after all of the first.
    let items = maptask(&namespace, "", &["items", "pods", "-o", "json"]).good();
    assert!(items.contains("\"attempts\":3") || items.contains("\"attempts\": 3"), "{items}");
    maptask(&namespace, "", &["rerun", "pods", "--list", "--yes"]).good();
    maptask(&namespace, "", &["wait", "pods", "--quiet", "--timeout", "3m"]).good();
    let status = namespace.status("pods");
    assert_eq!((&status["phase"], &status["items"]), (&json!("Succeeded"), &json!(0)), "{status}");
    assert!(status["formerResults"].is_null(), "{status}");
    assert_eq!((namespace.results_text("pods"), namespace.list("configmaps").len() > 1), (String::new(), true));

    namespace.apply(&real_task("inline", &json!({ "items": { "count": 1 } }), "true"));
    namespace.wait_for_end("inline");
    let refused = maptask(&namespace, "", &["rerun", "inline", "--list", "--yes"]);
    assert!(refused.code == 1 && refused.err.contains("is in the task itself and never changes"), "{refused:?}");
    let patch = r#"{"spec":{"rerun":{"id":"1","items":"List"}}}"#;
    let (good, said) =
        kubectl_with("", &["-n", &namespace.0, "patch", "maptask", "inline", "--type=merge", "-p", patch]);
    assert!(!good && said.contains("spec.rerun.items") && said.contains("List needs items.configMap"), "{said}");
}
