//! What went wrong, in a line, with a hint at the way out; and the exit codes.

use std::error::Error;

use maptask::plain::plain_chain;

/// What a process ends with. kubectl passes the code of a plugin through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or the task succeeded.
    Done = 0,
    /// An error: the API server, the network, missing rights, no such object.
    Error = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The task failed or was cancelled, or a check of `doctor` failed.
    Failed = 3,
    /// The timeout has passed; the task continues.
    Timeout = 4,
    /// The task was deleted while it was waited for.
    Deleted = 5,
    /// Ctrl-C; the task continues.
    Interrupted = 130,
}

impl Exit {
    /// As the process returns it.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// Why a command did not do what it should: one line, and a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What, the value and the limit. Empty if there is nothing to say, as after a broken pipe.
    pub message: String,
    /// The way out.
    pub hint: Option<String>,
    /// The exit code.
    pub exit: Exit,
}

impl Failure {
    /// Exit code 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, exit: Exit::Error }
    }

    /// Exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(message) }
    }

    /// Nobody reads the output any more: no error, and nothing to say.
    pub fn closed() -> Self {
        Self { exit: Exit::Done, ..Self::new("") }
    }

    /// Adds a way out.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Puts a place in front of the message.
    #[must_use]
    pub fn at(self, place: &str) -> Self {
        Self { message: format!("{place}: {}", self.message), ..self }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe { Self::closed() } else { Self::new(error.to_string()) }
    }
}

/// The code of the API server's answer, if it gave one.
pub fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        of_error(code(&error), &error)
    }
}

impl From<maptask::apply::Failure> for Failure {
    fn from(failure: maptask::apply::Failure) -> Self {
        match failure {
            maptask::apply::Failure::Kube(error) => error.into(),
            maptask::apply::Failure::Timeout => of_error(None, &failure),
        }
    }
}

impl From<kube::runtime::watcher::Error> for Failure {
    fn from(error: kube::runtime::watcher::Error) -> Self {
        of_error(watch_code(&error), &error)
    }
}

/// The code of the API server's answer to a watch, if it gave one.
pub fn watch_code(error: &kube::runtime::watcher::Error) -> Option<u16> {
    use kube::runtime::watcher::Error as Watch;
    match error {
        Watch::InitialListFailed(error) | Watch::WatchStartFailed(error) | Watch::WatchFailed(error) => code(error),
        Watch::WatchError(status) => Some(status.code),
        Watch::NoResourceVersion => None,
    }
}

fn of_error(code: Option<u16>, error: &(dyn Error + 'static)) -> Failure {
    let message = plain_chain(error);
    match code {
        Some(401) => Failure::new(message).hint("the credentials of your kubeconfig are not accepted: log in again"),
        Some(403) => Failure::new(message).hint("ask for the role view (to read) or edit (to change) in the namespace"),
        // What the API server says of a resource that it does not have is no message.
        Some(404) if !message.contains('"') => Failure::new("the cluster does not know MapTasks")
            .hint("install the operator (helm install, docs/operations/install.md), or choose another --context"),
        Some(_) if message.contains("unknown field") => Failure::new(message)
            .hint("a field is misspelled, or the cluster's CRD is older than this client: kubectl maptask doctor"),
        Some(404) => Failure::new(message).hint("see what there is: kubectl maptask list -A"),
        Some(_) => Failure::new(message),
        None => Failure::new(format!("no answer from the cluster: {message}"))
            .hint("look at --context and at the server of your kubeconfig: kubectl cluster-info"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(code: u16, message: &str) -> kube::Error {
        let json = serde_json::json!({ "code": code, "reason": "", "message": message, "status": "Failure" });
        kube::Error::Api(serde_json::from_value(json).unwrap())
    }

    #[test]
    fn an_error_of_the_api_server_is_its_message_and_a_way_out() {
        let failure = Failure::from(api(403, "maptasks.maptask.dev is forbidden: User \"anna\" cannot list"));
        assert!(failure.message.starts_with("maptasks.maptask.dev is forbidden"));
        assert!(failure.hint.unwrap().contains("role view"));
        assert_eq!(Failure::from(api(404, "404 page not found")).message, "the cluster does not know MapTasks");
        let missing = Failure::from(api(404, "maptasks.maptask.dev \"x\" not found"));
        assert_eq!((missing.message.as_str(), missing.exit), ("maptasks.maptask.dev \"x\" not found", Exit::Error));
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        let failure = Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!((failure.message.as_str(), failure.exit.code()), ("", 0));
    }
}
