//! The guides: each runs from its first line to its last, and prints what it shows. The API server accepts every
//! manifest of the documentation, and every part of one.

use serde_json::{Value, json};

use crate::blocks::{Block, RUN, blocks, pages, text};
use crate::cli_docs::normal;
use crate::documented::{Shell, shown};
use crate::kubectl::{Namespace, kubectl_with, real_task};
use crate::undisturbed;
use crate::volume::Volume;

/// The objects of a manifest.
fn objects(manifest: &str) -> Vec<Value> {
    manifest.split("\n---\n").map(|object| serde_yaml::from_str(object).unwrap()).collect()
}

/// The name of the task in a manifest: it is in a file of that name.
fn task_of(manifest: &str) -> Option<String> {
    let task = objects(manifest).into_iter().find(|object| object["kind"] == "MapTask")?;
    task["metadata"]["name"].as_str().map(str::to_owned)
}

/// Runs a block of commands; notes where an output is not what the page shows.
fn run_block(shell: &Shell, namespace: &Namespace, block: &Block, task: &str, wrong: &mut Vec<String>) {
    // Variables of the shell are for the commands after it.
    let mut variables = String::new();
    for shown in shown(&format!("```console\n{}```\n", block.text)) {
        let command = shown.command.replace("NAME", task);
        let (name, _) = command.split_once('=').unwrap_or((" ", ""));
        if name.bytes().all(|byte| byte.is_ascii_lowercase()) {
            variables.push_str(&command);
            variables.push_str("; ");
            continue;
        }
        let answer = shell.run(&format!("{variables}{command}"));
        if answer.code != 0 {
            wrong.push(format!("$ {command}\n{answer:?}"));
            return;
        }
        let expected = normal(&shown.lines.join("\n"), &namespace.0);
        let found = normal(&answer.out, &namespace.0);
        if !shown.lines.is_empty() && expected != found {
            wrong.push(format!("$ {command}\n--- the page shows\n{expected:#?}\n--- it prints\n{found:#?}"));
        }
    }
}

/// Runs the commands of a page in a folder with its manifests. What runs elsewhere is left out.
fn run_page(page: &str, prepare: impl Fn(&Namespace)) {
    let _undisturbed = undisturbed();
    let page = format!("docs/{page}.md");
    assert!(RUN.contains(&page.as_str()), "{page}");
    let namespace = Namespace::new("page");
    prepare(&namespace);
    let shell = Shell::new(&namespace);
    for folder in ["docs", "examples"] {
        let there = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
        std::os::unix::fs::symlink(there, shell.folder.join(folder)).unwrap();
    }
    let (mut task, mut wrong, mut ran) = (String::new(), Vec::new(), 0);
    for block in blocks(&text(&page)).iter().filter(|block| block.run_by.is_none()) {
        if block.language == "console" {
            run_block(&shell, &namespace, block, &task, &mut wrong);
            ran += 1;
        } else if let Some(name) = block.is_object().then(|| task_of(&block.text)).flatten() {
            std::fs::write(shell.folder.join(format!("{name}.yaml")), &block.text).unwrap();
            task = name;
        }
    }
    assert!(ran > 0 && wrong.is_empty(), "{page}: {ran} blocks ran\n{}", wrong.join("\n"));
}

/// A test for each page.
macro_rules! pages {
    ($($test:ident: $page:literal, $prepare:expr;)+) => {
        $(
            #[test]
            #[ignore = "needs a cluster: make test-cluster"]
            fn $test() {
                run_page($page, $prepare);
            }
        )+
    };
}

fn nothing(_: &Namespace) {}

