//! Which request gets what? The routes, and what requests share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, VARY};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as HttpBody, Bytes};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::guard::{Token, check};
use super::latest::Latest;
use super::outbox::{Outbox, stream};
use super::reply::{Problem, Reply, bytes, events, json as reply_json, secure};
use super::verbs::Verb;
use super::{about, assets, follow_list, follow_task, items, verbs, wire};
use crate::cluster::Session;
use crate::read::Task;
use crate::read::list::{Scope, Tasks};
use crate::read::selection::parse_phase;

/// Most streams at a time: one for each tab.
const STREAMS: usize = 8;
/// Most bytes of a body.
const BODY: usize = 64 * 1024;
/// Most bytes of a namespace or name.
const NAME: usize = 253;
/// Rows of a page of items, if the page does not say.
const ROWS: usize = 100;

/// Whether the page can change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// It can.
    Allowed,
    /// There is no route for them.
    None,
}

/// What all requests share.
pub struct Page {
    session: Session,
    scope: Scope,
    changes: Changes,
    token: Token,
    streams: Arc<Semaphore>,
    /// Of the tasks whose streams are open.
    latest: Mutex<HashMap<(String, String), Latest>>,
}

/// Ends what feeds a stream when nobody reads it.
struct Feeding(JoinHandle<()>);

impl Drop for Feeding {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A path of the data.
#[derive(Debug, PartialEq, Eq)]
enum Route<'a> {
    About,
    Rights,
    List,
    Task(&'a str, &'a str, Of),
}

/// What of a task.
#[derive(Debug, PartialEq, Eq)]
enum Of {
    Stream,
    Planes,
    Items,
    Item(u32),
    Log(u32),
    Spec,
    History,
    Change(Verb),
}

/// The route of a path, which consists of nothing but plain names.
fn route<'a>(method: &Method, path: &'a str) -> Option<Route<'a>> {
    let parts: Vec<&str> = path.strip_prefix("/api/")?.split('/').collect();
    let route = match parts.as_slice() {
        ["about"] => Route::About,
        ["rights"] => Route::Rights,
        ["events"] => Route::List,
        ["tasks", namespace, name, rest @ ..] if is_name(namespace) && is_name(name) => {
            let of = match rest {
                [verb] if method == Method::POST => Of::Change(Verb::parse(verb)?),
                ["events"] => Of::Stream,
                ["planes"] => Of::Planes,
                ["items"] => Of::Items,
                ["items", index] => Of::Item(index.parse().ok()?),
                ["items", index, "log"] => Of::Log(index.parse().ok()?),
                ["spec"] => Of::Spec,
                ["history"] => Of::History,
                _ => return None,
            };
            Route::Task(namespace, name, of)
        }
        _ => return None,
    };
    let is_change = matches!(route, Route::Task(_, _, Of::Change(_)));
    (is_change == (method == Method::POST)).then_some(route)
}

fn is_name(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    text.len() <= NAME && text.bytes().all(good) && ends(text.as_bytes().first()) && ends(text.as_bytes().last())
}

/// The values of a key in a query. Values of this protocol need no escapes.
fn query<'a>(query: Option<&'a str>, key: &'a str) -> impl Iterator<Item = &'a str> {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(move |(name, _)| *name == key).map(|(_, value)| value)
}

impl Page {
    /// For the session's namespace or all.
    pub fn new(session: Session, scope: Scope, changes: Changes, token: Token) -> Self {
        let streams = Arc::new(Semaphore::new(STREAMS));
        Self { session, scope, changes, token, streams, latest: Mutex::default() }
    }

