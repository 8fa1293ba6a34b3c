//! Does an installation work? Runs a small task to its end, for `helm test`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, Config};
use serde_json::json;

use crate::api::{MapTask, TaskPhase};
use crate::args::SelfTestArgs;
use crate::operator::RunError;
use crate::plain::plain_chain;

/// How often the task is looked at: few requests, and no watch, which would be a further right.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why the installation does not work.
#[derive(Debug, thiserror::Error)]
pub enum SelfTestError {
    /// The API server can't be reached.
    #[error(transparent)]
    Config(#[from] RunError),
    /// No client can be made.
    #[error("failed to set up the client: {}", plain_chain(.0))]
    Client(kube::Error),
    /// The API server refuses what a user of the namespace would do.
    #[error("failed to {verb} the MapTask {name} in namespace {namespace}: {}", plain_chain(.problem))]
    Refused {
        /// What was asked for.
        verb: &'static str,
        /// The task's name.
        name: String,
        /// Its namespace.
        namespace: String,
        /// The answer.
        problem: kube::Error,
    },
    /// The task can't be made.
    #[error(transparent)]
    Task(#[from] serde_json::Error),
    /// The task has failed.
    #[error("the MapTask has failed: {0}")]
    Failed(String),
    /// The task has not ended.
    #[error(
        "the MapTask has not ended after {seconds} s: {state}: see whether an operator runs and watches namespace {namespace}"
    )]
    Late {
        /// How long it was waited for.
        seconds: u32,
        /// How it was then.
        state: String,
        /// Its namespace.
        namespace: String,
    },
}

/// Runs the task, and deletes it whatever came of it; what to print.
pub async fn run(args: &SelfTestArgs) -> Result<String, SelfTestError> {
    let config = Config::infer().await.map_err(RunError::from)?;
    let client = Client::try_from(config).map_err(SelfTestError::Client)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    test(client, args, &format!("maptask-self-test-{}", since.as_millis())).await
}

async fn test(client: Client, args: &SelfTestArgs, name: &str) -> Result<String, SelfTestError> {
    let tasks: Api<MapTask> = Api::namespaced(client, &args.within);
    let began = Instant::now();
    let refused = |verb| {
        let (name, namespace) = (name.to_owned(), args.within.clone());
        move |problem| SelfTestError::Refused { verb, name, namespace, problem }
    };
    tasks.create(&PostParams::default(), &task(args, name)?).await.map_err(refused("create"))?;
    let result = wait(&tasks, args, name, began, refused("get")).await;
    let deleted = tasks.delete(name, &DeleteParams::default()).await.map_err(refused("delete"));
    result?;
    deleted?;
    Ok(format!("a MapTask of two items has succeeded after {:.1} s", began.elapsed().as_secs_f64()))
}

/// Two items that print a version, by the rules of Pod Security's level `restricted`.
fn task(args: &SelfTestArgs, name: &str) -> Result<MapTask, serde_json::Error> {
    let secrets: Vec<_> = args.pull_secrets.iter().map(|name| json!({ "name": name })).collect();
    let container = json!({
        "name": "main",
        "image": args.image,
        "imagePullPolicy": args.pull_policy,
        "command": ["/maptask-operator", "--version"],
        "resources": { "requests": { "cpu": "10m", "memory": "16Mi" }, "limits": { "cpu": "100m", "memory": "64Mi" } },
        "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] },
        },
    });
    let pod = json!({
        "automountServiceAccountToken": false,
        "imagePullSecrets": secrets,
        "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": [container],
    });
    let spec = json!({ "items": { "count": 2 }, "retries": 1, "template": { "spec": pod } });
    Ok(MapTask::new(name, serde_json::from_value(spec)?))
}

async fn wait(
    tasks: &Api<MapTask>,
    args: &SelfTestArgs,
    name: &str,
    began: Instant,
    refused: impl FnOnce(kube::Error) -> SelfTestError,
) -> Result<(), SelfTestError> {
    loop {
        let status = match tasks.get(name).await {
            Ok(task) => task.status.unwrap_or_default(),
            Err(problem) => return Err(refused(problem)),
        };
        let message = status.message.unwrap_or_default();
        match status.phase {
            Some(TaskPhase::Succeeded) => return Ok(()),
            Some(TaskPhase::Failed) => return Err(SelfTestError::Failed(message)),
            _ if began.elapsed() >= Duration::from_secs(args.seconds.into()) => {
                let phase = status.phase.map_or("no operator has seen it", TaskPhase::as_str);
                let state = format!("{phase} {message}").trim_end().to_owned();
                return Err(SelfTestError::Late { seconds: args.seconds, state, namespace: args.within.clone() });
            }
            _ => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::*;
    use crate::fake_api::client;

    fn args() -> SelfTestArgs {
        SelfTestArgs {
            within: "ns".to_owned(),
            pull_secrets: vec!["pull".to_owned()],
            image: "registry/maptask-operator:1".to_owned(),
            pull_policy: "Always".to_owned(),
            seconds: 1,
        }
    }

    /// What comes of the test if the task has this status, and the requests that it took.
    async fn outcome(status: Value) -> (Result<String, SelfTestError>, Vec<String>) {
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&requests);
        let object = serde_json::to_value(task(&args(), "t").unwrap()).unwrap();
        let api = client(move |method, path, _| {
            log.lock().unwrap().push(format!("{method} {path}"));
            let mut object = object.clone();
            object["status"] = status.clone();
            (200, object)
        });
        let outcome = test(api, &args(), "t").await;
        let requests = requests.lock().unwrap().clone();
        (outcome, requests)
    }

    #[tokio::test]
    async fn the_self_test_deletes_its_task_whatever_comes_of_it() {
        let path = "/apis/maptask.dev/v1alpha1/namespaces/ns/maptasks";
        for (status, words) in [
            (json!({ "phase": "Succeeded" }), "a MapTask of two items has succeeded"),
            (json!({ "phase": "Failed", "message": "no image" }), "the MapTask has failed: no image"),
            (json!({}), "the MapTask has not ended after 1 s: no operator has seen it"),
            (json!({ "phase": "Running", "message": "waits for quota" }), "after 1 s: Running waits for quota: see"),
        ] {
            let (outcome, requests) = outcome(status).await;
            let text = outcome.unwrap_or_else(|error| error.to_string());
            assert!(text.contains(words), "{text}");
            assert_eq!(requests.first(), Some(&format!("POST {path}")));
            assert_eq!(requests.last(), Some(&format!("DELETE {path}/t")));
        }
    }
}
