//! An API server for tests: Secrets and Services as it keeps them, and reviews of tokens that say themselves what they are.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// Objects by path, and what was asked.
#[derive(Default)]
pub(super) struct Objects {
    pub(super) by_path: BTreeMap<String, Value>,
    pub(super) reviews: usize,
    /// All other requests are answered with this, if it is not 0.
    pub(super) broken: u16,
    version: u64,
}

#[derive(Clone, Default)]
pub(super) struct FakeApi(pub(super) Arc<Mutex<Objects>>);

/// A token that the fake reviews as `is` says: `pod`, `no pod`, `bad`, `unaware`, `broken`, `denied` or `silent`.
pub(super) fn token(is: &str, pod: &str, audience: &str, lives: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({ "aud": [audience], "iat": now, "exp": now + lives, "is": is, "pod": pod });
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// A good token of this pod.
pub(super) fn good(pod: &str) -> String {
    token("pod", pod, maptask_exchange::AUDIENCE, 3_600)
}

pub(super) fn refuse(code: u16, reason: &str) -> (u16, Value) {
    (code, json!({ "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason }))
}

impl FakeApi {
    pub(super) fn client(&self) -> Client {
        let objects = Arc::clone(&self.0);
        let service = tower::service_fn(move |request: Request<Body>| {
            let objects = Arc::clone(&objects);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                // So that requests of one moment overlap.
                tokio::task::yield_now().await;
                let (code, answer) = objects.lock().unwrap().answer(head.method.as_str(), head.uri.path(), body);
                if code == 0 {
                    tokio::time::sleep(Duration::from_hours(1)).await;
                }
                let answer = Body::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(
                    Response::builder().status(StatusCode::from_u16(code).unwrap()).body(answer).unwrap(),
                )
            }
        });
        Client::new(service, "ns")
    }

    pub(super) fn reviews(&self) -> usize {
        self.0.lock().unwrap().reviews
    }

    pub(super) fn set(&self, path: &str, object: Value) {
        self.0.lock().unwrap().by_path.insert(path.to_owned(), object);
    }

    pub(super) fn get(&self, path: &str) -> Value {
        self.0.lock().unwrap().by_path.get(path).cloned().unwrap_or_default()
    }

    pub(super) fn break_with(&self, code: u16) {
        self.0.lock().unwrap().broken = code;
    }
}

impl Objects {
    fn answer(&mut self, method: &str, path: &str, mut body: Value) -> (u16, Value) {
        if path.ends_with("/tokenreviews") {
            self.reviews += 1;
            return review(body);
        }
        if self.broken != 0 {
            return refuse(self.broken, "Broken");
        }
        self.version += 1;
        let path = match (method, body["metadata"]["name"].as_str()) {
            ("POST", Some(name)) => format!("{path}/{name}"),
            _ => path.to_owned(),
        };
        let found = self.by_path.get(&path);
        match (method, found) {
            ("GET", Some(object)) => return (200, object.clone()),
            ("GET" | "PUT", None) => return refuse(404, "NotFound"),
            ("POST", Some(_)) => return refuse(409, "AlreadyExists"),
            ("PUT", Some(object)) if object["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"] => {
                return refuse(409, "Conflict");
            }
            _ => {}
        }
        body["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.by_path.insert(path, body.clone());
        (200, body)
    }
}

fn review(mut review: Value) -> (u16, Value) {
    let token = review["spec"]["token"].as_str().unwrap().to_owned();
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    let (pod, audiences) = (claims["pod"].as_str().unwrap(), review["spec"]["audiences"].clone());
    let user = |extra: Value| json!({ "username": "system:serviceaccount:ns:default", "extra": extra });
    let of_pod = json!({
        "authentication.kubernetes.io/pod-name": [pod], "authentication.kubernetes.io/pod-uid": [format!("uid-{pod}")]
    });
    review["status"] = match claims["is"].as_str().unwrap() {
        "pod" => json!({ "authenticated": true, "audiences": audiences, "user": user(of_pod) }),
        "no pod" => json!({ "authenticated": true, "audiences": audiences, "user": user(json!({})) }),
        "unaware" => json!({ "authenticated": true, "user": user(of_pod) }),
        "bad" => json!({ "error": "[invalid bearer token]" }),
        "denied" => return refuse(401, "Unauthorized"),
        "silent" => return (0, Value::Null),
        _ => return refuse(500, "InternalError"),
    };
    (201, review)
}
