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
fn a_reduce_says_no_other_number_than_its_pod_did() {
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
fn texts_as_editors_write_them_give_their_items() {
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
    assert!(accepted.contains("line 1 holds the byte 0xe9") && accepted.contains("save it as UTF-8"), "{accepted}");
}
