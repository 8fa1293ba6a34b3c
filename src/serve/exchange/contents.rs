//! Is a request as the protocol says? What is too much is refused before the core sees it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maptask_exchange::{
    End, ListEnd, ListRequest, MAX_LIST_BYTES, MAX_LIST_ITEMS, MAX_MESSAGE_BYTES, MAX_PIECE_BYTES, MAX_PIECES,
    MAX_RESULT_BYTES, MAX_RUNNING, MAX_SLOTS, MAX_STOCK, Outcome, Request, State,
};

use crate::core::items::digest;
use crate::core::port::ListPart;

/// `sha256:` and 64 digits.
const HASH_LENGTH: usize = 71;
/// Digits of a session's name.
const SESSION_DIGITS: usize = 16;

/// A part of a list, with the hash of a piece; or what is wrong with it.
pub(super) fn part(request: ListRequest) -> Result<ListPart, String> {
    match request {
        ListRequest::Running => Ok(ListPart::Running),
        ListRequest::Piece { number, data } => {
            if number >= MAX_PIECES {
                return Err(format!("piece {number}: a list has at most {MAX_PIECES} pieces"));
            }
            let bytes = STANDARD.decode(&data).map_err(|error| format!("piece {number} is no base64: {error}"))?;
            if bytes.len() > MAX_PIECE_BYTES {
                return Err(format!("piece {number} has more than {MAX_PIECE_BYTES} bytes"));
            }
            Ok(ListPart::Piece { number, digest: digest(&bytes), data: data.into() })
        }
        ListRequest::End(end) => {
            let ListEnd { pieces, items, bytes, hash } = &end;
            let problem = if *pieces > MAX_PIECES {
                Some(format!("pieces: a list has at most {MAX_PIECES}"))
            } else if u64::from(*items) > MAX_LIST_ITEMS {
                Some(format!("items: a list has at most {MAX_LIST_ITEMS}"))
            } else if *bytes > MAX_LIST_BYTES {
                Some(format!("bytes: a list has at most {MAX_LIST_BYTES}"))
            } else if hash.len() != HASH_LENGTH {
                Some(format!("hash must have {HASH_LENGTH} characters"))
            } else {
                None
            };
            problem.map_or(Ok(ListPart::End(end)), Err)
        }
    }
}

/// What is wrong with a request, with the field and its limit.
pub(super) fn problem(request: &Request) -> Option<String> {
    let Request { session, number, running, stock, ended, state, .. } = request;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if session.len() != SESSION_DIGITS || !session.bytes().all(is_digit) {
        return Some(format!("session must be {SESSION_DIGITS} hexadecimal digits in lower case"));
    }
    if *number == 0 {
        return Some("number must be at least 1".to_owned());
    }
    let (running_at_most, most) = (MAX_RUNNING as usize, (MAX_SLOTS * MAX_STOCK) as usize);
    // Programs of a slot that was taken away run on.
    if running.len() > running_at_most {
        return Some(format!("running has {} attempts, at most {running_at_most} are allowed", running.len()));
    }
    if stock.len() > most {
        return Some(format!("stock has {} attempts, at most {most} are allowed", stock.len()));
    }
    if let State::Recycle { message } | State::Leaving { message, .. } = state
        && message.len() > MAX_MESSAGE_BYTES
    {
        return Some(format!("state.message has {} bytes, at most {MAX_MESSAGE_BYTES} are allowed", message.len()));
    }
    ended.iter().find_map(problem_of_end)
}

fn problem_of_end(end: &End) -> Option<String> {
    let (field, text, most) = match &end.outcome {
        Outcome::Succeeded { result } => ("result", result.as_deref().unwrap_or_default(), MAX_RESULT_BYTES),
        Outcome::ResultTooLarge { end, .. } => ("end", end.as_str(), MAX_RESULT_BYTES),
        Outcome::Failed { message, .. }
        | Outcome::OutOfMemory { message, .. }
        | Outcome::Suspect { message, .. }
        | Outcome::Deadline { message }
        | Outcome::NotStarted { message } => ("message", message.as_str(), MAX_MESSAGE_BYTES),
        Outcome::Stopped => return None,
    };
    let (sequence, bytes) = (end.sequence, text.len());
    (bytes > most).then(|| format!("the {field} of end {sequence} has {bytes} bytes, at most {most} are allowed"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn problem_with(field: &str, value: &Value) -> Option<String> {
        let mut request = json!({ "session": "00c0ffee00c0ffee", "number": 1 });
        request[field] = value.clone();
        problem(&serde_json::from_value(request).unwrap())
    }

    #[test]
    fn a_request_that_says_too_much_is_refused_with_the_field_and_its_limit() {
        let end = |outcome: Value| json!([{ "sequence": 7, "id": [1, 1], "outcome": outcome }]);
        let succeeded = |bytes: usize| end(json!({ "kind": "Succeeded", "result": "x".repeat(bytes) }));
        let failed = |bytes: usize| end(json!({ "kind": "Failed", "exitCode": 1, "message": "x".repeat(bytes) }));
        let leaving = |bytes: usize| json!({ "kind": "Leaving", "reason": "Stopped", "message": "x".repeat(bytes) });
        for (field, good) in [
            ("session", json!("0123456789abcdef")),
            ("stock", json!(vec![[1, 1]; 10_240])),
            ("running", json!(vec![[1, 1]; 512])),
            ("ended", succeeded(MAX_RESULT_BYTES)),
            ("ended", failed(MAX_MESSAGE_BYTES)),
            ("state", leaving(MAX_MESSAGE_BYTES)),
        ] {
            assert_eq!(problem_with(field, &good), None, "{field}");
        }
        for (field, bad, words) in [
            ("session", json!("0123"), "16 hexadecimal digits"),
            ("session", json!("0123456789ABCDEF"), "lower case"),
            ("number", json!(0), "at least 1"),
            ("stock", json!(vec![[1, 1]; 10_241]), "stock has 10241 attempts, at most 10240"),
            ("running", json!(vec![[1, 1]; 513]), "running has 513 attempts, at most 512"),
            ("ended", succeeded(MAX_RESULT_BYTES + 1), "the result of end 7 has 65537 bytes, at most 65536"),
            ("ended", failed(MAX_MESSAGE_BYTES + 1), "the message of end 7 has 2049 bytes, at most 2048"),
            ("state", leaving(MAX_MESSAGE_BYTES + 1), "state.message has 2049 bytes, at most 2048"),
        ] {
            let problem = problem_with(field, &bad).unwrap();
            assert!(problem.contains(words), "{problem}");
        }
    }
}
