//! An API server for tests: it keeps objects by path, and gives each change a new resourceVersion.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// Objects by path, and what was asked.
#[derive(Default)]
pub(crate) struct Objects {
    pub(crate) by_path: BTreeMap<String, Value>,
    /// Requests by method.
    pub(crate) requests: BTreeMap<String, u32>,
    version: u64,
}

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

/// A refusal: a code, and the Status that goes with it.
pub(crate) fn refuse(code: u16, reason: &str) -> (u16, Value) {
    (code, json!({ "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason }))
}

/// A client all of whose requests this answers: method, path and body; code and body. A request with the code 0 gets
/// none.
pub(crate) fn client(answer: impl Fn(&str, &str, Value) -> (u16, Value) + Clone + Send + 'static) -> Client {
    slow_client(move |Asked { method, path, body, .. }| {
        let answer = answer.clone();
        async move {
            // So that requests of one moment overlap.
            tokio::task::yield_now().await;
            let answer = answer(&method, &path, body);
            if answer.0 == 0 {
                tokio::time::sleep(Duration::from_hours(1)).await;
            }
            answer
        }
    })
}

/// A client all of whose requests this answers, with a code and a body, and takes as long as it wants. No body is an
/// empty one.
pub(crate) fn slow_client<F>(answer: impl Fn(Asked) -> F + Clone + Send + 'static) -> Client
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

impl Objects {
    /// The answer to a request, which is carried out. A version that it names is a precondition.
    pub(crate) fn answer(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        *self.requests.entry(method.to_owned()).or_default() += 1;
        let path = match (method, body["metadata"]["name"].as_str()) {
            ("POST", Some(name)) => format!("{path}/{name}"),
            _ => path.to_owned(),
        };
        let named = &body["metadata"]["resourceVersion"];
        let mut object = match (method, self.by_path.get(&path)) {
            ("POST", None) => body,
            ("POST", Some(_)) => return refuse(409, "AlreadyExists"),
            (_, None) => return refuse(404, "NotFound"),
            ("GET", Some(object)) => return (200, object.clone()),
            (_, Some(object)) if !named.is_null() && *named != object["metadata"]["resourceVersion"] => {
                return refuse(409, "Conflict");
            }
            ("PUT", Some(_)) => body,
            ("PATCH", Some(object)) => merged(object.clone(), body),
            _ => return refuse(405, "MethodNotAllowed"),
        };
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.by_path.insert(path, object.clone());
        (if method == "POST" { 201 } else { 200 }, object)
    }
}

/// A JSON merge patch (RFC 7396), which has `null` for what goes.
fn merged(object: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else { return patch };
    let mut fields = match object {
        Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    };
    for (name, value) in patch {
        let old = fields.remove(&name).unwrap_or_default();
        if !value.is_null() {
            fields.insert(name, merged(old, value));
        }
    }
    Value::Object(fields)
}
