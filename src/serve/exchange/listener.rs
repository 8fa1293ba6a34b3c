//! Connections: from a socket over TLS to requests. Each is bounded in time from its first byte on.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bounds::{Bounds, Bucket};
use super::doors::{Doors, Place};
use super::service::SharedService;

/// Most bytes of a request's head. A token has one or two thousand.
const HEAD_BYTES: usize = 16 << 10;
/// Most bytes that a connection buffers.
const BUFFER_BYTES: usize = 64 << 10;
/// How long bytes may stay unacknowledged: a client that reads nothing, or is gone without a word, is given up then.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);
/// How long the listener rests if the system has no descriptor or memory left for a connection.
const REST: Duration = Duration::from_millis(100);

/// Takes connections until stopped, and runs each as a task of `tasks`.
pub(super) async fn serve(
    listener: TcpListener,
    tls: TlsAcceptor,
    service: SharedService,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let doors = Doors::new(service.bounds, service.metrics.clone());
    let rate = Bucket::new(service.bounds.accepts);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                let Some(place) = admit(&doors, &rate, &service, address) else { continue };
                let (tls, service, stop) = (tls.clone(), Arc::clone(&service), stop.clone());
                tasks.spawn(connect(stream, place, tls, service, stop));
            }
            Err(error) => {
                tracing::warn!(%error, "connection of a worker not accepted");
                sleep(REST).await;
            }
        }
    }
}

fn admit(doors: &Arc<Doors>, rate: &Bucket, service: &SharedService, address: SocketAddr) -> Option<Place> {
    let place = doors.enter(address.ip())?;
    if !rate.take(std::time::Instant::now()) {
        service.metrics.refused();
        return None;
    }
    Some(place)
}

async fn connect(stream: TcpStream, place: Place, tls: TlsAcceptor, service: SharedService, stop: CancellationToken) {
    let Bounds { handshake, introduction, idle, .. } = service.bounds;
    let socket = socket2::SockRef::from(&stream);
    // A connection works without these as well, only not as well.
    let _ = (socket.set_tcp_nodelay(true), socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED)));
    let introduced_by = tokio::time::Instant::now() + introduction;
    let stream = match timeout(handshake, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "no TLS with a worker"),
        Err(_) => return,
    };
    let place = Arc::new(place);
    let asked = Arc::clone(&place);
    let requests = service_fn(move |request| {
        let (service, place) = (Arc::clone(&service), Arc::clone(&asked));
        async move { Ok::<_, Infallible>(service.answer(&place, request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(idle);
    http.max_header_size(HEAD_BYTES).max_buf_size(BUFFER_BYTES).auto_date_header(false);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), requests));
    let mut introduction = std::pin::pin!(sleep_until(introduced_by));
    let (mut watched, mut stopping) = (true, false);
    loop {
        tokio::select! {
            _ended = connection.as_mut() => return,
            () = &mut introduction, if watched => {
                if place.is_stranger() {
                    return;
                }
                watched = false;
            }
            () = stop.cancelled(), if !stopping => {
                connection.as_mut().graceful_shutdown();
                stopping = true;
            }
        }
    }
}
