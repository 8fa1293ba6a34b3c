//! Answers: their bodies, and the headers that all of them have.

use std::convert::Infallible;

use futures::Stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};

use crate::error::{Failure, code};

/// A body of any kind.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;
/// An answer.
pub type Reply = Response<Body>;

/// Only the page's own files, no inline script or style, and no markup made of texts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("x-frame-options", "DENY"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// Adds what every answer has.
pub fn secure(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn reply(status: StatusCode, kind: &'static str, body: Body) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

/// Bytes of a type.
pub fn bytes(kind: &'static str, content: impl Into<Bytes>) -> Reply {
    reply(StatusCode::OK, kind, Full::new(content.into()).boxed_unsync())
}

/// JSON.
pub fn json(value: &Value) -> Reply {
    bytes("application/json", value.to_string())
}

/// Events, one after another, without an end.
pub fn events(stream: impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + 'static) -> Reply {
    reply(StatusCode::OK, "text/event-stream", StreamBody::new(stream).boxed_unsync())
}

/// What went wrong, with a status of its own.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// What, and the way out.
    pub failure: Failure,
}

impl Problem {
    /// With these words.
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, failure: Failure::new(error) }
    }

    /// No such path, task or item.
    pub fn not_found(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    /// As an answer.
    pub fn reply(&self) -> Reply {
        let body = json!({ "error": self.failure.message, "hint": self.failure.hint });
        reply(self.status, "application/json", Full::new(Bytes::from(body.to_string())).boxed_unsync())
    }
}

impl From<kube::Error> for Problem {
    /// What the API server says of rights and names keeps its status. 401 is only for the page's own token.
    fn from(error: kube::Error) -> Self {
        let known = code(&error).filter(|code| matches!(code, 403 | 404 | 409 | 422));
        let status = known.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::BAD_GATEWAY);
        Self { status, failure: error.into() }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self { status: StatusCode::BAD_GATEWAY, failure }
    }
}
