//! A proxy between the operator and the API server that answers wrongly, late or not at all.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use futures::{Stream, StreamExt, stream};
use kube::Client;
use serde_json::json;

use crate::profile::{Counters, Profile};
use crate::random::Random;

/// Who the operator is to the API server: an ordinary user, to whom priority and fairness apply.
pub const USER: &str = "maptask-faults";

/// What all requests share.
pub struct Proxy {
    client: Client,
    profile: Profile,
    random: Mutex<Random>,
    calm_at: Instant,
    late: AtomicUsize,
    pub counters: Arc<Counters>,
}

/// What becomes of one request.
enum Fate {
    Good,
    Refuse(u16),
    Lose(Loss),
    Late(Loss, Duration),
}

/// What the client gets in place of the answer.
#[derive(Clone, Copy)]
enum Loss {
    Status(u16),
    Drop,
}

impl Proxy {
    pub async fn start(client: Client, profile: Profile, random: Random) -> (Arc<Self>, SocketAddr) {
        let calm_at = Instant::now() + profile.calm_after;
        let counters = Arc::default();
        let proxy = Arc::new(Self {
            client,
            profile,
            random: Mutex::new(random),
            calm_at,
            late: AtomicUsize::new(0),
            counters,
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&proxy);
        let router = Router::new().fallback(move |request: Request<Body>| {
            let proxy = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(proxy.answer(request).await) }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (proxy, address)
    }

    /// Whether nothing goes wrong any more.
    pub fn is_calm(&self) -> bool {
        Instant::now() >= self.calm_at
    }

    /// Requests that are still to be carried out although they were answered.
    pub fn late(&self) -> usize {
        self.late.load(Ordering::Acquire)
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut self.random.lock().unwrap())
    }

    async fn answer(self: Arc<Self>, request: Request<Body>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, 4 << 20).await else { return drop_connection() };
        parts.headers.remove(header::HOST);
        parts.headers.insert("Impersonate-User", HeaderValue::from_static(USER));
        let query = parts.uri.query().unwrap_or("");
        if query.contains("watch=true") {
            return self.watch(parts).await;
        }
        let (fate, slow) = self.fate(&parts);
        self.count(&parts, &fate);
        if let Some(pause) = slow {
            self.counters.add("slow");
            tokio::time::sleep(pause).await;
        }
        match fate {
            Fate::Good => {
                // On its own: a client that dies does not call its request back.
                let proxy = Arc::clone(&self);
                let sent = tokio::spawn(async move { proxy.forward(parts, body).await }).await;
                sent.unwrap_or_else(|_| drop_connection())
            }
            Fate::Refuse(code) => status(code),
            Fate::Lose(loss) => {
                let proxy = Arc::clone(&self);
                let _ = tokio::spawn(async move { proxy.forward(parts, body).await.into_body() }).await;
                loss.answer()
            }
            Fate::Late(loss, pause) => {
                self.late.fetch_add(1, Ordering::AcqRel);
                tokio::spawn(async move {
                    tokio::time::sleep(pause).await;
                    self.forward(parts, body).await;
                    self.late.fetch_sub(1, Ordering::AcqRel);
                });
                loss.answer()
            }
        }
    }

    fn fate(&self, parts: &Parts) -> (Fate, Option<Duration>) {
        if self.is_calm() {
            return (Fate::Good, None);
        }
        let (profile, writes) = (&self.profile, parts.method != Method::GET);
        self.draw(|random| {
            let slow = random.chance(profile.slow).then(|| millis(random, 3_000));
            let loss = match random.below(3) {
                0 => Loss::Status(500),
                1 => Loss::Status(504),
                _ => Loss::Drop,
            };
            let refusal = [500, 503, 429, if writes { 409 } else { 500 }][random.below(4)];
            if parts.uri.path().contains("/leases") {
                let fate = match random.below(2) {
                    _ if !random.chance(profile.lease) => Fate::Good,
                    0 => Fate::Refuse(refusal),
                    _ => Fate::Lose(loss),
                };
                return (fate, None);
            }
            let (refuse, lose) = (random.chance(profile.refuse), random.chance(profile.lose));
            let late = writes && random.chance(profile.late);
            let fate = match (refuse, lose, late) {
                (_, _, true) => Fate::Late(loss, millis(random, 20_000)),
                (_, true, _) => Fate::Lose(loss),
                (true, ..) => Fate::Refuse(refusal),
                _ => Fate::Good,
            };
            (fate, slow)
        })
    }

