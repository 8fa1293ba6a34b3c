//! What does an error of the API server mean: is it about this request, or about the server's load?

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
    /// Two requests were charged to one quota at the same time; the next try has better luck.
    Contended,
    /// A quota of the namespace is used up.
    Quota(String),
    /// Too many requests; pause for this many milliseconds, if it says so.
    Throttled(Option<u64>),
    /// No answer, or the server is overloaded: whether the request was, or will be, carried out is not known.
    NoAnswer(String),
    /// This request was not carried out, for a reason that the cluster can heal: a webhook that is down, a
    /// `ServiceAccount` that is missing. Says nothing about the server's load.
    Failed(String),
    /// The server failed at this request and may have carried it out all the same. Says nothing about its load.
    Indeterminate(String),
    /// A policy of the cluster refuses it.
    Refused(String),
    /// No cluster takes it as it is: it is invalid, or too large.
    Invalid(String),
}

impl Meaning {
    /// The meaning in words, for people.
    pub(super) fn words(self) -> String {
        match self {
            Self::NotFound => "not found".to_owned(),
            Self::AlreadyExists => "an object of that name exists".to_owned(),
            Self::Conflict => "the object was changed at the same time".to_owned(),
            Self::Contended => "the quota was changed at the same time".to_owned(),
            Self::Throttled(_) => "the API server asks for fewer requests".to_owned(),
            Self::Quota(message)
            | Self::NoAnswer(message)
            | Self::Failed(message)
            | Self::Indeterminate(message)
            | Self::Refused(message)
            | Self::Invalid(message) => message,
        }
    }
}

pub(super) fn meaning(failure: &Failure) -> Meaning {
    match failure {
        Failure::Kube(kube::Error::Api(status)) => of_status(status),
        other => Meaning::NoAnswer(other.to_string()),
    }
}

/// Refusals of admission that end when somebody creates or repairs what they name.
const HEALABLE: [&str; 8] = [
    // A ServiceAccount is missing.
    "error looking up service account",
    // The quota controller has not counted a new quota yet.
    "status unknown for quota",
    // A quota wants values that a LimitRange can set by default.
    "failed quota: ",
    "no PriorityClass with name",
    "pod rejected: RuntimeClass",
    "because it is being terminated",
    // The operator's own rights: a server that has just started does not know them yet.
    "cannot create resource",
    "not yet ready to handle request",
];

