//! Requests to the API server as they are.

use futures::StreamExt;
use http::Request;
use kube::Client;
use kube::core::WatchEvent;
use serde_json::Value;

/// What a list has, and the version to watch from.
pub async fn listed(client: &Client, path: &str) -> (Vec<Value>, String) {
    let mut list = send(client, "GET", path, &Value::Null).await.unwrap();
    let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let Value::Array(objects) = list["items"].take() else { return (Vec::new(), version) };
    (objects, version)
}

/// Passes on the objects of a list and what becomes of them, for as long as `each` wants more.
pub async fn follow(client: Client, path: String, mut each: impl FnMut(Value) -> bool) {
    let (objects, version) = listed(&client, &path).await;
    for object in objects {
        if !each(object) {
            return;
        }
    }
    follow_from(client, path, version, each).await;
}

/// Passes on what changes after a version, for as long as `each` wants more.
pub async fn follow_from(client: Client, path: String, mut version: String, mut each: impl FnMut(Value) -> bool) {
    loop {
        let uri = format!("{path}?watch=true&resourceVersion={version}&timeoutSeconds=3600");
        let request = Request::get(uri).body(Vec::new()).unwrap();
        let events = client.request_events::<Value>(request).await.unwrap();
        let mut events = std::pin::pin!(events);
        // An API server that has just started ends watches early.
        while let Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object))) =
            events.next().await
        {
            object["metadata"]["resourceVersion"].as_str().unwrap_or_default().clone_into(&mut version);
            if !each(object) {
                return;
            }
        }
    }
}

/// Sends a request as it is; its answer.
pub async fn send(client: &Client, method: &str, path: &str, body: &Value) -> Result<Value, kube::Error> {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    client.request(request.body(body).unwrap()).await
}
