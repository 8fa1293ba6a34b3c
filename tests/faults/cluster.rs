//! The API server restarted, and etcd held up.

use std::process::Command;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// Held for reading by who can't do without the API server, for writing while it is away.
pub static STEADY: RwLock<()> = RwLock::new(());

/// What happens to the cluster as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    RestartApiServer,
    PauseEtcd(Duration),
}

/// Carries it out, if the cluster is the tests' own: `FAULT_CLUSTER` is its name.
pub fn disturb(what: Disturbance) {
    let Ok(name) = std::env::var("FAULT_CLUSTER") else {
        println!("FAULT_CLUSTER is not set: no {what:?}");
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/cluster.sh");
    let _alone = STEADY.write().unwrap_or_else(PoisonError::into_inner);
    match what {
        Disturbance::RestartApiServer => {
            let done = Command::new(script).args(["restart", "kube-apiserver", &name]).status().unwrap();
            assert!(done.success(), "the API server does not come back");
        }
        Disturbance::PauseEtcd(pause) => {
            let pid = Command::new(script).args(["pid", "etcd", &name]).output().unwrap();
            let pid = String::from_utf8(pid.stdout).unwrap();
            let signal = |name: &str| {
                assert!(Command::new("kill").args([name, pid.trim()]).status().unwrap().success(), "no etcd {pid}");
            };
            signal("-STOP");
            std::thread::sleep(pause);
            signal("-CONT");
        }
    }
}
