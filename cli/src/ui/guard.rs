//! Who may ask? One check of every request, whatever its method and path, before anything else looks at it.
//!
//! Loopback belongs to all users of the machine and to every website in the browser. So names are compared exactly, and
//! what is not allowed is refused: no patterns, no lists of what is bad.

use std::io::Read;

use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, ORIGIN, UPGRADE};
use http::{Method, StatusCode, Uri};

/// Names of this machine, as they may stand in `Host`. The port is any: behind a tunnel it is another.
const NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];
/// Bytes of a token.
const TOKEN: usize = 32;
/// What browsers say about where a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A secret for one start of the server: 256 bits, in hexadecimal.
pub struct Token(String);

impl Token {
    /// A new one, of the operating system's random numbers.
    pub fn new() -> std::io::Result<Self> {
        let mut bytes = [0; TOKEN];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let digit = |four: u8| char::from_digit(u32::from(four), 16);
        Ok(Self(bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(digit).collect()))
    }

    /// As it stands in the address.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether this is it. The time does not depend on how much of it is right.
    fn is(&self, given: &[u8]) -> bool {
        let own = self.0.as_bytes();
        own.len() == given.len() && own.iter().zip(given).fold(0, |wrong, (a, b)| wrong | (a ^ b)) == 0
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer.
    pub status: StatusCode,
    /// What is wrong, for the body.
    pub error: &'static str,
}

fn refuse(status: StatusCode, error: &'static str) -> Result<(), Refusal> {
    Err(Refusal { status, error })
}

/// Whether this is a path of the data, which needs the token. The files hold no data.
fn is_api(uri: &Uri) -> bool {
    uri.path().starts_with("/api/")
}

/// Checks a request.
pub fn check(method: &Method, uri: &Uri, headers: &HeaderMap, token: &Token) -> Result<(), Refusal> {
    let Some(host) = only(headers, &HOST).filter(|host| is_ours(host)) else {
        return refuse(StatusCode::FORBIDDEN, "the name in Host is not 127.0.0.1, localhost or [::1]");
    };
    let origin = headers.contains_key(ORIGIN).then(|| only(headers, &ORIGIN));
    match origin {
        Some(origin) if origin.and_then(|origin| origin.strip_prefix("http://")) != Some(host) => {
            return refuse(StatusCode::FORBIDDEN, "Origin is another site");
        }
        None if method != Method::GET => return refuse(StatusCode::FORBIDDEN, "Origin is missing"),
        _ => {}
    }
    if uri.authority().is_some() || headers.contains_key(UPGRADE) {
        return refuse(StatusCode::BAD_REQUEST, "only plain requests for a path are answered");
    }
    if method != Method::GET && method != Method::POST {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET and POST are answered");
    }
    if !is_api(uri) {
        return Ok(());
    }
    if headers.contains_key(FETCH_SITE) && only(headers, &FETCH_SITE) != Some("same-origin") {
        return refuse(StatusCode::FORBIDDEN, "Sec-Fetch-Site is not same-origin");
    }
    let given = only(headers, &AUTHORIZATION).and_then(|text| text.strip_prefix("Bearer "));
    if given.is_some_and(|given| token.is(given.as_bytes())) {
        return Ok(());
    }
    refuse(StatusCode::UNAUTHORIZED, "the token is missing or of another start of the server")
}

/// The value of a header that is there once, if it is text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?;
    first.to_str().ok().filter(|_| all.next().is_none())
}

fn is_ours(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    NAMES.contains(&name)
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
