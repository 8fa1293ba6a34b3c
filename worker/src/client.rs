//! How does a request get to the operator? Over connections of its own: the newest request never waits behind a parked
//! one.

use std::cell::RefCell;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use maptask_exchange::{Answer, HOLD_MILLIS, MAX_ANSWER_BYTES, PATH, PATIENCE_MILLIS};
use serde::de::DeserializeOwned;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::session::PARKED;

/// No request waits longer.
const WHOLE: Duration = Duration::from_millis(HOLD_MILLIS + PATIENCE_MILLIS);
/// Unanswered packets end a connection after this, where the system alone takes a quarter of an hour.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);
/// Connections that are kept: one is parked, the other reports.
const KEPT: usize = 2;
/// Bytes of a refusal that are read.
const MAX_REFUSAL: usize = 512;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A parked request, or a kept connection, was cut.
    Cut,
    /// The operator could not be reached, or said nothing.
    Unreachable(String),
    /// It refused.
    Status(u16, String),
}

/// Speaks with the operator.
pub(crate) struct Client {
    address: String,
    host: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    token: PathBuf,
    kept: RefCell<Vec<SendRequest<Full<Bytes>>>>,
}

impl Client {
    /// For `https://HOST:PORT`. `http` is for tests, and only to this machine: the token must not be seen on the way.
    pub(crate) fn new(url: &str, server_name: &str, ca: &str, token: PathBuf) -> Result<Self, String> {
        let (scheme, host) = url.split_once("://").ok_or_else(|| format!("{url} is no address: https://HOST:PORT"))?;
        let host = host.trim_end_matches('/').to_owned();
        let address = if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            host.clone()
        } else {
            format!("{host}:443")
        };
        let tls = match scheme {
            "https" => Some(tls(server_name, ca)?),
            "http" if address.starts_with("127.") => None,
            _ => return Err(format!("{url}: only https is allowed")),
        };
        Ok(Self { address, host, tls, token, kept: RefCell::new(Vec::new()) })
    }

    /// Where the operator is.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Sends one request of a worker, and waits for its answer.
    pub(crate) async fn exchange(self: Rc<Self>, body: Vec<u8>) -> Result<Answer, Failure> {
        self.post(PATH, body).await
    }

    /// Sends one request to this path, and waits for its answer.
    pub(crate) async fn post<T: DeserializeOwned>(self: Rc<Self>, path: &str, body: Vec<u8>) -> Result<T, Failure> {
        timeout(WHOLE, self.send(path, Bytes::from(body)))
            .await
            .unwrap_or_else(|_| Err(Failure::Unreachable(format!("no answer within {} s", WHOLE.as_secs()))))
    }

    async fn send<T: DeserializeOwned>(&self, path: &str, body: Bytes) -> Result<T, Failure> {
        let token = fs::read_to_string(&self.token)
            .map_err(|error| Failure::Unreachable(format!("token {}: {error}", self.token.display())))?;
        let request = Request::post(path)
            .header(header::HOST, &self.host)
            .header(header::AUTHORIZATION, format!("Bearer {}", token.trim()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| Failure::Unreachable(format!("request: {error}")))?;
        let kept = self.take_kept();
        let was_kept = kept.is_some();
        let mut sender = match kept {
            Some(sender) => sender,
            None => timeout(Duration::from_millis(PATIENCE_MILLIS), self.connect())
                .await
                .map_err(|_| Failure::Unreachable("no connection within 10 s".to_owned()))?
                .map_err(|error| Failure::Unreachable(error.to_string()))?,
        };
        let sent = Instant::now();
        let is_parked = || sent.elapsed() >= PARKED;
        let response = sender.send_request(request).await.map_err(|error| {
            // The operator may close a connection that nobody uses, at the moment in which it is used.
            if was_kept || is_parked() { Failure::Cut } else { Failure::Unreachable(words(&error)) }
        })?;
        let status = response.status();
        if status != StatusCode::OK {
            let text = Limited::new(response.into_body(), MAX_REFUSAL)
                .collect()
                .await
                .map(http_body_util::Collected::to_bytes);
            let text = text.map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
            if status == StatusCode::CONFLICT {
                self.keep(sender);
            }
            return Err(Failure::Status(status.as_u16(), text));
        }
        let text = Limited::new(response.into_body(), MAX_ANSWER_BYTES)
            .collect()
            .await
            .map_err(
                |error| if is_parked() { Failure::Cut } else { Failure::Unreachable(format!("the answer: {error}")) },
            )?
            .to_bytes();
        let answer =
            serde_json::from_slice(&text).map_err(|error| Failure::Unreachable(format!("the answer: {error}")))?;
        self.keep(sender);
        Ok(answer)
    }

    fn take_kept(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut kept = self.kept.borrow_mut();
        kept.retain(|sender| !sender.is_closed());
        let ready = kept.iter().position(SendRequest::is_ready)?;
        Some(kept.swap_remove(ready))
    }

    fn keep(&self, sender: SendRequest<Full<Bytes>>) {
        let mut kept = self.kept.borrow_mut();
        if kept.len() < KEPT {
            kept.push(sender);
        }
    }

    /// The next requests use new connections.
    pub(crate) fn forget_connections(&self) {
        self.kept.borrow_mut().clear();
    }

    async fn connect(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        // An IP address in every cluster, so that no name has to be resolved and nothing blocks.
        let address = self.address.to_socket_addrs()?.next().ok_or(ErrorKind::NotFound)?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
        match &self.tls {
            None => open(stream).await,
            Some((connector, name)) => open(connector.connect(name.clone(), stream).await?).await,
        }
    }
}

async fn open(stream: impl AsyncRead + AsyncWrite + Unpin + 'static) -> io::Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::task::spawn_local(async move {
        // Its error is that of the request on it.
        _ = connection.await;
    });
    Ok(sender)
}

fn tls(server_name: &str, ca: &str) -> Result<(TlsConnector, ServerName<'static>), String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("ca: {error}"))?;
        roots.add(certificate).map_err(|error| format!("ca: {error}"))?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name =
        ServerName::try_from(server_name.to_owned()).map_err(|error| format!("serverName {server_name}: {error}"))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

fn words(error: &hyper::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
