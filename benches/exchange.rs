//! What does an exchange with a worker cost the operator? Its server as it runs, over TLS with connections that stay,
//! and a core that only answers: 100,000 exchanges, each with ten ends and ten grants.
//!
//! `cargo bench --bench exchange` prints the CPU time of the server's thread. `EXCHANGES=n` makes it another number.

#![allow(missing_docs, clippy::unwrap_used, clippy::cast_precision_loss, reason = "a benchmark that fails stops")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Parser;
use http::{Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use maptask::args::Cli;
use maptask::core::exchange_address::ExchangeAddress;
use maptask::core::port::{Event, Reply};
use maptask::serve::exchange::{ExchangeMetrics, ExchangeServer, Incoming};
use maptask_exchange::{Answer, AttemptId, Grant, PATH};
use serde_json::{Value, json, value::RawValue};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Workers, each with one connection.
const WORKERS: usize = 32;
const ENDS: u64 = 10;

/// An API server with one Secret, for which every token is of a pod.
fn api() -> Client {
    let secret: Arc<Mutex<Value>> = Arc::default();
    let service = tower::service_fn(move |request: Request<Body>| {
        let secret = Arc::clone(&secret);
        async move {
            let (head, body) = request.into_parts();
            let mut body: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap_or_default();
            let answer = if head.uri.path().ends_with("tokenreviews") {
                let payload = body["spec"]["token"].as_str().unwrap().split('.').nth(1).unwrap();
                let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
                let pod = claims["iat"].to_string();
                let extra = json!({
                    "authentication.kubernetes.io/pod-name": [pod], "authentication.kubernetes.io/pod-uid": [pod],
                });
                let user = json!({ "username": "system:serviceaccount:ns:default", "extra": extra });
                let audiences = body["spec"]["audiences"].clone();
                body["status"] = json!({ "authenticated": true, "audiences": audiences, "user": user });
                body
            } else {
                let mut secret = secret.lock().unwrap();
                if head.method != http::Method::GET {
                    *secret = body;
                }
                if secret.is_null() { json!({ "metadata": { "name": "s" } }) } else { secret.clone() }
            };
            Ok::<_, Infallible>(Response::new(Body::from(answer.to_string().into_bytes())))
        }
    });
    Client::new(service, "ns")
}

/// A token as long as a real one. Each worker has its own.
fn token(worker: usize) -> String {
    let claims =
        json!({ "aud": ["maptask-operator"], "exp": 4_000_000_000_u64, "iat": worker, "more": "x".repeat(600) });
    format!("eyJhbGciOiJSUzI1NiJ9.{}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()), "s".repeat(342))
}

fn request(number: u64) -> Vec<u8> {
    let end = |sequence: u64| {
        let outcome = json!({ "kind": "Succeeded", "result": "{\"words\":1234}" });
        json!({ "sequence": sequence, "id": [sequence, 1], "micros": 1_500, "outcome": outcome })
    };
    let ended: Vec<Value> = (1..=ENDS).map(|end_number| end(number * ENDS + end_number)).collect();
    let stock: Vec<_> = (1..=ENDS).map(|index| [number * ENDS + ENDS + index, 1]).collect();
    let request = json!({
        "session": "00c0ffee00c0ffee", "number": number, "epoch": 1, "stock": stock, "ended": ended, "begun": number * ENDS,
    });
    request.to_string().into_bytes()
}

fn answer(incoming: Incoming) -> Reply {
    let Event::Exchange(exchange) = incoming.into_event() else { panic!() };
    let item = RawValue::from_string("\"item-of-some-length-1234\"".to_owned()).unwrap();
    let grants = exchange.request.stock.iter().map(|AttemptId(index, _)| Grant {
        id: AttemptId(index + 10, 1),
        item: item.clone(),
        env: BTreeMap::new(),
    });
    let answer = Answer {
        number: exchange.request.number,
        epoch: 1,
        acknowledged: exchange.request.ended.last().map_or(0, |end| end.sequence),
        slots: 1,
        grants: grants.collect(),
        ..Answer::default()
    };
    Reply::to_worker(exchange.ticket, answer)
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// Serves this number of exchanges, in rounds like the operator's. Returns the thread's microseconds for each, and the
/// number of rounds.
async fn serve(port: u16, exchanges: u64, address: mpsc::Sender<ExchangeAddress>) -> (f64, u64) {
    let listen = format!("--exchange-listen=127.0.0.1:{port}");
    let url = format!("--exchange-url=https://127.0.0.1:{port}");
    let args = Cli::parse_from(["maptask-operator", &listen, &url]).run.exchange;
    let mut server = ExchangeServer::start(&args, "ns", api(), ExchangeMetrics::default()).await.unwrap();
    server.desk.open();
    server.address.changed().await.unwrap();
    address.send(server.address.borrow().clone().unwrap()).unwrap();
    let (mut served, mut rounds, mut planned, mut before) = (0, 0, Instant::now(), None);
    while served < exchanges {
        let first = server.incoming.recv().await.unwrap();
        if let Some(rest) = Duration::from_millis(1).checked_sub(planned.elapsed()) {
            tokio::time::sleep(rest).await;
        }
        planned = Instant::now();
        let mut round = vec![first];
        while let Ok(incoming) = server.incoming.try_recv() {
            round.push(incoming);
        }
        served += round.len() as u64;
        for reply in round.into_iter().map(answer) {
            server.desk.reply(reply);
        }
        rounds += 1;
        // Handshakes and reviews of tokens are over by then.
        if before.is_none() && served >= 10 * WORKERS as u64 {
            before = Some((cpu(), served));
        }
    }
    let (began, not_counted) = before.unwrap();
    let all = cpu().saturating_sub(began);
    server.end().await;
    (all.as_secs_f64() * 1e6 / (served - not_counted) as f64, rounds)
}

/// One worker, until the server ends.
fn work(worker: usize, address: &ExchangeAddress) {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(address.ca_pem.as_bytes()).map(Result::unwrap));
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let name = ServerName::try_from(address.server_name.clone()).unwrap();
    let tls = ClientConnection::new(Arc::new(config.with_no_client_auth()), name).unwrap();
    let tcp = TcpStream::connect(address.url.strip_prefix("https://").unwrap()).unwrap();
    tcp.set_nodelay(true).unwrap();
    let (mut stream, token) = (StreamOwned::new(tls, tcp), token(worker));
    let mut buffer = vec![0; 65_536];
    for number in 1.. {
        let body = request(number);
        let mut text = format!(
            "POST {PATH} HTTP/1.1\r\nhost: operator\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        text.extend(body);
        let mut got = 0;
        if stream.write_all(&text).is_err() {
            return;
        }
        // The answer ends the only object of the body.
        while got == 0 || !buffer[..got].ends_with(b"}]}") {
            match stream.read(&mut buffer[got..]) {
                Ok(more) if more > 0 => got += more,
                _ => return,
            }
        }
    }
}

fn main() {
    let exchanges = std::env::var("EXCHANGES").map_or(100_000, |number| number.parse().unwrap());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (address_in, address) = mpsc::channel();
    let began = Instant::now();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(serve(port, exchanges, address_in))
    });
    let address = address.recv().unwrap();
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let address = address.clone();
            thread::spawn(move || work(worker, &address))
        })
        .collect();
    let (micros, rounds) = server.join().unwrap();
    let seconds = began.elapsed().as_secs_f64();
    for worker in workers {
        worker.join().unwrap();
    }
    println!("{exchanges} exchanges of {ENDS} ends by {WORKERS} workers, {:.0} a second", exchanges as f64 / seconds);
    println!("server CPU: {micros:.1} us an exchange, {:.2} us an item; {rounds} rounds", micros / ENDS as f64);
}
