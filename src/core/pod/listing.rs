//! From a template to the pod that computes a list: its container runs the worker program, which runs the command once
//! and carries what it writes to the operator.

use maptask_exchange::{CONFIG_VARIABLE, ListConfig, ListFormat};
use serde_json::Value;

use crate::api::items::ItemFormat;
use crate::core::ids::{PodRole, TaskKey};
use crate::core::phases::Raises;
use crate::core::pod::PodTemplate;
use crate::core::pod::template::add_env;
use crate::core::pod::worker::{self, WorkerHome};

/// What is asked of the pod of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListSpec {
    /// How the text is split into items.
    pub format: ItemFormat,
}

impl ListSpec {
    fn config(self, home: &WorkerHome, grace_seconds: u64) -> ListConfig {
        ListConfig {
            version: 1,
            url: home.address.url.clone(),
            server_name: home.address.server_name.clone(),
            ca: home.address.ca_pem.clone(),
            format: match self.format {
                ItemFormat::Lines => ListFormat::Lines,
                ItemFormat::JsonLines => ListFormat::JsonLines,
                ItemFormat::JsonArray => ListFormat::JsonArray,
            },
            grace_seconds,
        }
    }
}

impl PodTemplate {
    /// The pod of an attempt at the list.
    pub fn list_pod(
        &self,
        task: &TaskKey,
        uid: &str,
        role: PodRole,
        env: &[(String, String)],
        wanted: ListSpec,
        home: &WorkerHome,
    ) -> Value {
        let mut pod = self.pod(task, uid, role, env, Raises::NONE);
        let config = wanted.config(home, worker::grace_seconds(&self.spec));
        let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else { return pod };
        worker::install_lister(spec, self.container(), home);
        for container in spec.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten() {
            if container.get("name").and_then(Value::as_str) == Some(self.container()) {
                // A value of plain types can be written.
                let text = serde_json::to_string(&config).unwrap_or_default();
                add_env(container, &[(CONFIG_VARIABLE.to_owned(), text)]);
            }
        }
        pod
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::exchange_address::ExchangeAddress;
    use crate::core::ids::Attempt;

    #[test]
    fn the_container_runs_the_worker_which_runs_the_command_as_the_kubelet_has_expanded_it() {
        let container = json!({ "name": "main", "image": "x", "command": ["sh", "-c"], "args": ["$(A)"] });
        let template = json!({ "spec": { "containers": [container], "activeDeadlineSeconds": 60 } });
        let template = PodTemplate::accept(&template, None).unwrap();
        let address = ExchangeAddress {
            url: "https://10.0.0.1:8443".to_owned(),
            server_name: "w.ns.svc".to_owned(),
            ca_pem: "CA".to_owned(),
        };
        let home = WorkerHome { address, image: "operator:1".to_owned(), pull_policy: "IfNotPresent".to_owned() };
        let (key, wanted) = (TaskKey::new("ns", "t"), ListSpec { format: ItemFormat::JsonLines });
        let env = [("MAPTASK_NAME".to_owned(), "t".to_owned())];
        let pod = template.list_pod(&key, "u", PodRole::List(Attempt(2)), &env, wanted, &home);
        assert_eq!(pod["metadata"]["name"], "t-list-2");
        assert_eq!(pod["metadata"]["labels"]["maptask.dev/index"], "list");
        let own = &pod["spec"]["containers"][0];
        assert_eq!(own["command"], json!(["/.maptask/maptask-worker", "list", "--", "sh", "-c", "$(A)"]));
        assert!(own.get("args").is_none());
        assert_eq!(own["terminationMessagePolicy"], "FallbackToLogsOnError");
        assert_eq!(pod["spec"]["activeDeadlineSeconds"], 60, "a pod is an attempt");
        assert_eq!(pod["spec"]["initContainers"][0]["name"], "maptask-worker");
        let env = own["env"].as_array().unwrap();
        let config = env.iter().find(|variable| variable["name"] == CONFIG_VARIABLE).unwrap();
        let config: ListConfig = serde_json::from_str(config["value"].as_str().unwrap()).unwrap();
        assert_eq!((config.format, config.grace_seconds), (ListFormat::JsonLines, 30));
    }
}
