//! `kubectl maptask`: the commands that change a task.

use serde_json::json;

use crate::kubectl::{Namespace, fake_task, kubectl_with, real_task};
use crate::plugin::maptask;
use crate::undisturbed;

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_task_is_suspended_resumed_scaled_and_cancelled_and_each_command_says_the_way_back() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-change");
    let run = |line: &str| maptask(&namespace, "", &line.split(' ').collect::<Vec<_>>());
    let long = json!({ "fake.maptask.dev/duration": "10m" });
    namespace.apply(&fake_task("t", &json!({ "items": { "count": 6 }, "concurrency": 2 }), &long));
    namespace.wait("two running", || (namespace.status("t")["counts"]["running"] == 2).then_some(()));

    let dry = run("suspend t --dry-run");
    let patch = r#"'{"spec":{"suspend":true}}'"#;
    assert_eq!(dry.out, format!("kubectl patch maptask t -n {} --type=merge -p {patch}\n", namespace.0));
    assert!(run("suspend t --dry-run=server").good().contains("could be changed"));
    assert_eq!(namespace.get("maptask", "t").unwrap()["spec"]["suspend"], false);

    let suspended = run("suspend t");
    assert_eq!(suspended.out, "maptask.maptask.dev/t suspended: 4 items pending, 2 running to their end\n");
    assert_eq!(suspended.err, "start items again: kubectl maptask resume t\n");
    assert_eq!(run("suspend t").good(), "maptask.maptask.dev/t is suspended already\n");
    namespace.wait("the suspension", || (namespace.status("t")["phase"] == "Suspended").then_some(()));
    assert_eq!(run("resume t").good(), "maptask.maptask.dev/t resumed: 4 items pending\n");
    assert_eq!(run("scale t --concurrency 3").good(), "maptask.maptask.dev/t scaled: 3 items at once (was 2)\n");
    namespace.wait("three running", || (namespace.status("t")["counts"]["running"] == 3).then_some(()));

    let waited = run("wait t --timeout 1s");
    assert_eq!(waited.code, 4, "{waited:?}");
    let cancelled = run("cancel t");
    assert_eq!(cancelled.out, "maptask.maptask.dev/t cancelled: 0 results kept, 6 items not run\n");
    assert_eq!(namespace.wait_for_end("t")["reason"], "Cancelled");
    let again = run("cancel t");
    assert!(again.code == 1 && again.err.contains("has ended (Failed): there is nothing to cancel"), "{again:?}");
    assert!(run("rerun t").err.contains("has no items that are Failed"));
    assert_eq!(run("rerun t --cancelled").good(), "maptask.maptask.dev/t rerun: 6 items run again\n");
    namespace.wait("three running again", || (namespace.status("t")["counts"]["running"] == 3).then_some(()));
    assert_eq!(namespace.get("maptask", "t").unwrap()["spec"]["cancel"], false);
    assert!(run("delete t --dry-run").good().contains("would be deleted"));
    assert_eq!(run("delete t").good(), "maptask.maptask.dev/t deleted\n");
    let gone = run("status t");
    assert!(gone.code == 1 && gone.err.contains("\"t\" not found"), "{gone:?}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn failed_items_run_again_and_wait_waits_for_that_and_not_for_what_was() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-rerun");
    let script = "[ $MAPTASK_ATTEMPT -gt 1 ] || [ $MAPTASK_INDEX = 0 ]";
    namespace.apply(&real_task(
        "t",
        &json!({ "items": { "count": 3 }, "remainingItems": { "onFailure": "Run" } }),
        script,
    ));
    assert_eq!(namespace.wait_for_end("t")["phase"], "Failed");
    let rerun = maptask(&namespace, "", &["rerun", "t"]);
    assert_eq!(rerun.good(), "maptask.maptask.dev/t rerun: 2 items run again\n");
    let waited = maptask(&namespace, "", &["wait", "t", "--timeout", "2m"]);
    assert_eq!(waited.code, 0, "{waited:?}");
    assert!(waited.err.contains("t succeeded: 3 of 3 items"), "{waited:?}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_cache_is_listed_and_cleared() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-cache");
    let spec = json!({ "items": { "count": 3 }, "cache": { "version": "1", "name": "c" } });
    let script = "echo $MAPTASK_INDEX > /dev/termination-log";
    namespace.apply(&real_task("t", &spec, script));
    assert_eq!(namespace.wait_for_end("t")["phase"], "Succeeded");
    let list = namespace.wait("the entries", || {
        let list = maptask(&namespace, "", &["cache", "list"]).good();
        list.contains("c       3 ").then_some(list)
    });
    assert!(list.starts_with("CACHE   ENTRIES   SIZE"), "{list}");
    let cleared = maptask(&namespace, "", &["cache", "clear", "c"]).good();
    assert!(cleared.starts_with("cache c cleared: 3 entries"), "{cleared}");
    let none = maptask(&namespace, "", &["cache", "clear", "c"]);
    assert!(none.code == 1 && none.err.contains("there is no cache c in"), "{none:?}");
    namespace.apply(&real_task("again", &spec, script));
    assert_eq!(namespace.wait_for_end("again")["counts"]["cached"], 0, "it was computed");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_task_that_is_deleted_while_it_is_waited_for_has_an_exit_code_of_its_own() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-deleted");
    let long = json!({ "fake.maptask.dev/duration": "10m" });
    namespace.apply(&fake_task("t", &json!({ "items": { "count": 1 } }), &long));
    namespace.wait("it to run", || (namespace.status("t")["phase"] == "Running").then_some(()));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| maptask(&namespace, "", &["wait", "t"]));
        // Progress is said after three seconds: then it watches.
        std::thread::sleep(std::time::Duration::from_secs(3));
        let (good, text) = kubectl_with("", &["-n", &namespace.0, "delete", "maptask", "t"]);
        assert!(good, "{text}");
        let answer = waiting.join().unwrap();
        assert_eq!(answer.code, 5, "{answer:?}");
        assert!(answer.err.contains("error: t was deleted"), "{answer:?}");
    });
}
