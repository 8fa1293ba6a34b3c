//! What of an item reaches its pod by name, and what the pod's host is called.

use serde_json::{Value, json};

use crate::kubectl::{Namespace, condition, real_task};
use crate::undisturbed;

/// A task of these items whose pods run this in a shell.
fn task(name: &str, items: &Value, script: &str) -> Value {
    real_task(name, &json!({ "items": { "values": items } }), script)
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_item_whose_keys_can_not_become_variables_runs() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("keys");
    let items = json!([{ "": 1, "a-b": 2, "a.b": 3, "größe": "ä" }, { "a-b": 4 }]);
    let script = r#"printf '%s' "$MAPTASK_ITEM" > /dev/termination-log"#;
    namespace.apply(&task("odd", &items, script));
    let named = r#"printf '"%s %s"' "$MAPTASK_ITEM_GR__E" "$(env | grep -c MAPTASK_ITEM_)" > /dev/termination-log"#;
    namespace.apply(&task("named", &json!([items[0]]), named));
    namespace.apply(&task("used", &items, "echo $(MAPTASK_ITEM_A_B)"));
    let status = namespace.wait_for_end("odd");
    assert_eq!(namespace.results("odd"), [items[0].clone(), items[1].clone()]);
    let accepted = condition(&status, "Accepted");
    assert!(
        accepted.contains(r#"these keys have no variable of their own, only MAPTASK_ITEM has them: "", "a-b", "a.b""#),
        "{accepted}"
    );
    namespace.wait_for_end("named");
    assert_eq!(namespace.results("named"), ["ä 1"], "no key has the variable of another");
    let accepted = condition(&namespace.wait_for_end("used"), "Accepted");
    assert!(accepted.starts_with("False EnvNameCollision") && accepted.contains("\"a-b\" and \"a.b\""), "{accepted}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_variable_is_empty_if_one_item_lacks_its_key_and_refused_if_all_items_do() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("missing-keys");
    let items = json!([{ "lr": 0.10, "seed": 1 }, { "lr": 2 }, "x"]);
    let script = r#"printf '"<%s> <%s>"' '$(MAPTASK_ITEM_LR)' '$(MAPTASK_ITEM_SEED)' > /dev/termination-log"#;
    namespace.apply(&task("some", &items, script));
    namespace.apply(&task("none", &items, "echo $(MAPTASK_ITEM_LRR)"));
    namespace.wait_for_end("some");
    assert_eq!(namespace.results("some"), ["<0.1> <1>", "<2> <>", "<> <>"]);
    let accepted = condition(&namespace.wait_for_end("none"), "Accepted");
    assert!(accepted.starts_with("False NoSuchKey") && accepted.contains("$(MAPTASK_ITEM_LRR)"), "{accepted}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn pods_of_a_task_with_a_name_of_63_characters_have_distinct_host_names() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("hosts");
    let long = format!("{}.{}", "a".repeat(30), "b".repeat(32));
    let script = r#"printf '"%s"' "$(hostname)" > /dev/termination-log"#;
    let mut own = task("own", &json!([1]), script);
    own["metadata"]["name"] = json!("c".repeat(63));
    own["spec"]["template"]["spec"]["hostname"] = json!("mine");
    namespace.apply(&task(&long, &json!([1, 2, 3]), script));
    namespace.apply(&own);
    assert_eq!(namespace.wait_for_end(&long)["phase"], "Succeeded");
    let hosts = namespace.results(&long);
    let different: std::collections::BTreeSet<&str> = hosts.iter().map(|host| host.as_str().unwrap()).collect();
    assert!(different.len() == 3 && different.iter().all(|host| host.len() <= 63), "{hosts:?}");
    namespace.wait_for_end(&"c".repeat(63));
    assert_eq!(namespace.results(&"c".repeat(63)), ["mine"]);
}
