//! Every example, unchanged, with real containers on a real node, where Pod Security enforces its strictest level.

use serde_json::{Value, json};

use crate::documented::{Shell, commands_of};
use crate::kubectl::{Namespace, real_task};
use crate::undisturbed;
use crate::volume::Volume;

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
    // Of a task that failed, `status --watch` says so by its exit code.
    let codes = if expected == "Failed" { [0, 3] } else { [0, 0] };
    let (first, _) = commands_of(&text);
    for command in first.iter().filter(|line| !line.contains("kubectl apply") && line.starts_with("kubectl")) {
        let answer = Shell::new(namespace).run(command);
        assert!(codes.contains(&answer.code) && !answer.out.is_empty(), "{example}: {command}: {answer:?}");
    }
    (status, namespace.results(&name))
}

/// Runs what the head of an example has for later.
fn run_later(namespace: &Namespace, example: &str) {
    let file = format!("{}/examples/{example}/maptask.yaml", env!("CARGO_MANIFEST_DIR"));
    let (_, later) = commands_of(&std::fs::read_to_string(file).unwrap());
    assert!(!later.is_empty(), "{example}");
    for command in later {
        let answer = Shell::new(namespace).run(&command);
        assert_eq!(answer.code, 0, "{example}: {command}: {answer:?}");
    }
}

