//! What is a request answered? From the head of a request to the head of its answer; docs/architecture/exchange.md
//! lists the statuses.

use std::sync::Arc;

use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use maptask_exchange::{ITEMS_PATH, MAX_REQUEST_BYTES, PATH};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::bounds::Bounds;
use super::contents;
use super::desk::{Closed, Desk, Ticket};
use super::doors::{Place, Room};
use super::metrics::ExchangeMetrics;
use super::review::{Identity, TokenStatus};
use super::tokens::Tokens;
use crate::core::port::{ExchangeRefusal, Said};

/// Answers requests.
pub(super) struct Service {
    pub(super) bounds: Bounds,
    pub(super) desk: Desk,
    pub(super) tokens: Tokens,
    pub(super) metrics: ExchangeMetrics,
}

/// A status other than 200, and why.
struct Refusal(StatusCode, String);

impl Refusal {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self(status, why.into())
    }
}

impl Service {
    /// Answers one request that came over the connection with this place.
    pub(super) async fn answer(&self, place: &Place, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let answer = match request.uri().path() {
            ITEMS_PATH => self.gather(place, request).await,
            _ => self.exchange(place, request).await,
        };
        let response = match answer {
            Ok(Said::Worker(answer)) => json(&answer),
            Ok(Said::List(answer)) => json(&answer),
            Err(refusal) => text(&refusal),
        };
        self.metrics.answered(response.status());
        response
    }

    async fn exchange(&self, place: &Place, request: Request<Incoming>) -> Result<Said, Refusal> {
        let (from, room, request) = self.receive(place, request, PATH).await?;
        if let Some(problem) = contents::problem(&request) {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, problem));
        }
        self.wait(self.desk.submit(&from, request, Some(room)).map_err(closed)?).await
    }

    /// A piece of a list, or its end.
    async fn gather(&self, place: &Place, request: Request<Incoming>) -> Result<Said, Refusal> {
        let (from, room, request) = self.receive(place, request, ITEMS_PATH).await?;
        let part = contents::part(request).map_err(|problem| Refusal::new(StatusCode::BAD_REQUEST, problem))?;
        self.wait(self.desk.submit_part(&from, part, Some(room)).map_err(closed)?).await
    }

    async fn wait(&self, mut ticket: Ticket) -> Result<Said, Refusal> {
        match timeout(self.bounds.reply, ticket.reply()).await {
            Ok(Some(result)) => result.map_err(refused),
            Ok(None) => Err(not_leading()),
            Err(_) => Err(busy("the operator has not decided in time")),
        }
    }

    /// Who asks, and what: the body is read once it is known that there is room for it.
    async fn receive<T: DeserializeOwned>(
        &self,
        place: &Place,
        request: Request<Incoming>,
        path: &str,
    ) -> Result<(Identity, Room, T), Refusal> {
        let (head, body) = request.into_parts();
        if head.uri.path() != path {
            return Err(Refusal::new(StatusCode::NOT_FOUND, format!("only {PATH} and {ITEMS_PATH} are here")));
        }
        if head.method != Method::POST {
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "only POST is understood"));
        }
        // Before anything that costs: those who stand by ask the API server nothing.
        if !self.desk.is_open() {
            return Err(not_leading());
        }
        let from = self.identify(&head.headers).await?;
        if !place.is_of(&from.pod_uid) {
            return Err(busy("too many connections of workers, or of this pod"));
        }
        let length = length(&head.headers)?;
        let Some(room) = place.reserve(&from.pod_uid, length) else {
            return Err(busy("too many bytes of requests are in progress, or of this pod"));
        };
        let body = self.read(body).await?;
        let request = serde_json::from_slice(&body)
            .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, format!("no request of version 1: {error}")))?;
        Ok((from, room, request))
    }

    async fn identify(&self, headers: &HeaderMap) -> Result<Identity, Refusal> {
        let unauthorized = |why: &str| Refusal::new(StatusCode::UNAUTHORIZED, why);
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| unauthorized("a worker shows its token: Authorization: Bearer TOKEN"))?;
        match self.tokens.identify(token).await {
            TokenStatus::Pod(identity) => Ok(identity),
            TokenStatus::NoPod => Err(Refusal::new(StatusCode::FORBIDDEN, "the token is bound to no pod")),
            TokenStatus::NotAuthenticated => Err(unauthorized("the token is not good, or not for this audience")),
            TokenStatus::Failed => Err(busy("the API server could not be asked whose token this is")),
        }
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, Refusal> {
        let body = Limited::new(body, MAX_REQUEST_BYTES).collect();
        match timeout(self.bounds.body, body).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) => Err(Refusal::new(StatusCode::BAD_REQUEST, "the body is not complete")),
            Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body has not arrived in time")),
        }
    }
}

/// How long the body is, or may be if that is not said.
fn length(headers: &HeaderMap) -> Result<usize, Refusal> {
    let Some(length) = headers.get(CONTENT_LENGTH) else { return Ok(MAX_REQUEST_BYTES) };
    let length = length.to_str().ok().and_then(|length| length.parse().ok()).unwrap_or(usize::MAX);
    if length > MAX_REQUEST_BYTES { Err(too_large()) } else { Ok(length) }
}

fn too_large() -> Refusal {
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a request has at most {MAX_REQUEST_BYTES} bytes"))
}

fn busy(why: &str) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why)
}

fn not_leading() -> Refusal {
    busy("this instance does not lead")
}

fn closed(closed: Closed) -> Refusal {
    match closed {
        Closed::NotLeading => not_leading(),
        Closed::Full => busy("too many requests wait"),
    }
}

fn refused(refusal: ExchangeRefusal) -> Refusal {
    match refusal {
        ExchangeRefusal::NotAWorker => Refusal::new(
            StatusCode::FORBIDDEN,
            "the pod is no worker of a MapTask, nor the one that is to list its items",
        ),
        ExchangeRefusal::Superseded => Refusal::new(StatusCode::CONFLICT, "a later request has come"),
        ExchangeRefusal::NotStored => busy("the piece could not be stored: see status.waiting of the MapTask"),
        ExchangeRefusal::NotReady => busy("the operator has just begun, or was not shown this pod yet"),
    }
}

fn json(answer: &impl Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_vec(answer) {
        Ok(body) => respond(StatusCode::OK, "application/json", body),
        Err(error) => text(&Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

fn text(Refusal(status, why): &Refusal) -> Response<Full<Bytes>> {
    let mut response = respond(*status, "text/plain; charset=utf-8", format!("{why}\n").into_bytes());
    // Another connection may lead to the instance that leads. And who is refused otherwise has no use for this one.
    if *status != StatusCode::CONFLICT {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn respond(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Shared by all connections.
pub(super) type SharedService = Arc<Service>;
