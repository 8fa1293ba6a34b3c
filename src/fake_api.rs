//! An API server for tests: it keeps objects by path, and gives each change a new resourceVersion.

use std::collections::BTreeMap;
use std::convert::Infallible;
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

/// A refusal: a code, and the Status that goes with it.
pub(crate) fn refuse(code: u16, reason: &str) -> (u16, Value) {
    (code, json!({ "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason }))
}

/// A client all of whose requests this answers: method, path and body; code and body. A request with the code 0 gets
/// none.
pub(crate) fn client(answer: impl Fn(&str, &str, Value) -> (u16, Value) + Clone + Send + 'static) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            // So that requests of one moment overlap.
            tokio::task::yield_now().await;
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let (code, answer) = answer(head.method.as_str(), head.uri.path(), body);
            if code == 0 {
                tokio::time::sleep(Duration::from_hours(1)).await;
            }
            let answer = Body::from(answer.to_string().into_bytes());
            Ok::<_, Infallible>(Response::builder().status(StatusCode::from_u16(code).unwrap()).body(answer).unwrap())
        }
    });
    Client::new(service, "ns")
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