fn of_status(status: &Status) -> Meaning {
    let message = status.message.clone();
    let said = |words: &str| message.contains(words);
    let pause = status.details.as_ref().map(|d| u64::from(d.retry_after_seconds) * 1_000).filter(|ms| *ms > 0);
    // What a webhook or a policy decides has any code that its author chose.
    if said("denied the request") || said("denied request") {
        return Meaning::Refused(message);
    }
    if said("failed calling webhook") || said("failed to call webhook") {
        return Meaning::Failed(message);
    }
    if said("request is too large") || said("message larger than max") {
        return Meaning::Invalid(message);
    }
    match (status.code, status.reason.as_str()) {
        (404, _) => Meaning::NotFound,
        (409, "AlreadyExists") => Meaning::AlreadyExists,
        (409, _) if said("resourcequotas") => Meaning::Contended,
        (409, _) => Meaning::Conflict,
        (403, _) if said("exceeded quota") => Meaning::Quota(message),
        (403, _) if HEALABLE.into_iter().any(said) => Meaning::Failed(message),
        (400 | 413 | 422, _) => Meaning::Invalid(message),
        (429, _) => Meaning::Throttled(pause),
        // A token that is being renewed.
        (401, _) => Meaning::Failed(message),
        // A server that is overloaded, starts or stops, or that a gateway does not reach.
        (408 | 502..=504, _) | (_, "ServerTimeout" | "Timeout") => Meaning::NoAnswer(message),
        (500..=599, _) if pause.is_some() || said("etcdserver: ") => Meaning::NoAnswer(message),
        (500..=599, _) => Meaning::Indeterminate(message),
        _ => Meaning::Refused(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: u16, reason: &str, message: &str) -> Meaning {
        let json = serde_json::json!({ "code": code, "reason": reason, "message": message });
        of_status(&serde_json::from_value(json).unwrap())
    }

    #[test]
    fn a_quota_is_no_refusal() {
        let message =
            r#"pods "a-0-1" is forbidden: exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5"#;
        assert_eq!(of(403, "Forbidden", message), Meaning::Quota(message.to_owned()));
    }

    #[test]
    fn what_the_cluster_can_heal_is_no_refusal() {
        for (code, message) in [
            (403, r#"pods is forbidden: User "u" cannot create resource "pods" in API group "" in the namespace "n""#),
            (403, r#"pods "t-0-1" is forbidden: error looking up service account n/a: serviceaccount "a" not found"#),
            (403, r#"pods "t-0-1" is forbidden: status unknown for quota: q, resources: pods"#),
            (403, r#"pods "t-0-1" is forbidden: failed quota: q: must specify limits.cpu for: main"#),
            (403, r#"pods "t-0-1" is forbidden: no PriorityClass with name high was found"#),
            (403, r#"pods "t-0-1" is forbidden: pod rejected: RuntimeClass "gvisor" not found"#),
            (
                403,
                r#"pods "t-0-1" is forbidden: unable to create new content in namespace n because it is being terminated"#,
            ),
            (401, "Unauthorized"),
            (
                500,
                r#"Internal error occurred: failed calling webhook "w": failed to call webhook: Post "https://x": EOF"#,
            ),
            (500, r#"Internal error occurred: failed calling webhook "w": context deadline exceeded"#),
        ] {
            assert_eq!(of(code, "", message), Meaning::Failed(message.to_owned()));
        }
    }

    #[test]
    fn what_a_policy_denies_is_refused_whatever_its_code() {
        for code in [400, 403, 409, 422, 429, 500, 503] {
            let message = format!(r#"admission webhook "w" denied the request: code {code}"#);
            assert_eq!(of(code, "", &message), Meaning::Refused(message));
        }
        let message = "pods \"t-0-1\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no";
        assert_eq!(of(422, "Invalid", message), Meaning::Refused(message.to_owned()));
        let message = r#"pods "t-0-1" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true"#;
        assert_eq!(of(403, "Forbidden", message), Meaning::Refused(message.to_owned()));
    }

    #[test]
    fn what_no_cluster_takes_is_invalid() {
        for (code, message) in [
            (500, "etcdserver: request is too large"),
            (500, "rpc error: code = ResourceExhausted desc = trying to send message larger than max (3 vs. 2)"),
            (500, "grpc: trying to send message larger than max; received sending message larger than max"),
            (413, "Request entity too large: limit is 3145728"),
            (422, r#"Pod "t-0-1" is invalid: spec.containers[0].image: Required value"#),
            (400, r#"strict decoding error: unknown field "spec.foo""#),
        ] {
            let meaning = of(code, "", message);
            assert!(matches!(meaning, Meaning::Invalid(_)), "{message}: {meaning:?}");
        }
    }

    #[test]
    fn only_load_is_a_complaint_about_load() {
        for (code, reason, message) in [
            (503, "ServiceUnavailable", "x"),
            (504, "Timeout", "x"),
            (500, "ServerTimeout", "The POST operation against Pod could not be completed at this time"),
            (500, "InternalError", "etcdserver: request timed out"),
            (502, "", "bad gateway"),
        ] {
            assert!(matches!(of(code, reason, message), Meaning::NoAnswer(_)), "{code} {reason} {message}");
        }
        assert_eq!(of(500, "InternalError", "x"), Meaning::Indeterminate("x".to_owned()));
        let throttled = serde_json::json!({ "code": 429, "details": { "retryAfterSeconds": 2 } });
        assert_eq!(of_status(&serde_json::from_value(throttled).unwrap()), Meaning::Throttled(Some(2_000)));
    }

    #[test]
    fn each_kind_of_error_has_its_meaning() {
        assert_eq!(of(409, "AlreadyExists", ""), Meaning::AlreadyExists);
        assert_eq!(of(409, "Conflict", ""), Meaning::Conflict);
        let contended = "Operation cannot be fulfilled on resourcequotas \"q\": the object has been modified";
        assert_eq!(of(409, "Conflict", contended), Meaning::Contended);
        assert_eq!(of(404, "NotFound", ""), Meaning::NotFound);
    }
}
