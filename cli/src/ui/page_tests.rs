use super::*;
use crate::read::task::tests::task as of;
use crate::ui::server;
use maptask::core::ids::{Index, ItemCount};
use maptask::core::phases::{ItemPhase, Phases};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A page whose API server is not there.
fn page(changes: Changes) -> Arc<Page> {
    let config = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
    let client = kube::Client::try_from(config).unwrap();
    let session = Session { client, namespace: "ns".to_owned(), server: "http://127.0.0.1:9".to_owned() };
    Arc::new(Page::new(session, Scope::Namespace, changes, Token::new().unwrap()))
}

/// Sends bytes to a real server; all that it answers before it closes.
async fn raw(page: &Arc<Page>, request: &str) -> String {
    let listener = server::listen(0).await.unwrap();
    let address = listener.local_addr().unwrap();
    assert!(address.ip().is_loopback());
    let serving = tokio::spawn(server::serve(listener, page.clone()));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    serving.abort();
    answer
}

fn get(path: &str, page: &Page) -> String {
    let token = page.token().text();
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn every_answer_has_the_headers_that_protect_the_page() {
    let page = page(Changes::Allowed);
    let refused = "GET / HTTP/1.1\r\nHost: evil.com\r\nConnection: close\r\n\r\n".to_owned();
    for (request, status) in
        [(get("/", &page), 200), (get("/api/about", &page), 200), (get("/api/x", &page), 404), (refused, 403)]
    {
        let answer = raw(&page, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        let head = answer.split_once("\r\n\r\n").unwrap().0.to_lowercase();
        for header in [
            "content-security-policy: default-src 'none'; script-src 'self'",
            "require-trusted-types-for 'script'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
            "cross-origin-opener-policy: same-origin",
            "cache-control: no-store",
        ] {
            assert!(head.contains(header), "{header} in {head}");
        }
        for header in ["access-control", "set-cookie", "server:", "unsafe-inline"] {
            assert!(!head.contains(header), "{header} in {head}");
        }
        assert!(!answer.contains(page.token().text()), "the token is never sent");
    }
}

#[tokio::test]
async fn line_ends_in_a_request_never_reach_an_answer() {
    let page = page(Changes::Allowed);
    for path in ["/%0d%0aX-Evil:%201", "/api/%0d%0aX-Evil:%201", "/api/tasks/ns/%0d%0aX-Evil:1/events"] {
        let answer = raw(&page, &get(path, &page)).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        assert!(!answer.contains("Evil"), "{answer}");
    }
    for head in ["Host: localhost\rX-Evil: 1", "Host: localhost\n evil.com", "Host: localhost\r\n evil.com"] {
        let answer = raw(&page, &format!("GET /api/about HTTP/1.1\r\n{head}\r\nConnection: close\r\n\r\n")).await;
        assert!(!answer.starts_with("HTTP/1.1 2"), "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn a_request_line_with_another_address_and_a_websocket_are_refused_by_the_server_as_well() {
    let page = page(Changes::Allowed);
    let absolute = raw(&page, &get("http://evil.com/api/about", &page)).await;
    assert!(absolute.starts_with("HTTP/1.1 400"), "{absolute}");
    let upgrade =
        "Upgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let upgraded = raw(&page, &get("/api/events", &page).replace("Connection: close\r\n\r\n", upgrade)).await;
    assert!(upgraded.starts_with("HTTP/1.1 400"), "{upgraded}");
    let head = raw(&page, &get("/", &page).replace("GET", "HEAD")).await;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
}

fn post(path: &str, page: &Page, kind: &str, body: &str) -> String {
    let (token, length) = (page.token().text(), body.len());
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nAuthorization: Bearer {token}\r\n\
        Content-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_page_that_is_read_only_has_no_change() {
    let body = r#"{"uid":"u","generation":1}"#;
    for verb in ["suspend", "resume", "scale", "rerun", "cancel", "delete"] {
        let path = format!("/api/tasks/ns/t/{verb}");
        let none = page(Changes::None);
        let answer = raw(&none, &post(&path, &none, "application/json", body)).await;
        assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("--read-only"), "{answer}");
        let allowed = page(Changes::Allowed);
        let answer = raw(&allowed, &post(&path, &allowed, "application/json", body)).await;
        assert!(answer.starts_with("HTTP/1.1 502"), "it would ask the API server: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_or_of_another_kind_is_refused() {
    let page = page(Changes::Allowed);
    let path = "/api/tasks/ns/t/suspend";
    let large = format!(r#"{{"uid":"{}","generation":1}}"#, "u".repeat(BODY));
    let answers = [
        (raw(&page, &post(path, &page, "application/json", &large)).await, 413),
        (raw(&page, &post(path, &page, "text/plain", "{}")).await, 415),
        (raw(&page, &post(path, &page, "application/json", "{}")).await, 400),
        (raw(&page, &post("/api/tasks/ns/t/patch", &page, "application/json", "{}")).await, 404),
        (raw(&page, &post("/api/about", &page, "application/json", "{}")).await, 404),
        (raw(&page, &get("/api/tasks/ns/t/suspend", &page)).await, 404),
    ];
    for (answer, status) in answers {
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {answer}");
    }
}

#[tokio::test]
async fn only_the_namespace_of_the_page_is_shown() {
    let page = page(Changes::Allowed);
    let answer = raw(&page, &get("/api/tasks/kube-system/t/planes", &page)).await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("only the namespace ns"), "{answer}");
    let answer = raw(&page, &get("/api/rights?namespace=kube-system", &page)).await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

#[tokio::test]
async fn at_most_eight_streams_are_open() {
    let page = page(Changes::Allowed);
    let held: Vec<_> = (0..STREAMS).map(|_| page.permit().unwrap()).collect();
    let answer = raw(&page, &get("/api/events", &page)).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("close one of them"), "{answer}");
    drop(held);
    assert!(page.permit().is_ok());
}

#[test]
fn paths_are_plain_names_and_nothing_passes_through() {
    let route = |path| route(&Method::GET, path);
    assert_eq!(route("/api/tasks/ns/a.b-c/items/17/log"), Some(Route::Task("ns", "a.b-c", Of::Log(17))));
    let wrong = [
        "/api/tasks/ns/../x/events",
        "/api/tasks/ns//events",
        "/api/tasks/ns/t%2fx/events",
        "/api/tasks/ns/T/events",
        "/api/tasks/ns/t/items/-1",
        "/api/tasks/ns/t/items/17/exec",
        "/api/tasks/ns/t/secrets",
        "/api/tasks/ns/-t/spec",
        "/api/v1/namespaces/ns/secrets",
        "/apis/maptask.dev",
        "/api/",
        "/api/events/",
        "/api/tasks/ns/t/suspend",
    ];
    for path in wrong {
        assert_eq!(route(path), None, "{path}");
    }
}

#[tokio::test]
async fn planes_are_the_phases_bit_by_bit_and_small_with_gzip() {
    let count = 20_000;
    let mut phases = Phases::new(ItemCount::new(count).unwrap());
    for index in 0..15_000 {
        phases.set(Index(index), ItemPhase::Succeeded);
    }
    phases.set(Index(9), ItemPhase::Cancelled);
    let status = json!({ "items": count, "phases": phases.encode() });
    let task = of(&json!({}), &status);
    let plain = planes(&task, &HeaderMap::new()).unwrap();
    assert_eq!(plain.headers()["x-items"], "20000");
    let key = wire::phases_key(&task).unwrap();
    assert_eq!(plain.headers()[ETAG], format!("\"{key}\""));
    let body = plain.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body.len(), 3 * 2_500);
    let phase = |index: usize| (0..3).map(|k| (body[k * 2_500 + index / 8] >> (index % 8) & 1) << k).sum::<u8>();
    assert_eq!([0, 9, 14_999, 15_000].map(phase), [2, 5, 2, 0]);
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate, br"));
    let packed = planes(&task, &headers).unwrap();
    assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");
    assert!(packed.into_body().collect().await.unwrap().to_bytes().len() < 200);
}
