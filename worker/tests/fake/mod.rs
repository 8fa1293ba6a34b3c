//! A leader of a test's own, and real workers that speak with it.
#![allow(dead_code, clippy::unwrap_used, reason = "each test binary uses its part; a failure here fails its test")]

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use maptask_exchange::{Answer, AttemptId, Config, End, Grant, Mode, Outcome, Record, Request};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// No test waits longer for one thing.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Waits, but not for ever.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("{what}: nothing within 20 s"))
}

/// One request, which the test answers.
pub(crate) struct Call {
    pub(crate) request: Request,
    pub(crate) token: String,
    /// The connection that it came on.
    pub(crate) connection: u64,
    reply: oneshot::Sender<(StatusCode, Vec<u8>)>,
}

impl Call {
    /// An answer with nothing in it.
    pub(crate) fn empty(&self) -> Answer {
        Answer { number: self.request.number, epoch: 1, slots: 1, ..Answer::default() }
    }

    pub(crate) fn answer(self, answer: &Answer) {
        _ = self.reply.send((StatusCode::OK, serde_json::to_vec(answer).unwrap()));
    }

    pub(crate) fn grant(self, grants: Vec<Grant>) {
        let answer = Answer { grants, ..self.empty() };
        self.answer(&answer);
    }

    pub(crate) fn refuse(self, status: u16, text: &str) {
        _ = self.reply.send((StatusCode::from_u16(status).unwrap(), text.as_bytes().to_vec()));
    }

    /// Whether the worker has given the request up.
    pub(crate) fn is_cut(&self) -> bool {
        self.reply.is_closed()
    }
}

pub(crate) struct Leader {
    pub(crate) url: String,
    calls: mpsc::UnboundedReceiver<Call>,
    /// Ends that are acknowledged.
    acknowledged: u64,
}

impl Leader {
    pub(crate) async fn start() -> Self {
        Self::listen(None).await
    }

    /// One that speaks TLS with a certificate for this name; also gives the certificate to trust.
    pub(crate) async fn start_tls(name: &str) -> (Self, String) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        (Self::listen(Some(TlsAcceptor::from(Arc::new(config)))).await, made.cert.pem())
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (send, calls) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for connection in 1.. {
                let Ok((stream, _)) = listener.accept().await else { break };
                stream.set_nodelay(true).unwrap();
                let (tls, send) = (tls.clone(), send.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, connection, send).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, connection, send).await;
                            }
                        }
                    }
                });
            }
        });
        Self { url, calls, acknowledged: 0 }
    }

    pub(crate) async fn call(&mut self) -> Call {
        soon("a request", self.calls.recv()).await.unwrap()
    }

    /// The next request that has ends in it; those before are parked, and released when it comes.
    pub(crate) async fn ends(&mut self) -> Call {
        let mut parked: Option<Call> = None;
        loop {
            let call = self.call().await;
            if let Some(parked) = parked.take() {
                let answer = parked.empty();
                parked.answer(&answer);
            }
            if !call.request.ended.is_empty() {
                return call;
            }
            parked = Some(call);
        }
    }

    /// Grants everything, a few at a time, until all have ended; then stops the worker.
    pub(crate) async fn run(&mut self, grants: Vec<Grant>, slots: u32, stock: usize) -> Vec<End> {
        let (ends, last) = self.run_some(grants, slots, stock).await;
        let stop = Some("all has ended".to_owned());
        let answer = Answer { slots, acknowledged: self.acknowledged, stop, ..last.empty() };
        last.answer(&answer);
        ends
    }

    /// Grants everything, a few at a time, until all have ended; also gives the last request.
    pub(crate) async fn run_some(&mut self, grants: Vec<Grant>, slots: u32, stock: usize) -> (Vec<End>, Call) {
        let mut pool: VecDeque<Grant> = grants.into();
        let count = pool.len();
        let mut held: BTreeMap<AttemptId, Grant> = BTreeMap::new();
        let mut ends: Vec<End> = Vec::new();
        let mut parked: Option<Call> = None;
        let (base, mut acknowledged) = (self.acknowledged, self.acknowledged);
        loop {
            let call = self.call().await;
            let request = &call.request;
            if let Some(parked) = parked.take() {
                let answer = Answer { slots, ..parked.empty() };
                parked.answer(&answer);
            }
            for end in &request.ended {
                if end.sequence > base + ends.len() as u64 {
                    assert_eq!(end.sequence, base + ends.len() as u64 + 1, "ends have gaps");
                    assert!(held.remove(&end.id).is_some(), "{:?} was not granted", end.id);
                    ends.push(end.clone());
                }
            }
            let listed: HashSet<AttemptId> = request.stock.iter().chain(&request.running).copied().collect();
            let lost: Vec<AttemptId> = held.keys().filter(|id| !listed.contains(id)).copied().collect();
            for id in lost {
                pool.push_front(held.remove(&id).unwrap());
            }
            let mut answer = Answer { slots, acknowledged: base + ends.len() as u64, ..call.empty() };
            while held.len() < slots as usize + stock
                && let Some(grant) = pool.pop_front()
            {
                held.insert(grant.id, grant.clone());
                answer.grants.push(grant);
            }
            if ends.len() == count {
                self.acknowledged = answer.acknowledged;
                // Grants that got lost come again, and later.
                ends.sort_by_key(|end| end.id);
                return (ends, call);
            }
            if answer.grants.is_empty() && answer.acknowledged == acknowledged {
                parked = Some(call);
            } else {
                acknowledged = answer.acknowledged;
                call.answer(&answer);
            }
        }
    }
}

