//! How a worker speaks with the operator.

use std::fs;
use std::time::Duration;

use maptask_exchange::{Answer, AttemptId, Config, State};
use nix::sys::signal::Signal;

use crate::fake::{Leader, SUCCEEDED, Worker, config, grants, runs};

#[tokio::test]
async fn an_end_is_repeated_until_acknowledged_and_the_worker_does_not_exit_before() {
    let mut leader = Leader::start().await;
    let mut worker = Worker::sh(&leader, "true");
    leader.call().await.grant(grants(1));
    for epoch in 1..4 {
        // Each leader hears it once, until it has answered.
        let call = leader.ends().await;
        assert_eq!(call.request.ended.len(), 1);
        call.refuse(503, "not the leader");
        let call = leader.ends().await;
        assert_eq!(call.request.ended[0].outcome, SUCCEEDED);
        let answer = Answer { epoch, stop: Some("over".to_owned()), ..call.empty() };
        call.answer(&answer);
        if epoch < 3 {
            let call = leader.call().await;
            assert!(call.request.ended.is_empty(), "{:?}", call.request);
            assert!(matches!(call.request.state, State::Leaving { .. }));
            let answer = Answer { epoch: epoch + 1, ..call.empty() };
            call.answer(&answer);
        }
    }
    let call = leader.call().await;
    let answer = Answer { epoch: 3, acknowledged: 1, ..call.empty() };
    call.answer(&answer);
    assert!(worker.end().await.success());
}

