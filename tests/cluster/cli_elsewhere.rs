//! `kubectl maptask` where something is missing: rights, a namespace, the operator, a reader, a patient user.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::kubectl::{Namespace, fake_task, kubectl_with, real_task};
use crate::plugin::{answer, command, maptask};
use crate::release::Away;
use crate::{alone, undisturbed};

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn who_may_only_view_reads_everything_and_learns_what_they_may_not() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-view");
    namespace.apply(&real_task("t", &json!({ "items": { "count": 2 } }), "echo hello; echo 7 > /dev/termination-log"));
    assert_eq!(namespace.wait_for_end("t")["phase"], "Succeeded");
    namespace.kubectl(&["create", "serviceaccount", "anna"]);
    let account = format!("--serviceaccount={}:anna", namespace.0);
    namespace.kubectl(&["create", "rolebinding", "anna", "--clusterrole=view", &account]);
    let anna = format!("--as=system:serviceaccount:{}:anna", namespace.0);
    let run = |line: &str| {
        let words: Vec<&str> = line.split(' ').chain([anna.as_str()]).collect();
        maptask(&namespace, "", &words)
    };
    // The aggregation of roles takes the controllers a moment.
    namespace.wait("the rights", || (run("status t").code == 0).then_some(()));
    assert_eq!(run("results t").good(), "7\n7\n");
    assert_eq!(run("logs t 1").good(), "hello\n");
    for line in ["list", "items t", "failures t", "wait t", "cache list"] {
        assert_eq!(run(line).code, 0, "{line}");
    }
    for line in ["rerun t --all", "scale t --concurrency 2", "delete t", "run x --image a --count 1"] {
        let refused = run(line);
        assert!(refused.code == 1 && refused.err.contains("is forbidden"), "{line}: {refused:?}");
        assert!(refused.err.contains("hint: ask for the role"), "{line}: {refused:?}");
    }
    let doctor = run("doctor");
    assert!(doctor.out.contains("ok    rights     read all; you may not create maptasks"), "{doctor:?}");
    assert!(doctor.out.contains("skip  operator   no right to list deployments"), "{doctor:?}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_namespace_a_task_or_a_kubeconfig_that_is_not_there_is_named() {
    let _undisturbed = undisturbed();
    let nowhere = |line: &str| {
        let words = line.split(' ').chain(["-n", "no-such-namespace"]);
        answer(command().args(words), "")
    };
    for line in ["list", "status", "status t", "wait t", "cache list"] {
        let missing = nowhere(line);
        assert_eq!(missing.code, 1, "{line}: {missing:?}");
        assert!(
            missing.err.starts_with("error: the namespace no-such-namespace does not exist\nhint: "),
            "{line}: {missing:?}"
        );
        assert_eq!(missing.out, "", "{line}");
    }
    let namespace = Namespace::new("cli-none");
    let empty = maptask(&namespace, "", &["list"]);
    assert_eq!((empty.code, empty.out.as_str(), empty.err), (0, "", format!("no task in {}\n", namespace.0)));
    let missing = maptask(&namespace, "", &["wait", "t"]);
    assert!(missing.code == 1 && missing.err.contains("maptasks.maptask.dev \"t\" not found"), "{missing:?}");
    let file = answer(command().args(["list", "--kubeconfig", "/no/such/file"]), "");
    assert!(file.code == 1 && file.err.contains("/no/such/file"), "{file:?}");
    let context = answer(command().args(["list", "--context", "nowhere"]), "");
    assert!(context.code == 1 && context.err.contains("nowhere"), "{context:?}");
    assert_eq!(answer(command().args(["stauts"]), "").code, 2);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn without_an_operator_a_task_says_so_and_doctor_finds_it() {
    let _alone = alone();
    let namespace = Namespace::new("cli-no-operator");
    let healthy = maptask(&namespace, "", &["doctor"]);
    assert_eq!(healthy.code, 0, "{healthy:?}");
    for word in ["ok    cluster", "ok    CRD", "ok    operator", "ok    rights", "ok    quotas", "ok    tasks"] {
        assert!(healthy.out.contains(word), "{healthy:?}");
    }
    let away = Away::new();
    namespace.apply(&fake_task("t", &json!({ "items": { "count": 1 } }), &json!({})));
    namespace.wait("a status without an operator", || {
        let status = maptask(&namespace, "", &["status", "t"]).good();
        (status.contains("no operator has seen the task") && status.contains("kubectl maptask doctor")).then_some(())
    });
    let sick = maptask(&namespace, "", &["doctor", "-o", "json"]);
    drop(away);
    assert_eq!(sick.code, 3, "{sick:?}");
    let report: Value = serde_json::from_str(&sick.out).unwrap();
    let failed: Vec<&str> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["verdict"] == "FAIL")
        .filter_map(|check| check["check"].as_str())
        .collect();
    assert!(failed.contains(&"operator"), "{report}");
    assert_eq!(namespace.wait_for_end("t")["phase"], "Succeeded");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn ctrl_c_leaves_the_task_running_and_says_how_to_follow_and_stop_it() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-ctrl-c");
    let long = json!({ "fake.maptask.dev/duration": "10m" });
    namespace.apply(&fake_task("t", &json!({ "items": { "count": 1 } }), &long));
    namespace.wait("it to run", || (namespace.status("t")["phase"] == "Running").then_some(()));
    let mut command = command();
    command.args(["wait", "t", "-n", &namespace.0]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    // Its first line comes after three seconds: then it listens.
    std::thread::sleep(std::time::Duration::from_secs(4));
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("t 0/1 done, 0 failed, 1 running"), "{err}");
    assert!(err.contains("t continues. Follow it:  kubectl maptask status t --watch"), "{err}");
    assert_eq!(namespace.status("t")["phase"], "Running");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_shell_completes_commands_and_names_of_tasks() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-complete");
    let suspended = json!({ "items": { "count": 1 }, "suspend": true });
    for name in ["embed", "etl", "sweep"] {
        namespace.apply(&fake_task(name, &suspended, &json!({})));
    }
    let folder = std::env::temp_dir().join(format!("maptask-complete-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let installed = answer(command().args(["completion", "install", "--directory", folder.to_str().unwrap()]), "");
    assert_eq!(installed.code, 0, "{installed:?}");
    let complete = |words: &[&str]| {
        let mut link = std::process::Command::new(folder.join("kubectl_complete-maptask"));
        answer(link.args(words), "").good()
    };
    // It gives up after a second, so that it never holds up a shell; a busy cluster takes longer.
    namespace.wait("names of tasks", || {
        (complete(&["status", "-n", &namespace.0, "e"]) == "embed\netl\n:4\n").then_some(())
    });
    assert_eq!(complete(&["res"]), "results\nresume\n:4\n");
    // kubectl finds both programs on its PATH.
    let bin = std::env::var("KUBECTL_MAPTASK").ok().map(std::path::PathBuf::from);
    if let Some(bin) = bin {
        std::os::unix::fs::symlink(bin, folder.join("kubectl-maptask")).unwrap();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        let mut kubectl = crate::kubectl::program("kubectl", "KUBECTL");
        let found = answer(kubectl.env("PATH", path).args(["maptask", "list", "-n", &namespace.0, "-o", "name"]), "");
        assert_eq!(found.out.lines().count(), 3, "{found:?}");
    }
    std::fs::remove_dir_all(folder).unwrap();
    let (good, _) = kubectl_with("", &["version", "--client"]);
    assert!(good);
}
