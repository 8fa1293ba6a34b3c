//! What a program sees.

use std::collections::BTreeMap;

use maptask_exchange::{Artifacts, Config};

use crate::fake::{Leader, SUCCEEDED, Worker, config, grant, grants, succeeded};

#[tokio::test]
async fn an_item_gets_its_variables_and_its_arguments() {
    let mut leader = Leader::start().await;
    let script = r#"printf '%s|' "$MAPTASK_ITEM" "$MAPTASK_INDEX" "$MAPTASK_ATTEMPT" "$MAPTASK_COUNT" "$MAPTASK_NAME" \
        "$MAPTASK_ITEM_K" "$FROM_ITEM" "${MAPTASK_WORKER-none}" "$@" > "$MAPTASK_RESULT""#;
    let command = ["sh", "-c", script, "sh", "$(MAPTASK_ITEM)", "$$(MAPTASK_ITEM)", "$(NOT_THERE)"];
    let mut worker = Worker::start_with(&config(&leader.url), &command, &[("FROM_ITEM", "<$(MAPTASK_ITEM)>")]);
    let mut first = grant(3, r#""a b\n""#);
    first.env = BTreeMap::from([("MAPTASK_ITEM_K".to_owned(), "v".to_owned())]);
    let ends = leader.run(vec![first, grant(4, r#"{"k": 1.50}"#)], 1, 1).await;
    assert_eq!(ends[0].outcome, succeeded("a b\n|3|1|100|words|v|<a b\n>|none|a b\n|$(MAPTASK_ITEM)|$(NOT_THERE)|"));
    let item = r#"{"k": 1.50}"#;
    assert_eq!(
        ends[1].outcome,
        succeeded(&format!("{item}|4|1|100|words||<{item}>|none|{item}|$(MAPTASK_ITEM)|$(NOT_THERE)|"))
    );
    assert!(worker.end().await.success());
}

#[tokio::test]
async fn chdir_in_one_item_does_not_move_the_next() {
    let mut leader = Leader::start().await;
    let _worker = Worker::sh(&leader, r#"pwd > "$MAPTASK_RESULT"; cd /; umask 077"#);
    let ends = leader.run(grants(2), 1, 1).await;
    assert_eq!(ends[0].outcome, ends[1].outcome);
}

#[tokio::test]
async fn no_value_and_no_temporary_file_of_an_item_is_seen_by_the_next() {
    let mut leader = Leader::start().await;
    let script = r#"ls -A "$TMPDIR" > "$MAPTASK_RESULT"; echo "$MAPTASK_ITEM_SECRET" >> "$MAPTASK_RESULT"
        mkdir -p "$TMPDIR/a/b"; echo x > "$TMPDIR/a/b/c"; chmod 0 "$TMPDIR/a"; chmod 500 "$TMPDIR""#;
    let mut worker = Worker::sh(&leader, script);
    let mut all = grants(3);
    all[0].env = BTreeMap::from([("MAPTASK_ITEM_SECRET".to_owned(), "hidden".to_owned())]);
    let ends = leader.run(all, 1, 1).await;
    assert_eq!(ends[0].outcome, succeeded("hidden\n"));
    assert_eq!(ends[1].outcome, succeeded("\n"));
    assert_eq!(ends[2].outcome, succeeded("\n"));
    assert!(worker.end().await.success());
    assert_eq!(std::fs::read_dir(worker.directory.join("tmp")).unwrap().count(), 0, "the worker leaves nothing");
}

#[tokio::test]
async fn tmpdir_is_gone_after_its_item_also_after_sigkill() {
    let mut leader = Leader::start().await;
    let script = r#"ls -A "$TMPDIR" >&2; echo x > "$TMPDIR/file-$MAPTASK_INDEX"; kill -9 $$"#;
    let worker = Worker::sh(&leader, script);
    let ends = leader.run(grants(3), 1, 0).await;
    assert_eq!(ends.len(), 3);
    assert!(!worker.text("err").contains("file-"), "{}", worker.text("err"));
}

#[tokio::test]
async fn a_program_sees_only_its_own_descriptors() {
    let mut leader = Leader::start().await;
    let mut worker = Worker::sh(&leader, r#"exec ls /proc/self/fd > "$MAPTASK_RESULT""#);
    // The fourth is the directory that is listed.
    let own = succeeded("0\n1\n2\n3\n");
    let count = |worker: &Worker| std::fs::read_dir(format!("/proc/{}/fd", worker.pid)).unwrap().count();
    let (ends, last) = leader.run_some(grants(5), 1, 2).await;
    assert_eq!(ends[0].outcome, own);
    let before = count(&worker);
    last.grant(Vec::new());
    let ends = leader.run(grants(100), 1, 40).await;
    assert!(ends.iter().all(|end| end.outcome == own), "{ends:?}");
    assert!(count(&worker) <= before + 4, "{} descriptors, {before} at first", count(&worker));
    assert!(worker.end().await.success());
}

#[tokio::test]
async fn an_attempt_has_a_directory_for_its_artifacts() {
    let mut leader = Leader::start().await;
    let directory = crate::fake::directory();
    let artifacts = Artifacts { path: directory.display().to_string(), prefix: "words".to_owned() };
    let config = Config { artifacts: Some(artifacts), ..config(&leader.url) };
    let script = r#"echo x > "$MAPTASK_ARTIFACTS_PATH/file"; echo "$MAPTASK_ARTIFACTS" > "$MAPTASK_RESULT""#;
    let _worker = Worker::start(&config, &["sh", "-c", script]);
    let ends = leader.run(grants(2), 1, 1).await;
    assert_eq!(ends[1].outcome, succeeded("words-1-1\n"));
    assert!(directory.join("words-0-1/file").exists() && directory.join("words-1-1/file").exists());
}

#[tokio::test]
async fn a_program_that_writes_the_termination_message_gives_its_result_there() {
    let mut leader = Leader::start().await;
    let script = r#"case $MAPTASK_INDEX in
        0) echo new > "$DIR/record" ;;
        1) echo behind >> "$DIR/record" ;;
        2) echo over 1<> "$DIR/record" ;;
        3) echo why > "$DIR/record"; exit 3 ;;
        4) echo record > "$DIR/record"; echo own > "$MAPTASK_RESULT" ;;
        esac"#;
    let mut worker = Worker::sh(&leader, script);
    let ends = leader.run(grants(6), 1, 0).await;
    let outcomes: Vec<_> = ends.iter().map(|end| end.outcome.clone()).collect();
    let failed = maptask_exchange::Outcome::Failed { exit_code: 3, message: "why\n".to_owned() };
    let expected =
        [succeeded("new\n"), succeeded("behind\n"), succeeded("over\n"), failed, succeeded("own\n"), SUCCEEDED];
    assert_eq!(outcomes, expected);
    assert!(worker.end().await.success());
    assert_eq!(worker.record().begun, 6);
}

#[tokio::test]
async fn a_result_in_the_termination_message_may_be_as_long_as_any_other() {
    let mut leader = Leader::start().await;
    let config = Config { max_result_bytes: 9_216, ..config(&leader.url) };
    let script = r#"fill() { head -c $1 /dev/zero | tr '\0' x; }
        case $MAPTASK_INDEX in
        0) fill 5000 > "$DIR/record" ;;
        1) { fill 9993; printf 'the end'; } > "$DIR/record" ;;
        2) fill 5000 >> "$DIR/record" ;;
        3) exec 4> "$DIR/record"; fill 3000 >&4; sleep 0.1; fill 3000 >&4 ;;
        esac"#;
    let mut worker = Worker::start(&config, &["sh", "-c", script]);
    let ends = leader.run(grants(4), 1, 0).await;
    let outcomes: Vec<_> = ends.iter().map(|end| end.outcome.clone()).collect();
    let whole = succeeded(&"x".repeat(5_000));
    let end = format!("{}the end", "x".repeat(9_209));
    let too_large = maptask_exchange::Outcome::ResultTooLarge { bytes: 10_000, end };
    assert_eq!(outcomes, [whole.clone(), too_large, whole, succeeded(&"x".repeat(6_000))]);
    assert!(worker.end().await.success());
    assert_eq!(worker.record().begun, 4);
}
