//! Errors in the API server's own words: what a client library prints of them ends in a dump of its own types.

use std::error::Error;

use kube::core::Status;

/// Most characters of an error in a log line, a status or an Event.
const LIMIT: usize = 1_000;

/// What an error says, in at most 1,000 characters: the API server's message, where one is behind it.
pub fn plain(error: &(dyn Error + 'static)) -> String {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(kube::Error::Api(status)) = error.downcast_ref::<kube::Error>() {
            return of_status(status);
        }
        next = error.source();
    }
    crate::text::cut(&error.to_string(), LIMIT)
}

/// The error with its causes, outermost first: of a failed connection only the causes say why.
pub fn plain_chain(error: &(dyn Error + 'static)) -> String {
    let mut words = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(kube::Error::Api(status)) = error.downcast_ref::<kube::Error>() {
            words.push(of_status(status));
            break;
        }
        let word = error.to_string();
        // Many libraries repeat what is behind an error.
        if !words.last().is_some_and(|last: &String| last.ends_with(&word)) {
            words.push(word);
        }
        next = error.source();
    }
    crate::text::cut(&words.join(": "), LIMIT)
}

/// The message of an answer; where there is none, its code and reason.
pub fn of_status(status: &Status) -> String {
    match status.message.trim() {
        "" => format!("the API server answered {} {}", status.code, status.reason).trim_end().to_owned(),
        message => crate::text::cut(message, LIMIT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(message: &str) -> kube::Error {
        let json = serde_json::json!({ "code": 403, "reason": "Forbidden", "message": message, "status": "Failure" });
        kube::Error::Api(serde_json::from_value(json).unwrap())
    }

    #[test]
    fn no_error_shows_a_rust_debug_dump() {
        let quota = r#"configmaps "a" is forbidden: exceeded quota: q"#;
        assert!(refusal(quota).to_string().contains("Status {"), "what this file is for");
        assert_eq!(plain(&refusal(quota)), quota);
        assert_eq!(plain(&refusal("")), "the API server answered 403 Forbidden");
        let watch = kube::runtime::watcher::Error::InitialListFailed(refusal(quota));
        assert_eq!(plain(&watch), quota);
        let chain = std::io::Error::other(kube::Error::Service(refusal(quota).into()));
        let chain = plain_chain(&chain);
        assert!(chain.ends_with(&format!(": {quota}")), "{chain}");
        assert_eq!(plain(&refusal(&"x".repeat(100_000))).chars().count(), LIMIT, "bounded");
    }
}
