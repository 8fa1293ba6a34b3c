//! What the chart adds to the cluster's roles `view` and `edit`, asked as somebody who has them.

use serde_json::json;

use crate::kubectl::{Namespace, fake_task, kubectl_with};
use crate::undisturbed;

/// A service account with this role in the namespace; the name to impersonate it by.
fn member(namespace: &Namespace, role: &str) -> String {
    namespace.kubectl(&["create", "serviceaccount", role]);
    let (role_of, account) = (format!("--clusterrole={role}"), format!("--serviceaccount={}:{role}", namespace.0));
    namespace.kubectl(&["create", "rolebinding", role, &role_of, &account]);
    format!("--as=system:serviceaccount:{}:{role}", namespace.0)
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn who_may_view_a_namespace_reads_the_status_of_its_tasks_and_who_may_edit_it_writes_only_the_spec() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("rights");
    namespace.apply(&fake_task("t", &json!({ "items": { "count": 1 } }), &json!({})));
    namespace.wait_for_end("t");
    let (view, edit) = (member(&namespace, "view"), member(&namespace, "edit"));
    let may = |who: &str, verb: &str, what: &str| {
        kubectl_with("", &["-n", &namespace.0, "auth", "can-i", verb, &format!("{what}.maptask.dev"), who]).0
    };
    // Another subresource is an option, and no part of the name.
    let may_sub = |who: &str, verb: &str, subresource: &str| {
        let subresource = format!("--subresource={subresource}");
        kubectl_with("", &["-n", &namespace.0, "auth", "can-i", verb, "maptasks.maptask.dev", &subresource, who]).0
    };
    // The aggregation of roles, and then of their bindings, takes the controllers a moment.
    namespace.wait("the roles", || may_sub(&view, "get", "status").then_some(()));
    for who in [&view, &edit] {
        let read = ["get", "maptask", "t", "--subresource=status", "-o", "jsonpath={.status.phase}", who];
        assert_eq!(namespace.kubectl(&read), "Succeeded", "{who}");
        for verb in ["get", "list", "watch"] {
            assert!(may(who, verb, "maptasks"), "{who} {verb}");
        }
        assert!(may_sub(who, "get", "scale"), "{who}");
        for verb in ["update", "patch"] {
            assert!(!may_sub(who, verb, "status"), "{who} {verb}");
        }
    }
    for verb in ["create", "update", "patch", "delete", "deletecollection"] {
        assert!(may(&edit, verb, "maptasks") && !may(&view, verb, "maptasks"), "{verb}");
    }
    for verb in ["update", "patch"] {
        assert!(may_sub(&edit, verb, "scale") && !may_sub(&view, verb, "scale"), "{verb}");
    }
}
