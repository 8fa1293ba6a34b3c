use super::*;

fn token() -> Token {
    Token("0123456789abcdef".repeat(4))
}

/// The status of a request with these headers; 200 if it is let through.
fn ask(method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    let (method, uri) = (method.parse().unwrap(), path.parse().unwrap());
    check(&method, &uri, &map, &token()).map_or_else(|refusal| refusal.status.as_u16(), |()| 200)
}

fn bearer() -> String {
    format!("Bearer {}", token().text())
}

/// A GET of the data with the right token, from this host.
fn from(host: &str, more: &[(&str, &str)]) -> u16 {
    let bearer = bearer();
    let mut headers = vec![("host", host), ("authorization", bearer.as_str())];
    headers.extend(more);
    ask("GET", "/api/about", &headers)
}

#[test]
fn only_exact_names_of_this_machine_are_answered() {
    for good in ["127.0.0.1:4000", "localhost:80", "localhost", "127.0.0.1", "[::1]:4000", "[::1]"] {
        assert_eq!(from(good, &[]), 200, "{good}");
    }
    let bad = [
        "localhost.evil.com",
        "localhost.evil.com:4000",
        "127.0.0.1.nip.io:4000",
        "evil.com",
        "localhost.",
        "LOCALHOST",
        "localhost:",
        "localhost:80@evil.com",
        "127.0.0.2:4000",
        "127.1",
        "0.0.0.0:4000",
        "::1",
        "[::1].evil.com",
        "[::ffff:127.0.0.1]",
        "user@localhost",
        "",
    ];
    for host in bad {
        assert_eq!(from(host, &[]), 403, "{host}");
        assert_eq!(ask("GET", "/", &[("host", host)]), 403, "also of a file: {host}");
    }
}

#[test]
fn a_request_without_a_host_or_with_two_is_refused() {
    assert_eq!(ask("GET", "/", &[]), 403);
    assert_eq!(ask("GET", "/", &[("host", "localhost"), ("host", "localhost")]), 403);
    assert_eq!(ask("GET", "/", &[("host", "evil.com"), ("host", "localhost")]), 403);
}

#[test]
fn a_name_of_somebody_else_that_leads_here_is_refused_whatever_it_sends() {
    // DNS rebinding: for the browser it is one site, so Origin and Sec-Fetch-Site look right.
    let rebound = [("origin", "http://evil.com:4000"), ("sec-fetch-site", "same-origin")];
    assert_eq!(from("evil.com:4000", &rebound), 403);
    assert_eq!(from("localhost:4000", &rebound), 403);
}

#[test]
fn another_site_is_refused_by_its_origin() {
    let host = "127.0.0.1:4000";
    assert_eq!(from(host, &[("origin", "http://127.0.0.1:4000")]), 200);
    for origin in
        ["null", "http://evil.com", "http://127.0.0.1:4001", "http://localhost:4000", "https://127.0.0.1:4000", ""]
    {
        assert_eq!(from(host, &[("origin", origin)]), 403, "{origin}");
    }
    assert_eq!(from(host, &[("origin", "http://127.0.0.1:4000"), ("origin", "null")]), 403);
    for site in ["cross-site", "same-site", "none", ""] {
        assert_eq!(from(host, &[("sec-fetch-site", site)]), 403, "{site}");
    }
    assert_eq!(from(host, &[("sec-fetch-site", "same-origin")]), 200);
}

#[test]
fn a_page_that_was_opened_from_a_file_says_cross_site_and_is_answered() {
    assert_eq!(ask("GET", "/", &[("host", "127.0.0.1:4000"), ("sec-fetch-site", "cross-site")]), 200);
}

#[test]
fn a_change_without_an_origin_is_refused() {
    let bearer = bearer();
    let path = "/api/tasks/ns/t/suspend";
    let headers = [("host", "localhost:4000"), ("authorization", bearer.as_str())];
    assert_eq!(ask("POST", path, &headers), 403);
    let with = [headers[0], headers[1], ("origin", "http://localhost:4000")];
    assert_eq!(ask("POST", path, &with), 200);
    let null = [headers[0], headers[1], ("origin", "null")];
    assert_eq!(ask("POST", path, &null), 403);
}

#[test]
fn methods_that_are_not_needed_are_refused_with_and_without_an_origin() {
    let bearer = bearer();
    for method in ["DELETE", "HEAD", "PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"] {
        for path in ["/", "/api/tasks/ns/t/suspend"] {
            let headers = [("host", "localhost:4000"), ("authorization", bearer.as_str())];
            assert_eq!(ask(method, path, &headers), 403, "{method} {path}");
            let with = [headers[0], headers[1], ("origin", "http://localhost:4000")];
            assert_eq!(ask(method, path, &with), 405, "{method} {path}");
        }
    }
}

#[test]
fn an_upgrade_to_a_websocket_is_refused_and_checked_like_the_rest() {
    let upgrade = [("upgrade", "websocket"), ("connection", "upgrade")];
    assert_eq!(from("localhost:4000", &upgrade), 400);
    assert_eq!(from("evil.com", &upgrade), 403);
    assert_eq!(from("localhost:4000", &[upgrade[0], upgrade[1], ("origin", "http://evil.com")]), 403);
}

#[test]
fn an_address_of_another_host_in_the_request_line_is_refused() {
    let bearer = bearer();
    let headers = [("host", "localhost:4000"), ("authorization", bearer.as_str())];
    assert_eq!(ask("GET", "http://evil.com/api/about", &headers), 400);
}

#[test]
fn without_the_token_there_are_no_data() {
    let host = ("host", "localhost:4000");
    let (right, wrong) = (bearer(), format!("Bearer {}", "0".repeat(64)));
    assert_eq!(ask("GET", "/api/about", &[host]), 401);
    assert_eq!(ask("GET", "/api/about", &[host, ("authorization", &wrong)]), 401);
    for text in
        ["", "Bearer", "Bearer ", &right[..right.len() - 1], &format!("{right}0"), &right[7..], &right.to_uppercase()]
    {
        assert_eq!(ask("GET", "/api/about", &[host, ("authorization", text)]), 401, "{text}");
    }
    let twice = [host, ("authorization", right.as_str()), ("authorization", right.as_str())];
    assert_eq!(ask("GET", "/api/about", &twice), 401);
    let cookie = format!("token={}", token().text());
    assert_eq!(ask("GET", "/api/about", &[host, ("cookie", &cookie)]), 401, "no cookie is one");
    assert_eq!(ask("GET", &format!("/api/about?t={}", token().text()), &[host]), 401, "nor is the address");
    assert_eq!(ask("GET", "/api/about", &[host, ("authorization", &right)]), 200);
}

#[test]
fn every_start_has_a_token_of_its_own() {
    let (a, b) = (Token::new().unwrap(), Token::new().unwrap());
    assert_eq!((a.text().len(), b.text().len()), (64, 64));
    assert_ne!(a.text(), b.text());
}
