//! The chart's mode for one namespace: a Role there is all that the operator needs.

use serde_json::{Value, json};

use crate::alone;
use crate::kubectl::{Namespace, kubectl, real_task};
use crate::release::{Away, CHART, Release};

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_operator_of_one_namespace_needs_no_rights_elsewhere() {
    let _alone = alone();
    let (team, others) = (Namespace::new("team"), Namespace::new("others"));
    let away = Away::new();
    let only = format!("crds.enabled=false,watchNamespaces={{{}}}", team.0);
    let release = Release::install("team", &team, &away, CHART, &["--set", &only]);
    let rights = kubectl(&["get", "clusterrolebindings", "-o", "name"]);
    // Tokens of workers belong to no namespace.
    let of_team: Vec<&str> = rights.lines().filter(|line| line.contains(&team.0)).collect();
    assert_eq!(
        of_team,
        [format!("clusterrolebinding.rbac.authorization.k8s.io/{}-team-maptask-operator-workers", team.0)]
    );
    // All that it has rights for: items of a ConfigMap, results, a cache, a reduce.
    team.kubectl(&["create", "configmap", "letters", "--from-literal=items=a\nb\n"]);
    let say = r#"echo -n "$MAPTASK_ITEM" > /dev/termination-log"#;
    let items = json!({ "items": { "configMap": { "name": "letters", "key": "items" } }, "cache": { "version": "1" } });
    let mut task = real_task("t", &items, say);
    let mut template = task["spec"]["template"].clone();
    template["spec"]["containers"][0]["command"][2] = json!("cat /maptask/results/* > /dev/termination-log");
    task["spec"]["reduce"] = json!({ "template": template });
    others.kubectl(&["create", "configmap", "letters", "--from-literal=items=a\nb\n"]);
    others.apply(&task);
    team.apply(&task);
    let status = team.wait_for_end("t");
    assert_eq!((&status["phase"], &status["result"]), (&json!("Succeeded"), &json!("\"a\"\n\"b\"")), "{status}");
    team.wait("event", || team.kubectl(&["get", "events"]).contains("Succeeded").then_some(()));
    assert_eq!(others.status("t")["conditions"], Value::Null, "another namespace is none of its business");
    drop(release);
    drop(away);
    assert_eq!(others.wait_for_end("t")["phase"], "Succeeded");
}
