//! Another client that floods the API server, and who the operator is to priority and fairness.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http::Request;
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::requests::send;

/// Lists of all pods that the other client has on their way at once.
const CLIENTS: usize = 60;
const NAMESPACE: &str = "maptask-system";
const ACCOUNT: &str = "maptask-operator";
const SCHEMA: &str = "maptask-bench";

/// The other client at work.
pub struct Flood {
    over: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    clients: Vec<JoinHandle<()>>,
}

fn groups(namespace: &str) -> [String; 3] {
    [
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{namespace}"),
        "system:authenticated".to_owned(),
    ]
}

/// A kubeconfig by which the operator is its service account: administrators are exempt from priority and fairness.
pub async fn kubeconfig(client: &Client) -> PathBuf {
    let user = format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}");
    for (name, user) in
        [("maptask-bench", user.as_str()), ("maptask-bench-flood", "system:serviceaccount:default:flood")]
    {
        let subject = json!({ "kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user });
        let role = json!({ "kind": "ClusterRole", "apiGroup": "rbac.authorization.k8s.io", "name": "cluster-admin" });
        let binding = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": { "name": name }, "subjects": [subject], "roleRef": role });
        let _ = send(client, "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).await;
    }
    let text = std::fs::read_to_string(std::env::var("KUBECONFIG").unwrap()).unwrap();
    let mut config: Value = serde_yaml::from_str(&text).unwrap();
    config["users"][0]["user"]["as"] = json!(user);
    config["users"][0]["user"]["as-groups"] = json!(groups(NAMESPACE));
    let path = PathBuf::from(concat!(env!("CARGO_TARGET_TMPDIR"), "/bench-kubeconfig"));
    std::fs::write(&path, serde_yaml::to_string(&config).unwrap()).unwrap();
    path
}

/// The operator's requests as they would be under the chart's `FlowSchema`.
fn schema() -> Value {
    let subject = json!({ "kind": "ServiceAccount", "serviceAccount": { "name": ACCOUNT, "namespace": NAMESPACE } });
    let resources =
        json!([{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": true }]);
    json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": { "name": SCHEMA },
        "spec": {
            "priorityLevelConfiguration": { "name": "workload-high" },
            "matchingPrecedence": 1_000,
            "distinguisherMethod": { "type": "ByUser" },
            "rules": [{ "subjects": [subject], "resourceRules": resources }],
        },
    })
}

impl Flood {
    pub async fn start(client: &Client, with_schema: bool) -> Self {
        if with_schema {
            let path = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas";
            send(client, "POST", path, &schema()).await.unwrap();
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        let mut config = Config::infer().await.unwrap();
        config.default_retry = false;
        config.auth_info.impersonate = Some("system:serviceaccount:default:flood".to_owned());
        config.auth_info.impersonate_groups = Some(groups("default").to_vec());
        let other = Client::try_from(config).unwrap();
        let (over, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let clients = (0..CLIENTS)
            .map(|_| {
                let (other, over, answers) = (other.clone(), Arc::clone(&over), Arc::clone(&answers));
                tokio::spawn(async move {
                    while !over.load(Ordering::Relaxed) {
                        let request = Request::get("/api/v1/pods").body(Vec::new()).unwrap();
                        if other.request_text(request).await.is_ok() {
                            answers.fetch_add(1, Ordering::Relaxed);
                        } else {
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                    }
                })
            })
            .collect();
        Self { over, answers, clients }
    }

    /// Ends it; how many answers it had.
    pub async fn stop(self, client: &Client) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        for task in self.clients {
            let _ = task.await;
        }
        let path = format!("/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/{SCHEMA}");
        let _ = send(client, "DELETE", &path, &Value::Null).await;
        self.answers.load(Ordering::Relaxed)
    }
}
