//! Every example, unchanged, with real containers on a real node.

use serde_json::{Value, json};

use crate::kubectl::{Namespace, real_task};
use crate::undisturbed;

/// Applies an example and waits for its end; its status and its results.
fn run(namespace: &Namespace, example: &str) -> (Value, Vec<Value>) {
    let file = format!("{}/examples/{example}/maptask.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap();
    let task = text.split("\n---\n").last().unwrap();
    let yaml: Value = serde_yaml::from_str(task).unwrap();
    let name = yaml["metadata"]["name"].as_str().unwrap().to_owned();
    namespace.kubectl(&["apply", "-f", &file]);
    let status = namespace.wait_for_end(&name);
    let expected = if example == "backfill" { "Failed" } else { "Succeeded" };
    assert_eq!(status["phase"], expected, "{example}: {status}");
    (status, namespace.results(&name))
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn hello_says_hello_in_order() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("hello");
    let (status, results) = run(&namespace, "hello");
    assert_eq!((status["done"].as_str(), results.len()), (Some("10/10"), 10));
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn values_of_every_kind_and_a_range_reach_their_containers() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("values");
    for example in ["values", "range"] {
        let (status, results) = run(&namespace, example);
        assert_eq!(status["items"].as_u64(), Some(results.len() as u64), "{example}");
        assert!(!results.contains(&Value::Null), "{example}: {results:?}");
        if example == "range" {
            assert_eq!(results, [31_125, 93_625, 156_125, 218_625]);
        }
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn image_augmentation_gives_fifteen_images_in_the_order_of_the_items() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("images");
    let (status, results) = run(&namespace, "image-augmentation");
    assert_eq!(status["counts"]["succeeded"], 5);
    let task = namespace.list("maptasks").remove(0);
    let items: Vec<&Value> = task["spec"]["items"]["values"].as_array().unwrap().iter().collect();
    let images: Vec<&Value> = results.iter().map(|result| &result["image"]).collect();
    assert_eq!(images, items);
    let outputs: Vec<&Value> = results.iter().flat_map(|result| result["outputs"].as_array().unwrap()).collect();
    assert_eq!(outputs.len(), 15);
    assert!(outputs.iter().all(|output| output["bytes"].as_u64() > Some(100)), "{outputs:?}");
    let name = task["metadata"]["name"].as_str().unwrap();
    let log = namespace.kubectl(&["logs", &format!("{name}-0-1")]);
    assert!(log.contains("flip"), "{log}");
    namespace.kubectl(&["delete", "maptask", name, "--cascade=foreground", "--timeout=60s"]);
    let (status, again) = run(&namespace, "image-augmentation");
    assert_eq!((&status["counts"]["cached"], &again), (&json!(5), &results), "all is known: {status}");
    assert!(namespace.list("pods").is_empty(), "and no pod was started");
    assert_eq!(files_on_the_volume(&namespace, &task, &results), outputs_of(&results));
}

/// Folder, name and size of every image that the results tell of, in order.
fn outputs_of(results: &[Value]) -> Vec<String> {
    let mut lines = Vec::new();
    for result in results {
        for output in result["outputs"].as_array().unwrap() {
            let (folder, name) = (result["folder"].as_str().unwrap(), output["name"].as_str().unwrap());
            lines.push(format!("{} {folder}/{name}", output["bytes"]));
        }
    }
    lines.sort();
    lines
}

/// The same of every file that is there, by the word of pods that see the whole volume. They also clean up.
fn files_on_the_volume(namespace: &Namespace, task: &Value, results: &[Value]) -> Vec<String> {
    let folders: Vec<&Value> = results.iter().map(|result| &result["folder"]).collect();
    let script = r#"cd /all; for file in "$MAPTASK_ITEM"/*; do echo "$(wc -c < "$file") $file"; done > /dev/termination-log
        rm -r "$MAPTASK_ITEM""#;
    let mut look = real_task("look", &json!({ "items": { "values": folders } }), script);
    let pod = &mut look["spec"]["template"]["spec"];
    pod["volumes"] = task["spec"]["template"]["spec"]["volumes"].clone();
    pod["containers"][0]["volumeMounts"] = json!([{ "name": "images", "mountPath": "/all" }]);
    namespace.apply(&look);
    assert_eq!(namespace.wait_for_end("look")["phase"], "Succeeded");
    let texts = namespace.results("look");
    let mut lines: Vec<String> =
        texts.iter().flat_map(|text| text.as_str().unwrap().lines()).map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_backfill_fails_for_one_day_and_succeeds_when_that_day_is_run_again() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("backfill");
    let (status, results) = run(&namespace, "backfill");
    let group = &status["failures"][0];
    assert_eq!((group["exitCode"].as_i64(), group["indexes"].as_str()), (Some(44), Some("2")), "{status}");
    assert_eq!((results.len(), &results[2]), (4, &Value::Null));
    let rerun = r#"{"spec":{"rerun":{"id":"2","items":"Failed"}}}"#;
    namespace.kubectl(&["patch", "maptask", "backfill", "--type=merge", "-p", rerun]);
    namespace.wait("success of the rerun", || (namespace.status("backfill")["phase"] == "Succeeded").then_some(()));
    assert_eq!(namespace.results("backfill")[2]["day"], "2026-11-03");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_sweep_succeeds_although_some_items_fail() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("sweep");
    let (status, results) = run(&namespace, "hyperparameter-sweep");
    let count = |phase: &str| status["counts"][phase].as_u64().unwrap();
    assert!(count("failed") > 0 && count("succeeded") >= status["required"].as_u64().unwrap(), "{status}");
    let losses = results.iter().filter(|result| result["loss"].is_number()).count();
    assert_eq!(losses as u64, count("succeeded"));
    assert_eq!(results.len() as u64, status["items"].as_u64().unwrap());
    let loss = |result: &&Value| result["loss"].as_f64().unwrap();
    let best = results.iter().filter(|result| !result.is_null()).min_by(|a, b| loss(a).total_cmp(&loss(b)));
    // The API server writes 0.0 as 0.
    assert_eq!(status["result"]["loss"].as_f64(), best.map(|best| best["loss"].as_f64().unwrap()), "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_word_count_is_that_of_the_same_text_counted_plainly() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("words");
    let (status, results) = run(&namespace, "word-count");
    assert_eq!((results.len(), &status["reduce"]["phase"]), (11, &json!("Succeeded")), "{status}");
    let text =
        namespace.get("configmap", "gettysburg-address").unwrap()["data"]["text"].as_str().unwrap().to_lowercase();
    let mut counts: std::collections::BTreeMap<&str, i64> = std::collections::BTreeMap::new();
    for word in text.split(|c: char| !c.is_ascii_lowercase()).filter(|word| !word.is_empty()) {
        *counts.entry(word).or_default() += 1;
    }
    let mut top: Vec<(&str, i64)> = counts.into_iter().collect();
    top.sort_by_key(|(word, count)| (-count, *word));
    assert_eq!(status["result"], json!(&top[..10]), "{status}");
}
