//! An API server for tests: Secrets and Services as it keeps them, and reviews of tokens that say themselves what they
//! are.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kube::Client;
use serde_json::{Value, json};

use crate::fake_api::{Objects, client, refuse};

/// Objects, and what was asked.
#[derive(Default)]
pub(super) struct State {
    pub(super) objects: Objects,
    pub(super) reviews: usize,
    /// All other requests are answered with this, if it is not 0.
    pub(super) broken: u16,
}

#[derive(Clone, Default)]
pub(super) struct FakeApi(pub(super) Arc<Mutex<State>>);

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

impl FakeApi {
    pub(super) fn client(&self) -> Client {
        let state = Arc::clone(&self.0);
        client(move |method, path, body| state.lock().unwrap().answer(method, path, body))
    }

    pub(super) fn reviews(&self) -> usize {
        self.0.lock().unwrap().reviews
    }

    pub(super) fn set(&self, path: &str, object: Value) {
        self.0.lock().unwrap().objects.by_path.insert(path.to_owned(), object);
    }

    pub(super) fn get(&self, path: &str) -> Value {
        self.0.lock().unwrap().objects.by_path.get(path).cloned().unwrap_or_default()
    }

    pub(super) fn break_with(&self, code: u16) {
        self.0.lock().unwrap().broken = code;
    }
}

impl State {
    fn answer(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        if path.ends_with("/tokenreviews") {
            self.reviews += 1;
            return review(body);
        }
        match self.broken {
            0 => self.objects.answer(method, path, body),
            code => refuse(code, "Broken"),
        }
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