#[tokio::test]
async fn grants_of_an_answer_that_never_arrived_are_not_held() {
    let mut leader = Leader::start().await;
    let worker = Worker::sh(&leader, r#"echo $MAPTASK_INDEX >> "$DIR/ran""#);
    leader.call().await.grant(grants(1));
    let call = leader.ends().await;
    // The next request renounces the answer to this one, which is late.
    let answer = Answer { acknowledged: 1, ..call.empty() };
    call.answer(&answer);
    let parked = leader.call().await;
    worker.signal(Signal::SIGUSR1);
    let late = parked.request.number;
    // News that make the worker send another one while this one is open: nothing runs, so only a signal does.
    worker.signal(Signal::SIGTERM);
    let call = leader.call().await;
    assert_eq!(call.request.number, late + 1);
    parked.grant(grants(5));
    assert!(call.request.stock.is_empty());
    let answer = Answer { acknowledged: 1, ..call.empty() };
    call.answer(&answer);
    worker.until("ran", "0").await;
    assert_eq!(worker.text("ran"), "0\n");
}

#[tokio::test]
async fn an_end_during_a_poll_is_reported_on_another_connection() {
    let mut leader = Leader::start().await;
    let worker = Worker::sh(&leader, r#"until [ -e "$DIR/go" ]; do sleep 0.01; done"#);
    leader.call().await.grant(grants(1));
    let parked = leader.call().await;
    fs::write(worker.directory.join("go"), "").unwrap();
    let call = leader.call().await;
    assert!(!call.request.ended.is_empty(), "{:?}", call.request);
    assert_ne!(call.connection, parked.connection);
    assert!(!parked.is_cut());
    assert_eq!(call.request.number, parked.request.number + 1);
}

#[tokio::test]
async fn a_poll_cut_by_a_proxy_costs_no_grant() {
    let mut leader = Leader::start().await;
    let _worker = Worker::sh(&leader, "true");
    let (_, mut call) = leader.run_some(grants(1), 1, 0).await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        drop(call);
        call = leader.call().await;
    }
    call.grant(grants(3).split_off(2));
    assert_eq!(leader.ends().await.request.ended.last().unwrap().id, AttemptId(2, 1));
}

#[tokio::test]
async fn a_request_that_is_too_large_for_a_proxy_is_followed_by_a_smaller_one() {
    let mut leader = Leader::start().await;
    let _worker = Worker::sh(&leader, "true");
    leader.call().await.grant(grants(4));
    let call = loop {
        let call = leader.ends().await;
        if call.request.ended.len() == 4 {
            break call;
        }
    };
    call.refuse(413, "request entity too large");
    let call = leader.ends().await;
    assert_eq!(call.request.ended.len(), 2, "{:?}", call.request);
    call.grant(Vec::new());
    assert_eq!(leader.ends().await.request.ended[0].sequence, 3, "the rest follows");
}

#[tokio::test]
async fn what_is_recalled_is_given_back_unless_it_has_begun() {
    let mut leader = Leader::start().await;
    let worker = Worker::sh(&leader, r#"echo up >> "$DIR/up"; until [ -e "$DIR/go" ]; do sleep 0.01; done"#);
    leader.call().await.grant(grants(3));
    worker.until("up", "up").await;
    let call = leader.call().await;
    assert_eq!((&call.request.running[..], call.request.stock.len()), (&[AttemptId(0, 1)][..], 2));
    let answer = Answer { recall: vec![AttemptId(0, 1), AttemptId(1, 1), AttemptId(9, 1)], ..call.empty() };
    call.answer(&answer);
    let call = leader.call().await;
    assert_eq!(call.request.running, [AttemptId(0, 1)]);
    assert_eq!(call.request.stock, [AttemptId(2, 1)]);
}

#[tokio::test]
async fn an_item_that_is_no_longer_the_workers_is_killed_and_forgotten() {
    let mut leader = Leader::start().await;
    let worker = Worker::sh(&leader, r#"echo $$ > "$DIR/pid"; sleep 600"#);
    leader.call().await.grant(grants(2));
    worker.until("pid", "\n").await;
    let call = leader.call().await;
    let answer = Answer { revoked: vec![AttemptId(0, 1), AttemptId(1, 1)], ..call.empty() };
    call.answer(&answer);
    let mut call = leader.call().await;
    while !call.request.running.is_empty() {
        assert!(call.request.stock.is_empty() && call.request.ended.is_empty());
        let next = leader.call().await;
        let answer = call.empty();
        call.answer(&answer);
        call = next;
    }
    assert!(call.request.ended.is_empty(), "{:?}", call.request);
    assert!(!runs(&worker.text("pid")));
}

#[tokio::test]
async fn slots_may_change_at_any_answer() {
    let mut leader = Leader::start().await;
    let worker = Worker::sh(&leader, r#"echo up >> "$DIR/up"; until [ -e "$DIR/go" ]; do sleep 0.01; done"#);
    leader.call().await.grant(grants(5));
    let call = leader.call().await;
    assert_eq!(call.request.running.len(), 1);
    let answer = Answer { slots: 3, ..call.empty() };
    call.answer(&answer);
    worker.until("up", "up\nup\nup").await;
    let call = leader.call().await;
    assert_eq!((call.request.running.len(), call.request.stock.len()), (3, 2));
}

#[tokio::test]
async fn an_answer_of_a_lower_epoch_is_ignored() {
    let mut leader = Leader::start().await;
    let _worker = Worker::sh(&leader, "true");
    let call = leader.call().await;
    let answer = Answer { epoch: 5, ..call.empty() };
    call.answer(&answer);
    let call = leader.call().await;
    assert_eq!(call.request.epoch, 5);
    let answer = Answer { epoch: 4, grants: grants(2), ..call.empty() };
    call.answer(&answer);
    let call = leader.call().await;
    assert!(call.request.stock.is_empty() && call.request.ended.is_empty() && call.request.begun == 0);
}

#[tokio::test]
async fn a_worker_that_a_newer_session_has_replaced_ends() {
    let mut leader = Leader::start().await;
    let mut worker = Worker::sh(&leader, r#"echo $$ > "$DIR/pid"; sleep 600"#);
    leader.call().await.grant(grants(1));
    worker.until("pid", "\n").await;
    // The request that says that its item runs may have overtaken another.
    let refuse_all = async {
        loop {
            leader.call().await.refuse(409, "session 00 is newer");
        }
    };
    let end = tokio::select! { end = worker.end() => end, () = refuse_all => unreachable!() };
    assert_eq!(end.code(), Some(1));
    assert!(!runs(&worker.text("pid")), "its program is killed");
    let record = worker.record();
    assert!(record.message.unwrap().contains("session 00 is newer") && !record.unreachable);
}

#[tokio::test]
async fn a_worker_that_is_not_let_in_says_so_in_its_record() {
    let mut leader = Leader::start().await;
    let mut worker = Worker::sh(&leader, "true");
    leader.call().await.refuse(403, "the pod is of another task");
    assert_eq!(worker.end().await.code(), Some(1));
    assert!(worker.record().unreachable && worker.text("record").contains("the pod is of another task"));
}

#[tokio::test]
async fn an_unreachable_operator_ends_the_container_with_address_error_and_remedy() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let config = Config { start_deadline_seconds: 1, ..config(&format!("http://{closed}")) };
    let proxy = [("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "http://127.0.0.1:1")];
    let mut worker = Worker::start_with(&config, &["true"], &proxy);
    assert_eq!(worker.end().await.code(), Some(1));
    let (record, text) = (worker.record(), worker.text("record"));
    assert!(record.unreachable, "{text}");
    for part in [&closed.to_string(), "did not answer for 1 s", "Connection refused", "NetworkPolicy"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn an_operator_that_no_connection_reaches_is_not_taken_for_one_that_cut_a_poll() {
    // As behind a NetworkPolicy that drops what it forbids: nothing is refused, and nothing answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let ca = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    let config = Config { ca, start_deadline_seconds: 11, ..config(&url) };
    let mut worker = Worker::start(&config, &["true"]);
    assert_eq!(worker.end().await.code(), Some(1));
    let text = worker.text("record");
    assert!(worker.record().unreachable && text.contains("no connection within 10 s"), "{text}");
}

#[tokio::test]
async fn the_first_exchange_is_retried_and_the_token_read_again_each_time() {
    let mut leader = Leader::start().await;
    let worker = Worker::sh(&leader, "true");
    let call = leader.call().await;
    assert_eq!(call.token, "Bearer secret");
    fs::write(worker.directory.join("token"), "renewed").unwrap();
    call.refuse(401, "expired");
    let call = leader.call().await;
    assert_eq!(call.token, "Bearer renewed");
    call.refuse(503, "not the leader");
    let ends = leader.run(grants(1), 1, 0).await;
    assert_eq!(ends[0].outcome, SUCCEEDED);
}

#[tokio::test]
async fn the_record_says_what_ran_also_after_sigkill() {
    let mut leader = Leader::start().await;
    let config = Config { slots: 2, ..config(&leader.url) };
    let worker = Worker::start(&config, &["sh", "-c", r#"echo up >> "$DIR/up"; sleep 600"#]);
    let call = leader.call().await;
    let answer = Answer { slots: 2, grants: grants(2), ..call.empty() };
    call.answer(&answer);
    worker.until("up", "up\nup").await;
    worker.until("record", "[[0,1],[1,1]]").await;
    worker.signal(Signal::SIGKILL);
    let record = worker.record();
    assert_eq!((record.running, record.begun, record.unreachable), (vec![AttemptId(0, 1), AttemptId(1, 1)], 2, false));
}

#[tokio::test]
async fn a_worker_asks_to_be_replaced_after_its_items_and_continues_until_it_is_stopped() {
    let mut leader = Leader::start().await;
    let config = Config { max_items: Some(10), ..config(&leader.url) };
    let mut worker = Worker::start(&config, &["true"]);
    let (ends, last) = leader.run_some(grants(20), 1, 2).await;
    assert_eq!(ends.len(), 20);
    assert!(matches!(&last.request.state, State::Recycle { message } if message.starts_with("it has run ")));
    let answer = Answer { acknowledged: 20, stop: Some("replaced".to_owned()), ..last.empty() };
    last.answer(&answer);
    assert!(worker.end().await.success());
}

#[tokio::test]
async fn a_worker_trusts_the_certificate_that_it_was_given_and_no_other() {
    let name = "maptask-workers.maptask-system.svc";
    let (mut leader, ca) = Leader::start_tls(name).await;
    let good = Config { server_name: name.to_owned(), ca, ..config(&leader.url) };
    let mut worker = Worker::start(&good, &["true"]);
    let ends = leader.run(grants(10), 1, 2).await;
    assert!(ends.iter().all(|end| end.outcome == SUCCEEDED));
    assert!(worker.end().await.success());
    let (_, other) = Leader::start_tls(name).await;
    for (server_name, ca) in [(name, other), ("other.name", good.ca.clone())] {
        let bad = Config { server_name: server_name.to_owned(), ca, start_deadline_seconds: 1, ..good.clone() };
        let mut worker = Worker::start(&bad, &["true"]);
        assert_eq!(worker.end().await.code(), Some(1));
        let text = worker.text("record");
        assert!(worker.record().unreachable && text.contains("certificate"), "{text}");
    }
}
