//! The listener as it runs, with a core that tests play, and a client over real TLS.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use maptask_exchange::{Answer, PATH};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bounds::Bounds;
use super::certificate::{self, LiveCertificate, Material};
use super::desk::{Desk, Incoming};
use super::fake_api::FakeApi;
use super::issue::Issued;
use super::listener;
use super::metrics::ExchangeMetrics;
use super::service::Service;
use super::tokens::Tokens;
use crate::core::port::{Event, Exchange, ExchangeRefusal, Reply, Said};

pub(super) struct Rig {
    pub(super) api: FakeApi,
    pub(super) desk: Desk,
    pub(super) incoming: mpsc::Receiver<Incoming>,
    pub(super) address: SocketAddr,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) live: Arc<LiveCertificate>,
    pub(super) metrics: crate::serve::metrics::Metrics,
    pub(super) ca: String,
}

/// A certificate for `localhost` of an authority of its own, and that authority.
pub(super) fn certify(live: &LiveCertificate) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let issued = Issued::default().renewed(&["localhost".to_owned()], now.as_secs()).unwrap().unwrap();
    let authorities = issued.bundle();
    let serving = issued.serving.unwrap();
    let material = Material { chain: serving.certificate, key: serving.key, authorities };
    live.set(material.load("localhost", UnixTime::since_unix_epoch(now)).unwrap());
    material.authorities
}

impl Rig {
    /// Listens, and leads.
    pub(super) async fn new(bounds: Bounds) -> Self {
        let (api, metrics) = (FakeApi::default(), crate::serve::metrics::Metrics::default());
        let exchange_metrics: ExchangeMetrics = metrics.exchange.clone();
        let (desk, incoming) = Desk::new(exchange_metrics.clone());
        desk.open();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let live = Arc::new(LiveCertificate::default());
        let ca = certify(&live);
        let tls = certificate::acceptor(Arc::clone(&live)).unwrap();
        let tokens = Tokens::new(api.client(), exchange_metrics.clone());
        let service = Arc::new(Service { bounds, desk: desk.clone(), tokens, metrics: exchange_metrics });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(listener::serve(listener, tls, service, stop.clone(), tasks.clone()));
        Self { api, desk, incoming, address, stop, tasks, live, metrics, ca }
    }

    pub(super) async fn client(&self) -> Client {
        Client::connect(self.address, &self.ca).await.unwrap()
    }

    /// The next request that reaches the core.
    pub(super) async fn next(&mut self) -> Exchange {
        match self.incoming.recv().await.unwrap().into_event() {
            Event::Exchange(exchange) => *exchange,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn reply(&self, to: &Exchange, result: Result<(), ExchangeRefusal>) {
        let answer = Answer { number: to.request.number, slots: 1, ..Answer::default() };
        self.desk.reply(Reply { ticket: to.ticket, result: result.map(|()| Said::Worker(answer)) });
    }

    /// The value of a metric, 0 if it is not there.
    pub(super) fn metric(&self, name: &str) -> u64 {
        let text = self.metrics.text();
        let line = text.lines().find_map(|line| line.strip_prefix("maptask_")?.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }
}

pub(super) struct Client {
    pub(super) stream: TlsStream<TcpStream>,
}

/// The smallest request.
pub(super) fn body(number: u64) -> Value {
    json!({ "session": "00c0ffee00c0ffee", "number": number })
}

impl Client {
    pub(super) async fn connect(address: SocketAddr, ca: &str) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(ca.as_bytes()).map(Result::unwrap));
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Ok(Self { stream })
    }

    pub(super) async fn send(&mut self, text: &str) -> io::Result<()> {
        write(&mut self.stream, text.as_bytes()).await
    }

    /// Sends a request of this pod's token and does not wait.
    pub(super) async fn post(&mut self, token: Option<&str>, body: &str) {
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let length = body.len();
        let head = format!("POST {PATH} HTTP/1.1\r\nhost: a\r\n{authorization}content-length: {length}\r\n\r\n");
        self.send(&(head + body)).await.unwrap();
    }

    /// Status, whether the connection stays, and the body of the next answer; `None` if the connection ends before.
    pub(super) async fn answer(&mut self) -> Option<(u16, bool, String)> {
        let mut text = Vec::new();
        let end = loop {
            if let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            text.push(read(&mut self.stream).await?);
        };
        let head = String::from_utf8(text[..end].to_vec()).unwrap().to_lowercase();
        let length: usize = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        let mut body = Vec::new();
        while body.len() < length {
            body.push(read(&mut self.stream).await?);
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some((status, !head.contains("connection: close"), String::from_utf8(body).unwrap()))
    }

    pub(super) async fn ask(&mut self, token: Option<&str>, body: &str) -> (u16, bool, String) {
        self.post(token, body).await;
        self.answer().await.unwrap()
    }

    /// Whether the other end has closed the connection.
    pub(super) async fn is_closed(&mut self) -> bool {
        read(&mut self.stream).await.is_none()
    }
}

/// Writes all of it.
pub(super) async fn write(stream: &mut (impl AsyncWrite + Unpin), mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = poll_fn(|context| Pin::new(&mut *stream).poll_write(context, bytes)).await?;
        bytes = &bytes[written..];
    }
    poll_fn(|context| Pin::new(&mut *stream).poll_flush(context)).await
}

/// The next byte; `None` at the end, however that comes.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<u8> {
    let mut byte = [0];
    let mut buffer = ReadBuf::new(&mut byte);
    poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut buffer)).await.ok()?;
    buffer.filled().first().copied()
}
