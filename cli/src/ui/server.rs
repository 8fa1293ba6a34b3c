//! The server: loopback only, a bounded number of connections, bounded time for the head of a request.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::page::Page;

/// Most connections at a time: six of a browser for each of the eight tabs that may have a stream.
const CONNECTIONS: usize = 64;
/// Longest time for the head of a request.
const HEAD: Duration = Duration::from_secs(5);
/// Most bytes of the head of a request.
const HEAD_BYTES: usize = 16 * 1024;

/// Opens the port on 127.0.0.1. There is no way to open another address.
pub async fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// Answers requests until it is dropped.
pub async fn serve(listener: TcpListener, page: Arc<Page>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of files: until some are closed.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let page = page.clone();
        connections.spawn(async move {
            let answer = service_fn(|request| {
                let page = page.clone();
                async move { Ok::<_, Infallible>(page.answer(request).await) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
            // A connection that breaks is the browser's business.
            let _ = http.serve_connection(TokioIo::new(stream), answer).await;
            drop(permit);
        });
        while connections.try_join_next().is_some() {}
    }
}
