//! x
use kube::CustomResourceExt;
fn main() { print!("{}", serde_yaml::to_string(&maptask::api::MapTask::crd()).unwrap()); }
