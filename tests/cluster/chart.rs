//! The chart: upgrades, replicas, namespaces, and its own test.

use crate::alone;
use crate::crash::{Witness, all_succeeded, seconds};
use crate::kubectl::{Namespace, kubectl};
use crate::release::{Away, CHART, CHART_BEFORE, NobodysCrd, Release, kill_pod_of_operator};

/// Whether no operator has written a status.
fn is_unseen(namespace: &Namespace) -> bool {
    namespace.status("t")["observedGeneration"].as_i64().is_none_or(|generation| generation < 0)
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_upgrade_from_the_last_chart_takes_the_crd_over_and_leaves_running_items_alone() {
    let _alone = alone();
    let team = Namespace::new("upgrade");
    let away = Away::new();
    let _crd = NobodysCrd::new(&away);
    let before = format!("watchNamespace={}", team.0);
    let release = Release::install("team", &team, &away, CHART_BEFORE, &["--set", &before]);
    assert_eq!(NobodysCrd::owner().0, "nobody", "the chart before left the CRD to itself");
    let witness = Witness::new(&team);
    team.apply(&seconds(80, 8));
    team.wait_for_successes("t", 8);
    let now = format!("watchNamespaces={{{}}}", team.0);
    let (good, text) = release.try_upgrade(CHART, &["--set", &now]);
    assert!(!good && text.contains("maptasks.maptask.dev") && text.contains("invalid ownership metadata"), "{text}");
    // What docs/operations/upgrade.md says to do then.
    let (good, text) = release.try_upgrade(CHART, &["--set", &now, "--take-ownership", "--force-conflicts"]);
    assert!(good, "{text}");
    assert_eq!(NobodysCrd::owner(), ("team".to_owned(), true));
    all_succeeded(&team, 80);
    witness.each_item_ran_once("t", 80);
    let log = release.test();
    assert!(log.contains("a MapTask of two items has succeeded"), "{log}");
    // And back, with items running again.
    team.kubectl(&["delete", "maptask", "t", "--cascade=foreground", "--timeout=60s"]);
    let witness = Witness::new(&team);
    team.apply(&seconds(80, 8));
    team.wait_for_successes("t", 8);
    release.roll_back_to(1);
    all_succeeded(&team, 80);
    witness.each_item_ran_once("t", 80);
    drop(release);
    assert_eq!(team.status("t")["phase"], "Succeeded", "the CRD and its tasks outlive the release");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_second_replica_takes_over_if_the_leader_is_killed() {
    let _alone = alone();
    let team = Namespace::new("replicas");
    let away = Away::new();
    let values =
        format!("crds.enabled=false,watchNamespaces={{{}}},replicas=2,podDisruptionBudget.enabled=true", team.0);
    let release = Release::install("team", &team, &away, CHART, &["--set", &values]);
    let holder = || team.get("lease", "team-maptask-operator")?["spec"]["holderIdentity"].as_str().map(str::to_owned);
    let first = team.wait("leader", holder);
    let witness = Witness::new(&team);
    team.apply(&seconds(120, 8));
    team.wait_for_successes("t", 8);
    // Dead, and its pod gone before its container starts again: what remains is the second replica, and a third.
    kill_pod_of_operator(&first);
    team.kubectl(&["delete", "pod", &first, "--wait=false"]);
    team.wait("another leader", || holder().filter(|holder| *holder != first));
    all_succeeded(&team, 120);
    witness.each_item_ran_once("t", 120);
    let budget = team.get("poddisruptionbudget", "team-maptask-operator").unwrap();
    assert_eq!(budget["status"]["expectedPods"], 2, "{budget}");
    drop(release);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_operator_of_two_namespaces_runs_one_while_it_may_not_read_the_other() {
    let _alone = alone();
    let (first, second, others) = (Namespace::new("first"), Namespace::new("second"), Namespace::new("unwatched"));
    let away = Away::new();
    let values = format!("crds.enabled=false,watchNamespaces={{{},{}}}", first.0, second.0);
    let release = Release::install("team", &first, &away, CHART, &["--set", &values]);
    for namespace in [&first, &second, &others] {
        namespace.apply(&seconds(8, 8));
    }
    all_succeeded(&first, 8);
    all_succeeded(&second, 8);
    // No rights in one of them when the operator starts.
    let binding = second.get("rolebinding", "team-maptask-operator").unwrap();
    second.kubectl(&["delete", "rolebinding", "team-maptask-operator"]);
    let restart = ["-n", &first.0, "rollout", "restart", "deployment", "team-maptask-operator"];
    kubectl(&restart);
    kubectl(&["-n", &first.0, "rollout", "status", "deployment", "team-maptask-operator", "--timeout=60s"]);
    for namespace in [&first, &second] {
        namespace.kubectl(&["delete", "maptask", "t"]);
        namespace.apply(&seconds(8, 8));
    }
    all_succeeded(&first, 8);
    assert!(is_unseen(&second), "nobody may read it");
    let mut again = binding;
    for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        again["metadata"].as_object_mut().unwrap().remove(field);
    }
    second.apply(&again);
    all_succeeded(&second, 8);
    assert!(is_unseen(&others), "it watches two namespaces and no third");
    drop(release);
}