/// Applies an example with `workers: {}` and these further fields, and waits for its success; its status, and its
/// results byte for byte.
fn run_in_workers(namespace: &Namespace, example: &str, further: &Value) -> (Value, String) {
    let file = format!("{}/examples/{example}/maptask.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(file).unwrap();
    let mut objects: Vec<Value> = text.split("\n---\n").map(|object| serde_yaml::from_str(object).unwrap()).collect();
    let spec = &mut objects.last_mut().unwrap()["spec"];
    spec["workers"] = json!({});
    for (field, value) in further.as_object().unwrap() {
        spec[field] = value.clone();
    }
    for object in &objects {
        namespace.apply(object);
    }
    let status = namespace.wait_for_end(example);
    assert_eq!(status["phase"], "Succeeded", "{example}: {status}");
    let pods = namespace.kubectl(&["get", "pods", "-o", "name"]);
    let of_an_item = |name: &&str| !name.contains("-worker-") && !name.contains("-reduce-");
    assert_eq!(pods.lines().find(of_an_item), None, "{pods}");
    (status, namespace.results_text(example))
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn hello_says_hello_in_order() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::restricted("hello");
    let (status, results) = run(&namespace, "hello");
    assert_eq!((status["done"].as_str(), results.len()), (Some("10/10"), 10));
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn values_of_every_kind_and_a_range_reach_their_containers() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::restricted("values");
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
    let namespace = Namespace::restricted("images");
    let _volume = Volume::new(&namespace, "images");
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
    run_later(&namespace, "image-augmentation");
    let workers = Namespace::restricted("images-workers");
    let _volume_of_workers = Volume::new(&workers, "images");
    let (status, text) = run_in_workers(&workers, "image-augmentation", &json!({}));
    assert_eq!((&status["counts"]["cached"], &status["counts"]["succeeded"]), (&json!(0), &json!(5)), "{status}");
    let others = workers.results("image-augmentation");
    assert_eq!(files_on_the_volume(&workers, &task, &others), outputs_of(&others));
    // A directory has the name of its task, and of its task's UID.
    let folder = |results: &[Value]| results[0]["folder"].as_str().unwrap().trim_end_matches("-0-1").to_owned();
    let plain = namespace.results_text("image-augmentation").replace(&folder(&results), "");
    assert_eq!(text.replace(&folder(&others), ""), plain, "with a pod for each item and with workers");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_image_pipeline_lists_maps_and_reduces_and_the_second_time_all_is_cached() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::restricted("pipeline");
    let _volume = Volume::new(&namespace, "pipeline-images");
    let (status, results) = run(&namespace, "image-pipeline");
    assert_eq!(
        (&status["counts"]["succeeded"], &status["listing"]["list"]["items"]),
        (&json!(5), &json!(5)),
        "{status}"
    );
    let images: Vec<&Value> = results.iter().map(|result| &result["image"]).collect();
    assert_eq!(
        images,
        ["balls.png", "flag.png", "hills.png", "mandelbrot.png", "sunset.png"],
        "as the server lists them"
    );
    let outputs = status["result"].as_array().expect("one list").clone();
    let of_results: Vec<Value> = results
        .iter()
        .flat_map(|result| {
            let name = |output: &Value| {
                json!(format!("{}/{}", result["folder"].as_str().unwrap(), output["name"].as_str().unwrap()))
            };
            result["outputs"].as_array().unwrap().iter().map(name).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!((outputs.len(), &outputs), (15, &of_results));
    let task = namespace.list("maptasks").remove(0);
    namespace.kubectl(&["delete", "maptask", "image-pipeline", "--cascade=foreground", "--timeout=60s"]);
    let (status, again) = run(&namespace, "image-pipeline");
    assert_eq!((&status["counts"]["cached"], &again), (&json!(5), &results), "all is known: {status}");
    assert_eq!(status["result"], json!(outputs));
    let pods = namespace.kubectl(&["get", "pods", "-l", "maptask.dev/name=image-pipeline", "-o", "name"]);
    let others: Vec<&str> = pods.lines().filter(|pod| !pod.contains("-list-") && !pod.contains("-reduce-")).collect();
    assert!(others.is_empty(), "no item had a pod: {others:?}");
    assert_eq!(files_on_the_volume_of(&namespace, "images", &task, &results), outputs_of(&results));
    run_later(&namespace, "image-pipeline");
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

/// Folder, name and size of every file that pods find on the whole volume. They also clean up.
fn files_on_the_volume(namespace: &Namespace, task: &Value, results: &[Value]) -> Vec<String> {
    files_on_the_volume_of(namespace, "images", task, results)
}

/// Folder, name and size of every file on the volume of this name in the task's template.
fn files_on_the_volume_of(namespace: &Namespace, volume: &str, task: &Value, results: &[Value]) -> Vec<String> {
    let folders: Vec<&Value> = results.iter().map(|result| &result["folder"]).collect();
    let script = r#"cd /all; for file in "$MAPTASK_ITEM"/*; do echo "$(wc -c < "$file") $file"; done > /dev/termination-log
        rm -r "$MAPTASK_ITEM""#;
    let mut look = real_task("look", &json!({ "items": { "values": folders } }), script);
    let pod = &mut look["spec"]["template"]["spec"];
    let of_the_example = &task["spec"]["template"]["spec"];
    pod["securityContext"] = of_the_example["securityContext"].clone();
    pod["containers"][0]["securityContext"] = of_the_example["containers"][0]["securityContext"].clone();
    pod["volumes"] = of_the_example["volumes"].clone();
    pod["containers"][0]["volumeMounts"] = json!([{ "name": volume, "mountPath": "/all" }]);
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
    let namespace = Namespace::restricted("backfill");
    let (status, results) = run(&namespace, "backfill");
    let group = &status["failures"][0];
    assert_eq!((group["exitCode"].as_i64(), group["indexes"].as_str()), (Some(44), Some("2")), "{status}");
    assert_eq!((results.len(), &results[2]), (4, &Value::Null));
    run_later(&namespace, "backfill");
    namespace.wait("success of the rerun", || (namespace.status("backfill")["phase"] == "Succeeded").then_some(()));
    assert_eq!(namespace.results("backfill")[2]["day"], "2026-11-03");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_sweep_succeeds_although_some_items_fail() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::restricted("sweep");
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
    // Which item is cancelled at the end is a matter of time, so that all run here.
    let workers = Namespace::restricted("sweep-workers");
    let all = json!({ "remainingItems": { "onSuccess": "Run" } });
    let (other, text) = run_in_workers(&workers, "hyperparameter-sweep", &all);
    let plain = namespace.results_text("hyperparameter-sweep");
    assert_eq!(text.lines().count(), results.len());
    for (index, (plain, line)) in plain.lines().zip(text.lines()).enumerate() {
        assert!(plain == line || plain == "null", "item {index}: {plain} in a pod of its own, {line} in a worker");
    }
    assert_eq!((count("failed"), other["counts"]["succeeded"].as_u64()), (3, Some(21)), "{other}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_chain_counts_the_words_of_the_lines_that_its_first_task_found() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::restricted("chain-example");
    let (status, results) = run(&namespace, "chain");
    assert_eq!(namespace.results("documents").iter().map(|lines| lines.as_array().unwrap().len()).sum::<usize>(), 6);
    assert_eq!((results.len(), &results[1]), (6, &json!({ "dog": 1, "sleeps": 1, "the": 1 })));
    let top = json!([["the", 7], ["sea", 6], ["shells", 6], ["sells", 3], ["she", 3]]);
    assert_eq!(status["result"], top, "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_word_count_is_that_of_the_same_text_counted_plainly() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::restricted("words");
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
    let workers = Namespace::restricted("words-workers");
    let (other, text) = run_in_workers(&workers, "word-count", &json!({}));
    assert_eq!(text, namespace.results_text("word-count"), "with a pod for each item and with workers");
    assert_eq!(other["result"], status["result"]);
}

/// How many lines of the logs of a task's pods contain this.
fn lines_of_the_logs(namespace: &Namespace, task: &str, text: &str) -> usize {
    let logs = namespace.kubectl(&["logs", "-l", &format!("maptask.dev/name={task}"), "--tail=-1"]);
    logs.lines().filter(|line| line.contains(text)).count()
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_shell_program_starts_once_and_answers_two_thousand_items() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::restricted("stream-shell");
    let (_, results) = run(&namespace, "stream-shell");
    let steps = |number: u64| {
        std::iter::successors(Some(number), |n| Some(if n % 2 == 0 { n / 2 } else { 3 * n + 1 }))
            .take_while(|n| *n > 1)
            .count()
    };
    let expected: Vec<usize> = (1..=2_000).map(steps).collect();
    assert_eq!(results, expected);
    let starts = lines_of_the_logs(&namespace, "stream-shell", "the program starts");
    assert!((1..=2).contains(&starts), "{starts} starts in two slots");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_model_is_loaded_once_for_thousands_of_images() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::restricted("stream-model");
    let (status, results) = run(&namespace, "stream-model");
    assert_eq!(results.len(), 4_495);
    let moves = ["none", "left", "right", "up", "down"];
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result["move"], moves[index % moves.len()], "item {index}");
    }
    let unmoved: Vec<&Value> = results.iter().step_by(moves.len()).collect();
    let right = unmoved.iter().filter(|result| result["digit"] == result["label"]).count();
    let share = f64::from(u32::try_from(right).unwrap()) / 899.0;
    let reported = status["result"]["none"].as_f64().unwrap();
    assert!(share > 0.95 && (share - reported).abs() < 0.001, "{right} of {}: {status}", unmoved.len());
    let loads = lines_of_the_logs(&namespace, "stream-model", "the model is loaded");
    assert!((1..=2).contains(&loads), "{loads} loads in two workers");
}
