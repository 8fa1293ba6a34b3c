//! What does an error of the API server mean?

use kube::core::Status;

use super::request::Failure;

/// The meaning of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// No such object.
    NotFound,
    /// An object of that name exists.
    AlreadyExists,
    /// Another version of the object exists.
    Conflict,
    /// A quota of the namespace is used up.
    Quota(String),
    /// Too many requests; pause for so many milliseconds, if it says so.
    Throttled(Option<u64>),
    /// Whether the request was, or will be, carried out is not known.
    Unclear(String),
    /// Never.
    Refused(String),
}

pub(super) fn meaning(failure: &Failure) -> Meaning {
    match failure {
        Failure::Kube(kube::Error::Api(status)) => of_status(status),
        other => Meaning::Unclear(other.to_string()),
    }
}

fn of_status(status: &Status) -> Meaning {
    let message = status.message.clone();
    let pause = status.details.as_ref().map(|d| u64::from(d.retry_after_seconds) * 1_000).filter(|ms| *ms > 0);
    match (status.code, status.reason.as_str()) {
        (404, _) => Meaning::NotFound,
        (409, "AlreadyExists") => Meaning::AlreadyExists,
        // Two creates that are charged to one quota at the same time; the next try has better luck.
        (409, _) if message.contains("resourcequotas") => Meaning::Throttled(Some(50)),
        (409, _) => Meaning::Conflict,
        (403, _) if message.contains("exceeded quota") => Meaning::Quota(message),
        // The operator's own rights: a server that has just started does not know them yet.
        (403, _) if message.contains("cannot create resource") => Meaning::Unclear(message),
        (429, _) => Meaning::Throttled(pause),
        // A token that is being renewed, and a server that is overtaxed or on its way out.
        (401 | 408 | 500..=599, _) => Meaning::Unclear(message),
        _ => Meaning::Refused(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Meaning {
        of_status(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_quota_is_no_refusal() {
        let message =
            r#"pods "a-0-1" is forbidden: exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5"#;
        let json = serde_json::json!({ "code": 403, "reason": "Forbidden", "message": message });
        assert_eq!(of(&json.to_string()), Meaning::Quota(message.to_owned()));
    }

    #[test]
    fn rights_that_the_server_does_not_know_of_yet_cost_no_item_an_attempt() {
        let message =
            r#"pods is forbidden: User "u" cannot create resource "pods" in API group "" in the namespace "n""#;
        let json = serde_json::json!({ "code": 403, "reason": "Forbidden", "message": message });
        assert_eq!(of(&json.to_string()), Meaning::Unclear(message.to_owned()));
    }

    #[test]
    fn each_kind_of_error_has_its_meaning() {
        assert_eq!(of(r#"{"code":409,"reason":"AlreadyExists"}"#), Meaning::AlreadyExists);
        assert_eq!(of(r#"{"code":409,"reason":"Conflict"}"#), Meaning::Conflict);
        assert_eq!(of(r#"{"code":429,"details":{"retryAfterSeconds":2}}"#), Meaning::Throttled(Some(2_000)));
        assert_eq!(of(r#"{"code":500,"message":"x"}"#), Meaning::Unclear("x".to_owned()));
        assert_eq!(of(r#"{"code":422,"message":"bad"}"#), Meaning::Refused("bad".to_owned()));
        assert_eq!(of(r#"{"code":404}"#), Meaning::NotFound);
    }
}