    fn count(&self, parts: &Parts, fate: &Fate) {
        let what = if parts.uri.path().contains("/leases") { "lease " } else { "" };
        match fate {
            Fate::Good => {}
            Fate::Refuse(code) => self.counters.add(format!("{what}{code}")),
            Fate::Lose(_) => self.counters.add(format!("{what}unanswered")),
            Fate::Late(..) => self.counters.add(format!("{what}late {}", parts.method.as_str().to_lowercase())),
        }
    }

    async fn forward(&self, parts: Parts, body: Bytes) -> Response<Body> {
        let request = Request::from_parts(parts, kube::client::Body::from(body));
        self.client.send(request).await.map_or_else(
            |_| {
                self.counters.add("server away");
                drop_connection()
            },
            |answer| answer.map(Body::new),
        )
    }

    async fn watch(&self, parts: Parts) -> Response<Body> {
        let query = parts.uri.query().unwrap_or("");
        let resumes = query.split('&').any(|part| {
            part.strip_prefix("resourceVersion=").is_some_and(|version| !version.is_empty() && version != "0")
        });
        let profile = &self.profile;
        let (gone, cut) = self.draw(|random| {
            let gone = resumes && random.chance(profile.gone);
            (gone.then(|| random.below(2)), random.chance(profile.cut).then(|| cut(random)))
        });
        if self.is_calm() {
            return self.forward(parts, Bytes::new()).await;
        }
        match gone {
            Some(0) => {
                self.counters.add("410");
                return status(410);
            }
            Some(_) => {
                self.counters.add("410 event");
                let event = json!({ "type": "ERROR", "object": status_object(410) });
                return Response::new(Body::from(format!("{event}\n")));
            }
            None => {}
        }
        let answer = self.forward(parts, Bytes::new()).await;
        let Some(cut) = cut else { return answer };
        self.counters.add("cut watch");
        answer.map(|body| Body::from_stream(cut_stream(body.into_data_stream(), cut)))
    }
}

/// Where a watch breaks off.
#[derive(Clone, Copy)]
struct Cut {
    after: Duration,
    bytes: usize,
    cleanly: bool,
}

fn cut(random: &mut Random) -> Cut {
    let by_bytes = random.chance(50);
    Cut {
        after: if by_bytes { Duration::from_hours(1) } else { millis(random, 6_000) },
        bytes: if by_bytes { random.below(200_000) } else { usize::MAX },
        cleanly: random.chance(50),
    }
}

/// The bytes of the body up to the cut, which may be in the middle of a line.
fn cut_stream(
    body: impl Stream<Item = Result<Bytes, axum::Error>> + Send + Unpin + 'static,
    cut: Cut,
) -> impl Stream<Item = Result<Bytes, axum::Error>> + Send {
    let end = tokio::time::Instant::now() + cut.after;
    let state = Some((body, cut.bytes));
    stream::unfold(state, move |state| async move {
        let (mut body, left) = state?;
        let next = tokio::time::timeout_at(end, body.next());
        match if left == 0 { None } else { next.await.ok() } {
            Some(Some(Ok(chunk))) => {
                let part = chunk.slice(..chunk.len().min(left));
                let left = left - part.len();
                Some((Ok(part), Some((body, left))))
            }
            Some(Some(Err(error))) => Some((Err(error), None)),
            Some(None) => None,
            None if cut.cleanly => None,
            None => Some((Err(axum::Error::new(std::io::Error::other("cut"))), None)),
        }
    })
}

impl Loss {
    fn answer(self) -> Response<Body> {
        match self {
            Self::Status(code) => status(code),
            Self::Drop => drop_connection(),
        }
    }
}

fn millis(random: &mut Random, most: usize) -> Duration {
    Duration::from_millis(random.below(most) as u64)
}

/// An answer that breaks off before it has begun.
fn drop_connection() -> Response<Body> {
    let broken = stream::once(async { Err::<Bytes, _>(std::io::Error::other("dropped")) });
    Response::new(Body::from_stream(broken))
}

fn status_object(code: u16) -> serde_json::Value {
    let reason = match code {
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        _ => "Timeout",
    };
    let mut object = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "a fault of the test", "reason": reason, "code": code,
    });
    if code == 429 {
        object["details"] = json!({ "retryAfterSeconds": 1 });
    }
    object
}

fn status(code: u16) -> Response<Body> {
    let mut answer = Response::new(Body::from(status_object(code).to_string()));
    *answer.status_mut() = StatusCode::from_u16(code).unwrap();
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if code == 429 {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}
