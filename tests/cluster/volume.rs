//! A volume of the local node, for one claim: the cluster of the tests makes none by itself.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::kubectl::{Namespace, kubectl_with};

/// The volume; it goes with the test.
pub struct Volume {
    name: String,
    folder: String,
}

impl Volume {
    /// For the claim of this name, and no other.
    pub fn new(namespace: &Namespace, claim: &str) -> Self {
        let name = format!("{}-{claim}", namespace.0);
        let folder = format!("/tmp/maptask-volumes/{name}");
        // Any user may write, as with fsGroup on a volume that supports it.
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        namespace.apply(&json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": name },
            "spec": { "accessModes": ["ReadWriteOnce", "ReadWriteMany"], "capacity": { "storage": "1Gi" },
                "claimRef": { "namespace": namespace.0, "name": claim }, "hostPath": { "path": folder } },
        }));
        Self { name, folder }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = kubectl_with("", &["delete", "persistentvolume", &self.name, "--wait=false"]);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
