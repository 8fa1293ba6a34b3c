use super::*;
use crate::core::ids::{PodRole, TaskKey};
use crate::core::phases::Raises;
use crate::core::pod::PodTemplate;

fn home() -> WorkerHome {
    WorkerHome {
        address: ExchangeAddress {
            url: "https://10.0.0.1:8443".to_owned(),
            server_name: "operator".to_owned(),
            ca_pem: "PEM".to_owned(),
        },
        image: "operator:1".to_owned(),
        pull_policy: "IfNotPresent".to_owned(),
    }
}

fn spec(slots: i32) -> WorkerSpec {
    let workers = serde_json::from_value(json!({ "slots": slots })).unwrap();
    WorkerSpec { workers, line_bytes: 1_024, start_deadline_seconds: None }
}

fn pod() -> Value {
    let template = json!({ "spec": {
        "activeDeadlineSeconds": 60,
        "terminationGracePeriodSeconds": 5,
        "containers": [
            { "name": "main", "image": "x", "command": ["sh", "-c"], "args": ["echo $(MAPTASK_ITEM) $$"] },
            { "name": "side", "image": "y", "args": ["$(HOME)"] },
        ],
        "initContainers": [{ "name": "first", "image": "z" }],
    } });
    let template = PodTemplate::accept(&template, None).unwrap();
    template.check_workers().unwrap();
    template.worker_pod(
        &TaskKey::new("ns", "t"),
        "uid",
        PodRole::Worker(3),
        Making { count: 7, epoch: 2 },
        &spec(4),
        &home(),
        Raises::NONE,
    )
}

#[test]
fn the_items_container_runs_the_worker_and_the_worker_its_command() {
    let pod = pod();
    assert_eq!(pod["metadata"]["name"], "t-worker-3");
    assert_eq!(pod["metadata"]["labels"]["maptask.dev/index"], "worker");
    let main = &pod["spec"]["containers"][0];
    let words = ["/.maptask/maptask-worker", "run", "--", "sh", "-c", "echo $$(MAPTASK_ITEM) $$$$"];
    assert_eq!(main["command"], json!(words), "the kubelet makes one dollar of two");
    assert_eq!(main["args"], Value::Null);
    assert_eq!(pod["spec"]["containers"][1]["args"], json!(["$(HOME)"]), "another container stays as it is");
    assert_eq!(main["terminationMessagePolicy"], "File");
    let config: Config = serde_json::from_str(&main["env"][0]["value"].as_str().unwrap().replace("$$", "$")).unwrap();
    assert_eq!((config.deadline_seconds, config.grace_seconds, config.slots, config.count), (Some(60), 5, 4, 7));
    assert_eq!(pod["spec"]["activeDeadlineSeconds"], Value::Null, "the deadline is an attempt's");
}

#[test]
fn the_program_comes_first_and_the_token_names_the_pod() {
    let pod = pod();
    assert_eq!(pod["spec"]["initContainers"][0]["image"], "operator:1");
    assert_eq!(pod["spec"]["initContainers"][1]["name"], "first");
    let token = &pod["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"];
    assert_eq!(token, &json!({ "audience": AUDIENCE, "expirationSeconds": 3_600, "path": "token" }));
    let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_array().unwrap();
    assert_eq!(mounts.len(), 2);
    assert!(pod["spec"]["containers"][1]["volumeMounts"].is_null(), "the token is the worker's alone");
}

#[test]
fn a_worker_needs_a_command_and_its_volumes_names() {
    let check = |spec: Value| {
        PodTemplate::accept(&json!({ "spec": spec }), None).unwrap().check_workers().map_err(|error| error.to_string())
    };
    let error = check(json!({ "containers": [{ "name": "main", "args": ["x"] }] })).unwrap_err();
    assert!(error.starts_with("container \"main\" of spec.template has no command"), "{error}");
    let own = json!({ "containers": [{ "name": "main", "command": ["x"] }], "volumes": [{ "name": "maptask-token" }] });
    let error = check(own).unwrap_err();
    assert!(error.contains("maptask-token") && error.ends_with("rename it"), "{error}");
}
