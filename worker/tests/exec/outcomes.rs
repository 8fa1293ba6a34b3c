//! How attempts end.

use std::fs;
use std::time::Duration;

use maptask_exchange::{Config, Leaving, Outcome, State};

use crate::fake::{Leader, SUCCEEDED, Worker, config, directory, grant, grants, succeeded};

fn failed(exit_code: i32, message: &str) -> Outcome {
    Outcome::Failed { exit_code, message: message.to_owned() }
}

#[tokio::test]
async fn exit_codes_signals_and_the_end_of_the_output_are_reported() {
    let mut leader = Leader::start().await;
    let script = r#"case $MAPTASK_INDEX in
        0) exit 0 ;;
        1) echo out; echo err >&2; exit 7 ;;
        2) echo only out; exit 1 ;;
        3) kill -9 $$ ;;
        4) kill -40 $$ ;;
        5) echo said > "$MAPTASK_RESULT"; echo err >&2; exit 2 ;;
        esac"#;
    let mut worker = Worker::sh(&leader, script);
    let ends = leader.run(grants(6), 1, 2).await;
    let outcomes: Vec<Outcome> = ends.into_iter().map(|end| end.outcome).collect();
    let expected = [
        SUCCEEDED,
        failed(7, "err\n"),
        failed(1, "only out\n"),
        failed(137, ""),
        failed(128 + 64, ""),
        failed(2, "said\n"),
    ];
    assert_eq!(outcomes, expected);
    assert!(worker.end().await.success());
    assert!(worker.text("out").contains("[1] out\n") && worker.text("err").contains("[1] err\n"));
}

#[tokio::test]
async fn a_result_over_the_limit_fails_its_item_on_the_worker_with_both_sizes() {
    let mut leader = Leader::start().await;
    let config = Config { max_result_bytes: 10, ..config(&leader.url) };
    let script = r#"case $MAPTASK_INDEX in
        0) printf 0123456789 > "$MAPTASK_RESULT" ;;
        1) printf 0123456789a > "$MAPTASK_RESULT" ;;
        2) printf '\377' > "$MAPTASK_RESULT" ;;
        3) printf 'moved' > "$MAPTASK_RESULT.new"; mv "$MAPTASK_RESULT.new" "$MAPTASK_RESULT" ;;
        4) rm "$MAPTASK_RESULT"; mkfifo "$MAPTASK_RESULT" ;;
        esac"#;
    let _worker = Worker::start(&config, &["sh", "-c", script]);
    let ends = leader.run(grants(6), 1, 2).await;
    let outcomes: Vec<Outcome> = ends.into_iter().map(|end| end.outcome).collect();
    let too_large = Outcome::ResultTooLarge { bytes: 11, end: "123456789a".to_owned() };
    let expected =
        [succeeded("0123456789"), too_large, succeeded("\u{fffd}"), succeeded("moved"), SUCCEEDED, SUCCEEDED];
    assert_eq!(outcomes, expected);
}

#[tokio::test]
async fn every_report_is_bounded_whatever_item_result_and_error_are() {
    let mut leader = Leader::start().await;
    let config = Config { max_result_bytes: 64 << 10, slots: 4, ..config(&leader.url) };
    // A zero byte takes six bytes of JSON.
    let script = r#"head -c 65536 /dev/zero > "$MAPTASK_RESULT"; head -c 1000000 /dev/zero >&2; exit $MAPTASK_INDEX"#;
    let mut worker = Worker::start(&config, &["sh", "-c", script]);
    let items = vec![grant(0, &format!("\"{}\"", "x".repeat(100_000))), grant(1, "1")];
    leader.call().await.grant(items);
    let call = loop {
        let call = leader.ends().await;
        let size = serde_json::to_vec(&call.request).unwrap().len();
        assert!(size < maptask_exchange::MAX_REQUEST_BYTES, "{size}");
        if call.request.ended.len() == 2 {
            break call;
        }
    };
    let mut ends = call.request.ended.clone();
    ends.sort_by_key(|end| end.id);
    assert_eq!(ends[0].outcome, succeeded(&"\0".repeat(65_536)));
    let Outcome::Failed { message, exit_code: 1 } = &ends[1].outcome else { panic!("{:?}", ends[1]) };
    assert_eq!(message.len(), maptask_exchange::MAX_MESSAGE_BYTES);
    call.refuse(403, "over");
    assert_eq!(worker.end().await.code(), Some(1));
}

#[tokio::test]
async fn an_item_that_takes_too_long_gets_sigterm_and_then_sigkill() {
    let mut leader = Leader::start().await;
    let config = Config { deadline_seconds: Some(1), grace_seconds: 4, slots: 2, ..config(&leader.url) };
    let script = r#"if [ $MAPTASK_INDEX = 0 ]; then trap 'echo asked >&2' TERM; else trap 'echo bye >&2; exit 0' TERM; fi
        while :; do sleep 60 & wait $!; done"#;
    let worker = Worker::start(&config, &["sh", "-c", script]);
    let mut ends = leader.run(grants(2), 2, 0).await;
    ends.sort_by_key(|end| end.id);
    // A shell also says that its child was ended.
    for (end, word) in ends.iter().zip(["asked\n", "bye\n"]) {
        let Outcome::Deadline { message } = &end.outcome else { panic!("{ends:?}") };
        assert!(message.contains(word), "{message}");
    }
    let micros = Duration::from_micros(ends[0].micros);
    assert!(micros >= Duration::from_millis(4990), "{micros:?}");
    assert!(worker.text("err").contains("[0] asked\n"));
}