    /// The token.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The answer to a request. Never fails: what goes wrong is an answer as well.
    pub async fn answer<B>(self: Arc<Self>, request: Request<B>) -> Reply
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let checked = check(request.method(), request.uri(), request.headers(), &self.token);
        let mut reply = match checked {
            Ok(()) => self.routed(request).await.unwrap_or_else(|problem| problem.reply()),
            Err(refusal) => Problem::new(refusal.status, refusal.error).reply(),
        };
        secure(reply.headers_mut());
        reply
    }

    async fn routed<B>(self: Arc<Self>, request: Request<B>) -> Result<Reply, Problem>
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let (method, uri) = (&parts.method, &parts.uri);
        if !uri.path().starts_with("/api/") {
            let found = assets::find(uri.path()).filter(|_| method == Method::GET);
            let (kind, content) = found.ok_or_else(|| Problem::not_found("there is no such file"))?;
            return Ok(bytes(kind, Bytes::from_static(content)));
        }
        let route = route(method, uri.path()).ok_or_else(|| Problem::not_found("there is no such path"))?;
        match route {
            Route::About => Ok(reply_json(&self.about())),
            Route::Rights => {
                let namespace = query(uri.query(), "namespace").next().unwrap_or(&self.session.namespace);
                Ok(reply_json(&about::rights(&self.within(namespace)?).await?))
            }
            Route::List => self.list().await,
            Route::Task(namespace, name, of) => {
                let session = self.within(namespace)?;
                match of {
                    Of::Change(verb) => self.change(&session, name, verb, &parts.headers, body).await,
                    Of::Stream => self.task_stream(session, name).await,
                    of => self.read(&session, name, of, uri.query(), &parts.headers).await,
                }
            }
        }
    }

    fn about(&self) -> Value {
        let scope = if self.scope == Scope::All { "all" } else { "namespace" };
        json!({ "server": self.session.server, "namespace": self.session.namespace, "scope": scope,
            "version": env!("CARGO_PKG_VERSION"), "readOnly": self.changes == Changes::None })
    }

    /// The session for a namespace that the page shows.
    fn within(&self, namespace: &str) -> Result<Session, Problem> {
        if !is_name(namespace) || (self.scope == Scope::Namespace && namespace != self.session.namespace) {
            return Err(Problem::not_found(format!("the page shows only the namespace {}", self.session.namespace)));
        }
        Ok(Session { namespace: namespace.to_owned(), ..self.session.clone() })
    }

    fn permit(&self) -> Result<tokio::sync::OwnedSemaphorePermit, Problem> {
        self.streams.clone().try_acquire_owned().map_err(|_| {
            let mut problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("{STREAMS} tabs are open already"));
            problem.failure = problem.failure.hint("close one of them");
            problem
        })
    }

    async fn list(&self) -> Result<Reply, Problem> {
        let permit = self.permit()?;
        let tasks = Tasks { session: self.session.clone(), scope: self.scope, selector: None };
        // The first list is awaited, so that a missing right is an answer and not a stream without news.
        let first = tasks.read().await?;
        let outbox = Arc::new(Outbox::default());
        let feeding = Feeding(tokio::spawn(follow_list::follow(tasks, first, outbox.clone())));
        Ok(events(stream(outbox, (permit, feeding))))
    }

    async fn task_stream(&self, session: Session, name: &str) -> Result<Reply, Problem> {
        let permit = self.permit()?;
        let first = session.api::<Task>().get_opt(name).await?;
        let latest = Latest::default();
        let outbox = Arc::new(Outbox::default());
        if let Some(task) = first {
            outbox.put("task".to_owned(), "task", &wire::task(&task, Timestamp::now()));
            latest.set(task);
        }
        let key = (session.namespace.clone(), name.to_owned());
        self.known().insert(key, latest.clone());
        let feeding = Feeding(tokio::spawn(follow_task::follow(session, name.to_owned(), latest, outbox.clone())));
        Ok(events(stream(outbox, (permit, feeding))))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Latest>> {
        let mut known = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        // Only the map holds it: its stream is closed.
        known.retain(|_, latest| latest.is_shared());
        known
    }

    /// The task as a stream has seen it last, or as the API server has it.
    async fn task(&self, session: &Session, name: &str) -> Result<Arc<Task>, Problem> {
        let key = (session.namespace.clone(), name.to_owned());
        let known = self.known().get(&key).and_then(Latest::get);
        match known {
            Some(task) => Ok(task),
            None => Ok(Arc::new(session.api::<Task>().get(name).await?)),
        }
    }

    async fn read(
        &self,
        session: &Session,
        name: &str,
        of: Of,
        text: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Reply, Problem> {
        let task = self.task(session, name).await?;
        let value = match of {
            Of::Planes => return planes(&task, headers),
            Of::Items => {
                let number = |key| query(text, key).next().and_then(|value| value.parse().ok());
                let phases = query(text, "phase").map(parse_phase).collect::<Result<Vec<_>, _>>();
                let phases = phases.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error))?;
                let limit = number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(ROWS);
                items::page(session, &task, number("from").unwrap_or(0), limit, &phases).await?
            }
            Of::Item(index) => items::one(session, &task, index).await?,
            Of::Log(index) => items::log(session, &task, index).await?,
            Of::Spec => about::spec(&task),
            Of::History => about::history(session, &task).await?,
            Of::Stream | Of::Change(_) => return Err(Problem::not_found("there is no such path")),
        };
        Ok(reply_json(&value))
    }

    async fn change<B>(
        &self,
        session: &Session,
        name: &str,
        verb: Verb,
        headers: &HeaderMap,
        body: B,
    ) -> Result<Reply, Problem>
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if self.changes == Changes::None {
            return Err(Problem::not_found("there are no changes with --read-only"));
        }
        if headers.get(CONTENT_TYPE).is_none_or(|kind| kind != "application/json") {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be application/json"));
        }
        let body = Limited::new(body, BODY).collect().await;
        let body = body.map_err(|error| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body: {error}")))?;
        let wanted = serde_json::from_slice(&body.to_bytes());
        let wanted = wanted.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("the body: {error}")))?;
        let task = session.api::<Task>().get(name).await?;
        Ok(reply_json(&json!({ "message": verbs::run(session, &task, verb, &wanted).await? })))
    }
}

/// The phases as three planes of bits.
fn planes(task: &Task, headers: &HeaderMap) -> Result<Reply, Problem> {
    let (phases, _) = task.decode()?.ok_or_else(|| Problem::not_found("the task has no items yet"))?;
    let plain = phases.plane_bytes();
    let takes_gzip =
        headers.get(ACCEPT_ENCODING).and_then(|text| text.to_str().ok()).is_some_and(|text| text.contains("gzip"));
    let packed = takes_gzip.then(|| gzip(&plain)).and_then(Result::ok);
    let is_packed = packed.is_some();
    let mut reply = bytes("application/octet-stream", packed.unwrap_or(plain));
    let all = reply.headers_mut();
    all.insert("x-items", HeaderValue::from(phases.count().get()));
    if let Some(key) = wire::phases_key(task).and_then(|key| HeaderValue::try_from(format!("\"{key}\"")).ok()) {
        all.insert(ETAG, key);
    }
    all.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if is_packed {
        all.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(reply)
}

fn gzip(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Write;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish()
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
