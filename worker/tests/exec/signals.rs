//! How a worker ends.

use std::time::{Duration, Instant};

use maptask_exchange::{Answer, Config, Leaving, Outcome, State};
use nix::sys::signal::Signal;

use crate::fake::{Leader, SUCCEEDED, Worker, config, grants};

#[tokio::test]
async fn sigterm_reaches_each_program_once_and_exit_0_then_is_success() {
    let mut leader = Leader::start().await;
    let config = Config { slots: 2, ..config(&leader.url) };
    let script = r#"trap 'echo got >> "$DIR/terms-$MAPTASK_INDEX"; code=$MAPTASK_INDEX' TERM
        echo up >> "$DIR/up"; while [ -z "$code" ]; do sleep 0.01; done; sleep 0.2; exit $code"#;
    let mut worker = Worker::start(&config, &["sh", "-c", script]);
    let call = leader.call().await;
    let answer = Answer { slots: 2, grants: grants(4), ..call.empty() };
    call.answer(&answer);
    worker.until("up", "up\nup").await;
    worker.signal(Signal::SIGTERM);
    worker.until("terms-0", "got").await;
    worker.until("terms-1", "got").await;
    worker.signal(Signal::SIGTERM);
    let mut ended = Vec::new();
    while ended.len() < 2 {
        let call = leader.call().await;
        if let State::Leaving { reason, .. } = &call.request.state {
            assert_eq!(*reason, Leaving::Terminated);
            assert!(call.request.stock.is_empty(), "what has not begun is given back");
        }
        ended.clone_from(&call.request.ended);
        // Without an acknowledgement, the worker stays and says it again.
        let acknowledged = if ended.len() == 2 { 2 } else { 0 };
        let answer = Answer { slots: 2, acknowledged, ..call.empty() };
        if ended.len() == 2 || call.request.state == State::Working {
            call.answer(&answer);
        } else {
            call.refuse(503, "once more");
        }
    }
    ended.sort_by_key(|end| end.id);
    assert_eq!(ended[0].outcome, SUCCEEDED);
    assert_eq!(ended[1].outcome, Outcome::Stopped);
    assert!(worker.end().await.success());
    assert_eq!((worker.text("terms-0"), worker.text("terms-1")), ("got\n".to_owned(), "got\n".to_owned()));
}

#[tokio::test]
async fn from_sigterm_to_exit_the_worker_keeps_exchanging_and_takes_nothing() {
    let mut leader = Leader::start().await;
    let script = r#"trap : TERM; echo up > "$DIR/up"; until [ -e "$DIR/go" ]; do sleep 0.01; done"#;
    let mut worker = Worker::sh(&leader, script);
    leader.call().await.grant(grants(1));
    worker.until("up", "up").await;
    let parked = leader.call().await;
    worker.signal(Signal::SIGTERM);
    // The news comes although a request is parked.
    let call = leader.call().await;
    assert!(matches!(&call.request.state, State::Leaving { reason: Leaving::Terminated, .. }));
    parked.refuse(503, "released");
    // What is granted now is returned unbegun.
    call.grant(grants(3).split_off(1));
    for _ in 0..3 {
        let call = leader.call().await;
        assert!(call.request.stock.is_empty() && call.request.running.len() == 1, "{:?}", call.request);
        call.grant(Vec::new());
    }
    let call = leader.call().await;
    std::fs::write(worker.directory.join("go"), "").unwrap();
    let last = leader.ends().await;
    drop(call);
    let answer = Answer { acknowledged: 1, ..last.empty() };
    last.answer(&answer);
    assert!(worker.end().await.success());
}

#[tokio::test]
async fn programs_are_killed_five_seconds_before_the_grace_is_over() {
    let mut leader = Leader::start().await;
    let config = Config { grace_seconds: 7, ..config(&leader.url) };
    let script = r#"trap '' TERM; echo up > "$DIR/up"; while :; do sleep 1; done"#;
    let mut worker = Worker::start(&config, &["sh", "-c", script]);
    leader.call().await.grant(grants(1));
    worker.until("up", "up").await;
    worker.signal(Signal::SIGTERM);
    let began = Instant::now();
    let last = leader.ends().await;
    let took = began.elapsed();
    // Half of a grace period of less than ten seconds.
    assert!(took >= Duration::from_millis(3_400) && took < Duration::from_millis(6_500), "{took:?}");
    assert_eq!(last.request.ended[0].outcome, Outcome::Stopped);
    // It is not acknowledged: the worker ends with its grace period.
    assert!(worker.end().await.success());
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(6_500) && took < Duration::from_secs(9), "{took:?}");
}

#[tokio::test]
async fn a_stopped_worker_finishes_what_runs_and_exits_when_all_is_acknowledged() {
    let mut leader = Leader::start().await;
    let script = r#"echo up >> "$DIR/up"; until [ -e "$DIR/go" ]; do sleep 0.01; done"#;
    let mut worker = Worker::sh(&leader, script);
    leader.call().await.grant(grants(3));
    worker.until("up", "up").await;
    let call = leader.call().await;
    assert_eq!(call.request.stock.len(), 2);
    let answer = Answer { stop: Some("another task waits".to_owned()), ..call.empty() };
    call.answer(&answer);
    let call = leader.call().await;
    assert!(call.request.stock.is_empty() && call.request.running.len() == 1);
    std::fs::write(worker.directory.join("go"), "").unwrap();
    let last = leader.ends().await;
    drop(call);
    assert_eq!(last.request.ended[0].outcome, SUCCEEDED);
    let answer = Answer { acknowledged: 1, ..last.empty() };
    last.answer(&answer);
    assert!(worker.end().await.success());
    assert_eq!(worker.text("up"), "up\n", "one program ran");
    assert_eq!((worker.record().running.len(), worker.record().message), (0, None));
}

#[tokio::test]
async fn other_signals_are_forwarded() {
    let mut leader = Leader::start().await;
    let script =
        r#"trap 'echo usr1 > "$MAPTASK_RESULT"; exit 0' USR1; echo up > "$DIR/up"; while :; do sleep 0.01; done"#;
    let worker = Worker::sh(&leader, script);
    leader.call().await.grant(grants(1));
    worker.until("up", "up").await;
    worker.signal(Signal::SIGUSR1);
    assert_eq!(leader.ends().await.request.ended[0].outcome, crate::fake::succeeded("usr1\n"));
}
