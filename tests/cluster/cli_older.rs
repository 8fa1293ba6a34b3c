//! `kubectl maptask` without an operator, and with a CRD of before: what it says, and what the docs show.

use serde_json::{Value, json};

use crate::alone;
use crate::kubectl::{Namespace, kubectl, kubectl_with, real_task};
use crate::plugin::maptask;
use crate::release::Away;

/// Fields of later versions than the CRD of the test.
const LATER: [&str; 4] = ["spec.workers", "spec.priority", "status.progress", "status.waiting.since"];
const CRD: &str = "maptasks.maptask.dev";

/// The CRD is an older one while this lives.
struct OlderCrd;

impl Drop for OlderCrd {
    fn drop(&mut self) {
        let file = format!("{}/crds/maptasks.yaml", env!("CARGO_MANIFEST_DIR"));
        // As Helm has installed it: an older chart could not be installed over what kubectl has applied.
        let apply = ["apply", "--server-side", "--force-conflicts", "--field-manager", "helm", "-f", &file];
        let (good, text) = kubectl_with("", &apply);
        if !good {
            eprintln!("{text}");
        }
    }
}

/// Takes the later fields, and the printer columns of them, out of the cluster's CRD.
fn make_older() -> OlderCrd {
    let mut crd: Value = serde_json::from_str(&kubectl(&["get", "crd", CRD, "-o", "json"])).unwrap();
    let version = &mut crd["spec"]["versions"][0];
    for path in LATER {
        let (parents, last) = path.rsplit_once('.').unwrap();
        let parents = parents.replace('.', "/properties/");
        let place = version.pointer_mut(&format!("/schema/openAPIV3Schema/properties/{parents}/properties")).unwrap();
        place.as_object_mut().unwrap().remove(last).unwrap_or_else(|| panic!("there is no {path}"));
    }
    let columns = version["additionalPrinterColumns"].as_array_mut().unwrap();
    columns.retain(|column| !column["jsonPath"].as_str().unwrap().contains("progress"));
    let rules = "/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations";
    if let Some(rules) = version.pointer_mut(rules).and_then(Value::as_array_mut) {
        rules.retain(|rule| {
            !LATER.iter().any(|path| rule["rule"].as_str().unwrap().contains(path.rsplit('.').next().unwrap()))
        });
    }
    crd["metadata"].as_object_mut().unwrap().remove("managedFields");
    let older = OlderCrd;
    let (good, text) = kubectl_with(&crd.to_string(), &["replace", "-f", "-"]);
    assert!(good, "{text}");
    older
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_older_crd_is_named_with_what_it_lacks_and_nothing_is_dropped_in_silence() {
    let _alone = alone();
    let namespace = Namespace::new("cli-older");
    namespace.apply(&real_task("t", &json!({ "items": { "count": 2 } }), "echo 7 > /dev/termination-log"));
    assert_eq!(namespace.wait_for_end("t")["phase"], "Succeeded");
    let run = |line: &str| maptask(&namespace, "", &line.split(' ').collect::<Vec<_>>());
    let away = Away::new();
    let older = make_older();
    let doctor = namespace.wait("the API's description", || {
        let doctor = run("doctor");
        doctor.out.contains("FAIL  CRD").then_some(doctor)
    });
    assert_eq!(doctor.code, 3, "{doctor:?}");
    let lacks = format!("FAIL  CRD        an older one, without {}\n", {
        let mut sorted = LATER;
        sorted.sort_unstable();
        sorted.join(", ")
    });
    assert!(doctor.out.contains(&lacks), "{doctor:?}");
    assert!(doctor.out.contains("kubectl apply --server-side --force-conflicts -f crds/maptasks.yaml"), "{doctor:?}");

    let refused = run("run w --image busybox:1.36 --count 1 --workers -- true");
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{refused:?}");
    assert!(refused.err.contains("unknown field \"spec.workers\""), "{refused:?}");
    assert!(refused.err.contains("hint: ") && refused.err.contains("kubectl maptask doctor"), "{refused:?}");
    assert!(namespace.get("maptask", "w").is_none());
    let made = run("run n --image busybox:1.36 --count 1 -- true").good();
    assert_eq!(made, "maptask.maptask.dev/n created (1 item)\n");
    // What it knows works as ever; what it lacks is a dash.
    assert_eq!(run("results t").good(), "7\n7\n");
    let list = run("list").good();
    let row: Vec<&str> = list.lines().find(|line| line.starts_with("t ")).unwrap().split_whitespace().collect();
    assert_eq!(row[..7].join(" "), "t Succeeded 2/2 0 - - -", "{list}");
    assert!(run("status t").good().starts_with("t  Succeeded  2 items"));
    assert_eq!(run("rerun t --all").good(), "maptask.maptask.dev/t rerun: 2 items run again\n");
    drop(older);
    drop(away);
    assert_eq!(namespace.wait_for_end("n")["phase"], "Succeeded");
    namespace.wait("the rerun", || run("status t").good().starts_with("t  Succeeded").then_some(()));
}
