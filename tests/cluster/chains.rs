//! Lists from elsewhere: the results of another task, and several ConfigMaps, one of them compressed.

use std::io::Write;

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::kubectl::{Namespace, condition, real_task};
use crate::undisturbed;

/// Writes its item, and a list of it and of its double.
const DOUBLE: &str = r#"echo "[$MAPTASK_ITEM,$((MAPTASK_ITEM * 2))]" > "$MAPTASK_RESULT""#;

fn link(name: &str, of: &Value, script: &str) -> Value {
    real_task(name, &json!({ "items": { "resultsOf": of } }), script)
}

fn refusal(namespace: &Namespace, task: &Value) -> String {
    let (taken, words) = namespace.try_apply(task);
    assert!(!taken, "{words}");
    words
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_chain_of_three_tasks_in_any_order_runs_to_its_end() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("chain");
    let third = link("third", &json!({ "name": "second", "flatten": true, "skipNull": true }), DOUBLE);
    namespace.apply(&third);
    namespace.wait("word on the second task", || {
        let status = namespace.status("third");
        let words = status["waiting"]["message"].as_str()?;
        (status["reason"] == "DependsOn" && words.contains("MapTask second does not exist")).then_some(())
    });
    namespace.apply(&link("second", &json!({ "name": "first" }), DOUBLE));
    namespace.apply(&real_task(
        "first",
        &json!({ "items": { "values": [3, 1, 2] } }),
        "echo $MAPTASK_ITEM > $MAPTASK_RESULT",
    ));
    assert_eq!(namespace.wait_for_end("third")["phase"], "Succeeded");
    assert_eq!(namespace.results("first"), [3, 1, 2]);
    assert_eq!(namespace.results("second"), [json!([3, 6]), json!([1, 2]), json!([2, 4])]);
    let doubled = [3, 6, 1, 2, 2, 4].map(|n| json!([n, 2 * n]));
    assert_eq!(namespace.results("third"), doubled);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn tasks_that_can_never_have_their_list_say_why() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("links");
    let own = refusal(&namespace, &link("own", &json!({ "name": "own" }), DOUBLE));
    assert!(own.contains("spec.items.resultsOf.name") && own.contains("name another MapTask"), "{own}");
    for name in ["a", "b"] {
        let other = if name == "a" { "b" } else { "a" };
        namespace.apply(&link(name, &json!({ "name": other, "onFailure": "Wait" }), DOUBLE));
    }
    let cycle = namespace.wait("the cycle", || {
        ["a", "b"].iter().find_map(|task| {
            let status = namespace.status(task);
            (status["reason"] == "DependencyCycle").then(|| status["message"].as_str().unwrap().to_owned())
        })
    });
    assert!(cycle.contains("a -> b -> a is a cycle") || cycle.contains("b -> a -> b is a cycle"), "{cycle}");
    namespace.apply(&real_task("broken", &json!({ "items": { "count": 1 } }), "exit 3"));
    namespace.apply(&link("after", &json!({ "name": "broken" }), DOUBLE));
    let (reason, message) = namespace.reason_and_message("after");
    assert_eq!(reason, "DependencyFailed");
    assert!(message.contains("MapTask broken is Failed") && message.contains("exit 3"), "{message}");
    let silent = json!({ "items": { "count": 1 }, "results": { "source": "None" } });
    namespace.apply(&real_task("silent", &silent, "true"));
    namespace.apply(&link("deaf", &json!({ "name": "silent" }), DOUBLE));
    let (reason, message) = namespace.reason_and_message("deaf");
    assert!(reason == "DependencyFailed" && message.contains("spec.results.source is None"), "{message}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn several_configmaps_are_one_list_in_the_order_of_their_names() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("parts");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(b"c\nd\n").unwrap();
    let gzip = ByteString(gzip.finish().unwrap());
    let map = |name: &str| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name } });
    let (mut plain, mut packed) = (map("plain"), map("packed"));
    plain["data"] = json!({ "lines": "a\nb" });
    packed["binaryData"] = json!({ "lines": gzip });
    let source = json!({ "names": ["packed", "plain", "packed"], "key": "lines" });
    let spec = json!({ "items": { "configMap": source } });
    namespace.apply(&real_task("t", &spec, "echo $MAPTASK_ITEM > $MAPTASK_RESULT"));
    namespace.wait("word on what is missing", || {
        namespace.status("t")["waiting"]["message"].as_str()?.contains("ConfigMap packed does not exist").then_some(())
    });
    namespace.apply(&plain);
    namespace.apply(&packed);
    assert_eq!(namespace.wait_for_end("t")["phase"], "Succeeded");
    assert_eq!(namespace.results("t"), ["c", "d", "a", "b", "c", "d"]);
    let both = json!({ "name": "plain", "names": ["packed"], "key": "lines" });
    let refusal = refusal(&namespace, &real_task("u", &json!({ "items": { "configMap": both } }), "true"));
    assert!(refusal.contains("give either name or names"), "{refusal}");
    let cut = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "cut" },
        "binaryData": { "lines": ByteString(gzip.0[..12].to_vec()) } });
    namespace.apply(&cut);
    namespace.apply(&real_task("v", &json!({ "items": { "configMap": { "name": "cut", "key": "lines" } } }), "true"));
    let accepted = condition(&namespace.wait_for_end("v"), "Accepted");
    assert!(accepted.contains("cut/lines") && accepted.contains("not a whole gzip file"), "{accepted}");
}
