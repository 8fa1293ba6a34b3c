//! `spec.cancel` as a user has it: the patch of the guide, what is left, and a rerun.

use serde_json::json;

use crate::kubectl::{Namespace, condition, kubectl_with, real_task};
use crate::life::counts;
use crate::undisturbed;

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_task_that_is_cancelled_keeps_its_results_and_can_run_the_rest_again() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cancel");
    // The first items end at once, the others in their second attempt only.
    let script = r#"echo "$MAPTASK_INDEX" > /dev/termination-log
        test "$MAPTASK_INDEX" -lt 2 -o "$MAPTASK_ATTEMPT" -gt 1 || sleep 600"#;
    namespace.apply(&real_task("t", &json!({ "items": { "count": 5 }, "concurrency": 2 }), script));
    namespace.wait("running items", || {
        let counts = namespace.status("t")["counts"].clone();
        (counts["succeeded"] == 2 && counts["running"] == 2).then_some(())
    });
    namespace.documented("A cancelled task ends as Failed", "t");
    let status = namespace.wait_for_end("t");
    assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Failed"), [2, 0, 3, 0]), "{status}");
    assert_eq!(status["reason"], "Cancelled");
    let failed = condition(&status, "Failed");
    assert!(failed.starts_with("True Cancelled spec.cancel is true; 2 of 5 items succeeded"), "{failed}");
    namespace.wait("end of the pods", || {
        let alive = |pod: &serde_json::Value| pod["status"]["phase"] == "Running";
        (!namespace.list("pods").iter().any(alive)).then_some(())
    });
    assert_eq!(namespace.results("t"), [json!(0), json!(1), json!(null), json!(null), json!(null)]);
    // A rerun alone is refused with the way out; the guide's works.
    let rerun = json!({ "spec": { "rerun": { "id": "0", "items": "All" } } }).to_string();
    let (good, words) = kubectl_with("", &["-n", &namespace.0, "patch", "maptask", "t", "--type=merge", "-p", &rerun]);
    assert!(!good && words.contains("set cancel to false together with rerun"), "{words}");
    namespace.documented("To run the rest later:", "t");
    namespace.wait("the rerun", || {
        let status = namespace.status("t");
        (status["phase"] == "Succeeded" && status["rerun"]["id"] == "1").then_some(())
    });
    assert_eq!(namespace.results("t"), [0, 1, 2, 3, 4]);
}
