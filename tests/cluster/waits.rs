//! What people wait for, and what they read meanwhile: tasks that ignore failures, results that find no room.

use serde_json::json;

use crate::kubectl::{Namespace, condition, real_task};
use crate::life::counts;
use crate::undisturbed;

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn items_run_though_no_success_is_required() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("zero");
    let script = "echo ran > /dev/termination-log; test \"$MAPTASK_ITEM\" = ok";
    let items = json!({ "values": ["ok", "bad", "ok", "bad"] });
    namespace.apply(&real_task("ratio", &json!({ "items": items, "minSuccessRatio": 0 }), script));
    namespace.apply(&real_task("number", &json!({ "items": items, "minSuccesses": 0 }), script));
    for name in ["ratio", "number"] {
        let status = namespace.wait_for_end(name);
        assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Succeeded"), [2, 2, 0, 0]), "{status}");
        assert!(condition(&status, "Complete").contains("0 were required"), "{status}");
    }
}
