//! `kubectl maptask run`: from a command and a list to a task.

use serde_json::{Value, json};

use crate::crash::operators;
use crate::kubectl::{Namespace, kubectl_with};
use crate::plugin::{maptask, timeless};
use crate::{resident, undisturbed};

const SHELL: [&str; 3] = ["--", "sh", "-c"];

fn run(namespace: &Namespace, input: &str, options: &str, command: &[&str]) -> crate::plugin::Answer {
    let words = ["run"].into_iter().chain(options.split(' '));
    maptask(namespace, input, &words.chain(command.iter().copied()).collect::<Vec<_>>())
}

/// This many lines of six digits.
fn numbered(count: u32) -> String {
    let lines: Vec<String> = (0..count).map(|n| format!("{n:06}")).collect();
    lines.join("\n") + "\n"
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn lines_of_standard_input_become_items_and_the_exit_code_says_how_it_ended() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-run");
    let script = [&SHELL[..], &["echo \"$MAPTASK_ITEM\" > $MAPTASK_RESULT"]].concat();
    let made = run(&namespace, "a b\n\nc\n", "t --image busybox:1.36 --items - --workers --follow", &script);
    assert_eq!(
        (made.code, made.out.as_str()),
        (0, "maptask.maptask.dev/t created (2 items, 10 bytes of 1.0 MB)\n"),
        "{made:?}"
    );
    assert!(timeless(&made.err).ends_with("t succeeded: 2 of 2 items in TIME\n"), "{made:?}");
    assert_eq!(maptask(&namespace, "", &["results", "t"]).good(), "\"a b\"\n\"c\"\n");

    let again = run(&namespace, "a\n", "t --image busybox:1.36 --items -", &["--", "true"]);
    assert!(
        again.code == 1 && again.err.contains("already exists") && again.err.contains("--generate-name t-"),
        "{again:?}"
    );

    let fails = [&SHELL[..], &["echo 'no such table' >&2; exit 2"]].concat();
    let failed = run(&namespace, "", "bad --image busybox:1.36 --count 2 --follow", &fails);
    assert_eq!(failed.code, 3, "{failed:?}");
    assert!(failed.err.contains("Failed exit 2") && failed.err.contains("no such table"), "{failed:?}");
    assert!(failed.err.trim_end().ends_with("# after the cause is fixed"), "{failed:?}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_matrix_csv_and_names_of_files_become_arguments_of_the_command() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-forms");
    let print = ["--", "sh", "-c", "echo \"$1\" > /dev/termination-log", "x", "{lr} of {seed}"];
    let made = run(&namespace, "", "m --image busybox:1.36 --matrix lr=0.1,3.10 --matrix seed=1 --follow -q", &print);
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(maptask(&namespace, "", &["results", "m"]).good(), "\"0.1 of 1\"\n\"3.10 of 1\"\n");
    let csv = "lr,seed\n0.1,\"a, b\"\n";
    let made = run(&namespace, csv, "c --image busybox:1.36 --items - --items-format csv --follow -q", &print);
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(maptask(&namespace, "", &["results", "c"]).good(), "\"0.1 of a, b\"\n");
    let folder = std::env::temp_dir().join(format!("maptask-run-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["b.csv", "a.csv"] {
        std::fs::write(folder.join(name), "").unwrap();
    }
    let options = format!("g --image busybox:1.36 --items {}/*.csv --dry-run -o json", folder.display());
    let manifest: Value = serde_json::from_str(&run(&namespace, "", &options, &["--", "wc", "{}"]).good()).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    let values = manifest["spec"]["items"]["values"].as_array().unwrap();
    assert!(values.len() == 2 && values[0].as_str().unwrap().ends_with("/a.csv"), "{manifest}");
    let command = &manifest["spec"]["template"]["spec"]["containers"][0]["command"];
    assert_eq!(*command, json!(["wc", "$(MAPTASK_ITEM)"]));
    let unsafe_ = run(&namespace, "", "u --image busybox:1.36 --count 1", &["--", "sh", "-c", "echo {}"]);
    assert!(unsafe_.code == 2 && unsafe_.err.contains("would run as code"), "{unsafe_:?}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_list_that_does_not_fit_into_the_spec_is_a_configmap_that_goes_with_its_task() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-map");
    let lines = numbered(130_000);
    let made = run(&namespace, &lines, "t --image busybox:1.36 --items - --suspend", &["--", "true"]).good();
    assert_eq!(made, "maptask.maptask.dev/t created (130,000 items, 910 KB of 1.0 MB in a ConfigMap)\n");
    namespace.wait("its items", || (namespace.status("t")["items"] == 130_000).then_some(()));
    let map = namespace.get("configmap", "t-items").unwrap();
    assert_eq!(map["metadata"]["ownerReferences"][0]["kind"], "MapTask");
    let item = maptask(&namespace, "", &["items", "t", "--items", "129999", "-o", "jsonl"]).good();
    assert!(item.contains(r#""value":"129999""#), "{item}");
    assert_eq!(maptask(&namespace, "", &["delete", "t"]).good(), "maptask.maptask.dev/t deleted\n");
    namespace.wait("its end", || namespace.get("configmap", "t-items").is_none().then_some(()));
}

/// From now on, the peak of the operator's memory is that of what comes.
fn forget_peaks() {
    for pid in operators() {
        std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_million_items_of_sixty_bytes_are_configmaps_that_the_operator_reads() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-maps");
    let line = |number: u32| format!("s3://a-bucket-of-many/a-folder/of-document/document-{number:07}");
    let lines = (0..1_000_000).map(line).collect::<Vec<String>>().join("\n") + "\n";
    forget_peaks();
    let before = std::time::Instant::now();
    let made = run(&namespace, &lines, "t --image busybox:1.36 --items - --suspend", &["--", "true"]).good();
    assert_eq!(made, "maptask.maptask.dev/t created (1,000,000 items, 60.0 MB of 128.0 MB in 61 ConfigMaps)\n");
    namespace.wait("its items", || (namespace.status("t")["items"] == 1_000_000).then_some(()));
    let peak = operators().iter().map(|pid| resident::megabytes(pid.parse().unwrap(), "VmHWM:")).fold(0.0, f64::max);
    println!("accepted after {:.1} s, the operator had {peak:.0} MB at most", before.elapsed().as_secs_f64());
    assert!(peak < 200.0, "{peak} MB");
    let item = maptask(&namespace, "", &["items", "t", "--items", "999999", "-o", "jsonl"]).good();
    assert!(item.contains("document-0999999"), "{item}");
    assert_eq!(maptask(&namespace, "", &["delete", "t"]).good(), "maptask.maptask.dev/t deleted\n");
    namespace.wait("its end", || namespace.get("configmap", "t-items-60").is_none().then_some(()));
    let lines = format!("{}\n", "x".repeat(99_000)).repeat(1_300);
    let refused = run(&namespace, &lines, "t --image busybox:1.36 --items -", &["--", "true"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.err.starts_with("error: items: 128.7 MB of items, at most 128.0 MB fit\nhint: split"),
        "{refused:?}"
    );
    assert_eq!(namespace.list("maptasks").len(), 0, "nothing was made");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_manifest_that_was_printed_can_be_applied() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-dry");
    let options = "t --image busybox:1.36 --items - --items-into configmap --retries 1 --env A=b --dry-run -o yaml";
    let manifest =
        run(&namespace, "3.10\n", options, &[&SHELL[..], &["echo $MAPTASK_ITEM$A > /dev/termination-log"]].concat());
    let manifest = manifest.good();
    assert_eq!(namespace.list("maptasks").len(), 0);
    let (good, text) = kubectl_with(&manifest, &["-n", &namespace.0, "apply", "-f", "-"]);
    assert!(good, "{text}\n{manifest}");
    assert_eq!(namespace.wait_for_end("t")["phase"], "Succeeded");
    assert_eq!(maptask(&namespace, "", &["results", "t"]).good(), "\"3.10b\"\n");
    let server =
        run(&namespace, "", "s --image busybox:1.36 --count 1 --concurrency 0 --dry-run=server", &["--", "true"]);
    assert!(server.code == 1 && server.err.contains("spec.concurrency"), "{server:?}");
}