pages! {
    the_quickstart_runs: "quickstart", nothing;
    the_guide_to_lists_runs: "guides/inputs", nothing;
    the_guide_to_results_runs: "guides/results", nothing;
    the_guide_to_concurrency_runs: "guides/concurrency", nothing;
    the_guide_to_workers_runs: "guides/workers", nothing;
    the_guide_to_waiting_runs: "guides/waiting", nothing;
    the_guide_to_failures_runs: "guides/failures", nothing;
    the_guide_to_reruns_runs: "guides/rerun", nothing;
    the_guide_to_the_reduce_runs: "guides/reduce", nothing;
    the_guide_to_gpus_runs: "guides/gpus", nothing;
    the_guide_to_the_cache_runs: "guides/cache", nothing;
    the_guide_from_an_indexed_job_runs: "guides/indexed-job", nothing;
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_guide_to_files_runs() {
    let volume = std::cell::OnceCell::new();
    run_page("guides/files", |namespace| {
        volume.get_or_init(|| Volume::new(namespace, "frames"));
    });
}

/// The namespace of the guide, which is not the test's.
struct Restricted;

impl Drop for Restricted {
    fn drop(&mut self) {
        let _ = kubectl_with("", &["delete", "namespace", "team-restricted", "--ignore-not-found", "--wait=false"]);
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_guide_to_pod_security_runs() {
    let _restricted = Restricted;
    run_page("guides/restricted", nothing);
}

/// A task with this in its spec.
fn with(part: &Value) -> Value {
    let mut task = real_task("part", &json!({ "items": { "count": 1 } }), "true");
    for (field, value) in part.as_object().unwrap() {
        task["spec"][field] = value.clone();
    }
    task
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_api_server_accepts_every_manifest_of_the_documentation() {
    let namespace = Namespace::new("manifests");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in pages() {
        for block in blocks(&text(&page)).iter().filter(|block| block.language == "yaml" && block.run_by.is_none()) {
            let objects = if block.is_object() {
                objects(&block.text)
            } else {
                vec![with(&serde_yaml::from_str(&block.text).unwrap())]
            };
            for object in objects {
                let args = ["-n", &namespace.0, "apply", "--dry-run=server", "-f", "-"];
                let (good, answer) = kubectl_with(&object.to_string(), &args);
                count += 1;
                if !good {
                    wrong.push(format!("{page}:{}: {answer}", block.line));
                }
            }
        }
    }
    assert!(count > 30 && wrong.is_empty(), "{count} manifests\n{}", wrong.join("\n"));
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_manifest_without_helm_is_accepted() {
    let page = text("docs/operations/install.md");
    let shown = shown(&page).into_iter().find(|shown| shown.command.starts_with("sed ")).unwrap();
    let namespace = Namespace::new("install");
    let shell = Shell::new(&namespace);
    let manifests = format!("{}/manifests", env!("CARGO_MANIFEST_DIR"));
    std::os::unix::fs::symlink(manifests, shell.folder.join("manifests")).unwrap();
    // The release of the tests owns these objects.
    let answer = shell.run(&format!("{} --dry-run=server --force-conflicts", shown.command));
    assert_eq!(answer.code, 0, "{answer:?}");
}

/// A value as the source of a table in Lua.
fn lua(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let fields: Vec<String> = map.iter().map(|(key, value)| format!("[{key:?}] = {}", lua(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Null => "nil".to_owned(),
        other => other.to_string(),
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_health_check_for_argo_cd_tells_each_phase() {
    let page = text("docs/guides/gitops.md");
    let block = blocks(&page).into_iter().find(|block| block.text.starts_with("resource.customizations")).unwrap();
    let config: Value = serde_yaml::from_str(&block.text).unwrap();
    let check = config["resource.customizations.health.maptask.dev_MapTask"].as_str().unwrap();
    for (phase, observed, health) in [
        (json!("Succeeded"), 2, "Healthy"),
        (json!("Failed"), 2, "Degraded"),
        (json!("Suspended"), 2, "Suspended"),
        (json!("Running"), 2, "Progressing"),
        (json!("Succeeded"), 1, "Progressing"),
    ] {
        let status = json!({ "phase": phase, "observedGeneration": observed });
        let object = json!({ "metadata": { "generation": 2 }, "status": status });
        let program = format!("obj = {}\nlocal function check()\n{check}\nend\nprint(check().status)", lua(&object));
        let out = std::process::Command::new("lua5.4").args(["-e", &program]).output().expect("lua5.4 is installed");
        assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), health, "{phase}: {out:?}");
    }
}
