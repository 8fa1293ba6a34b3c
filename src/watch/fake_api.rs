//! An API server for tests of watches: what it answers takes as long as the test wants.

use std::convert::Infallible;
use std::future::Future;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// A request.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: Value,
}

impl Asked {
    /// Whether it opens a watch, whose answer is to take long.
    pub(crate) fn is_watch(&self) -> bool {
        self.query.contains("watch=true")
    }
}

/// A client all of whose requests this answers, with a code and a body. No body is an empty one.
pub(crate) fn client<F>(answer: impl Fn(Asked) -> F + Clone + Send + 'static) -> Client
where
    F: Future<Output = (u16, Value)> + Send,
{
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap_or_default();
            let (method, path) = (head.method.to_string(), head.uri.path().to_owned());
            let query = head.uri.query().unwrap_or_default().to_owned();
            let (code, body) = answer(Asked { method, path, query, body }).await;
            let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
            let response = Response::builder().status(StatusCode::from_u16(code).unwrap()).body(Body::from(body));
            Ok::<_, Infallible>(response.unwrap())
        }
    });
    Client::new(service, "ns")
}

/// A list of these objects, whatever their kind.
pub(crate) fn list(items: &[Value]) -> (u16, Value) {
    (200, json!({ "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": "1" }, "items": items }))
}
