use super::*;
use crate::run::ItemsOptions;
use clap::Parser;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    items: ItemsOptions,
    #[command(flatten)]
    task: TaskOptions,
    #[arg(last = true)]
    command: Vec<String>,
}

fn manifest(line: &str) -> Result<Manifest, Failure> {
    let words = ["run"].into_iter().chain(line.split_whitespace());
    let line = Line::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
    Manifest::new("t", &line.task, &line.items.read()?, &line.command)
}

#[test]
fn options_become_fields_that_the_operator_accepts() {
    let line = "--image python:3.12 --matrix lr=0.1,0.01 --matrix seed=1,2,3 --concurrency 20 --retries 2 \
        --min-success-ratio 0.9 --item-deadline 10m --ttl 1d --cache 1 --env A=b=c --requests cpu=500m,memory=1Gi \
        --label team=vision -- python train.py --lr {lr}";
    let manifest = manifest(line).unwrap();
    let container = json!({ "name": "main", "image": "python:3.12",
        "command": ["python", "train.py", "--lr", "$(MAPTASK_ITEM_LR)"], "env": [{ "name": "A", "value": "b=c" }],
        "resources": { "requests": { "cpu": "500m", "memory": "1Gi" } } });
    let expected = json!({ "apiVersion": "maptask.dev/v1alpha1", "kind": "MapTask",
        "metadata": { "name": "t", "labels": { "team": "vision" } },
        "spec": {
            "items": { "matrix": { "lr": [0.1, 0.01], "seed": [1, 2, 3] } },
            "concurrency": 20, "retries": 2, "minSuccessRatio": 0.9, "ttlSecondsAfterFinished": 86_400,
            "cache": { "version": "1" },
            "template": { "spec": { "activeDeadlineSeconds": 600, "containers": [container] } },
        } });
    assert_eq!(manifest.task, expected);
    assert!(manifest.config_maps.is_empty());
    serde_json::from_value::<maptask::api::MapTask>(manifest.task).unwrap();
}

#[test]
fn workers_need_a_command() {
    let line = "--image a --count 3 --workers --slots 4 -- prog";
    assert_eq!(manifest(line).unwrap().task["spec"]["workers"], json!({ "mode": "Exec", "slots": 4 }));
    assert_eq!(
        manifest("--image a --count 3 --workers=stream -- prog").unwrap().task["spec"]["workers"]["mode"],
        "Stream"
    );
    assert!(manifest("--image a --count 3 --workers").unwrap_err().message.contains("needs a command"));
}

#[test]
fn a_large_list_is_a_configmap_beside_the_task() {
    let file = std::env::temp_dir().join(format!("maptask-items-{}.txt", std::process::id()));
    std::fs::write(&file, "a\nb\n").unwrap();
    let manifest = manifest(&format!("--image a --items {} --items-into configmap", file.display())).unwrap();
    std::fs::remove_file(file).unwrap();
    let items = json!({ "configMap": { "name": "t-items", "key": "items", "format": "Lines" } });
    assert_eq!(manifest.task["spec"]["items"], items);
    let map = &manifest.config_maps[0];
    assert_eq!((&map["metadata"]["name"], &map["data"]["items"]), (&json!("t-items"), &json!("a\nb\n")));
}

#[test]
fn a_template_may_be_a_pod_or_a_task() {
    let file = std::env::temp_dir().join(format!("maptask-template-{}.yaml", std::process::id()));
    let pod =
        "kind: Pod\nmetadata: {name: x, labels: {a: b}}\nspec: {containers: [{name: c, image: old}], nodeName: n}\n";
    std::fs::write(&file, pod).unwrap();
    let made = manifest(&format!("--template {} --count 1 --image new", file.display())).unwrap();
    let expected = json!({ "metadata": { "labels": { "a": "b" } },
        "spec": { "containers": [{ "name": "c", "image": "new" }], "nodeName": "n" } });
    assert_eq!(made.task["spec"]["template"], expected);
    std::fs::write(&file, "spec: {}\n").unwrap();
    assert!(
        manifest(&format!("--template {} --count 1", file.display())).unwrap_err().message.contains("containers[0]")
    );
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_generated_name_is_one_that_the_api_server_could_make() {
    let name = generated("sweep-");
    assert!(name.len() == 11 && name.bytes().skip(6).all(|byte| ALPHABET.contains(&byte)), "{name}");
}
