use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;
use crate::cluster::Session;
use crate::read::list::Scope;

/// What an API server of the test answers, one after another.
#[derive(Clone)]
enum Answer {
    Body(String),
    Status(u16),
    /// The connection breaks.
    Broken,
    /// These events, and then nothing more: the connection is dead, and nobody says so.
    Silent(String),
    /// Nothing at all.
    Mute,
}

/// A list or an event of a table with these tasks.
fn table(version: &str, names: &[&str]) -> Value {
    let row = |name: &&str| {
        let metadata = json!({ "name": name, "namespace": "ns", "resourceVersion": version });
        json!({ "cells": ["Running"], "object": { "metadata": metadata } })
    };
    json!({ "kind": "Table", "metadata": { "resourceVersion": version }, "columnDefinitions": [{ "name": "Phase" }],
        "rows": names.iter().map(row).collect::<Vec<_>>() })
}

fn list(version: &str, names: &[&str]) -> Answer {
    Answer::Body(table(version, names).to_string())
}

fn event(kind: &str, version: &str, name: &str) -> String {
    json!({ "type": kind, "object": table(version, &[name]) }).to_string() + "\n"
}

fn too_old() -> String {
    let status =
        json!({ "kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old" });
    json!({ "type": "ERROR", "object": status }).to_string() + "\n"
}

/// Follows the tasks of an API server with these answers; what was heard, and what was asked. It ends when there is
/// no answer left.
async fn follow(answers: Vec<Answer>) -> (Vec<String>, Vec<String>) {
    follow_with(PATIENCE, answers).await
}

async fn follow_with(patience: Duration, answers: Vec<Answer>) -> (Vec<String>, Vec<String>) {
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let no_more = Arc::new(Notify::new());
    let (log, end) = (asked.clone(), no_more.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = answers.lock().unwrap().pop_front();
        let (query, end) = (request.uri().query().unwrap_or_default().to_owned(), end.clone());
        log.lock().unwrap().push(query);
        async move {
            let respond = |code: u16, body: String| {
                let never = |error| match error {};
                let body = Full::new(Bytes::from(body)).map_err(never).boxed_unsync();
                Response::builder().status(code).body(body)
            };
            match answer {
                Some(Answer::Body(body)) => Ok(respond(200, body).unwrap()),
                Some(Answer::Status(code)) => {
                    let status = json!({ "kind": "Status", "status": "Failure", "code": code, "message": "no" });
                    Ok(respond(code, status.to_string()).unwrap())
                }
                Some(Answer::Broken) => Err(std::io::Error::other("broken")),
                Some(Answer::Silent(events)) => {
                    let events = Ok::<_, std::io::Error>(Frame::data(Bytes::from(events)));
                    let body = stream::once(async { events }).chain(stream::pending());
                    Ok(Response::new(StreamBody::new(body).boxed_unsync()))
                }
                Some(Answer::Mute) => std::future::pending().await,
                None => {
                    end.notify_one();
                    std::future::pending().await
                }
            }
        }
    });
    let client = kube::Client::new(service, "ns");
    let session = Session { client, namespace: "ns".to_owned(), server: "http://test".to_owned() };
    let tasks = Tasks { session, scope: Scope::Namespace, selector: Some("a=b".to_owned()) };
    let mut heard = Vec::new();
    let mut hear = |news: News| {
        heard.push(match news {
            News::All(tasks) => format!("all {}", tasks.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(" ")),
            News::Changed(task) => format!("changed {}", task.name),
            News::Gone(namespace, name) => format!("gone {namespace}/{name}"),
            News::Lost(_) => "lost".to_owned(),
            News::Live => "live".to_owned(),
        });
        Ok(())
    };
    let first = tasks.read().await.unwrap();
    tokio::select! {
        end = tasks.follow_with(patience, first, &mut hear) => panic!("it has ended: {}", end.unwrap_err().message),
        () = no_more.notified() => {}
    }
    let asked = asked.lock().unwrap().clone();
    (heard, asked)
}

#[tokio::test]
async fn news_come_from_one_watch_which_is_resumed_where_it_has_ended() {
    let events = [event("ADDED", "6", "b"), event("MODIFIED", "7", "a"), event("DELETED", "8", "b")].concat();
    let (heard, asked) =
        follow(vec![list("5", &["a"]), Answer::Body(events), Answer::Body(event("ADDED", "9", "c"))]).await;
    assert_eq!(heard, ["all a", "changed b", "changed a", "gone ns/b", "changed c"]);
    assert!(asked[0].contains("limit=500") && asked[0].ends_with("labelSelector=a%3Db"), "{asked:?}");
    for (place, version) in [(1, "5"), (2, "8"), (3, "9")] {
        assert!(asked[place].contains(&format!("watch=true&resourceVersion={version}&")), "{asked:?}");
        assert!(asked[place].ends_with("labelSelector=a%3Db"), "{asked:?}");
    }
}

#[tokio::test]
async fn a_version_that_is_too_old_means_to_list_again_and_is_no_interruption() {
    for answer in [Answer::Body(too_old()), Answer::Status(410)] {
        let (heard, asked) = follow(vec![list("5", &["a", "b"]), answer, list("90", &["b"])]).await;
        assert_eq!(heard, ["all a b", "all b"]);
        assert!(asked[2].starts_with("limit=500") && asked[3].contains("resourceVersion=90&"), "{asked:?}");
    }
}

#[tokio::test]
async fn an_interruption_is_heard_once_and_so_is_its_end() {
    let broken = || Answer::Broken;
    // Watch and list by turns.
    let down = [broken(), broken(), broken(), Answer::Status(503), broken()];
    let (heard, _) = follow([&[list("5", &["a"])], &down[..], &[list("9", &[])]].concat()).await;
    assert_eq!(heard, ["all a", "lost", "live", "all "]);
    // The list can't be read again, but the watch comes back.
    let watched = Answer::Body(event("ADDED", "6", "b"));
    let (heard, _) = follow(vec![list("5", &["a"]), broken(), broken(), watched]).await;
    assert_eq!(heard, ["all a", "lost", "live", "changed b"]);
}

#[tokio::test]
async fn a_connection_that_is_silent_for_longer_than_a_watch_lasts_is_given_up() {
    assert!(PATIENCE > Duration::from_secs(WATCH.into()));
    let events = event("ADDED", "6", "b");
    // A watch, the list after it, and the next watch.
    let answers = vec![list("5", &["a"]), Answer::Silent(events), Answer::Mute, Answer::Mute, list("9", &["a", "c"])];
    let (heard, asked) = follow_with(Duration::from_millis(100), answers).await;
    assert_eq!(heard, ["all a", "changed b", "lost", "live", "all a c"]);
    let is_watch: Vec<bool> = asked.iter().map(|query| query.starts_with("watch=")).collect();
    assert_eq!(is_watch, [false, true, false, true, false, true]);
}