async fn serve<S>(stream: S, connection: u64, send: mpsc::UnboundedSender<Call>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let send = send.clone();
        async move {
            let token = request.headers().get("authorization").unwrap().to_str().unwrap().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let (reply, replied) = oneshot::channel();
            let request = serde_json::from_slice(&body).unwrap();
            // The test may be over.
            _ = send.send(Call { request, token, connection, reply });
            // A call that a test drops cuts its connection.
            let (status, body) = replied.await.map_err(|_| std::io::Error::other("cut"))?;
            let mut response = Response::new(Full::new(Bytes::from(body)));
            *response.status_mut() = status;
            Ok::<_, std::io::Error>(response)
        }
    });
    // The worker may end first.
    _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// An attempt at an item.
pub(crate) fn grant(index: u32, item: &str) -> Grant {
    let item = serde_json::value::RawValue::from_string(item.to_owned()).unwrap();
    Grant { id: AttemptId(index, 1), item, env: BTreeMap::new() }
}

/// Items that are their numbers.
pub(crate) fn grants(count: u32) -> Vec<Grant> {
    (0..count).map(|index| grant(index, &index.to_string())).collect()
}

/// A worker process, killed at the end of its test.
pub(crate) struct Worker {
    child: Option<Child>,
    pub(crate) pid: Pid,
    pub(crate) directory: PathBuf,
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A directory of a test's own.
pub(crate) fn directory() -> PathBuf {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    directory
}

pub(crate) fn config(url: &str) -> Config {
    Config {
        version: 1,
        url: url.to_owned(),
        server_name: "localhost".to_owned(),
        ca: String::new(),
        epoch: 1,
        task: "words".to_owned(),
        count: 100,
        mode: Mode::Exec,
        slots: 1,
        max_items: None,
        deadline_seconds: None,
        grace_seconds: 30,
        max_result_bytes: 1024,
        prefix_log: true,
        start_deadline_seconds: 60,
        artifacts: None,
        memory_bytes: None,
    }
}

impl Worker {
    pub(crate) fn start(config: &Config, command: &[&str]) -> Self {
        Self::start_with(config, command, &[])
    }

    /// A script; its `$$` is the shell's own number, which Kubernetes' rules take for a dollar.
    pub(crate) fn sh(leader: &Leader, script: &str) -> Self {
        Self::start(&config(&leader.url), &["sh", "-c", &script.replace("$$", "$$$$")])
    }

    pub(crate) fn start_with(config: &Config, command: &[&str], env: &[(&str, &str)]) -> Self {
        let directory = directory();
        let file = |name: &str| fs::File::create(directory.join(name)).unwrap();
        file("record");
        fs::write(directory.join("token"), "secret\n").unwrap();
        fs::write(directory.join("memory.events"), "oom_kill 0\n").unwrap();
        fs::create_dir(directory.join("tmp")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_maptask-worker"))
            .arg("run")
            .arg("--token")
            .arg(directory.join("token"))
            .arg("--record")
            .arg(directory.join("record"))
            .arg("--cgroup")
            .arg(&directory)
            .arg("--")
            .args(command)
            .env("MAPTASK_WORKER", serde_json::to_string(config).unwrap())
            .env("TMPDIR", directory.join("tmp"))
            .env("DIR", &directory)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        Self { child: Some(child), pid, directory }
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.directory.join(name)).unwrap_or_default()).into_owned()
    }

    pub(crate) fn record(&self) -> Record {
        serde_json::from_str(&self.text("record")).unwrap_or_else(|error| panic!("{error}: {}", self.text("record")))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap();
    }

    /// Waits for the end of the worker.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        soon("the worker's end", tokio::task::spawn_blocking(move || child.wait().unwrap())).await.unwrap()
    }

    /// Waits until a file has this text.
    pub(crate) async fn until(&self, name: &str, text: &str) {
        soon(&format!("{text} in {name}"), async {
            while !self.text(name).contains(text) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            _ = child.kill();
            _ = child.wait();
        }
        end_programs(&self.directory);
    }
}

/// Ends the programs of a worker that was killed. In a pod they would end with it, since it is their container's first
/// process.
fn end_programs(directory: &std::path::Path) {
    let variable = format!("DIR={}", directory.display()).into_bytes();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let variables = fs::read(process.path().join("environ")).unwrap_or_default();
        if variables.split(|byte| *byte == 0).any(|one| one == variable) {
            _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Whether a process runs.
pub(crate) fn runs(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !stat.rsplit_once(") ").unwrap().1.starts_with('Z'))
}

pub(crate) fn succeeded(result: &str) -> Outcome {
    Outcome::Succeeded { result: Some(result.to_owned()) }
}

pub(crate) const SUCCEEDED: Outcome = Outcome::Succeeded { result: None };
