//! Releases of the chart that tests install beside the one that all tests share.

use std::process::Command;

use serde_json::Value;

use crate::kubectl::{Namespace, kubectl, program, run};

/// The chart of this checkout.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/maptask-operator");
/// The chart that was released last.
pub const CHART_BEFORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/charts/maptask-operator-before.tgz");
/// The CRD.
const CRD: &str = "maptasks.maptask.dev";

/// Helm's words, and whether they are good ones.
pub fn try_helm(input: &str, args: &[&str]) -> (bool, String) {
    run(program("helm", "HELM"), input, args)
}

pub fn helm(input: &str, args: &[&str]) -> String {
    let (good, text) = try_helm(input, args);
    assert!(good, "helm {args:?}: {text}");
    text
}

/// The operator of the whole cluster, away as long as this lives.
pub struct Away(pub String);

impl Away {
    pub fn new() -> Self {
        let label = "app.kubernetes.io/name=maptask-operator";
        let all = kubectl(&["get", "deployments", "--all-namespaces", "-l", label, "-o", "json"]);
        let all: Value = serde_json::from_str(&all).unwrap();
        let namespace = all["items"][0]["metadata"]["namespace"].as_str().unwrap().to_owned();
        kubectl(&["-n", &namespace, "scale", "deployment", "maptask-operator", "--replicas=0"]);
        kubectl(&["-n", &namespace, "wait", "pod", "-l", label, "--for=delete", "--timeout=60s"]);
        Self(namespace)
    }

    /// The values of the shared release: the image is that of this checkout.
    pub fn values(&self) -> String {
        helm("", &["get", "values", "maptask-operator", "-n", &self.0, "-o", "json"])
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        kubectl(&["-n", &self.0, "scale", "deployment", "maptask-operator", "--replicas=1"]);
        kubectl(&["-n", &self.0, "rollout", "status", "deployment", "maptask-operator", "--timeout=60s"]);
    }
}

/// The CRD, as if no release owned it; the shared release owns it again at the end.
pub struct NobodysCrd<'a>(&'a Away);

impl<'a> NobodysCrd<'a> {
    pub fn new(away: &'a Away) -> Self {
        kubectl(&["annotate", "crd", CRD, "meta.helm.sh/release-name-", "meta.helm.sh/release-namespace-"]);
        kubectl(&["label", "crd", CRD, "app.kubernetes.io/managed-by-"]);
        Self(away)
    }

    /// The release that owns it, and whether it stays when that goes.
    pub fn owner() -> (String, bool) {
        let crd: Value = serde_json::from_str(&kubectl(&["get", "crd", CRD, "-o", "json"])).unwrap();
        let annotations = &crd["metadata"]["annotations"];
        let owner = annotations["meta.helm.sh/release-name"].as_str().unwrap_or("nobody").to_owned();
        (owner, annotations["helm.sh/resource-policy"] == "keep")
    }
}

impl Drop for NobodysCrd<'_> {
    fn drop(&mut self) {
        let namespace = format!("meta.helm.sh/release-namespace={}", self.0.0);
        kubectl(&["annotate", "--overwrite", "crd", CRD, "meta.helm.sh/release-name=maptask-operator", &namespace]);
        kubectl(&["label", "--overwrite", "crd", CRD, "app.kubernetes.io/managed-by=Helm"]);
    }
}

/// A release of this name in its namespace, which goes with this.
pub struct Release<'a> {
    name: &'static str,
    namespace: &'a Namespace,
    values: String,
}

impl<'a> Release<'a> {
    /// Installs a chart with the image of the shared release, and waits until it is ready.
    pub fn install(name: &'static str, namespace: &'a Namespace, away: &Away, chart: &str, settings: &[&str]) -> Self {
        let this = Self { name, namespace, values: away.values() };
        let (good, text) = this.try_upgrade(chart, settings);
        assert!(good, "{text}");
        this
    }

    /// Upgrades to a chart with these settings and options, and waits until it is ready.
    pub fn try_upgrade(&self, chart: &str, settings: &[&str]) -> (bool, String) {
        let upgrade = ["upgrade", "--install", self.name, chart, "-n", &self.namespace.0, "-f", "-"];
        let wait = ["--reset-values", "--wait", "--timeout", "2m"];
        try_helm(&self.values, &[&upgrade[..], &wait, settings].concat())
    }

    /// Goes back to one of its revisions, and waits until it is ready.
    pub fn roll_back_to(&self, revision: u32) {
        let revision = revision.to_string();
        helm("", &["rollback", self.name, &revision, "-n", &self.namespace.0, "--wait", "--timeout", "2m"]);
    }

    /// Runs its tests.
    pub fn test(&self) -> String {
        helm("", &["test", self.name, "-n", &self.namespace.0, "--logs", "--timeout", "2m"])
    }
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        let _ = try_helm("", &["uninstall", self.name, "-n", &self.namespace.0, "--wait", "--timeout", "1m"]);
    }
}

/// Kills the process of an operator's pod on this machine, with no time to say goodbye.
pub fn kill_pod_of_operator(pod: &str) {
    let wanted = format!("POD_NAME={pod}");
    let pid = crate::crash::operators().into_iter().find(|pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    });
    let pid = pid.unwrap_or_else(|| panic!("no process of {pod}"));
    assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
}
