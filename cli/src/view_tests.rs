use super::*;
use crate::read::task::tests::task;

fn now() -> Timestamp {
    "2026-03-01T14:18:00Z".parse().unwrap()
}

fn text(task: &Task) -> String {
    view(task, now(), 80).iter().map(|line| line.plain().trim_end().to_owned() + "\n").collect()
}

fn counts(succeeded: i32, cached: i32, running: i32, pending: i32, cancelled: i32, failed: i32) -> Value {
    json!({ "succeeded": succeeded, "cached": cached, "running": running, "pending": pending, "cancelled": cancelled,
        "failed": failed, "retried": 0 })
}

#[test]
fn a_running_task_says_how_fast_it_is_how_long_it_takes_and_what_it_waits_for() {
    let group = |category: &str, attempts: i32, indexes: &str, message: &str| {
        json!({ "category": category, "attempts": attempts, "items": attempts, "indexes": indexes,
            "sample": { "index": 1, "attempt": 1, "message": message } })
    };
    let task = task(
        &json!({ "concurrency": 100, "remainingItems": { "onSuccess": "Run" } }),
        &json!({
            "phase": "Running", "observedGeneration": 1, "items": 20_000, "required": 19_600,
            "startTime": "2026-03-01T14:02:00Z", "counts": counts(13_204, 1_850, 64, 4_764, 0, 118),
            "progress": { "time": "2026-03-01T14:17:59Z", "itemsPerMinute": 852, "strideSeconds": 16, "samples": "" },
            "waiting": { "reason": "Quota", "since": "2026-03-01T14:11:00Z",
                "message": "64 pods fill limits.cpu of quota team-vision (128)" },
            "failures": [group("Deadline", 48, "11902-11917", "ran longer than 60 seconds"),
                group("OutOfMemory", 158, "212,977,1504,…", "killed at its limit\nof memory, which is rather long")],
        }),
    );
    let expected = "\
t  Running  20,000 items, 100 at once, 16 min
[##############################################======>................x]  76 %
 # 13,204 succeeded = 1,850 cached > 64 running . 4,764 pending x 118 failed
rate      14.2 items/s in the last minute, 4.5 s an item
left      about 6 min (14:24 UTC)
allowed   118 of 400 failures used; 19,600 must succeed
waiting   Quota for 7 min: 64 pods fill limits.cpu of quota team-vision (128)
do        nothing: items start as others end. Faster: a larger quota, or smaller requests
failures  206 attempts in 2 groups
  158  OutOfMemory  212,977,1504,…      killed at its limit of memory, which is…
   48  Deadline     11902-11917         ran longer than 60 seconds
more      kubectl maptask failures t
";
    assert_eq!(text(&task), expected);
    let fields = fields(&task, now());
    assert_eq!((&fields["secondsLeft"], &fields["allowedFailures"]), (&json!(360), &json!(400)));
    assert!(fields["waiting"]["action"].as_str().unwrap().starts_with("nothing"));
}

#[test]
fn a_failed_task_says_why_and_what_comes_next() {
    let task = task(
        &json!({}),
        &json!({
            "phase": "Failed", "observedGeneration": 1, "items": 20_000, "required": 19_600,
            "startTime": "2026-03-01T14:03:00Z", "completionTime": "2026-03-01T14:06:00Z",
            "counts": counts(1_019, 0, 0, 0, 18_580, 401), "message": "401 of 20000 items failed, at most 400 may",
        }),
    );
    let expected = "\
t  Failed  20,000 items, ended 12 min ago, ran 3 min
[###------------------------------------------------------------------x]   7 %
 # 1,019 succeeded - 18,580 cancelled x 401 failed
why       401 of 20000 items failed, at most 400 may
next      kubectl maptask rerun t --failed       # after the cause is fixed
";
    assert_eq!(text(&task), expected);
}

#[test]
fn a_task_without_an_operator_says_so() {
    let task = task(&json!({}), &json!({ "phase": "Pending", "observedGeneration": -1 }));
    let expected = "t  Pending  18 min\nwaiting   no operator has seen the task\ndo        kubectl maptask doctor\n";
    assert_eq!(text(&task), expected);
}

#[test]
fn a_reason_of_a_later_version_is_shown_with_its_message() {
    let waiting = json!({ "reason": "Eclipse", "message": "no\u{1b}[2Jsun ".repeat(20) });
    let status = json!({ "phase": "Running", "observedGeneration": 1, "items": 3, "required": 3,
        "counts": counts(0, 0, 1, 2, 0, 0), "waiting": waiting });
    let shown = text(&task(&json!({}), &status));
    assert!(shown.contains("waiting   Eclipse: no\u{fffd}[2Jsun") && !shown.contains("\ndo "), "{shown}");
    assert!(shown.contains("\n          no\u{fffd}[2Jsun"), "wrapped under its label: {shown}");
    assert!(shown.contains("left      unknown: it waits"));
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
}

#[test]
fn a_task_whose_list_a_pod_computes_says_where_it_comes_from() {
    let listing = |phase: &str, list: Value| {
        let mut listing =
            json!({ "phase": "Running", "attempt": 2, "applicationFailures": 1, "infrastructureFailures": 0 });
        if list.is_object() {
            listing["list"] = list;
        }
        json!({ "phase": phase, "observedGeneration": 1, "listing": listing, "startTime": "2026-03-01T14:02:00Z" })
    };
    let shown = text(&task(&json!({}), &listing("Listing", Value::Null)));
    assert_eq!(
        shown,
        "t  Listing  16 min\nlist      pod t-list-2 computes it\nleft      unknown: no item has ended yet\n"
    );
    let list = json!({ "configMapPrefix": "t-items-2-", "pieces": 1, "items": 5, "bytes": 60, "hash": "sha256:0",
        "attempt": 2, "podUid": "u" });
    let shown = text(&task(&json!({}), &listing("Running", list)));
    assert!(shown.contains("list      5 items of pod t-list-2, in 1 ConfigMap\n"), "{shown}");
    let mut failed = listing("Failed", Value::Null);
    (failed["reason"], failed["message"]) = (json!("ItemsPodFailed"), json!("no luck"));
    let shown = text(&task(&json!({}), &failed));
    assert!(shown.contains("has given none\n") && shown.contains("rerun t --list"), "{shown}");
}

#[test]
fn a_task_that_somebody_else_runs_says_who() {
    let of = |manager: &str| text(&task(&json!({ "managedBy": manager }), &json!({})));
    assert!(of("acme.io/controller").contains("manager   acme.io/controller runs it and writes its status\n"));
    let multikueue = of("kueue.x-k8s.io/multikueue");
    assert!(
        multikueue.contains("manager   kueue.x-k8s.io/multikueue runs it in another cluster: kubectl get"),
        "{multikueue}"
    );
    assert!(multikueue.contains("maptask.dev/name=t"), "{multikueue}");
    assert!(!of("maptask.dev/operator").contains("manager"));
    assert!(!multikueue.contains("no operator has seen"), "{multikueue}");
}
