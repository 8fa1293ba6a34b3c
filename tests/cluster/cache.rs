//! The cache on a real cluster: hits without pods, entries that are damaged or cleared, and tasks that wait for each
//! other.

use std::time::Instant;

use maptask::api::Json;
use maptask::core::cache::segment::add;
use maptask::core::cache::{Entry, Keys};
use maptask::core::ids::TaskKey;
use serde_json::{Value, json};

use crate::kubectl::{Namespace, fake_task, kubectl_with, real_task};
use crate::undisturbed;

/// A task whose items say themselves, all of one cache.
fn task(name: &str, items: &Value, cache: &Value) -> Value {
    let mut all = json!({ "name": "letters", "version": "1" });
    for (field, value) in cache.as_object().unwrap() {
        all[field] = value.clone();
    }
    let spec = json!({ "items": { "values": items }, "cache": all, "remainingItems": { "onFailure": "Run" } });
    let script = r#"test "$MAPTASK_ITEM" = bad && exit 3; test "$MAPTASK_ITEM" = slow && sleep 4; echo -n "$MAPTASK_ITEM" > /dev/termination-log"#;
    real_task(name, &spec, script)
}

fn cached(status: &Value) -> i64 {
    status["counts"]["cached"].as_i64().unwrap()
}

fn pods_of(namespace: &Namespace, task: &str) -> usize {
    namespace.list("pods").iter().filter(|pod| pod["metadata"]["labels"]["maptask.dev/name"] == task).count()
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_result_of_one_task_is_reused_by_other_tasks() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cache");
    namespace.apply(&task("first", &json!(["a", "b", "bad"]), &json!({})));
    let status = namespace.wait_for_end("first");
    assert_eq!((&status["phase"], cached(&status)), (&json!("Failed"), 0), "{status}");
    namespace.apply(&task("second", &json!(["c", "b", "a"]), &json!({})));
    let status = namespace.wait_for_end("second");
    assert_eq!((&status["phase"], cached(&status)), (&json!("Succeeded"), 2), "also of a task that failed: {status}");
    assert_eq!(
        (namespace.results("second"), pods_of(&namespace, "second")),
        (json!(["c", "b", "a"]).as_array().unwrap().clone(), 1)
    );
    let table = namespace.kubectl(&["get", "maptask", "second", "-o", "wide"]);
    assert!(table.contains("CACHED"), "{table}");
    namespace.apply(&task("other-version", &json!(["a"]), &json!({ "version": "2" })));
    assert_eq!(cached(&namespace.wait_for_end("other-version")), 0);
    namespace.kubectl(&["delete", "configmap", "-l", "maptask.dev/cache=letters"]);
    namespace.apply(&task("cleared", &json!(["a", "b"]), &json!({})));
    assert_eq!(cached(&namespace.wait_for_end("cleared")), 0);
    namespace.apply(&task("again", &json!(["a", "b"]), &json!({})));
    let status = namespace.wait_for_end("again");
    assert_eq!((cached(&status), pods_of(&namespace, "again")), (2, 0), "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_damaged_cache_entry_is_reported_and_its_item_runs() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cache-damaged");
    namespace.apply(&task("first", &json!(["a", "b"]), &json!({})));
    namespace.wait_for_end("first");
    let entries = namespace.get("configmap", "maptask-cache-letters-0").unwrap();
    let text = entries["data"]["entries"].as_str().unwrap().replace("\"a\"", "\"x\"");
    let patch = json!({ "data": { "entries": text } }).to_string();
    namespace.kubectl(&["patch", "configmap", "maptask-cache-letters-0", "--type=merge", "-p", &patch]);
    namespace.apply(&task("second", &json!(["a", "b"]), &json!({})));
    let status = namespace.wait_for_end("second");
    assert_eq!((&status["phase"], cached(&status)), (&json!("Succeeded"), 1), "{status}");
    assert_eq!(namespace.results("second"), ["a", "b"]);
    namespace.wait("event", || namespace.kubectl(&["get", "events"]).contains("CacheDamaged").then_some(()));
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_task_waits_for_another_one_that_computes_the_same_item() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cache-serialize");
    let serialize = json!({ "serialize": true });
    namespace.apply(&task("first", &json!(["slow", "a"]), &serialize));
    namespace.wait("pod", || (pods_of(&namespace, "first") > 0).then_some(()));
    namespace.apply(&task("second", &json!(["a", "slow"]), &serialize));
    let reason = || namespace.status("second")["waiting"]["reason"].as_str().map(str::to_owned);
    namespace.wait("second to wait", || (reason().as_deref() == Some("Serialized")).then_some(()));
    let status = namespace.wait_for_end("second");
    assert_eq!((cached(&status), pods_of(&namespace, "second")), (2, 0), "{status}");
    assert_eq!(namespace.results("second"), ["a", "slow"]);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_hundred_thousand_cached_items_need_no_pod() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cache-large");
    let count = 100_000;
    let spec = json!({ "items": { "count": count }, "cache": { "version": "1", "name": "numbers" },
        "results": { "maxBytesPerItem": 128 } });
    let task = fake_task("t", &spec, &json!({}));
    // As if they had been computed: what the operator keeps after a success.
    let key = TaskKey::new(namespace.0.as_str(), "t");
    let keys = Keys::of(&key, &serde_json::from_value(task["spec"].clone()).unwrap()).unwrap();
    let line = |item: u32| format!("\"{item:0>98}\"");
    let mut entries: Vec<Entry> =
        (0..count).map(|item| Entry { key: keys.key(&Json::integer(item.into())), line: line(item) }).collect();
    let mut slot = 0;
    while !entries.is_empty() {
        let (text, rest) = add("", &entries);
        let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "entries": text }, "metadata": {
            "name": format!("maptask-cache-numbers-{slot}"), "labels": { "maptask.dev/cache": "numbers" },
            "annotations": { "maptask.dev/cache-sequence": slot.to_string() } } });
        let (good, answer) = kubectl_with(&object.to_string(), &["-n", &namespace.0, "create", "-f", "-"]);
        assert!(good, "{answer}");
        (entries, slot) = (rest, slot + 1);
    }
    let began = Instant::now();
    namespace.apply(&task);
    let status = namespace.wait_for_end("t");
    println!(
        "{count} hits of 100 bytes from {slot} ConfigMaps: {} ms from apply to the end",
        began.elapsed().as_millis()
    );
    assert_eq!((&status["phase"], cached(&status)), (&json!("Succeeded"), i64::from(count)), "{}", status["message"]);
    assert!(namespace.list("pods").is_empty());
    let results = namespace.results("t");
    assert_eq!(results[4711], serde_json::from_str::<Value>(&line(4711)).unwrap());
}
