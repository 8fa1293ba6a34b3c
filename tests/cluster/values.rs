//! Values on their way through the cluster: what was written is what a pod is given, and what it says is what is kept.

use serde_json::{Value, json};

use crate::kubectl::{Namespace, condition, real_task};
use crate::undisturbed;

const NUMBERS: [&str; 10] = [
    "20200219",
    "9007199254740993",
    "18446744073709551615",
    "12345678901234567890123",
    "1.0",
    "1e3",
    "0.00001",
    "3.10",
    "1E400",
    "-0",
];

/// A task with the items of a ConfigMap, which says each item as its result, if that is JSON.
fn from_config_map(name: &str, key: &str, format: &str) -> Value {
    let items = json!({ "items": { "configMap": { "name": "inputs", "key": key, "format": format } } });
    real_task(name, &items, "printf '%s' \"$MAPTASK_ITEM\" > /dev/termination-log")
}

/// The text of the results.
fn result_text(namespace: &Namespace, task: &str) -> Vec<String> {
    let shard = namespace.get("configmap", &format!("{task}-results-0")).expect("the results are there");
    shard["data"]["results.jsonl"].as_str().unwrap().lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn numbers_keep_their_text_from_the_list_to_the_results() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("numbers");
    let object = r#"{"id":12345678901234567890123,"v":3.10,"b":1,"a":2}"#;
    let lines = NUMBERS.join("\n") + "\n" + object;
    let array = format!("[{}, {object}]", NUMBERS.join(", "));
    let data = json!({ "lines": lines, "array": array });
    namespace
        .apply(&json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "inputs" }, "data": data }));
    let mut tasks = [from_config_map("lines", "lines", "JsonLines"), from_config_map("array", "array", "JsonArray")];
    tasks[0]["spec"]["cache"] = json!({ "version": "1" });
    for task in &tasks {
        namespace.apply(task);
    }
    // What the API server gives of them is what a pod is given.
    let inline = json!({ "items": { "values": [7, 0.1, { "v": 0.5 }, 9_223_372_036_854_775_807_i64, "3.10"] } });
    namespace.apply(&real_task("inline", &inline, r#"printf '%s' "$MAPTASK_ITEM" > /dev/termination-log"#));
    let variable = "printf '\"%s %s\"' \"$MAPTASK_ITEM_ID\" '$(MAPTASK_ITEM_V)' > /dev/termination-log";
    let mut variables = from_config_map("variables", "object", "JsonLines");
    variables["spec"]["template"]["spec"]["containers"][0]["command"][2] = json!(variable);
    let patch = json!({ "data": { "object": object } }).to_string();
    namespace.kubectl(&["patch", "configmap", "inputs", "--type=merge", "-p", &patch]);
    namespace.apply(&variables);
    for task in ["lines", "array", "inline", "variables"] {
        assert_eq!(namespace.wait_for_end(task)["phase"], "Succeeded", "{task}");
    }
    let wanted: Vec<&str> = NUMBERS.iter().copied().chain([object]).collect();
    assert_eq!(result_text(&namespace, "lines"), wanted);
    assert_eq!(result_text(&namespace, "array"), wanted);
    assert_eq!(result_text(&namespace, "inline"), ["7", "0.1", r#"{"v":0.5}"#, "9223372036854775807", "3.10"]);
    assert_eq!(result_text(&namespace, "variables"), ["\"12345678901234567890123 3.10\""]);
    // Known again, with their text.
    namespace.kubectl(&["delete", "maptask", "lines"]);
    namespace.apply(&tasks[0]);
    let status = namespace.wait_for_end("lines");
    assert_eq!(status["counts"]["cached"], 11, "{status}");
    assert_eq!(result_text(&namespace, "lines"), wanted);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_result_of_a_reduce_has_exactly_the_numbers_that_its_pod_wrote() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("reduced-numbers");
    let cases = [
        ("long", "12345678901234567890123", json!("12345678901234567890123"), Value::Null),
        ("nested", r#"{"id": 18446744073709551615}"#, json!(r#"{"id":18446744073709551615}"#), Value::Null),
        ("huge", "[1E400]", json!("[1E400]"), Value::Null),
        ("bare", "3.10", json!("3.10"), Value::Null),
        ("mean", r#"{"mean": 1.0}"#, json!({ "mean": 1 }), json!(r#"{"mean":1.0}"#)),
        ("plain", r#"{"sum": 7, "share": 0.25}"#, json!({ "sum": 7, "share": 0.25 }), Value::Null),
    ];
    for (name, says, ..) in &cases {
        let mut task = real_task(name, &json!({ "items": { "count": 1 } }), "true");
        let mut template = task["spec"]["template"].clone();
        template["spec"]["containers"][0]["command"][2] = json!(format!("echo '{says}' > /dev/termination-log"));
        task["spec"]["reduce"] = json!({ "template": template });
        namespace.apply(&task);
    }
    for (name, _, result, text) in &cases {
        let status = namespace.wait_for_end(name);
        assert_eq!((&status["result"], &status["resultText"]), (result, text), "{name}: {status}");
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn text_files_in_the_encodings_of_common_editors_give_their_items() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("texts");
    let folder = std::env::temp_dir().join(format!("maptask-texts-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let wide = |text: &str, unit: fn(u16) -> [u8; 2]| {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(unit).collect::<Vec<u8>>()
    };
    let files: [(&str, Vec<u8>); 7] = [
        ("bom", "\u{feff}ä\nb\n".into()),
        ("crlf", "ä\r\nb\r\n\r\n".into()),
        ("cr", "ä\rb\r".into()),
        ("open", "ä\nb".into()),
        ("wide-le", wide("ä\r\nb\r\n", u16::to_le_bytes)),
        ("wide-be", wide("ä\nb\n", u16::to_be_bytes)),
        ("latin", b"caf\xe9\n".into()),
    ];
    for (name, bytes) in &files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    // As people make them: what is no UTF-8 goes to binaryData.
    namespace.kubectl(&["create", "configmap", "inputs", &format!("--from-file={}", folder.display())]);
    std::fs::remove_dir_all(&folder).unwrap();
    for (name, _) in &files {
        namespace.apply(&from_config_map(name, name, "Lines"));
    }
    for (name, _) in &files[..6] {
        assert_eq!(namespace.wait_for_end(name)["phase"], "Succeeded", "{name}");
        assert_eq!(result_text(&namespace, name), [r#""ä""#, r#""b""#], "{name}");
    }
    let accepted = condition(&namespace.wait_for_end("latin"), "Accepted");
    assert!(accepted.contains("line 1 contains the byte 0xe9") && accepted.contains("save it as UTF-8"), "{accepted}");
}

/// Fills the termination log with this beginning, this number of bytes, and this end.
fn says(begin: &str, bytes: usize, character: char, end: &str) -> String {
    format!(
        "(printf '{begin}'; head -c {bytes} /dev/zero | tr '\\0' x | sed 's/x/{character}/g'; printf '{end}') > /dev/termination-log"
    )
}

fn too_large(status: &Value) -> String {
    assert_eq!(
        (&status["phase"], &status["failures"][0]["category"]),
        (&json!("Failed"), &json!("ResultTooLarge")),
        "{status}"
    );
    status["failures"][0]["sample"]["message"].as_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_message_that_the_kubelet_truncated_is_never_a_result() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cut");
    let one = |results: Value| json!({ "items": { "count": 1 }, "results": results });
    let roomy = || one(json!({ "maxBytesPerItem": 4_096 }));
    // Digits that are still a number when the beginning is gone, and what is as long as is kept.
    for (name, bytes) in [("number", 5_000), ("exact", 4_095), ("less", 4_094)] {
        namespace.apply(&real_task(name, &roomy(), &says("7", bytes, '1', "")));
    }
    // Half of an ä is left at the beginning.
    namespace.apply(&real_task("half", &roomy(), &says("7", 3_000, 'ä', "7")));
    let truncate = |most: i32| one(json!({ "maxBytesPerItem": most, "onTooLarge": "Truncate" }));
    namespace.apply(&real_task("end", &truncate(100), &says("BEGIN", 5_000, 'a', "END")));
    namespace.apply(&real_task("end-short", &truncate(100), &says("BEGIN", 200, 'a', "END")));
    namespace.apply(&real_task("end-half", &truncate(4_096), &says("B", 3_000, 'ä', "7")));
    // Containers share what is kept of a pod, init containers and sidecars among them.
    let crowd = |name: &str, spec: &Value, bytes: usize| {
        let mut task = real_task(name, spec, &says("[", bytes, '1', "]"));
        let pod = &mut task["spec"]["template"]["spec"];
        let other = |name: &str| json!({ "name": name, "image": "busybox:1.36", "command": ["true"] });
        let mut sidecar = other("sidecar");
        sidecar["restartPolicy"] = json!("Always");
        sidecar["command"] = json!(["sleep", "1000"]);
        pod["initContainers"] = json!([other("init"), sidecar]);
        pod["containers"].as_array_mut().unwrap().push(other("side"));
        namespace.apply(&task);
    };
    crowd("refused", &roomy(), 10);
    crowd("shared", &one(json!({ "maxBytesPerItem": 3_072 })), 3_834);
    crowd("shared-less", &one(json!({ "maxBytesPerItem": 3_072 })), 3_069);

    assert!(too_large(&namespace.wait_for_end("number")).contains("the kubelet keeps the last 4096 bytes"));
    too_large(&namespace.wait_for_end("exact"));
    too_large(&namespace.wait_for_end("half"));
    assert_eq!(namespace.wait_for_end("less")["phase"], "Succeeded");
    assert_eq!(result_text(&namespace, "less")[0].len(), 4_095);
    let words = too_large(&namespace.wait_for_end("shared"));
    assert!(words.contains("3072 bytes") && words.contains("4 containers"), "{words}");
    assert_eq!(namespace.wait_for_end("shared-less")["phase"], "Succeeded");
    let accepted = condition(&namespace.wait_for_end("refused"), "Accepted");
    assert!(accepted.starts_with("False InvalidResults spec.results.maxBytesPerItem is 4096"), "{accepted}");
    assert!(accepted.contains("3072 bytes"), "{accepted}");
    let result = |name: &str| {
        assert_eq!(namespace.wait_for_end(name)["phase"], "Succeeded", "{name}");
        namespace.results(name)[0].as_str().unwrap().to_owned()
    };
    assert_eq!(result("end"), "a".repeat(95) + "END");
    assert_eq!(result("end-short"), "a".repeat(95) + "END");
    let half = result("end-half");
    assert!(half.ends_with("ä7") && half.starts_with('ä') && half.len() <= 4_094, "{half}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_message_that_the_kubelet_truncated_is_never_the_result_of_a_reduce() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cut-reduce");
    let reduced = |name: &str, script: &str| {
        let mut task = real_task(name, &json!({ "items": { "count": 1 } }), "true");
        let mut template = task["spec"]["template"].clone();
        template["spec"]["containers"][0]["command"][2] = json!(script);
        task["spec"]["reduce"] = json!({ "template": template });
        namespace.apply(&task);
    };
    reduced("long", r#"printf "[%s 1000]" "$(seq -s, 1 1500)," > /dev/termination-log"#);
    reduced("whole", r#"printf "[%s 1000]" "$(seq -s, 1 1000)," > /dev/termination-log"#);
    let status = namespace.wait_for_end("long");
    assert_eq!((&status["phase"], &status["result"]), (&json!("Failed"), &Value::Null), "{status}");
    let failure = &status["reduce"]["failures"][0];
    assert_eq!(failure["category"], "ResultTooLarge", "{status}");
    assert!(failure["sample"]["message"].as_str().unwrap().contains("the last 4096 bytes"), "{status}");
    assert_eq!(namespace.wait_for_end("whole")["result"].as_array().unwrap().len(), 1_001);
}