#[tokio::test]
async fn stock_has_no_deadline_to_lose() {
    let mut leader = Leader::start().await;
    let config = Config { deadline_seconds: Some(1), ..config(&leader.url) };
    let _worker = Worker::start(&config, &["sleep", "0.4"]);
    // The last one waits for longer than its deadline.
    let ends = leader.run(grants(5), 1, 10).await;
    assert!(ends.iter().all(|end| end.outcome == SUCCEEDED), "{ends:?}");
}

#[tokio::test]
async fn a_failed_item_with_a_risen_oom_counter_is_out_of_memory() {
    let mut leader = Leader::start().await;
    let worker = Worker::sh(
        &leader,
        r#"n=$MAPTASK_INDEX
        case $n in 0|1|3) printf 'oom 9\noom_kill %s\n' $((n + 1)) > "$DIR/memory.events" ;; esac
        case $n in 1) kill -9 $$ ;; 2) kill -9 $$ ;; 3) exit 143 ;; esac"#,
    );
    let ends = leader.run(grants(4), 1, 0).await;
    let outcomes: Vec<Outcome> = ends.into_iter().map(|end| end.outcome).collect();
    let out_of_memory = Outcome::OutOfMemory { exit_code: 137, message: String::new() };
    assert_eq!(outcomes, [SUCCEEDED, out_of_memory, failed(137, ""), failed(143, "")]);
    // The record is written a few milliseconds after what it says.
    worker.until("record", "\"begun\":4").await;
}

#[tokio::test]
async fn a_program_that_nobody_can_start_is_not_started_and_says_why() {
    for (command, says) in [
        ("no-such-program", "exec no-such-program: executable file not found in $PATH"),
        ("/no/such/program", "exec /no/such/program: No such file or directory"),
        ("/etc/passwd", "exec /etc/passwd: Permission denied"),
        ("/etc/passwd/x", "exec /etc/passwd/x: Not a directory"),
        ("DIR/text", "text: Exec format error"),
    ] {
        let mut leader = Leader::start().await;
        let directory = directory();
        fs::write(directory.join("text"), "no program").unwrap();
        fs::set_permissions(directory.join("text"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let command = command.replace("DIR", directory.to_str().unwrap());
        let mut worker = Worker::start(&config(&leader.url), &[&command]);
        let ends = leader.run(grants(1), 1, 0).await;
        let Outcome::NotStarted { message } = &ends[0].outcome else { panic!("{ends:?}") };
        assert!(message.contains(says), "{message}");
        assert!(worker.end().await.success());
    }
}

#[tokio::test]
async fn an_item_that_is_too_large_for_a_program_fails_and_says_why() {
    let mut leader = Leader::start().await;
    let _worker = Worker::sh(&leader, "true");
    let items = vec![grant(0, &format!("\"{}\"", "x".repeat(200_000))), grant(1, "\"a\\u0000b\""), grant(2, "2")];
    let ends = leader.run(items, 1, 2).await;
    let Outcome::Failed { exit_code: 126, message } = &ends[0].outcome else { panic!("{ends:?}") };
    assert!(message.contains("128 KiB"), "{message}");
    let Outcome::Failed { exit_code: 126, message } = &ends[1].outcome else { panic!("{ends:?}") };
    assert!(message.contains("MAPTASK_ITEM has a zero byte"), "{message}");
    assert_eq!(ends[2].outcome, SUCCEEDED);
}

#[tokio::test]
async fn a_failure_to_start_a_program_returns_the_item_and_ends_the_worker() {
    let mut leader = Leader::start().await;
    // The limit of descriptors is the worker's own: it has some for itself, and too few for programs.
    let script = "ulimit -n 22; exec \"$0\" \"$@\"";
    let config = Config { slots: 64, ..config(&leader.url) };
    let worker = env!("CARGO_BIN_EXE_maptask-worker");
    let directory = directory();
    fs::write(directory.join("token"), "secret").unwrap();
    fs::write(directory.join("record"), "").unwrap();
    let mut child = std::process::Command::new("sh")
        .args(["-c", script, worker, "run", "--token"])
        .arg(directory.join("token"))
        .arg("--record")
        .arg(directory.join("record"))
        .args(["--", "sleep", "0.3"])
        .env("MAPTASK_WORKER", serde_json::to_string(&config).unwrap())
        .env("TMPDIR", &directory)
        .spawn()
        .unwrap();
    let call = leader.call().await;
    let answer = maptask_exchange::Answer { slots: 64, grants: grants(64), ..call.empty() };
    call.answer(&answer);
    let mut ends = Vec::new();
    loop {
        let call = leader.call().await;
        let request = call.request.clone();
        assert!(request.stock.is_empty() || matches!(request.state, State::Working));
        for end in &request.ended {
            assert_eq!(end.outcome, SUCCEEDED);
            if end.sequence > ends.len() as u64 {
                ends.push(end.id);
            }
        }
        if let State::Leaving { reason, message } = &request.state {
            assert_eq!(*reason, Leaving::CannotStart);
            assert!(message.contains("Too many open files"), "{message}");
        }
        let answer = maptask_exchange::Answer { slots: 64, acknowledged: ends.len() as u64, ..call.empty() };
        call.answer(&answer);
        if request.running.is_empty() && matches!(request.state, State::Leaving { .. }) {
            break;
        }
    }
    assert!(ends.len() < 64, "all could be started");
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap());
    assert_eq!(crate::fake::soon("its end", status).await.unwrap().code(), Some(1));
    let record = fs::read_to_string(directory.join("record")).unwrap();
    assert!(record.contains("programs can't be started here"), "{record}");
}
