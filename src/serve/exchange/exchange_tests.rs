use std::time::Duration;

use maptask_exchange::{AUDIENCE, MAX_REQUEST_BYTES, PATH};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::bounds::Bounds;
use super::fake_api::{good, token};
use super::test_rig::{Client, Rig, body, certify, read, write};
use crate::core::port::ExchangeRefusal;

/// Times that a test can wait for.
const QUICK: Bounds = Bounds {
    handshake: Duration::from_millis(300),
    introduction: Duration::from_millis(600),
    body: Duration::from_millis(300),
    idle: Duration::from_millis(1_500),
    reply: Duration::from_millis(300),
    ..Bounds::DEFAULT
};

#[tokio::test]
async fn a_worker_gets_the_answer_to_its_request_and_its_connection_stays() {
    let mut rig = Rig::new(Bounds::DEFAULT).await;
    let (mut client, mine) = (rig.client().await, good("t-w-0-1"));
    for number in 1..=3 {
        client.post(Some(&mine), &body(number).to_string()).await;
        let exchange = rig.next().await;
        let from = (&*exchange.namespace, exchange.pod.as_str(), exchange.pod_uid.as_str(), exchange.request.number);
        assert_eq!(from, ("ns", "t-w-0-1", "uid-t-w-0-1", number));
        rig.reply(&exchange, Ok(()));
        let (status, stays, body) = client.answer().await.unwrap();
        assert_eq!((status, stays), (200, true));
        assert_eq!(body, format!(r#"{{"number":{number},"epoch":0,"slots":1}}"#));
    }
    assert_eq!(rig.api.reviews(), 1);
    assert_eq!(rig.metric(r#"exchange_requests_total{status="200"}"#), 3);
    assert_eq!(rig.metric("exchange_connections"), 1);
}

#[tokio::test]
async fn who_may_not_speak_is_refused_before_anything_of_the_request_is_read() {
    let rig = Rig::new(Bounds::DEFAULT).await;
    let other = token("pod", "a", "https://kubernetes.default.svc", 3_600);
    let of = |is: &str| token(is, "a", AUDIENCE, 3_600);
    for (token, status) in [
        (None, 401),
        (Some("rubbish"), 401),
        (Some(&*other), 401),
        (Some(&*of("bad")), 401),
        (Some(&*of("unaware")), 401),
        (Some(&*of("no pod")), 403),
        // Such as a stale token of the operator's own.
        (Some(&*of("denied")), 503),
        (Some(&*of("broken")), 503),
    ] {
        let answer = rig.client().await.ask(token, "no JSON").await;
        assert_eq!((answer.0, answer.1), (status, false), "{token:?} {}", answer.2);
    }
    for (request, status) in [("GET /v1/exchange", 405), ("POST /", 404), ("POST /metrics", 404)] {
        let mut client = rig.client().await;
        client.send(&format!("{request} HTTP/1.1\r\nhost: a\r\n\r\n")).await.unwrap();
        assert_eq!(client.answer().await.unwrap().0, status, "{request}");
    }
}

#[tokio::test]
async fn what_the_core_refuses_has_a_status_of_its_own() {
    let mut rig = Rig::new(Bounds::DEFAULT).await;
    let mine = good("a");
    for (refusal, status, stays) in [
        (ExchangeRefusal::NotAWorker, 403, false),
        (ExchangeRefusal::Superseded, 409, true),
        (ExchangeRefusal::NotReady, 503, false),
    ] {
        let mut client = rig.client().await;
        client.post(Some(&mine), &body(1).to_string()).await;
        let exchange = rig.next().await;
        rig.reply(&exchange, Err(refusal));
        let answer = client.answer().await.unwrap();
        assert_eq!((answer.0, answer.1), (status, stays), "{}", answer.2);
    }
    for garbage in ["", "{}", "[]", r#"{"session":"1","number":1}"#] {
        let answer = rig.client().await.ask(Some(&mine), garbage).await;
        assert_eq!(answer.0, 400, "{}", answer.2);
    }
    assert_eq!(rig.metric("exchange_waiting_requests"), 0);
}

#[tokio::test]
async fn a_body_of_a_hundred_megabytes_is_refused_and_not_read() {
    let rig = Rig::new(Bounds::DEFAULT).await;
    let mine = good("a");
    let mut client = rig.client().await;
    let head =
        |more: &str| format!("POST {PATH} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {mine}\r\n{more}\r\n\r\n");
    client.send(&head("content-length: 104857600")).await.unwrap();
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.0, answer.1), (413, false), "{}", answer.2);
    let mut client = rig.client().await;
    client.send(&head("transfer-encoding: chunked")).await.unwrap();
    let mut sent = 0;
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(65_536));
    while sent < 100 << 20 {
        if client.send(&chunk).await.is_err() {
            break;
        }
        sent += 65_536;
    }
    assert!(sent < MAX_REQUEST_BYTES + (16 << 20), "{sent} bytes, with all that the sockets hold");
    if let Some(answer) = client.answer().await {
        assert_eq!(answer.0, 413, "{}", answer.2);
    }
    let mut client = rig.client().await;
    client.send(&format!("POST {PATH} HTTP/1.1\r\nauthorization: {}\r\n", "x".repeat(100_000))).await.unwrap();
    assert_eq!(client.answer().await.unwrap().0, 431);
}

#[tokio::test]
async fn ten_thousand_connections_take_no_place_of_a_worker() {
    // However long it takes to open them all, those that say nothing keep their places.
    let patient = Duration::from_hours(1);
    let (accepts, handshake, introduction) = ((1_000_000, 1_000_000), patient, patient);
    let mut rig = Rig::new(Bounds { accepts, handshake, introduction, ..Bounds::DEFAULT }).await;
    let (mut worker, mine) = (rig.client().await, good("a"));
    worker.post(Some(&mine), &body(1).to_string()).await;
    let parked = rig.next().await;
    let mut open = std::collections::VecDeque::new();
    for number in 0..10_000 {
        open.push_back(TcpStream::connect(rig.address).await.unwrap());
        // More than have a place, and no more than the test may have descriptors.
        if open.len() > 2 * Bounds::DEFAULT.strangers_of_address {
            open.pop_back();
        }
        if number % 100 == 0 {
            assert!(rig.metric("exchange_connections") <= 1 + Bounds::DEFAULT.strangers_of_address as u64);
        }
    }
    // The last of them wait to be accepted for as long as the machine is busy with other things.
    let refused = timeout(Duration::from_mins(1), async {
        while rig.metric("exchange_connections_refused_total") <= 9_000 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    refused.await.unwrap();
    rig.reply(&parked, Ok(()));
    assert_eq!(worker.answer().await.unwrap().0, 200);
    worker.post(Some(&mine), &body(2).to_string()).await;
    let exchange = rig.next().await;
    rig.reply(&exchange, Ok(()));
    assert_eq!(worker.answer().await.unwrap().0, 200, "a worker continues");
    drop(open);
    let next = timeout(Duration::from_secs(10), async {
        loop {
            if let Ok(client) = Client::connect(rig.address, &rig.ca).await {
                break client;
            }
        }
    });
    assert_eq!(next.await.unwrap().ask(None, "").await.0, 401, "and others are let in again");
}

#[tokio::test]
async fn a_pod_has_only_so_many_connections_and_bytes() {
    let mut rig = Rig::new(Bounds { connections_of_pod: 2, bytes_of_pod: 100, ..Bounds::DEFAULT }).await;
    let (mine, small) = (good("a"), body(1).to_string());
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = rig.client().await;
        client.post(Some(&mine), &small).await;
        rig.next().await;
        clients.push(client);
    }
    assert_eq!(rig.client().await.ask(Some(&mine), &small).await.0, 503, "a third");
    let answer = rig.client().await.ask(Some(&good("b")), &" ".repeat(101)).await;
    assert_eq!(answer.0, 503, "{}", answer.2);
    drop(clients);
    let again = timeout(Duration::from_secs(10), async {
        loop {
            let mut client = rig.client().await;
            client.post(Some(&mine), &small).await;
            let refused = timeout(Duration::from_millis(100), client.answer());
            if refused.await.is_err() {
                break;
            }
        }
    });
    again.await.unwrap();
}

#[tokio::test]
async fn a_slow_sender_is_given_up() {
    let rig = Rig::new(QUICK).await;
    // Nothing at all, and the head of a request that does not end.
    let mut mute = TcpStream::connect(rig.address).await.unwrap();
    let mut endless = rig.client().await;
    let dripping = tokio::spawn(async move {
        let mut text = format!("POST {PATH} HTTP/1.1\r\n");
        while endless.send(&text).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            "x: y\r\n".clone_into(&mut text);
        }
    });
    assert_eq!(timeout(Duration::from_secs(5), read(&mut mute)).await.unwrap(), None);
    timeout(Duration::from_secs(5), dripping).await.unwrap().unwrap();
    // A body that does not end.
    let mut client = rig.client().await;
    let mine = good("a");
    let head = format!("POST {PATH} HTTP/1.1\r\nauthorization: Bearer {mine}\r\ncontent-length: 1000\r\n\r\n{{");
    client.send(&head).await.unwrap();
    let answer = timeout(Duration::from_secs(5), client.answer()).await.unwrap().unwrap();
    assert_eq!((answer.0, answer.1), (408, false));
    assert_eq!(rig.api.reviews(), 1);
}

#[tokio::test]
async fn a_worker_that_rests_is_let_go_after_a_while() {
    let mut rig = Rig::new(QUICK).await;
    let mut client = rig.client().await;
    client.post(Some(&good("a")), &body(1).to_string()).await;
    let exchange = rig.next().await;
    rig.reply(&exchange, Ok(()));
    assert_eq!(client.answer().await.unwrap().0, 200);
    assert!(timeout(Duration::from_secs(10), client.is_closed()).await.unwrap());
}

#[tokio::test]
async fn no_request_waits_longer_than_the_bound() {
    let mut rig = Rig::new(QUICK).await;
    let mut client = rig.client().await;
    client.post(Some(&good("a")), &body(1).to_string()).await;
    let exchange = rig.next().await;
    let answer = timeout(Duration::from_secs(5), client.answer()).await.unwrap().unwrap();
    assert_eq!((answer.0, answer.1), (503, false), "{}", answer.2);
    rig.reply(&exchange, Ok(()));
    assert_eq!(rig.metric("exchange_waiting_requests"), 0);
}

#[tokio::test]
async fn an_end_does_not_wait_behind_a_poll() {
    let mut rig = Rig::new(Bounds::DEFAULT).await;
    let (mine, mut poll, mut end) = (good("a"), rig.client().await, rig.client().await);
    poll.post(Some(&mine), &body(1).to_string()).await;
    let parked = rig.next().await;
    end.post(Some(&mine), &body(2).to_string()).await;
    let exchange = rig.next().await;
    rig.reply(&parked, Err(ExchangeRefusal::Superseded));
    rig.reply(&exchange, Ok(()));
    assert_eq!(end.answer().await.unwrap().0, 200);
    assert_eq!(poll.answer().await.unwrap().0, 409);
}

#[tokio::test]
async fn a_client_that_goes_away_frees_its_ticket() {
    let mut rig = Rig::new(Bounds::DEFAULT).await;
    let mut client = rig.client().await;
    client.post(Some(&good("a")), &body(1).to_string()).await;
    let exchange = rig.next().await;
    assert_eq!(rig.metric("exchange_waiting_requests"), 1);
    drop(client);
    let freed = timeout(Duration::from_secs(10), async {
        while rig.metric("exchange_waiting_requests") + rig.metric("exchange_connections") > 0 {
            tokio::task::yield_now().await;
        }
    });
    freed.await.unwrap();
    rig.reply(&exchange, Ok(()));
}

#[tokio::test]
async fn a_parked_exchange_of_a_leader_that_lost_its_lease_gets_503() {
    let mut rig = Rig::new(Bounds::DEFAULT).await;
    let (mut client, mine) = (rig.client().await, good("a"));
    client.post(Some(&mine), &body(1).to_string()).await;
    rig.next().await;
    let reviews = rig.api.reviews();
    rig.desk.close();
    let answer = timeout(Duration::from_secs(1), client.answer()).await.unwrap().unwrap();
    assert_eq!((answer.0, answer.1, answer.2.trim()), (503, false, "this instance does not lead"));
    let other = rig.client().await.ask(Some(&good("b")), &body(1).to_string()).await;
    assert_eq!((other.0, rig.api.reviews()), (503, reviews), "one that stands by asks nobody");
}

#[tokio::test]
async fn an_operator_that_stops_ends_all_connections_at_once() {
    let mut rig = Rig::new(Bounds::DEFAULT).await;
    let (mut parked, mut resting) = (rig.client().await, rig.client().await);
    parked.post(Some(&good("a")), &body(1).to_string()).await;
    rig.next().await;
    resting.post(Some(&good("a")), &body(2).to_string()).await;
    let exchange = rig.next().await;
    rig.reply(&exchange, Ok(()));
    resting.answer().await.unwrap();
    rig.desk.close();
    rig.stop.cancel();
    rig.tasks.close();
    assert_eq!(parked.answer().await.unwrap().0, 503);
    assert!(resting.is_closed().await);
    timeout(Duration::from_secs(1), rig.tasks.wait()).await.unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart_and_open_connections_stay() {
    let mut rig = Rig::new(Bounds::DEFAULT).await;
    let (mut client, mine) = (rig.client().await, good("a"));
    let old = rig.ca.clone();
    rig.ca = certify(&rig.live);
    assert!(Client::connect(rig.address, &old).await.is_err(), "another authority");
    assert!(Client::connect(rig.address, &format!("{old}{}", rig.ca)).await.is_ok());
    client.post(Some(&mine), &body(1).to_string()).await;
    let exchange = rig.next().await;
    rig.reply(&exchange, Ok(()));
    assert_eq!(client.answer().await.unwrap().0, 200);
    let mut plain = TcpStream::connect(rig.address).await.unwrap();
    write(&mut plain, b"POST /v1/exchange HTTP/1.1\r\n\r\n").await.unwrap();
    assert_ne!(read(&mut plain).await, Some(b'H'), "nothing is said without TLS");
}
