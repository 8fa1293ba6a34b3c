//! What programs leave behind.

use std::fs;

use maptask_exchange::{Config, Outcome};

use crate::fake::{Leader, SUCCEEDED, Worker, config, grants, runs};

#[tokio::test]
async fn items_that_each_orphan_a_child_leave_no_process() {
    let mut leader = Leader::start().await;
    let script = "(setsid sleep 600 >/dev/null 2>&1 &) ; (true &)";
    let worker = Worker::sh(&leader, script);
    let (ends, _last) = leader.run_some(grants(60), 1, 20).await;
    assert!(ends.iter().all(|end| end.outcome == SUCCEEDED));
    assert_eq!(children(&worker), "");
}

fn children(worker: &Worker) -> String {
    fs::read_to_string(format!("/proc/{0}/task/{0}/children", worker.pid)).unwrap()
}

#[tokio::test]
async fn one_reaper_owns_all_waits_and_codes_are_right_among_orphans() {
    let mut leader = Leader::start().await;
    let config = Config { slots: 4, ..config(&leader.url) };
    let script = "(true &); (false &); (sleep 0 &); exit $((MAPTASK_INDEX % 7))";
    let _worker = Worker::start(&config, &["sh", "-c", script]);
    let ends = leader.run(grants(150), 4, 20).await;
    for end in ends {
        let code = i32::try_from(end.id.0 % 7).unwrap();
        let expected = if code == 0 { SUCCEEDED } else { Outcome::Failed { exit_code: code, message: String::new() } };
        assert_eq!(end.outcome, expected, "{:?}", end.id);
    }
}

#[tokio::test]
async fn an_item_ends_with_its_process_although_a_grandchild_holds_its_pipe() {
    let mut leader = Leader::start().await;
    let _worker = Worker::sh(&leader, "setsid sleep 600 & echo done");
    // No request is waited for as long as the grandchild sleeps.
    let ends = leader.run(grants(3), 1, 0).await;
    assert!(ends.iter().all(|end| end.outcome == SUCCEEDED));
}

#[tokio::test]
async fn nothing_that_an_item_started_outlives_it_daemons_included() {
    for slots in [1, 2] {
        let mut leader = Leader::start().await;
        let config = Config { slots, ..config(&leader.url) };
        // Item 0 stays; item 1 leaves daemons, one of them without its environment.
        let script = r#"if [ $MAPTASK_INDEX = 0 ] && [ $SLOTS = 2 ]; then
                (setsid sleep 601 & echo $! > "$DIR/other")
                until [ -e "$DIR/go" ]; do sleep 0.01; done
            else
                until [ $SLOTS = 1 ] || [ -s "$DIR/other" ]; do sleep 0.01; done
                (setsid sh -c 'sleep 602 & wait' & echo $! > "$DIR/daemon")
                (env -i setsid sleep 603 & echo $! > "$DIR/nameless")
                sleep 604 & echo $! > "$DIR/child"
            fi"#;
        let count = slots.to_string();
        let worker = Worker::start_with(&config, &["sh", "-c", script], &[("SLOTS", &count)]);
        let call = leader.call().await;
        let answer = maptask_exchange::Answer { slots, grants: grants(slots), ..call.empty() };
        call.answer(&answer);
        let call = leader.ends().await;
        assert_eq!(call.request.ended[0].id.0, slots - 1);
        assert!(!runs(&worker.text("daemon")) && !runs(&worker.text("child")));
        if slots == 1 {
            assert!(!runs(&worker.text("nameless")));
        } else {
            // The daemon of the item that still runs is its own.
            assert!(runs(&worker.text("other")));
            fs::write(worker.directory.join("go"), "").unwrap();
            let answer = maptask_exchange::Answer { slots, ..call.empty() };
            call.answer(&answer);
            let call = leader.ends().await;
            assert_eq!(call.request.ended.last().unwrap().id.0, 0);
            assert!(!runs(&worker.text("other")) && !runs(&worker.text("nameless")));
        }
    }
}

#[tokio::test]
async fn a_daemon_is_found_while_it_executes_another_program() {
    let mut leader = Leader::start().await;
    let config = Config { slots: 2, ..config(&leader.url) };
    // Item 0 stays; each other one leaves a daemon that does little but execute itself, and looks for the one before.
    let script = r#"if [ $MAPTASK_INDEX = 0 ]; then
            until [ -e "$DIR/last" ]; do sleep 0.01; done
            exit
        fi
        [ $MAPTASK_INDEX = 1 ] || ! kill -0 $(cat "$DIR/daemon") 2> /dev/null || echo $MAPTASK_INDEX >> "$DIR/survived"
        rm -f "$DIR/up"
        setsid sh -c "$AGAIN" & echo $! > "$DIR/daemon"
        until [ -e "$DIR/up" ]; do :; done
        [ $MAPTASK_INDEX != 99 ] || : > "$DIR/last""#;
    let again = r#"[ -e "$DIR/up" ] || : > "$DIR/up"; exec sh -c "$AGAIN""#;
    let worker = Worker::start_with(&config, &["sh", "-c", script], &[("AGAIN", again)]);
    let (ends, _last) = leader.run_some(grants(100), 2, 2).await;
    assert!(ends.iter().all(|end| end.outcome == SUCCEEDED), "{ends:?}");
    assert_eq!(worker.text("survived"), "", "{}", worker.text("err"));
}

#[tokio::test]
async fn the_group_is_killed_before_its_leader_is_reaped() {
    let mut leader = Leader::start().await;
    // The child notes when its parent has changed, unless it is killed before.
    let script = r#"(while :; do read -r _ _ _ parent _ < /proc/self/stat; done) & exit 0"#;
    let worker = Worker::sh(&leader, script);
    let (ends, _last) = leader.run_some(grants(50), 1, 5).await;
    assert!(ends.iter().all(|end| end.outcome == SUCCEEDED));
    assert_eq!(children(&worker), "");
}

#[tokio::test]
async fn ten_megabytes_out_and_ten_in_error_at_once_neither_block_nor_lose_a_byte() {
    let mut leader = Leader::start().await;
    let config = Config { prefix_log: false, ..config(&leader.url) };
    let script = "head -c 10000000 /dev/zero | tr '\\0' 'a' >&2 & head -c 10000000 /dev/zero | tr '\\0' 'b'; wait";
    let mut worker = Worker::start(&config, &["sh", "-c", script]);
    let ends = leader.run(grants(1), 1, 0).await;
    assert_eq!(ends[0].outcome, SUCCEEDED);
    assert!(worker.end().await.success());
    let count = |name: &str, letter: u8| {
        fs::read(worker.directory.join(name)).unwrap().iter().filter(|byte| **byte == letter).count()
    };
    assert_eq!((count("out", b'b'), count("err", b'a')), (10_000_000, 10_000_000));
}

#[tokio::test]
async fn a_partial_last_line_is_flushed_at_the_end_of_its_item() {
    let mut leader = Leader::start().await;
    let mut worker = Worker::sh(&leader, r#"printf "one\ntw$MAPTASK_INDEX""#);
    leader.run(grants(2), 1, 1).await;
    assert!(worker.end().await.success());
    assert_eq!(worker.text("out"), "[0] one\n[0] tw0\n[1] one\n[1] tw1\n");
}
