//! `kubectl maptask`: the commands that read, each as a user runs it, and what it prints.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::kubectl::{Namespace, real_task};
use crate::plugin::{command, maptask, timeless};
use crate::undisturbed;

/// Three items; the second fails.
fn one_of_three_fails(namespace: &Namespace) {
    let items = json!({ "values": [{ "k": "a" }, { "k": "b" }, { "k": "c" }] });
    // One stream only: of two, a container runtime does not keep the order.
    let script = "if [ $MAPTASK_INDEX = 1 ]; then echo 'no luck' >&2; exit 3; fi; echo item $MAPTASK_ITEM_K; \
                  echo \"{\\\"k\\\":\\\"$MAPTASK_ITEM_K\\\",\\\"n\\\":1.50}\" > /dev/termination-log";
    let spec = json!({ "items": items, "remainingItems": { "onFailure": "Run" } });
    namespace.apply(&real_task("t", &spec, script));
    assert_eq!(namespace.wait_for_end("t")["phase"], "Failed");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn status_says_why_a_task_failed_and_the_exit_code_of_wait_does_too() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-status");
    one_of_three_fails(&namespace);
    let status = timeless(&maptask(&namespace, "", &["status", "t"]).good());
    let lines: Vec<&str> = status.lines().map(str::trim_end).collect();
    assert_eq!(lines[0], "t  Failed  3 items, ended TIME ago, ran TIME", "{status}");
    let bar = format!("[{}{}]  100 %", "#".repeat(47), "x".repeat(23));
    assert_eq!(lines[1..3], [bar.as_str(), " # 2 succeeded x 1 failed"], "{status}");
    assert!(lines[3].starts_with("why       2 of 3 items succeeded, 3 were required"), "{status}");
    let end = [
        "failures  1 attempt in 1 group",
        "    1  Failed exit 3  1                   no luck",
        "more      kubectl maptask failures t",
        "next      kubectl maptask rerun t --failed       # after the cause is fixed",
    ];
    assert_eq!(lines[lines.len() - 4..], end, "{status}");
    let waited = maptask(&namespace, "", &["wait", "mt/t"]);
    assert_eq!((waited.code, waited.out.as_str()), (3, ""), "{waited:?}");
    assert!(timeless(&waited.err).starts_with("t failed after TIME: 2 of 3 items succeeded"), "{waited:?}");
    let watched = maptask(&namespace, "", &["status", "t", "--watch", "-o", "json"]);
    let document: Value = serde_json::from_str(watched.out.trim()).unwrap();
    assert_eq!((watched.code, &document["phase"]), (3, &json!("Failed")), "{watched:?}");
    assert_eq!(document["apiVersion"], "cli.maptask.dev/v1");
    assert_eq!(document["counts"]["failed"], 1);
    let newest = maptask(&namespace, "", &["status"]);
    assert!(newest.err.contains("the newest task of") && newest.err.contains(": t"), "{newest:?}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn items_results_failures_and_logs_of_a_task_are_one_command_each() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-items");
    one_of_three_fails(&namespace);
    let run = |line: &str| maptask(&namespace, "", &line.split(' ').collect::<Vec<_>>());
    let items = "\
INDEX   PHASE       ATTEMPTS   VALUE       RESULT               WHY
0       Succeeded   1          {\"k\":\"a\"}   {\"k\":\"a\",\"n\":1.50}   -
1       Failed      1          {\"k\":\"b\"}   -                    Failed exit 3
2       Succeeded   1          {\"k\":\"c\"}   {\"k\":\"c\",\"n\":1.50}   -
";
    assert_eq!(run("items t").good(), items);
    let csv = "index,phase,attempts,item.k,result,why\n1,Failed,1,b,,Failed exit 3\n";
    assert_eq!(run("items t --phase failed -o csv").good(), csv);
    assert_eq!(run("items t --phase Succeeded -o indexes").good(), "0,2\n");
    assert_eq!(run("items t --phase Failed -o name").good(), "pod/t-1-1\n");
    let document: Value = serde_json::from_str(&run("items t -o json").good()).unwrap();
    assert_eq!((document["items"].as_array().unwrap().len(), &document["kind"]), (3, &json!("ItemList")));

    let results = run("results t");
    assert_eq!(results.out, "{\"k\":\"a\",\"n\":1.50}\nnull\n{\"k\":\"c\",\"n\":1.50}\n", "numbers keep their text");
    assert_eq!((results.code, results.err.as_str()), (0, "null: 1 item failed\n"));
    assert_eq!(run("results t -o csv --items 1-2").out, "index,k,n\n1,,\n2,c,1.50\n");
    let beyond = run("results t --items 2-9");
    assert_eq!((beyond.code, beyond.out.as_str()), (1, ""), "{beyond:?}");
    assert_eq!(beyond.err, "error: there is no item 3\nhint: the task has 3 items: 0 to 2\n");

    let failures = run("failures t").good();
    let lines: Vec<&str> = failures.lines().collect();
    assert_eq!(lines[..2], ["Failed exit 3 in container main (1 attempt)   1 item: 1", "  no luck"]);
    assert!(lines[2].starts_with("  first: item 1, attempt 1, ") && lines[2].ends_with("logs t 1 --attempt 1"));

    assert_eq!(run("logs t 2").good(), "item c\n");
    let failed = run("logs t --failed --tail 1");
    assert_eq!((failed.code, failed.out.as_str()), (0, " 1.1 | no luck\n"), "{failed:?}");
    assert_eq!(failed.err, "logs of 1 of 1 failed item exist\n");
    let list = run("list").good();
    let rows: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0].join(" "), "NAME PHASE DONE FAILED RATE LEFT REASON AGE");
    assert_eq!(rows[1][..7].join(" "), "t Failed 3/3 1 - - TooManyFailures", "{list}");
    assert_eq!(run("list -o name").good(), "maptask.maptask.dev/t\n");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_log_of_an_item_is_found_among_those_that_shared_its_pod() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-workers");
    let script = "echo one $MAPTASK_INDEX; echo two >&2; [ $MAPTASK_INDEX != 7 ]";
    let spec = json!({ "items": { "count": 30 }, "concurrency": 4, "workers": { "slots": 2 },
        "remainingItems": { "onFailure": "Run" } });
    namespace.apply(&real_task("t", &spec, script));
    let followed = maptask(&namespace, "", &["logs", "t", "12", "-f"]);
    let mut lines: Vec<&str> = followed.out.lines().collect();
    lines.sort_unstable();
    assert_eq!((followed.code, lines), (0, vec!["one 12", "two"]), "{followed:?}");
    namespace.wait_for_end("t");
    let read = maptask(&namespace, "", &["logs", "t", "17"]).good();
    assert!(read.contains("one 17") && read.lines().count() == 2, "{read}");
    let failed = maptask(&namespace, "", &["logs", "t", "--failed"]);
    assert!(failed.out.contains("7.w") && failed.out.contains(" | one 7\n"), "{failed:?}");
    assert_eq!(failed.out.lines().count(), 2, "{failed:?}");
    let none = maptask(&namespace, "", &["items", "t", "-o", "name"]);
    assert_eq!((none.code, none.err.lines().last()), (2, Some("hint: use -o indexes")), "{none:?}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_task_of_100_000_items_and_one_of_a_million_are_listed_in_little_memory() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-large");
    let spec = json!({ "items": { "count": 100_000 }, "concurrency": 8, "workers": { "slots": 8 },
        "minSuccessRatio": 0, "results": { "maxBytesPerItem": 8 } });
    namespace.apply(&real_task(
        "ran",
        &spec,
        "[ $((MAPTASK_INDEX % 50)) != 49 ] && echo $MAPTASK_INDEX > $MAPTASK_RESULT",
    ));
    namespace.apply(&real_task("many", &json!({ "items": { "count": 1_000_000 }, "suspend": true }), "true"));
    namespace.wait("its items", || (namespace.status("many")["items"] == 1_000_000).then_some(()));
    namespace.wait("a few thousand results", || {
        (namespace.status("ran")["counts"]["succeeded"].as_i64() >= Some(2_000)).then_some(())
    });
    namespace.kubectl(&["patch", "maptask", "ran", "--type=merge", "-p", r#"{"spec":{"suspend":true}}"#]);
    // 300 MB of addresses: less than a copy of all the rows would take.
    let limited = |line: &str| {
        let program = std::env::var("KUBECTL_MAPTASK").unwrap_or_else(|_| "kubectl-maptask".to_owned());
        let script = format!("ulimit -v 300000; set -o pipefail; '{program}' {}", line.replace("NS", &namespace.0));
        let mut shell = std::process::Command::new("bash");
        crate::plugin::answer(shell.args(["-c", &script]), "").good()
    };
    assert_eq!(limited("items ran -n NS -o jsonl | wc -l").trim(), "100000");
    assert_eq!(limited("items ran -n NS | wc -l").trim(), "100001");
    assert_eq!(limited("results ran -n NS 2>/dev/null | wc -l").trim(), "100000");
    assert_eq!(limited("results ran -n NS --items 17 2>/dev/null").trim(), "17");
    assert_eq!(limited("items many -n NS -o indexes").trim(), "0-999999");
    assert_eq!(limited("items many -n NS --items 999998-999999 -o jsonl | wc -l").trim(), "2");
    assert_eq!(limited("items many -n NS -o jsonl | wc -l").trim(), "1000000");
    // The reader closes the pipe: no error, no message.
    assert_eq!(limited("items many -n NS 2>&1 | head -1; echo ${PIPESTATUS[0]}").lines().last(), Some("0"));
    let failed = limited("items ran -n NS --phase Failed -o indexes");
    assert!(failed.starts_with("49,99,149,"), "{failed}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_list_that_is_watched_shows_each_change_from_one_watch_and_prints_its_requests_if_asked() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-list");
    let suspended = json!({ "items": { "count": 2 }, "suspend": true });
    namespace.apply(&real_task("a", &suspended, "true"));
    namespace.wait("its status", || (namespace.status("a")["phase"] == "Suspended").then_some(()));
    let mut watching = command();
    watching.args(["list", "--watch", "-v", "6", "-n", &namespace.0]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = watching.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut next = |name: &str, phase: &str| {
        let words =
            |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ") == format!("{name} {phase}");
        lines.find(|line| words(line)).unwrap_or_else(|| panic!("no line {name} {phase}"))
    };
    next("NAME", "PHASE");
    next("a", "Suspended");
    namespace.apply(&real_task("b", &suspended, "true"));
    next("b", "Suspended");
    assert_eq!(maptask(&namespace, "", &["resume", "a"]).code, 0);
    let end = next("a", "Succeeded");
    assert!(end.split_whitespace().nth(2) == Some("2/2"), "{end}");
    assert_eq!(maptask(&namespace, "", &["delete", "b"]).code, 0);
    let mut err = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut said: Vec<String> = Vec::new();
    while said.last().is_none_or(|line| line != "b was deleted") {
        said.push(err.next().expect("b was deleted"));
    }
    let requests: Vec<&String> = said.iter().filter(|line| line.starts_with("GET https://")).collect();
    let path = format!("/apis/maptask.dev/v1alpha1/namespaces/{}/maptasks?", namespace.0);
    assert!(requests[0].contains(&format!("{path}limit=500 200 OK in ")), "{said:?}");
    assert!(requests[1].contains(&format!("{path}watch=true&resourceVersion=")), "{said:?}");
    assert_eq!((requests.len(), said.len()), (2, 3), "a watch, and no more requests: {said:?}");
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
